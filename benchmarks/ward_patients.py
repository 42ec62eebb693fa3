"""The faulty programs of the ward as patients: data, network, loss and optimizer, taken out of the script.

A program is cut at its training loop. What stands before it makes data, ``model``, loss and optimizer, and
the lines of the model alone make it anew for every seed. Penalties that the loop adds become the plan's L2.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from sick_plans import Patient
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from goodfit.data.assembly import Wishes
from goodfit.data.own_rows import load_own
from goodfit.data.split import Split
from goodfit.engine.plan import Plan
from goodfit.procedure.start import Wanted, own_plan

FEWEST_ROWS = 90
"""Rows of a program below which too few can be held out to tell anything."""
MOST_EPOCHS = 5000
LOOP = "\nfor epoch in range(1, EPOCHS + 1):"
PENALTY = re.compile(r"loss = loss \+ ([\d.e-]+) \* model\[\d+\]\.weight\.pow\(2\)\.sum\(\)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Program:
    """One script, cut into what goodfit takes.

    Attributes:
        names: What the script had defined before its loop.
        make: Makes its network anew.
        l2: Weight of its penalties, as a plan counts them.
    """

    names: dict[str, Any]
    make: Callable[[], nn.Module]
    l2: float

    @property
    def loss(self) -> Callable[..., Tensor]:
        """The script's loss."""
        return self.names.get("compute_loss") or self.names["criterion"]  # type: ignore[no-any-return]

    def rows(self) -> TensorDataset:
        """Collect all rows of the script, those it validates on among them."""
        parts = [(self.names["X_train"], self.names["y_train"])]
        if "X_val" in self.names:
            parts.append((self.names["X_val"], self.names["y_val"]))
        return TensorDataset(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))


def read(script: Path) -> Program:
    """Run a script up to its loop."""
    before, loop = script.read_text(encoding="utf-8").split(LOOP)
    names: dict[str, Any] = {"__file__": str(script), "__name__": script.stem}
    exec(compile(before, script, "exec"), names)
    model = compile(before[before.index("# model\n") : before.index("\ncriterion = ")], script, "exec")

    def make() -> nn.Module:
        fresh = dict(names)
        exec(model, fresh)
        module: nn.Module = fresh["model"]
        return module

    penalties = {float(weight) for weight in PENALTY.findall(loop)}
    if len(penalties) > 1:
        raise ValueError(f"layers have penalties of their own: {sorted(penalties)}")
    return Program(names=names, make=make, l2=2 * penalties.pop() if penalties else 0.0)


def plan_of(program: Program, *, seed: int) -> tuple[Plan, Split]:
    """Make plan and split as ``goodfit.fit(loader, model=, loss=, optimizer=)`` does."""
    names = program.names
    loader = DataLoader(program.rows(), batch_size=names["BATCH_SIZE"])
    split = load_own(loader, Wishes(seed=seed), standardised=False)
    optimizer = names["optimizer"]
    settings = {k: v for k, v in optimizer.defaults.items() if k in ("lr", *_SETTINGS)}
    wanted = Wanted(
        model=program.make,
        loss=program.loss,
        optimizer=lambda parameters: type(optimizer)(parameters, **settings),
        epochs=names["EPOCHS"],
        batch_size=names["BATCH_SIZE"],
    )
    plan, split = own_plan(wanted, split)
    return dataclasses.replace(plan, l2=program.l2), split


_SETTINGS = ("momentum", "nesterov", "alpha", "betas", "eps")


def right_rows(predicted_NO: Tensor, y_NO: Tensor) -> Tensor:
    """Say of each row whether what is predicted is right, as the scripts do."""
    truth_NO = y_NO.reshape(len(y_NO), -1)
    if predicted_NO.shape[1] == 1:
        return ((predicted_NO > 0.5) == (truth_NO > 0.5)).float().mean(1)
    truth_N = truth_NO.argmax(1) if truth_NO.shape[1] > 1 else truth_NO[:, 0]
    return (predicted_NO.argmax(1) == truth_N).float()


def ward_patients(
    folder: Path, records: list[dict[str, Any]], *, seed: int
) -> tuple[list[Patient], dict[str, str]]:
    """Take the patients out of the scripts in a folder.

    Returns:
        The patients, and why each of the other programs is none.
    """
    found, others = [], {}
    for record in records:
        name = record["id"]
        if reason := _no_patient(record):
            others[name] = reason
            continue
        try:
            program = read(folder / f"{name}.py")
            if program.names["EPOCHS"] > MOST_EPOCHS:
                others[name] = f"its {program.names['EPOCHS']} epochs take too long"
                continue
            plan, split = plan_of(program, seed=seed)
            healthy, healthy_split = None, None
            if record.get("fixed"):
                healthy, healthy_split = plan_of(read(folder / f"{name}__fixed.py"), seed=seed)
        except Exception as error:
            others[name] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
            continue
        is_share = str(record["metric"]).startswith("acc")
        found.append(
            Patient(
                illness=name,
                data="ward",
                seed=seed,
                split=split,
                plan=plan,
                healthy=healthy,
                healthy_split=healthy_split,
                score=right_rows if is_share else None,
            )
        )
    return found, others


def _no_patient(record: dict[str, Any]) -> str:
    if record["kind"] != "faulty" or record.get("skip"):
        return "it is not faulty"
    if record.get("trains_fine"):
        return "it learns as well as its fixed form"
    if record["data"]["n"] < FEWEST_ROWS:
        return f"it has {record['data']['n']} rows: too few to hold any out"
    return "its training takes too long" if record.get("slow") else ""


def records_of(ward: Path) -> list[dict[str, Any]]:
    """Read the facts of all programs."""
    return [json.loads(line) for line in (ward / "ward.jsonl").read_text(encoding="utf-8").splitlines()]
