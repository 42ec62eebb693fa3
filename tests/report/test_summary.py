import io
import re

from rich.cells import cell_len
from rich.console import Console

from goodfit.report.summary import summarise


def summary(run, *, folder="goodfit-run", width=80):
    out = io.StringIO()
    summarise(run, Console(file=out, width=width), folder=folder, page=f"{folder}/report.html")
    return out.getvalue()


def test_any_run_fits_one_screen(any_run):
    lines = summary(any_run).splitlines()
    assert len(lines) <= 24
    assert max(map(cell_len, lines)) <= 80


def test_the_summary_says_what_matters(patient):
    text = summary(patient)
    for pattern in (
        r"^A good fit$",
        r"Good results on training data\?\s+yes  0\.990 \(0\.980 to 1\.000\)  bar 0\.961",
        r"Good results on testing data\?\s+yes  0\.972",
        r"use ReLU in the hidden layers\s+\+0\.850 \(\+0\.840 to \+0\.860\)",
        r"Sealed test  accuracy 0\.975 \(0\.958 to 0\.989\), was 0\.100, 360 rows",
        r"Found\s+GF101 vanishing-gradients",
        r"Not shown\s+momentum, dropout",
        r"Untried\s+maxout, wider",
        r"Not checked\s+sample leak",
        r"Report\s+goodfit-run/report\.html",
    ):
        assert re.search(pattern, text, flags=re.MULTILINE), pattern


def test_a_long_path_is_never_cut(patient):
    folder = "/very/long" * 15
    assert f"{folder}/report.html" in summary(patient, folder=folder)


def test_a_question_that_was_not_asked_has_no_answer(report):
    assert re.search(r"testing data\?\s+not asked", summary(report.endless_run()))


def test_a_run_that_changed_nothing_says_so(report):
    assert "Prescription nothing was changed" in summary(report.numbers_run())


def test_labels_cannot_steer_the_terminal(report):
    assert "\x1b" not in summary(report.hostile_run())
