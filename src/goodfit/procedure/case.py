"""One case: the patient's data and the means that a run may use; every stage of the procedure takes it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from goodfit.data.split import Split
from goodfit.engine.training.workers import Workers
from goodfit.procedure.budget import Budget
from goodfit.procedure.journal import Journal
from goodfit.recipe.prescription import Prescription


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """What all stages of one run share.

    Attributes:
        split: The data.
        budget: What may be used.
        journal: Where everything is kept.
        may_mix: Whether the final training may learn from validation rows too.
        workers: Other processes that train some of the stacks.
        prescription: What to try in place of all remedies, if something is prescribed already.
    """

    split: Split
    budget: Budget
    journal: Journal
    may_mix: bool = True
    workers: Workers | None = None
    prescription: Prescription | None = None

    @property
    def hands(self) -> int:
        """Processes that train, this one included."""
        return 1 if self.workers is None else 1 + self.workers.count

    def progress(self, what: str) -> Callable[[float], None]:
        """Tell the journal how far some work is, from the share of it that is done.

        Args:
            what: The work, in words.

        Returns:
            To be told the share, again and again.
        """
        start, total = self.budget.spent, self.budget.seconds if self.budget.is_timed else None

        def report(fraction: float) -> None:
            spent = self.budget.spent
            ahead = (spent - start) / fraction - (spent - start) if fraction > 0.02 else None
            share = spent / total if total else 0.1 + 0.8 * fraction
            left = total - spent if total else ahead
            self.journal.doing(what, fraction=min(1.0, share), seconds_left=left)

        return report
