"""Everything before the first question: references, time, and the plan as it is.

The number of seeds and epochs is fitted into the time here, once, so that all later arms are alike.
"""

from __future__ import annotations

import math

from goodfit.data.split import Split
from goodfit.engine.candidate import Candidate
from goodfit.engine.goodness.losses import Loss
from goodfit.engine.plan import Plan
from goodfit.engine.training.loop import measure_pace
from goodfit.engine.ways.construction import sizes_of
from goodfit.errors import BudgetError
from goodfit.evidence.arms import CONTROL, TrainedArm, train_arms
from goodfit.evidence.references import FittedReference, references
from goodfit.nets.given import Given
from goodfit.procedure.case import Case
from goodfit.procedure.lengths import with_epochs

NUM_SEEDS = 8
FEW_SEEDS = 4
FEWEST_SEEDS = 3
"""With two seeds no honest test decides anything."""
FEWEST_EPOCHS = 8
FEWEST_STEPS = 750
"""With fewer epochs, or steps, a trial says little of a longer training: they may take more of the time."""
REFERENCES_SHARE, SHORT_REFERENCES_SHARE, REFERENCES_SECONDS = 0.12, 0.06, 30.0
AS_IT_IS_SHARE, LONG_SHARE, LONG_SECONDS = 0.05, 0.02, 6.0
"""One arm may take five hundredths of a timed budget, so that about a dozen fit; of a long one two
hundredths, but at least six seconds: there, more remedies are worth more than longer trials."""
MOST_SHARE = 0.15
"""What an arm may take at most to get its fewest epochs."""
PACE_SECONDS = 0.2
EDITS = {
    "activation": ("relu", "leaky-relu", "prelu", "gelu", "silu"),
    "maxout": ("maxout",),
    "dropout": ("dropout",),
    "normalisation batch": ("batch-norm",),
    "normalisation layer": ("layer-norm",),
    "skip": ("skip",),
    "widening": ("wider",),
    "deepening": ("deeper",),
    "plain_output": ("plain-output",),
    "output_scale": ("scale-targets",),
}
"""Edits of a given network, with the remedies that need them."""
SHORT_EDITS = ("activation", "plain_output", "output_scale")
"""Those that are worth looking for where time is short: every look costs an edit."""
FEWEST_NORMALISED = 4
"""Rows of a step below which normalising over them leaves little more than signs, and of one row nothing."""
INPUT_REMEDIES = ("scale-inputs", "input-dropout", "input-noise", "mixup")
"""Remedies that treat inputs as amounts."""


def compare_with_references(case: Case, loss: Loss) -> tuple[FittedReference, ...]:
    """Train the reference models within their share of the time."""
    case.journal.doing("training the reference models", fraction=0.02, seconds_left=None)
    timed, is_short = case.budget.is_timed, case.budget.is_short
    share = SHORT_REFERENCES_SHARE if is_short else REFERENCES_SHARE
    seconds = min(share * case.budget.seconds, REFERENCES_SECONDS) if timed else None
    compared = references(
        case.split,
        seconds=seconds,
        measured=not is_short,
        loss=loss,
        skipped=lambda why: case.journal.not_checked.setdefault("references", why),
    )
    for reference in compared:
        case.journal.listener(reference.record)
    return compared


