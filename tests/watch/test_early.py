"""Fatal mistakes are told in the first five seconds of a script that trains for a minute."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time

import pytest

SCRIPT = """
import time
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 8)
y = (x[:, 0] > 0).long()
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2){last})
rule = torch.optim.Adam(model.parameters(), lr=0.01)
{mode}
print("begun", flush=True)
for step in range(1500):  # of 0.04 seconds
    {clear}
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    rule.step()
    time.sleep(0.04)
    {after}
"""
HEALTHY = {"last": "", "mode": "model.train()", "clear": "rule.zero_grad()", "after": "pass"}
JUDGE = "with torch.no_grad(): nn.functional.cross_entropy(model(x), y)"
MISTAKES = {
    "GF010": {"last": ", nn.Softmax(dim=1)"},
    "GF015": {"clear": "pass"},
    "GF016": {"mode": "model.eval()"},
    "GF017": {"after": f"if step % 20 == 19:\n        {JUDGE}"},
    "GF021": {"after": "if step == 40: x[0, 0] = float('inf')"},
}
LIMIT = 5.0


@pytest.mark.long
@pytest.mark.parametrize("code", MISTAKES)
def test_a_fatal_mistake_is_told_within_five_seconds(tmp_path, code):
    path = tmp_path / "train.py"
    path.write_text(textwrap.dedent(SCRIPT.format(**{**HEALTHY, **MISTAKES[code]})), encoding="utf-8")
    command = [sys.executable, "-m", "goodfit", "watch", str(path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "begun\n"
        started = time.monotonic()
        told = next((line for line in process.stderr if code in line), "")
        seconds = time.monotonic() - started
        is_training = process.poll() is None
        process.kill()
    assert code in told
    assert is_training
    assert seconds < LIMIT
