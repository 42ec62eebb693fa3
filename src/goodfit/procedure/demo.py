"""Two patients that everybody can treat at home: one that cannot learn, one that learns by heart."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Literal

from goodfit.data.split import Split
from goodfit.data.synthetic import digits_split, overfit_patient
from goodfit.errors import PlanError
from goodfit.nets.mlp import MLP
from goodfit.procedure.budget import Budget
from goodfit.procedure.case import Case
from goodfit.procedure.course import run_recipe
from goodfit.procedure.events import Listener, silence
from goodfit.procedure.fitted import Fitted
from goodfit.procedure.journal import Journal
from goodfit.procedure.start import Wanted, plan_as_it_is

Patient = Literal["vanishing", "overfit"]
MAX_TRAININGS = 2000
"""More than the demo needs: it ends by itself, and counting trainings makes its numbers reproducible."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Patient:
    split: Callable[[int], Split]
    wanted: Wanted


PATIENTS: dict[str, _Patient] = {
    # the lecture's sick network: ten hidden layers of sigmoid units, gradient descent, squared error
    "vanishing": _Patient(
        split=digits_split,
        wanted=Wanted(
            network=MLP(widths=(32,) * 10, activation="sigmoid"),
            rule="gradient-descent",
            lr=0.1,
            loss="squared",
            epochs=30,
            batch_size=32,
        ),
    ),
    # a wide network on 200 noisy rows: it learns every one of them by heart
    "overfit": _Patient(
        split=overfit_patient,
        wanted=Wanted(network=MLP(widths=(256, 256)), rule="adam", lr=1e-3, epochs=60, batch_size=32),
    ),
}


def demo(
    patient: Patient = "vanishing",
    *,
    seed: int = 0,
    budget: float | None = None,
    device: str = "auto",
    listener: Listener = silence,
    command: str = "goodfit demo",
) -> Fitted:
    """Run the recipe on a patient that goodfit ships.

    Args:
        patient: ``"vanishing"`` is the lecture's sick network on handwritten digits; ``"overfit"`` a wide
            network on 200 noisy rows.
        seed: Root seed.
        budget: Seconds allowed; without it the demo ends by itself and its numbers are reproducible.
        device: As in :func:`goodfit.fit`.
        listener: Told of everything as it happens.
        command: What the user typed, for the record.

    Raises:
        PlanError: There is no such patient.
        DeviceError: There is no such device.
    """
    if patient not in PATIENTS:
        raise PlanError(f"there is no patient {patient!r}", fix=f"choose one of {', '.join(PATIENTS)}")
    chosen = PATIENTS[patient]
    split = chosen.split(seed)
    allowed = Budget(max_trainings=MAX_TRAININGS) if budget is None else Budget(seconds=budget)
    case = Case(
        split=split,
        budget=allowed,
        journal=Journal(listener=listener),
        # validation rows outnumber the overfit patient's training rows: learning from them cures anything
        may_mix=patient != "overfit",
    )
    return run_recipe(plan_as_it_is(chosen.wanted, split), case, device=device, command=command)
