"""One thread for all tests, and the names that examples in docstrings use without importing them."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
import torch

# two threads on a busy core wait for each other, which small tests feel most
torch.set_num_threads(1)
collect_ignore = [
    f"src/goodfit/interop/{name}.py" for name in ("lightning", "transformers") if find_spec(name) is None
]


@pytest.fixture(autouse=True)
def _names_of_examples(doctest_namespace):
    doctest_namespace.update(np=np, pd=pd, torch=torch, nn=torch.nn)
