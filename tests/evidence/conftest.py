from __future__ import annotations

import pytest
from sklearn.datasets import load_iris

from goodfit.data.sources import load
from goodfit.evidence.references import FittedReference


def by_name(fitted: tuple[FittedReference, ...]) -> dict[str, FittedReference]:
    return {reference.record.name: reference for reference in fitted}


@pytest.fixture(scope="session")
def iris():
    return load(*load_iris(return_X_y=True))
