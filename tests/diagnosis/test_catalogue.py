"""The catalogue and its pages say the same."""

from __future__ import annotations

import subprocess
import sys

import pytest

from goodfit.diagnosis.catalogue import CATALOGUE, page
from goodfit.errors import GoodfitError
from goodfit.recipe.order import RECIPE

PARTS = ("Sign.", "Why it hurts.", "How it is measured.", "Remedies.", "False alarms.", "Reference.")


@pytest.mark.parametrize("code", CATALOGUE)
def test_every_finding_has_a_whole_page(code: str) -> None:
    entry, text = CATALOGUE[code], page(code)
    assert text.startswith(f"# {code} {entry.name}\n")
    places = [text.index(f"**{part}**") for part in PARTS]
    assert places == sorted(places)
    assert all(f"`{remedy}`" in " ".join(text.split()) for remedy in entry.remedies)


def test_names_and_codes_are_used_once() -> None:
    assert len({entry.name for entry in CATALOGUE.values()}) == len(CATALOGUE)
    assert all(code == entry.code for code, entry in CATALOGUE.items())


def test_codes_tell_the_question() -> None:
    questions = {"0": "harness", "1": "training", "2": "testing"}
    assert all(questions[code[2]] == entry.question for code, entry in CATALOGUE.items())


def test_every_remedy_is_one_of_the_recipe() -> None:
    known = {remedy.code for remedy in RECIPE}
    assert {remedy for entry in CATALOGUE.values() for remedy in entry.remedies} <= known


def test_findings_on_training_name_no_remedy_for_testing_first() -> None:
    questions = {remedy.code: remedy.question for remedy in RECIPE}
    for entry in CATALOGUE.values():
        if entry.question != "harness" and entry.remedies:
            assert questions.get(entry.remedies[0], entry.question) == entry.question


def test_a_page_is_found_by_name_and_in_small_letters() -> None:
    assert page("vanishing-gradients") == page("gf101") == page("GF101")


def test_an_unknown_code_is_answered_with_the_closest() -> None:
    with pytest.raises(GoodfitError, match="did you mean dying-units"):
        page("dieing-units")


def test_diagnosis_needs_no_torch() -> None:
    code = (
        "import sys; import goodfit.diagnosis.before, goodfit.diagnosis.training, goodfit.diagnosis.testing; "
        "import goodfit.diagnosis.catalogue, goodfit.evidence.statistics; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
