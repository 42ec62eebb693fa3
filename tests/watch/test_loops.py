"""Loops of other kinds: low precision, compiled modules, several optimizers, several processes."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest
import torch
from torch._dynamo.utils import counters

HEAD = """
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 8)
y = (x[:, 0] + x[:, 1] > 0).long()
"""
LOW_PRECISION = (
    HEAD
    + """
class Broken(nn.Module):
    step = 0
    def forward(self, hidden):
        self.step += 1
        return hidden if self.step < 30 else torch.log(hidden - hidden) * 0

model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), {}, nn.Linear(16, 2))
rule = torch.optim.Adam(model.parameters(), lr=0.01)
scaler = torch.amp.GradScaler("cpu")
for step in range(80):
    rows = torch.randint(256, (64,))
    rule.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
    scaler.scale(loss).backward()
    scaler.step(rule)
    scaler.update()
"""
)
COMPILED = (
    HEAD
    + """
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2), {})
{}
rule = torch.optim.Adam(model.parameters(), lr=0.02)
for step in range(120):
    rule.zero_grad()
    nn.functional.cross_entropy(network(x), y).backward()
    rule.step()
"""
)
GAME = (
    HEAD
    + """
maker, judge = (nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, n)) for n in (2, 1))
rules = [torch.optim.Adam(net.parameters(), lr=0.01) for net in (maker, judge)]
criterion = nn.BCEWithLogitsLoss()
for step in range(80):
    real, fake = torch.randn(32, 2) + 3, maker(torch.randn(32, 2))
    {}
    loss = criterion(judge(real), torch.ones(32, 1)) + criterion(judge(fake.detach()), torch.zeros(32, 1))
    loss.backward()
    rules[1].step()
    rules[0].zero_grad()
    criterion(judge(fake), torch.ones(32, 1)).backward()
    rules[0].step()
"""
)
GATHERED = (
    HEAD
    + """
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
rule = torch.optim.Adam(model.parameters(), lr=0.02)
for step in range(400):
    rows = torch.randint(256, (32,))
    (nn.functional.cross_entropy(model(x[rows]), y[rows]) / 4).backward()
    with torch.no_grad():
        nn.functional.cross_entropy(model(x[rows]), y[rows])
    if step % 4 == 3:
        rule.step()
        {}
"""
)
BY_ROWS = (
    HEAD
    + """
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
rule = torch.optim.Adam(model.parameters(), lr=0.02)
def loss(parameters, row, label):
    scores = torch.func.functional_call(model, parameters, (row[None],))
    return nn.functional.cross_entropy(scores, label[None])
slopes = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0))
for step in range(40):
    found = slopes(dict(model.named_parameters()), x, y)
    for name, parameter in model.named_parameters():
        parameter.grad = found[name].detach().clamp(-1, 1).mean(0)
    rule.step()
"""
)
TOGETHER = (
    HEAD
    + """
import torch.distributed as group
group.init_process_group("gloo")
model = nn.parallel.DistributedDataParallel(nn.Sequential(nn.Linear(8, 2), nn.Softmax(dim=1)))
rule = torch.optim.Adam(model.parameters(), lr=0.02)
for step in range(30):
    rule.zero_grad()
    nn.functional.cross_entropy(model(x[group.get_rank() :: 2]), y[group.get_rank() :: 2]).backward()
    rule.step()
# in one piece: two processes write to one pipe
print(f"rank {group.get_rank()} of {group.get_world_size()}\\n", end="")
group.destroy_process_group()
"""
)


def test_low_precision_that_learns_raises_no_warning(watched):
    done = watched(LOW_PRECISION.format("nn.Identity()"))
    assert done.ending.code == 0
    assert done.severe == set()
    assert done.session.num_steps == 80


def test_the_first_cause_of_nan_is_found_in_low_precision_where_steps_are_skipped(watched):
    done = watched(LOW_PRECISION.format("Broken()"))
    seen = done.sighting("non-finite-loss")
    assert done.ending.code == 0
    assert seen.finding.evidence[0].layer == "2"
    assert "no numbers any more" not in seen.finding.message


WAYS = {
    "from outside": "network = torch.compile(model, backend='eager')",
    "in place": "model.compile(backend='eager')\nnetwork = model",
    "not at all": "network = model",
}


@pytest.mark.parametrize("way", WAYS)
def test_compiled_modules_are_seen_from_outside(watched, way):
    healthy = watched(COMPILED.format("nn.Identity()", WAYS[way]))
    assert healthy.ending.code == 0
    assert healthy.severe == set()
    assert any("torch.compile" in reason for reason in healthy.session.not_checked) == (way != "not at all")
    ill = watched(COMPILED.format("nn.Softmax(dim=1)", WAYS[way]))
    assert "probabilities-into-loss" in ill.severe


def test_a_module_is_compiled_once_under_observation(watched, capsys):
    text = COMPILED.format("nn.Identity()", WAYS["from outside"])
    count = "\nfrom torch._dynamo.utils import counters\nprint(counters['stats']['unique_graphs'])"
    torch._dynamo.reset()
    counters.clear()
    watched(text + count)
    assert capsys.readouterr().out == "1\n"


def test_two_optimizers_are_judged_apart(watched):
    assert watched(GAME.format("rules[1].zero_grad()")).severe == set()
    done = watched(GAME.format("pass"))
    assert done.severe == {"stale-gradients"}


def test_gathered_gradients_are_told_from_stale_ones(watched):
    assert watched(GATHERED.format("rule.zero_grad()")).severe == set()
    assert "stale-gradients" in watched(GATHERED.format("pass")).severe


def test_gradients_by_rows_are_left_alone(watched):
    done = watched(BY_ROWS)
    assert (done.ending.code, done.session.failure) == (0, None)
    assert done.severe == set()


@pytest.mark.long
def test_one_process_of_a_group_speaks(tmp_path):
    (tmp_path / "train.py").write_text(textwrap.dedent(TOGETHER), encoding="utf-8")
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    watch = ["goodfit", "watch", "--json", "found.json", "train.py"]
    done = subprocess.run(
        [sys.executable, *launch, *watch],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == ["rank 0 of 2", "rank 1 of 2"]
    assert done.stderr.count("error GF010") == 1
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert found["findings"][0]["code"] == "GF010"
