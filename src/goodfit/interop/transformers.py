"""Watch a training that Hugging Face's Trainer runs: ``Trainer(..., callbacks=[GoodfitCallback()])``."""

from __future__ import annotations

from typing import Any

from goodfit.errors import PlanError
from goodfit.watch.session import Session

try:
    from transformers import TrainerCallback
except ImportError as error:
    raise PlanError("transformers is not installed", fix='pip install "goodfit[transformers]"') from error

__all__ = ["GoodfitCallback"]


class GoodfitCallback(TrainerCallback):
    """Watches from the first to the last step of ``train``, and tells what is wrong at its end.

    An error in training never reaches a callback: call ``close`` yourself, or run the script with
    ``goodfit watch``.

    Args:
        quiet: Print nothing.

    Example:
        >>> from transformers import Trainer  # doctest: +SKIP
        >>> Trainer(model, arguments, callbacks=[GoodfitCallback()]).train()  # doctest: +SKIP
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.session = Session(quiet=quiet)

    @property
    def findings(self) -> tuple[Any, ...]:
        """What is wrong, errors first."""
        return self.session.findings

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Begin to watch."""
        self.session.__enter__()

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Judge the whole training."""
        self.session.close()

    def close(self) -> None:
        """Judge what there was of a training that ended with an error."""
        self.session.close(is_whole=False)
