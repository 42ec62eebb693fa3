"""``goodfit watch`` on scripts whose loop is another library's, where that is installed."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

import pytest

LIGHTNING = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
import lightning.pytorch as lightning

torch.manual_seed(0)
x = torch.randn(256, 4)
rows = TensorDataset(x, (x[:, 0] > 0).long())

class Training(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.network = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2){last})
    def training_step(self, batch, _):
        return nn.functional.cross_entropy(self.network(batch[0]), batch[1])
    def validation_step(self, batch, _):
        return nn.functional.cross_entropy(self.network(batch[0]), batch[1])
    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.03)

trainer = lightning.Trainer(
    max_epochs=8, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
)
trainer.fit(Training(), DataLoader(rows, batch_size=32, shuffle=True), DataLoader(rows, batch_size=64))
print("done")
"""
TRANSFORMERS = """
import torch
import transformers
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 4)
labels = (x[:, 0] > 0).long()

class Scoring(nn.Module):
    def __init__(self):
        super().__init__()
        self.network = nn.Sequential(nn.Linear(4, 16), nn.Dropout(0.1), nn.ReLU(), nn.Linear(16, 2){last})
    def forward(self, x, labels):
        scores = self.network(x)
        return {{"loss": nn.functional.cross_entropy(scores, labels), "logits": scores}}

arguments = transformers.TrainingArguments(
    output_dir="out", num_train_epochs=8, learning_rate=0.03, report_to=[], save_strategy="no", use_cpu=True,
    eval_strategy="epoch", disable_tqdm=True, gradient_accumulation_steps={gathered}
)
rows = [{{"x": row, "labels": label}} for row, label in zip(x, labels)]
transformers.Trainer(Scoring(), arguments, train_dataset=rows, eval_dataset=rows[:64]).train()
print("done")
"""
SCRIPTS = {
    "lightning": (LIGHTNING, {}),
    "transformers": (TRANSFORMERS, {"gathered": 1}),
    "transformers, gradients gathered": (TRANSFORMERS, {"gathered": 4}),
}


@pytest.mark.long
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_trainer_of_another_library_is_watched_as_any_other_loop(name, tmp_path):
    library = name.partition(",")[0]
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    text, pieces = SCRIPTS[name]
    for last, wanted in ((", nn.Softmax(dim=1)", {"GF010"}), ("", set())):
        (tmp_path / "train.py").write_text(text.format(last=last, **pieces), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "goodfit", "watch", "--json", "found.json", "train.py"],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.rstrip().endswith("done")
        assert "fault in goodfit" not in done.stderr
        found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))["findings"]
        assert {one["code"] for one in found if one["severity"] == "error"} == wanted
        if not wanted:
            assert [one for one in found if one["severity"] != "info"] == []
