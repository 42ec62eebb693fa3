"""The examination at the end of the rounds: experiments, what they tell, and what was not checked.

Remedies need time more than questions do, so experiments come after them, where something is left.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from goodfit.data.split import Split
from goodfit.diagnosis import experiments, rows, unchecked
from goodfit.diagnosis.experiments import HALF_THE_ROWS, LARGER_BATCHES, NO_REGULARISATION
from goodfit.engine.candidate import Candidate
from goodfit.engine.history import Harness, History
from goodfit.engine.plan import Plan
from goodfit.engine.training.loop import measure_pace
from goodfit.evidence.arms import CONTROL, Question, TrainedArm, beside, train_arms
from goodfit.procedure.case import Case
from goodfit.procedure.lengths import with_epochs
from goodfit.recipe.beyond_on_training import unregularised

TIMES_LARGER = 8
PACE_SECONDS = 0.12
FEWEST_HALF = 40
"""Rows of a half below which a comparison tells of luck."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment:
    """One further arm, trained to tell causes apart.

    Attributes:
        name: Name of the arm.
        finding: What it decides.
        plan: How it is trained.
        split: What it is trained on.
    """

    name: str
    finding: str
    plan: Plan
    split: Split


def examine(case: Case, harness: Harness, *, control: TrainedArm, arm: TrainedArm, round: int) -> None:
    """Make the experiments that the answers call for, and note what they tell and what was not checked.

    Args:
        case: The case, its rounds over.
        harness: What was measured before training.
        control: The plan as it came.
        arm: The plan by the prescription.
        round: The last round.
    """
    journal = case.journal
    last = journal.last_answers
    first = next(answer.good for answer in journal.answers if answer.question == "training")
    wanted: list[tuple[Question, TrainedArm, Sequence[Experiment]]] = []
    if not last["training"]:
        wanted.append(("training", arm, on_training(arm.plan, case.split)))
    elif not last.get("testing", True):
        wanted.append(("testing", arm, on_testing(arm.plan, case.split)))
    missing: dict[str, str] = {}
    for question, subject, chosen in wanted:
        arms, skipped = _carry_out(chosen, subject, case, round=round, question=question)
        missing |= skipped
        journal.find(experiments.findings(subject.histories, arms, question=question))
    if not first:
        journal.find(experiments.findings(control.histories, first_arms(case), question="training"))
    if found := rows.unrelated_targets(harness, control.histories):
        journal.find([found])
    if last["training"] and (found := rows.shifted_validation(harness)):
        journal.find([found])
    for reasons in (
        unchecked.before_training(harness),
        unchecked.on_training(control.histories, is_good=first),
        unchecked.on_testing(
            arm.histories, training_is_good=last["training"], is_good=last.get("testing", False)
        ),
        unchecked.experiments(missing, num_seeds=len(arm.members)),
    ):
        journal.not_checked.update(reasons)


def first_arms(case: Case) -> dict[str, tuple[History, ...]]:
    """Arms that differ from the plan as it came by one remedy: those of the first round."""
    return {
        arm.name: arm.histories
        for arm in case.journal.arms
        if (arm.round, arm.question) == (1, "training") and arm.name != CONTROL
    }


def on_training(plan: Plan, split: Split) -> list[Experiment]:
    """Plan the experiments for a plan that is poor on training data."""
    larger = plan.batch_size * TIMES_LARGER
    if larger > len(split.train_index):
        return []
    changed = dataclasses.replace(with_epochs(plan, plan.epochs * TIMES_LARGER), batch_size=larger)
    return [Experiment(name=LARGER_BATCHES, finding="GF121 noisy-gradients", plan=changed, split=split)]


def on_testing(plan: Plan, split: Split) -> list[Experiment]:
    """Plan the experiments for a plan that is poor on testing data alone."""
    found = []
    if len(split.train_index) >= 2 * FEWEST_HALF:
        # every other row, so that a time's order and the shares of classes stay
        half = dataclasses.replace(split, train_index=split.train_index[::2])
        found.append(
            Experiment(
                name=HALF_THE_ROWS,
                finding="GF205 too-few-rows",
                plan=with_epochs(plan, 2 * plan.epochs),  # as many steps
                split=half,
            )
        )
    free = unregularised(plan, 0.0)
    if free != plan:
        found.append(
            Experiment(name=NO_REGULARISATION, finding="GF207 over-regularised", plan=free, split=split)
        )
    return found


def _carry_out(
    chosen: Sequence[Experiment], subject: TrainedArm, case: Case, *, round: int, question: Question
) -> tuple[dict[str, tuple[History, ...]], dict[str, str]]:
    """Train the arms that the budget allows; returns them, and the findings that lack theirs."""
    arms, skipped = {}, {}
    seeds = [member.candidate.seed for member in subject.members]
    for experiment in chosen:
        if reason := _too_dear(experiment, seeds, case):
            skipped[experiment.finding] = reason
            continue
        (trained,) = train_arms(
            [(experiment.name, experiment.plan)],
            experiment.split,
            seeds=seeds,
            deadline=case.budget.trial_deadline,
            progress=_telling(case, experiment.name),
            # other processes hold the whole split
            workers=case.workers if experiment.split is case.split else None,
        )
        case.budget.used += len(seeds)
        case.journal.keep_arm(trained, round=round, question=question)
        if any(history.ending == "out of time" for history in trained.histories):
            skipped[experiment.finding] = "no time left"
        else:
            arms[experiment.name] = beside(subject, trained)
    return arms, skipped


def _too_dear(experiment: Experiment, seeds: Sequence[int], case: Case) -> str:
    if len(seeds) < experiments.FEWEST_SEEDS:
        return f"{len(seeds)} seeds decide nothing"
    if case.budget.trainings_left(keep=len(seeds)) < len(seeds):
        return "no trainings left"
    if not case.budget.is_timed:
        return ""
    if case.budget.is_short or not case.budget.left_for_trials():
        return "no time left"
    population = [Candidate(arm=experiment.name, seed=seed, plan=experiment.plan) for seed in seeds]
    pace = measure_pace(population, experiment.split, seconds=case.budget.glance(PACE_SECONDS))
    return "no time left" if pace * experiment.plan.epochs > case.budget.left_for_trials() else ""


def _telling(case: Case, name: str) -> Callable[[float], None]:
    return lambda fraction: case.journal.doing(
        f"an experiment: {name}", fraction=0.85 + 0.04 * fraction, seconds_left=None
    )
