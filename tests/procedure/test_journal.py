"""Which findings before training still ask for a remedy."""

from __future__ import annotations

import dataclasses

import pytest
from tests.procedure.test_winners import VERDICT

from goodfit.diagnosis.catalogue import CATALOGUE
from goodfit.procedure.events import silence
from goodfit.procedure.journal import Journal

LONE_CLASS, UNSCALED = (CATALOGUE[code].finding("it is so") for code in ("GF014", "GF004"))
VANISHING = CATALOGUE["GF101"].finding("it is so")


@pytest.fixture
def journal():
    made = Journal(listener=silence)
    made.find([LONE_CLASS, UNSCALED, VANISHING])
    return made


def test_only_errors_before_training_are_causes(journal):
    assert journal.causes == [LONE_CLASS]


@pytest.mark.parametrize(
    ("changes", "is_cured"),
    [
        ({"remedy": "usual-loss", "kept": True}, True),
        ({"remedy": "usual-loss", "kept": False}, False),
        ({"remedy": "relu", "kept": True}, False),
        ({"remedy": "sound-rule", "steps": (("adam", 1e-3), ("usual-loss", 0.0)), "kept": True}, True),
    ],
    ids=["kept", "not kept", "another", "part of a whole"],
)
def test_a_cause_is_gone_with_the_first_remedy_that_is_kept_for_it(journal, changes, is_cured):
    journal.verdicts.append(dataclasses.replace(VERDICT, **changes))
    assert journal.causes == ([] if is_cured else [LONE_CLASS])
