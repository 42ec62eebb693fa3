"""The bar for the catalogue: what every remedy beyond the lecture has to show before it is offered.

    python benchmarks/bar.py [--quick] [--json] [--splits 3]

A remedy has to win a trial on a planted illness: a control and a treated arm of eight seeds each, judged as
in a run, on most of the splits. And it may harm no healthy twin: where a trial on a sound network makes a
run keep the remedy, the sealed rows must not say, beyond chance, that the network became worse.
Remedies for training are tried on the twins too, for the table; a run would not try them there, for training
is good, so they are held to the first half alone.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from machine import write_results
from planted import HEALTHY, ILLNESSES, Illness
from rich.console import Console
from rich.table import Table
from searching import scores_by_row

from goodfit.data.split import Split
from goodfit.engine.goodness.predicted import row_scores
from goodfit.engine.plan import Plan
from goodfit.engine.ways.construction import sizes_of
from goodfit.evidence.arms import CONTROL, Question, TrainedArm, train_arms
from goodfit.evidence.judging import judge
from goodfit.evidence.statistics import paired_effect
from goodfit.evidence.trial import try_out
from goodfit.procedure.opening import unsuited_remedies
from goodfit.recipe.order import RECIPE, treatments
from goodfit.recipe.remedy import Remedy, Treatment

SEEDS = 8
BEYOND = {remedy.code: remedy for remedy in RECIPE if remedy.source == "beyond"}


def main() -> None:
    """Measure every remedy, print the table, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one split of every illness, about a minute")
    parser.add_argument("--json", action="store_true", help="print nothing but the record as JSON")
    parser.add_argument("--splits", type=int, default=3, help="splits of every illness")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    tell = (lambda line: None) if arguments.json else (lambda line: print(line, file=sys.stderr, flush=True))
    trials = []
    for illness in ILLNESSES:
        for seed in range(1 if arguments.quick else arguments.splits):
            trials += on_illness(illness, seed)
        tell(f"tried on: {illness.name}")
    for name in HEALTHY:
        trials += on_twin(name)
        tell(f"tried on a healthy twin: {name}")
    rows = [summarise(remedy, trials) for remedy in BEYOND.values()]
    record = {"seeds": SEEDS, "passed": sum(row["passed"] for row in rows), "of": len(rows), "remedies": rows}
    print(json.dumps(record)) if arguments.json else show(rows)
    if not arguments.quick:
        tell(write_results("bar", record | {"trials": trials}))


def on_illness(illness: Illness, seed: int) -> list[dict[str, Any]]:
    """Try the remedies made for an illness on one split."""
    plan, split = illness.make(seed)
    remedies = [BEYOND[code] for code in illness.remedies if code in BEYOND]
    found = judged(plan, split, remedies)
    return [{"illness": illness.name, "twin": None, "split": seed, **one} for one in found]


def on_twin(name: str) -> list[dict[str, Any]]:
    """Try all remedies on a healthy network."""
    found = judged(*HEALTHY[name](0), list(BEYOND.values()))
    return [{"illness": None, "twin": name, "split": 0, **one} for one in found]


def judged(plan: Plan, split: Split, remedies: Sequence[Remedy]) -> list[dict[str, Any]]:
    """Try every dose of some remedies, each in a trial of its own beside one control."""
    (control,) = train_arms([(CONTROL, plan)], split, seeds=range(SEEDS))
    unsuited, found = unsuited_remedies(plan, split), []
    for question in ("training", "testing"):
        own = [remedy for remedy in remedies if remedy.question == question]
        chosen = [t for rank in treatments(own, plan, without=unsuited) for t in rank]
        if chosen:
            found += _tried(chosen, control, split, question)
    return found