def fit_into_budget(plan: Plan, case: Case, *, num_seeds: int | None) -> tuple[Plan, int]:
    """Choose epochs and seeds for the time there is; where trainings are counted, only the seeds.

    Args:
        plan: The plan as it came.
        case: The case.
        num_seeds: Seeds that the user insists on.

    Returns:
        The plan with the epochs that every trial will have, and the number of seeds.

    Raises:
        BudgetError: Not even one epoch fits.
    """
    budget = case.budget
    count = num_seeds or NUM_SEEDS
    if budget.max_trainings < math.inf:
        count = int(max(1, min(count, budget.max_trainings // 2)))
    if not budget.is_timed:
        return plan, count
    share = min(AS_IT_IS_SHARE * budget.seconds, max(LONG_SHARE * budget.seconds, LONG_SECONDS))
    usual = min(share, budget.left_for_trials())
    most = min(MOST_SHARE * budget.seconds, budget.left_for_trials())
    fewest = _fewest_epochs(plan, case.split)
    if budget.is_short:
        count = num_seeds or FEW_SEEDS
    pace = _pace(plan, case, count)
    if num_seeds is None and budget.is_short and usual < pace * fewest:
        count, pace = FEWEST_SEEDS, pace * FEWEST_SEEDS / FEW_SEEDS
    if num_seeds is None and not budget.is_short and usual < pace * plan.epochs:
        # remedies need trials more than trials need seeds
        count = FEW_SEEDS if most >= pace * fewest * FEW_SEEDS / count else FEWEST_SEEDS
        pace = _pace(plan, case, count)
    if 2 * pace > budget.left_for_final():
        raise BudgetError(
            f"the budget is too small: one epoch of {count} networks takes {pace:.1f} s, "
            f"and {budget.left_for_final():.1f} s are left after the references",
            fix=f"allow about {math.ceil(budget.spent + 2 * pace / AS_IT_IS_SHARE)} s, or fewer seeds",
        )
    epochs = max(int(usual / pace), min(fewest, int(most / pace)), 1)
    return with_epochs(plan, min(plan.epochs, epochs)), count


def train_as_it_is(plan: Plan, case: Case, *, num_seeds: int) -> TrainedArm:
    """Train the untreated plan on all seeds."""
    (control,) = train_arms(
        [(CONTROL, plan)],
        case.split,
        seeds=range(num_seeds),
        deadline=case.budget.trial_deadline,
        progress=lambda fraction: case.journal.doing(
            "training the plan as it is", fraction=0.05 + 0.1 * fraction, seconds_left=None
        ),
        workers=case.workers,
    )
    case.budget.used += num_seeds
    choice = control.histories[0].choice
    if num_seeds > 1 and choice is not None and choice.way == "one by one":
        case.journal.note(f"networks are trained one after the other: {choice.reason}")
    if choice is not None and choice.waves > 1:
        case.journal.note(f"memory does not hold all networks at once: they train in {choice.waves} waves")
    case.journal.keep_arm(control, round=1, question="training")
    return control


def tell_unreached(plan: Plan, case: Case) -> None:
    """Say in one line which part of a given network no edit of its activations can reach, and why."""
    if isinstance(plan.network, Given):
        for reason in plan.network.unreached(sizes_of(plan, case.split)):
            case.journal.note(f"only modules can be edited in {reason}")


def unsuited_remedies(plan: Plan, split: Split, *, is_short: bool = False) -> dict[str, str]:
    """Remedies that cannot be applied here, or of which a short time does not tell, with the reason."""
    reasons = {}
    if not split.can_expand:
        reasons["expand-inputs"] = "there are no numeric columns to expand"
    if plan.batch_size < FEWEST_NORMALISED:
        reasons["batch-norm"] = f"rows of a step ({plan.batch_size}) are too few to normalise over"
    if plan.loss.is_own:
        reasons["label-smoothing"] = "the loss is a function of the user's own"
        if not plan.loss.takes_any_scores:
            reasons["plain-output"] = "the user's loss may need what the last activation makes of scores"
    if split.form is not None and not split.form.is_continuous:
        # what adds noise to inputs would make other codes of them
        reasons |= dict.fromkeys(INPUT_REMEDIES, "some inputs are codes or masks")
    if split.task.shape:
        reasons |= dict.fromkeys(("mixup", "shift", "mirror"), "a row has several targets")
    if len(split.input_shape()) != 3:
        reasons |= dict.fromkeys(("shift", "mirror"), "rows are no images")
    if not split.rows("train", plan.inputs).x.is_floating_point():
        reasons |= dict.fromkeys(("mixup", "input-noise"), "inputs are no numbers to mix or to blur")
    if isinstance(plan.network, Given):
        among = SHORT_EDITS if is_short else tuple(EDITS)
        reachable = plan.network.reachable(sizes_of(plan, split), among=among)
        for field, codes in EDITS.items():
            if field not in among:
                reasons |= dict.fromkeys(codes, "no time to see whether the given network can be edited so")
            elif field not in reachable:
                reasons |= dict.fromkeys(codes, "the given network has nothing for it to change")
    return reasons


def _fewest_epochs(plan: Plan, split: Split) -> int:
    steps = max(1, len(split.train_index) // plan.batch_size)
    return min(FEWEST_EPOCHS, math.ceil(FEWEST_STEPS / steps))


def _pace(plan: Plan, case: Case, count: int) -> float:
    population = [Candidate(arm=CONTROL, seed=seed, plan=plan) for seed in range(count)]
    return measure_pace(population, case.split, seconds=case.budget.glance(PACE_SECONDS), hands=case.hands)
