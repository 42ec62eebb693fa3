"""Callbacks for Lightning and Transformers, run by their own trainers where these are installed."""

from __future__ import annotations

import importlib
import sys

import pytest
import torch
from torch import nn

from goodfit.errors import PlanError


@pytest.fixture
def ill():
    """A mistake in the network, which learns a little in spite of it."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 2), nn.Softmax(dim=1))


@pytest.fixture
def rows():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(64, 4, generator=generator)
    return x, (x[:, 0] > 0).long()


def test_lightning_trains_under_observation(rows, ill, tmp_path):
    lightning = pytest.importorskip("lightning.pytorch")
    from goodfit.interop.lightning import GoodfitCallback

    class Training(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.network = ill

        def training_step(self, batch, _):
            return nn.functional.cross_entropy(self.network(batch[0]), batch[1])

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=0.03)

    watching = GoodfitCallback(quiet=True)
    trainer = lightning.Trainer(
        max_epochs=5,
        callbacks=[watching],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        default_root_dir=tmp_path,
    )
    trainer.fit(Training(), torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*rows), batch_size=16))
    assert {found.code for found in watching.findings if found.severity == "error"} == {"GF010"}


def test_transformers_trains_under_observation(rows, ill, tmp_path):
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    from goodfit.interop.transformers import GoodfitCallback

    class Scoring(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = ill

        def forward(self, x, labels):
            scores = self.network(x)
            return {"loss": nn.functional.cross_entropy(scores, labels), "logits": scores}

    watching = GoodfitCallback(quiet=True)
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path),
        num_train_epochs=5,
        learning_rate=0.03,
        report_to=[],
        save_strategy="no",
        use_cpu=True,
    )
    data = [{"x": x, "labels": label} for x, label in zip(*rows, strict=True)]
    transformers.Trainer(Scoring(), arguments, train_dataset=data, callbacks=[watching]).train()
    assert {found.code for found in watching.findings if found.severity == "error"} == {"GF010"}


@pytest.mark.parametrize("name", ["lightning", "transformers"])
def test_what_is_not_installed_is_told_with_its_command(name, monkeypatch):
    for absent in ("lightning.pytorch", "pytorch_lightning", "transformers"):
        monkeypatch.setitem(sys.modules, absent, None)
    monkeypatch.delitem(sys.modules, f"goodfit.interop.{name}", raising=False)
    with pytest.raises(PlanError, match="is not installed") as caught:
        importlib.import_module(f"goodfit.interop.{name}")
    assert caught.value.fix == f'pip install "goodfit[{name}]"'
