"""Which charts a run gets: learning curves of every arm, and what the probes saw inside the network."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np
from markupsafe import Markup

from goodfit.procedure.run import Arm, Run
from goodfit.report import charts, wording
from goodfit.report.curves import Band, band, layer_grid

NAMES = {"as it is": "the plan as it is", "final": "the model handed back"}
NO_SCORE = -1.0
"""Lowest R squared that a chart shows; a diverged network can be at minus a thousand."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Picture:
    """A chart with its words.

    Attributes:
        title: What is shown, in a few words.
        note: What to see in it.
        outcome: Verdict on the arm, as a style class; empty without one.
        svg: The chart.
    """

    title: str
    note: str
    outcome: str = ""
    svg: Markup


@dataclasses.dataclass(frozen=True, kw_only=True)
class Panel:
    """Pictures that belong together, such as all arms of one round."""

    title: str
    pictures: tuple[Picture, ...]


def learning_panels(run: Run) -> tuple[Panel, ...]:
    """Draw every arm's learning curve, round by round, with the control behind it.

    The control of the first round is the plan as it is; later ones are the arms kept in the round before.
    """
    panels, control = [], None
    for (number, question), group in itertools.groupby(run.arms, key=lambda arm: (arm.round, arm.question)):
        arms = [arm for arm in group if arm.histories]
        behind = control or _untreated(arms)
        pictures = tuple(picture for arm in arms for picture in _pictures(arm, run, behind))
        title = "The final model" if question == "final" else f"Round {number}, for {question} data"
        if pictures:
            panels.append(Panel(title=title, pictures=pictures))
        control = _kept(arms, run) or control or _untreated(arms)
    return tuple(panels)


def layer_panels(run: Run) -> tuple[Panel, ...]:
    """Draw gradients and activations of the first arm, as it came, and of the last, as it is handed back."""
    arms = [arm for arm in run.arms if arm.histories and arm.histories[0].layers]
    if not arms:
        return ()
    chosen = arms[:1] if len(arms) == 1 else [arms[0], arms[-1]]
    names = ["as it came", "as handed back"][: len(chosen)]
    compared = Panel(title="Over depth, after training", pictures=tuple(_compared(chosen)))
    maps = (
        Panel(title=f"The plan {name}, layer by layer", pictures=tuple(_maps(arm, name)))
        for name, arm in zip(names, chosen, strict=True)
    )
    return (compared, *maps)


def _pictures(arm: Arm, run: Run, control: Arm | None) -> Iterator[Picture]:
    """The scores of an arm; for the first and the last plan its loss too."""
    yield _learning(arm, run, control)
    if arm.name in NAMES:
        lines = [
            (_curve(arm, "validation_loss"), charts.VALIDATION),
            (_curve(arm, "train_loss"), charts.TRAIN),
        ]
        ends = (
            f"{wording.number(_last(lines[1][0]))} training, {wording.number(_last(lines[0][0]))} validation"
        )
        title = f"{NAMES[arm.name]}: loss"
        drawn = charts.learning_curves(lines, says=f"{title}: {ends}", limits=None)
        yield Picture(title=title, note=ends, svg=drawn)


def _learning(arm: Arm, run: Run, control: Arm | None) -> Picture:
    verdict = wording.verdict_of(arm, run)
    behind = [(_curve(control, "train_score"), charts.CONTEXT)] if control and control is not arm else []
    train, validation = _curve(arm, "train_score"), _curve(arm, "validation_score")
    endings: list[str] = [history.ending for history in arm.histories]
    odd = [wording.count(endings.count(word), f"seed {word}", f"seeds {word}") for word in _unusual(endings)]
    ends = f"{wording.number(_last(train))} training, {wording.number(_last(validation))} validation"
    title = verdict.sentence if verdict else NAMES.get(arm.name, arm.name)
    drawn = charts.learning_curves(
        [*behind, (validation, charts.VALIDATION), (train, charts.TRAIN)],
        says=f"Learning curves of {title}: {ends}",
        bar=run.answers[-1].bar if run.answers else None,
        limits=_limits(run, arm),
    )
    kept = "kept" if verdict and verdict.kept else ""
    outcome = kept or (verdict.outcome.replace(" ", "-") if verdict else "")
    return Picture(title=title, note="; ".join([ends, *odd]), outcome=outcome, svg=drawn)


def _compared(arms: list[Arm]) -> Iterator[Picture]:
    colours = (charts.VALIDATION, charts.TRAIN)
    for name, title, is_log in (
        ("gradient_norm", "Gradient norm", True),
        ("output_std", "Spread of activations", True),
        ("saturated_share", "Share saturated", False),
        ("dead_share", "Share of dead units", False),
    ):
        lines = [
            (_last_of_each(layer_grid(arm.histories, name)[1]), colour)
            for arm, colour in zip(arms, colours, strict=False)
        ]
        ends = "; ".join(
            f"{name}: {wording.number(values_L[0])} first, {wording.number(values_L[-1])} last"
            for name, (values_L, _) in zip(("came", "now"), lines, strict=False)
        )
        says = f"{title} over depth, layer by layer: {ends}"
        yield Picture(title=title, note=ends, svg=charts.over_depth(lines, says=says, logarithmic=is_log))


def _maps(arm: Arm, name: str) -> Iterator[Picture]:
    activations = {layer.activation for layer in arm.histories[0].layers} - {None}
    silent = ("saturated_share", "Share saturated") if activations & {"sigmoid", "tanh"} else None
    for field, title, is_log in (
        ("gradient_norm", "Gradient norm", True),
        ("update_ratio", "Step, relative to weights", True),
        (*(silent or ("zero_share", "Share of zeros")), False),
    ):
        epochs_E, values_LE = layer_grid(arm.histories, field)
        says = f"{title} of every layer over epochs, the plan {name}; first layer on top"
        drawn = charts.over_depth_and_epochs(epochs_E, values_LE, says=says, logarithmic=is_log)
        yield Picture(title=title, note="first layer on top", svg=drawn)


def _untreated(arms: list[Arm]) -> Arm | None:
    return next((arm for arm in arms if wording.is_control(arm)), None)


def _kept(arms: list[Arm], run: Run) -> Arm | None:
    for arm in arms:
        verdict = wording.verdict_of(arm, run)
        if verdict and verdict.kept:
            return arm
    return None


def _curve(arm: Arm, name: str) -> Band:
    return band(arm.histories, name)


def _limits(run: Run, arm: Arm) -> tuple[float, float]:
    if run.metric == "accuracy":
        return 0.0, 1.03
    lowest = np.nanmin([_curve(arm, "validation_score").low_E.min(initial=0.0), 0.0])
    return max(NO_SCORE, float(lowest)) - 0.03, 1.03


def _unusual(endings: list[str]) -> list[str]:
    return [ending for ending in dict.fromkeys(endings) if ending != "finished"]


def _last(line: Band) -> float:
    known = line.mean_E[np.isfinite(line.mean_E)]
    return float(known[-1]) if len(known) else float("nan")


def _last_of_each(values_LE: np.ndarray) -> np.ndarray:
    """The last finite number of every row."""
    rows = [row_E[np.isfinite(row_E)] for row_E in values_LE]
    return np.array([row[-1] if len(row) else np.nan for row in rows])
