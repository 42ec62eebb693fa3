"""A run as it is handed to a door: finished in memory, or a folder on disk."""

from __future__ import annotations

from pathlib import Path

from goodfit.procedure.fitted import Fitted
from goodfit.store.folder import load


def opened(run: Fitted | str | Path) -> Fitted:
    """Return a finished run, read from its folder if need be.

    Args:
        run: What :func:`goodfit.fit` returned, or a folder that goodfit wrote.

    Raises:
        RunFolderError: The folder is no run, or is incomplete.
    """
    return run if isinstance(run, Fitted) else load(run)
