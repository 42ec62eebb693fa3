"""Names that the examples in docstrings use without importing them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch


@pytest.fixture(autouse=True)
def _names_of_examples(doctest_namespace):
    doctest_namespace.update(np=np, pd=pd, torch=torch, nn=torch.nn)
