"""The card that a notebook shows."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from tests.report.conftest import RUNS, interval, make_run, make_verdict
from tests.report.test_html import outline

import goodfit
from goodfit.procedure.fitted import Fitted
from goodfit.report.notebook import card

SIXTY_KILOBYTES = 60_000


@pytest.fixture(scope="module", params=RUNS)
def any_card(request):
    return card(RUNS[request.param]())


def test_a_card_is_well_formed_and_small(any_card):
    outline(any_card)
    assert len(any_card.encode()) < SIXTY_KILOBYTES


def test_a_card_holds_no_script_and_fetches_nothing(any_card):
    reader = outline(any_card)
    assert "script" not in reader.tags
    assert not [name for _, name, _ in reader.attributes if name.startswith("on")]
    fetched = [v for _, name, v in reader.attributes if name in ("src", "href", "xlink:href")]
    assert all(value.startswith("#") for value in fetched)
    assert "@import" not in any_card
    assert "url(http" not in any_card


def test_its_style_touches_nothing_but_the_card(any_card):
    style = re.search(r"<style>(.*?)</style>", any_card, flags=re.DOTALL)[1]
    selectors = [rule.split("{")[0].strip() for rule in style.split("}") if rule.strip()]
    assert all(selector.startswith(".goodfit-card") for selector in selectors)


def test_it_says_what_was_asked_proven_and_measured(patient):
    words = outline(card(patient)).words()
    assert "A good fit" in words
    assert re.search(r"Good results on testing data\? yes 0\.972 bar 0\.961", words)
    assert "Sealed test, accuracy 0.975 was 0.100" in words
    assert "use ReLU in the hidden layers +0.850" in words
    assert "GF101 vanishing-gradients" in words
    assert "Also tried: 1 helped less, 2 not shown to help, 1 harmed." in words


def test_a_long_prescription_is_cut_and_the_rest_counted():
    verdicts = tuple(
        make_verdict(f"r{i}", f"do number {i}", kept=True, effect=interval(0.1)) for i in range(9)
    )
    words = outline(card(make_run(verdicts=verdicts))).words()
    assert "do number 5" in words
    assert "do number 6" not in words
    assert "and 3 more" in words


def test_a_run_and_what_fit_returns_show_the_card(patient):
    assert patient._repr_html_() == card(patient) == goodfit.card(patient)
    assert Fitted(run=patient, predictor=None)._repr_html_() == card(patient)


def test_ipython_shows_it():
    formatters = pytest.importorskip("IPython.core.formatters")
    assert formatters.HTMLFormatter()(make_run()) == card(make_run())


def test_a_card_needs_no_torch():
    code = "import sys, goodfit.report.notebook; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
