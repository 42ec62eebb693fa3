"""Where the time of a training goes: run it as a script, it opens shares.py.

    python benchmarks/profile.py [--threads 1] [--only 30-32-32-2 ...]

The standard library has a module of this name too, and torch asks for it by way of cProfile. A script's
folder is looked through first, so that this file is found in its place; it then steps aside.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path


def step_aside() -> None:
    """Put the standard library's module where this one was about to be."""
    spec = importlib.util.spec_from_file_location("profile", Path(os.__file__).with_name("profile.py"))
    assert spec is not None
    assert spec.loader is not None
    sys.modules["profile"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["profile"])


if __name__ == "__main__":
    from shares import main

    main()
else:
    step_aside()
