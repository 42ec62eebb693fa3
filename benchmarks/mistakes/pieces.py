"""Pieces that several mistakes and their twins are made of, and the mistake itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

Pieces = Mapping[str, str]
DROPOUT = {"model": "nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 2))"}
ONE = "nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1){})"
NUMBERS = {"data": "target = numbers", "model": ONE.format(""), "loss": "nn.MSELoss()", "epochs": "20"}
COLUMN = "target = labels.float().reshape(-1, 1)"
EVALUATION = """
with torch.no_grad():
    criterion(model(x), target)
"""
DEEP = "nn.Sequential({}, nn.Linear(8, 2))".format(", ".join(["nn.Linear(8, 8), nn.{0}()"] * 10))
CONV = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.last = nn.Conv2d(2, 4, 1), nn.BatchNorm2d(4), nn.Linear(16, 2)
    def forward(self, x):
        return self.last(self.norm(self.conv(x.view(-1, 2, 2, 2))).flatten(1))
target = labels
"""
SPARE = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two, self.spare = nn.Linear(8, 16), nn.Linear(16, 2), nn.Linear(16, 2)
    def forward(self, x):
        return self.two(torch.relu(self.one(x))){}
target = labels
"""
LIST = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden, self.last = {}([nn.Linear(8, 16)]), nn.Linear(16, 2)
    def forward(self, x):
        return self.last(torch.relu(self.hidden[0](x)))
target = labels
"""
SCHEDULE = "scheduler = torch.optim.lr_scheduler.{}"
NOISE = "target = numbers[torch.randperm(256)]; x_val, y_val = torch.randn(128, 8), torch.randn(128, 1)"
BY_HEART = {
    "model": "nn.Sequential(nn.Linear(8, 128), nn.ReLU(), nn.Linear(128, 1))",
    "epochs": "60",
    "after": "with torch.no_grad(): criterion(model(x_val), y_val)",
}
DEAD = {"setup": "nn.init.constant_(model[0].bias, -20.0)"}
SGD = "torch.optim.SGD(model.parameters(), lr={})"
ADAM = "torch.optim.Adam(model.parameters(), lr={})"
HUGE = {
    **NUMBERS,
    "data": "target = numbers; x = 1e4 * x + 1e5",
    "model": ONE.replace("ReLU", "Tanh").format(""),
}
FITTING = {**HUGE, "data": "target = numbers"}
SORTED = {
    "data": "target = labels; order = labels.argsort()",
    "order": "order",
    "optimizer": SGD.format(1e-6),
}
DECAY = "torch.optim.{}(model.parameters(), lr=0.01, weight_decay=1e-3)"
APART = (
    "torch.optim.AdamW([{'params': [p for p in model.parameters() if p.ndim > 1], 'weight_decay': 1e-3},"
    " {'params': [p for p in model.parameters() if p.ndim < 2], 'weight_decay': 0.0}], lr=0.01)"
)
OWN = {"own": "self.rng = np.random.default_rng(0)", "drawn": "self.rng.normal()", "workers": "2", "more": ""}
SCALED = {
    "setup": "scaler = torch.amp.GradScaler('cpu')",
    "out": "torch.autocast('cpu', dtype=torch.bfloat16)(model)(x[rows])",
    "backward": "scaler.scale(loss).backward()",
    "step": "scaler.step(optimizer); scaler.update()",
}
BROKEN = """
class Breaking(nn.Module):
    num_calls = 0
    def forward(self, hidden):
        self.num_calls += 1
        return hidden if self.num_calls < 30 else torch.log(hidden - hidden) * 0
target = labels
"""
FROZEN = {
    "model": DEEP.format("Sigmoid"),
    "setup": "model[:12].requires_grad_(False)",
    "optimizer": SGD.format(0.1),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mistake:
    """A mistake in a script, and the same thing done rightly.

    Attributes:
        code: The finding that the mistake must raise and the twin must not.
        words: What was planted.
        pieces: Pieces of the script that differ from a healthy one.
        right: What the twin does, in words.
        twin: Pieces of the twin.
        is_noted: Whether the finding is for information; otherwise it must be a warning or an error.
    """

    code: str
    words: str
    pieces: Pieces
    right: str
    twin: Pieces
    is_noted: bool = False


def ill(
    code: str, words: str, pieces: Pieces, right: str, twin: Pieces, *, is_noted: bool = False
) -> Mistake:
    return Mistake(code=code, words=words, pieces=pieces, right=right, twin=twin, is_noted=is_noted)
