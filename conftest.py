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
    f"src/goodfit/{path}.py"
    for path, package in (
        ("interop/lightning", "lightning"),
        ("interop/transformers", "transformers"),
        ("engine/machine/triton_kernels", "triton"),
    )
    if find_spec(package) is None
]


def pytest_collection_modifyitems(items):
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="torch finds no GPU"))


@pytest.fixture(autouse=True)
def _names_of_examples(doctest_namespace):
    doctest_namespace.update(np=np, pd=pd, torch=torch, nn=torch.nn)
