import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from goodfit.report.html import render, rounds_of, scale_of

VOID = {"meta", "link", "br", "input", "img", "hr"}
SIX_MEGABYTES = 6_000_000


class Outline(HTMLParser):
    """What a page is made of; fails where tags do not match."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text, self.attributes = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def words(self):
        return re.sub(r"\s+", " ", " ".join(self.text))


def outline(page):
    reader = Outline()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def test_a_page_is_well_formed_and_well_under_six_megabytes(any_page):
    outline(any_page)
    assert len(any_page.encode()) < SIX_MEGABYTES / 3


def test_a_page_holds_no_script_and_fetches_nothing(any_page):
    reader = outline(any_page)
    assert "script" not in reader.tags
    assert not [name for _, name, _ in reader.attributes if name.startswith("on")]
    fetched = [
        value for _, name, value in reader.attributes if name in ("src", "href", "xlink:href", "srcset")
    ]
    assert all(value.startswith(("#", "data:")) for value in fetched)
    assert not re.search(r"url\((?!#)|@import", any_page)


def test_text_from_the_user_is_text_in_the_page(report):
    page = render(report.hostile_run())
    assert "<script" not in page
    assert "\x1b" not in page
    assert page.count("&lt;script&gt;") >= 8


def test_the_page_opens_with_the_verdict_and_its_numbers(patient):
    words = outline(render(patient)).words()
    assert "A good fit" in words
    assert "accuracy is 0.975; the plan as it came reaches 0.100" in words
    assert "bar 0.961, from gradient boosting" in words


def test_the_prescription_gives_effects_with_intervals(patient):
    words = outline(render(patient)).words()
    assert "use ReLU in the hidden layers relu +0.850 +0.840 to +0.860" in words
    assert "Not shown to help" in words
    assert "no time left: maxout, wider" in words


def test_versions_seed_and_command_are_given(patient):
    words = outline(render(patient)).words()
    for word in ("torch 2.13.0", "root seed 0", "goodfit demo", "x86_64, 2 cores"):
        assert word in words


def test_what_was_not_checked_is_said(patient):
    assert "sample leak: the network has no batch statistics" in outline(render(patient)).words()


def test_a_test_that_was_opened_twice_is_said_in_red(report):
    page = render(report.make_run(test=report.make_test(openings=2)))
    assert '<span class="tag bad">opened 2 times</span>' in page
    assert "opened once" not in page


def test_a_run_without_test_says_so(report):
    assert "It was not opened." in outline(render(report.bare_run())).words()


def test_the_same_run_gives_the_same_page(patient):
    assert render(patient) == render(patient)


def test_every_picture_has_a_name_and_every_table_a_header(any_page):
    reader = outline(any_page)
    drawings = [value for tag, name, value in reader.attributes if (tag, name) == ("svg", "aria-label")]
    hidden = [value for tag, name, value in reader.attributes if (tag, name) == ("svg", "aria-hidden")]
    assert len(drawings) + len(hidden) == reader.tags.count("svg")
    assert all(drawings)
    assert reader.tags.count("thead") == reader.tags.count("table")


def test_names_in_a_page_are_unique(patient):
    names = [value for _, name, value in outline(render(patient)).attributes if name == "id"]
    assert len(names) == len(set(names))


def test_answers_and_verdicts_of_a_round_stand_together(patient):
    rounds = rounds_of(patient)
    assert [(r.number, len(r.answers), len(r.verdicts)) for r in rounds] == [
        (1, 1, 4),
        (2, 1, 1),
        (3, 2, 2),
        (4, 2, 0),
    ]


def test_an_answer_that_was_given_twice_is_shown_once(report):
    answers = (report.make_answer(), report.make_answer(), report.make_answer("testing"))
    assert len(rounds_of(report.make_run(answers=answers, verdicts=()))[0].answers) == 2


def test_one_huge_interval_does_not_hide_the_others(report):
    wide = report.interval(0.01, half=1e6)
    scale = scale_of([report.interval(0.5), wide])
    assert scale.place(0.5) - scale.place(0.0) > 10
    assert 0 <= scale.place(wide.low) < scale.place(0) < scale.place(wide.high) <= 100


@pytest.mark.parametrize("effects", [[], [float("nan")], [0.0]])
def test_a_scale_always_has_a_width(report, effects):
    scale = scale_of([report.interval(effect, half=0.0) for effect in effects])
    assert scale.high > scale.low


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_that_wcag_aa_asks_for(patient, scheme):
    blocks = re.findall(r":root \{(.*?)\}", render(patient), flags=re.DOTALL)[:2]
    colour = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", blocks[scheme == "dark"]))
    pairs = [(text, ground) for text in ("ink", "muted", "good", "bad") for ground in ("page", "card")]
    pairs += [
        ("good", "good-soft"),
        ("bad", "bad-soft"),
        ("muted", "soft"),
        ("ink", "path-soft"),
        ("muted", "path-soft"),
    ]
    assert min(contrast(colour[text], colour[ground]) for text, ground in pairs) >= 4.5


def test_the_report_is_written_without_torch():
    code = "import sys, goodfit.report.html, goodfit.report.summary; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
