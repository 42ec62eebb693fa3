"""Watch a training that Lightning runs: ``Trainer(callbacks=[GoodfitCallback()])``."""

from __future__ import annotations

from typing import Any

from goodfit.errors import PlanError
from goodfit.watch.session import Session

try:
    from lightning.pytorch import Callback
except ImportError:
    try:
        from pytorch_lightning import Callback
    except ImportError as error:
        raise PlanError("Lightning is not installed", fix='pip install "goodfit[lightning]"') from error

__all__ = ["GoodfitCallback"]


class GoodfitCallback(Callback):
    """Watches from the first to the last batch of ``fit``, and tells what is wrong at its end.

    The first process of several speaks. Findings are on ``findings`` once training is over.

    Args:
        quiet: Print nothing.

    Example:
        >>> from lightning.pytorch import Trainer  # doctest: +SKIP
        >>> Trainer(callbacks=[GoodfitCallback()]).fit(model, loader)  # doctest: +SKIP
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.session = Session(quiet=quiet)

    @property
    def findings(self) -> tuple[Any, ...]:
        """What is wrong, errors first."""
        return self.session.findings

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin to watch."""
        self.session.__enter__()

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        """Judge the whole training."""
        self.session.close()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Judge what there was of it."""
        self.session.close(is_whole=False)
