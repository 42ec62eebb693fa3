from __future__ import annotations

import pytest
from sklearn.datasets import load_iris

from goodfit.data.sources import load


@pytest.fixture(scope="session")
def iris():
    return load(*load_iris(return_X_y=True))
