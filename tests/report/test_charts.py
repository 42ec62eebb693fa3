import re
from xml.etree import ElementTree

import numpy as np
import pytest

from goodfit.report import charts
from goodfit.report.curves import Band

EPOCHS = np.arange(10)


def line(values):
    values = np.asarray(values, dtype=float)
    return Band(epochs_E=EPOCHS[: len(values)], mean_E=values, low_E=values - 0.1, high_E=values + 0.1)


def draw(values, **options):
    options = {"says": "a curve", "limits": (0.0, 1.0)} | options
    return charts.learning_curves([(line(values), charts.TRAIN)], **options)


CHARTS = {
    "curves": lambda: draw(np.linspace(0, 1, 10), bar=0.9),
    "logarithmic curves": lambda: draw(np.logspace(-8, 1, 10), limits=None),
    "curves of nothing": lambda: draw([np.nan, np.nan], limits=None),
    "one point": lambda: draw([0.5]),
    "depth": lambda: charts.over_depth([(np.logspace(-9, 0, 11), charts.TRAIN)], says="d", logarithmic=True),
    "depth of zeros": lambda: charts.over_depth([(np.zeros(3), charts.TRAIN)], says="d", logarithmic=True),
    "one layer": lambda: charts.over_depth([(np.array([0.2]), charts.TRAIN)], says="d", logarithmic=False),
    "map": lambda: charts.over_depth_and_epochs(
        EPOCHS, np.logspace(-9, 0, 30).reshape(3, 10), says="m", logarithmic=True
    ),
    "map of nothing": lambda: charts.over_depth_and_epochs(
        EPOCHS, np.full((3, 10), np.nan), says="m", logarithmic=True
    ),
    "map of one value": lambda: charts.over_depth_and_epochs(
        EPOCHS[:1], np.full((1, 1), 0.3), says="m", logarithmic=True
    ),
}


@pytest.fixture(params=CHARTS)
def chart(request):
    return CHARTS[request.param]


def test_a_chart_is_well_formed_and_says_what_it_shows(chart, recwarn):
    root = ElementTree.fromstring(chart().replace("xlink:href", "href"))
    assert root.get("role") == "img"
    assert root.find("title").text == root.get("aria-label")
    assert not recwarn.list


def test_the_same_chart_is_the_same_text(chart):
    assert chart() == chart()


def test_charts_leave_colours_to_the_style_sheet():
    svg = CHARTS["curves"]()
    assert "var(--train)" in svg
    assert "var(--ink)" in svg
    assert set(re.findall(r"#[0-9a-f]{6}\b", svg)) == set()


def test_names_in_two_charts_never_meet():
    names = [set(re.findall(r' id="([^"]+)"', CHARTS[name]())) for name in ("curves", "logarithmic curves")]
    assert names[0]
    assert names[1]
    assert not names[0] & names[1]


def test_every_name_that_a_chart_uses_is_in_it():
    svg = CHARTS["curves"]()
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', svg))
    assert used == set(re.findall(r' id="([^"]+)"', svg))


def test_markup_in_a_label_stays_text():
    svg = draw([0.1, 0.2], says='<script>"\\1')
    assert "<script" not in svg
    assert "&lt;script&gt;&quot;\\1" in svg


def test_values_over_many_powers_of_ten_are_labelled_by_powers():
    assert "10⁻⁸" in CHARTS["logarithmic curves"]()
    assert "10⁻" not in draw([0.2, 0.4], limits=None)
