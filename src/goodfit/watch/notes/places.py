"""Which line of the user's script is running."""

from __future__ import annotations

import site
import sys
import sysconfig
from pathlib import Path

from goodfit.watch.uses import Place

OWN = str(Path(__file__).resolve().parents[2])
LIBRARIES = tuple(
    {
        OWN,
        *(str(Path(path).resolve()) for path in (*site.getsitepackages(), site.getusersitepackages())),
        *(str(Path(sysconfig.get_paths()[name]).resolve()) for name in ("stdlib", "platstdlib", "purelib")),
    }
)


def here() -> Place | None:
    """Find the innermost running line that belongs to no library; ``None`` if there is none.

    Example:
        >>> here() is None or here().line > 0
        True
    """
    frame = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(("<", *LIBRARIES)):
            return Place(file=file, line=frame.f_lineno)
        frame = frame.f_back  # type: ignore[assignment]  # the outermost frame has none
    return None