def _tried(
    chosen: Sequence[Treatment], control: TrainedArm, split: Split, question: Question
) -> list[dict[str, Any]]:
    trial = try_out(chosen, control, split, question=question, round=1)
    found = []
    for treatment, arm, verdict in zip(trial.treatments, trial.arms, trial.verdicts, strict=True):
        # each is a trial of its own: there is no correction for the others that were trained beside it
        outcome = judge(verdict.effect, verdict.p_value)
        sealed, _ = paired_effect(sealed_scores(control, split), sealed_scores(arm, split, of=treatment))
        found.append(
            {
                "remedy": treatment.remedy.code,
                "dose": treatment.dose,
                "outcome": outcome,
                "control": round(verdict.control, 4),
                "effect": _ends(verdict.effect),
                "sealed": _ends(sealed),
                "harmed": bool(outcome == "helped" and sealed.high < 0),
            }
        )
    return found


def _ends(interval: Any) -> list[float]:
    return [round(number, 4) for number in (interval.value, interval.low, interval.high)]


def sealed_scores(arm: TrainedArm, split: Split, *, of: Treatment | None = None) -> np.ndarray:
    """Score every seed on the sealed rows; of a vote, the vote of all seeds but one."""
    plan = dataclasses.replace(arm.plan, ensemble=False)
    rows = split.open_test(plan.inputs)[plan.inputs]
    codes = () if rows.codes_NC is None else (rows.codes_NC,)
    assert not codes, "the twins have no embedded categories"
    modules = []
    for member in arm.members:
        module = plan.network.build(sizes_of(plan, split))
        module.load_state_dict(member.weights)
        modules.append(module)
    if of is None or of.remedy.trains:
        return np.stack([scores_by_row(module, plan, rows) for module in modules])
    with torch.no_grad():
        predicted_SNO = torch.stack([plan.loss.predict(module.eval()(rows.x)) for module in modules])
    votes = [np.delete(predicted_SNO.numpy(), s, axis=0).mean(0) for s in range(len(modules))]
    scores_SN = row_scores(torch.from_numpy(np.stack(votes)), rows.y_N, kind=plan.loss.kind).numpy()
    return scores_SN.astype(float)


def summarise(remedy: Remedy, trials: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Take the illness and the dose at which a remedy did best, and count the twins."""
    own = [trial for trial in trials if trial["remedy"] == remedy.code]
    groups: dict[tuple[str, float], list[dict[str, Any]]] = {}
    for trial in own:
        if trial["illness"] is not None:
            groups.setdefault((trial["illness"], trial["dose"]), []).append(trial)

    def merit(key: tuple[str, float]) -> tuple[int, float]:
        wins = sum(trial["outcome"] == "helped" for trial in groups[key])
        return wins, float(np.mean([trial["effect"][0] for trial in groups[key]]))

    twins = [trial for trial in own if trial["twin"] is not None]
    best = max(groups, key=merit)
    wins, effect = merit(best)
    harmed = sum(trial["harmed"] for trial in twins)
    return {
        "remedy": remedy.code,
        "question": remedy.question,
        "illness": best[0],
        "dose": best[1],
        "splits": len(groups[best]),
        "wins": wins,
        "effect": round(effect, 4),
        "sealed": round(float(np.mean([trial["sealed"][0] for trial in groups[best]])), 4),
        "twin_trials": len(twins),
        "kept_on_twins": sum(trial["outcome"] == "helped" for trial in twins),
        "harmed_twins": harmed,
        "passed": bool(2 * wins > len(groups[best]) and not (harmed and remedy.question == "testing")),
    }


def show(rows: Sequence[dict[str, Any]]) -> None:
    """Print one line for each remedy."""
    names = ("remedy", "planted illness", "dose", "won", "effect", "sealed", "twins: kept", "harmed", "bar")
    table = Table(*names)
    for row in rows:
        table.add_row(
            row["remedy"],
            row["illness"],
            f"{row['dose']:g}",
            f"{row['wins']}/{row['splits']}",
            f"{row['effect']:+.3f}",
            f"{row['sealed']:+.3f}",
            f"{row['kept_on_twins']}/{row['twin_trials']}",
            str(row["harmed_twins"]),
            "passed" if row["passed"] else "failed",
        )
    Console(width=140).print(table)
    print(f"{sum(row['passed'] for row in rows)} of {len(rows)} remedies beyond the lecture pass the bar")


if __name__ == "__main__":
    main()
