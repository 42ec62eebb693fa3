import io
import time

import pytest
from rich.console import Console

from goodfit.procedure.events import Doing, Noted
from goodfit.report.terminal import Progress, say

ERASE_LINE, HIDE_CURSOR, SHOW_CURSOR = "\x1b[2K", "\x1b[?25l", "\x1b[?25h"


def listen(events, *, is_terminal=False, width=80):
    out = io.StringIO()
    console = Console(
        file=out, force_terminal=is_terminal, width=width, color_system="truecolor" if is_terminal else None
    )
    with Progress(console) as progress:
        for event in events:
            progress(event)
    return out.getvalue()


def events(report):
    run = report.make_run()
    doing = [Doing(what="training the plan as it is", fraction=i / 50, seconds_left=9.0) for i in range(5)]
    return [
        *doing,
        Noted(text="3 pixels were dropped"),
        run.references[-1],
        run.answers[0],
        run.findings[0],
        *run.verdicts,
    ]


def test_without_a_terminal_there_are_plain_lines_and_no_colour(report):
    text = listen(events(report))
    assert "\x1b" not in text
    assert "\r" not in text
    assert text.count("training the plan as it is") == 1
    assert len(text.splitlines()) == 1 + 4 + 7


def test_every_event_leaves_its_line(report):
    text = listen(events(report))
    for line in (
        "· 3 pixels were dropped",
        "· reference gradient boosting: 0.961 on validation rows",
        "? Good results on training data?  no  0.112 on training rows is below",
        "! GF101 vanishing-gradients: the first layer's gradient is 1.0e-07",
        "+ helped, kept: use ReLU in the hidden layers  +0.850 (+0.840 to +0.860)",
        "= not shown: update by Momentum at lr 0.1  +0.002 (−0.008 to +0.012)",
        "− harmed: multiply the learning rate by 10  −0.060 (−0.070 to −0.050)",
    ):
        assert line in text


def test_a_terminal_gets_a_live_line_with_the_time_left_and_loses_it_at_the_end(report):
    text = listen(events(report), is_terminal=True)
    assert "about 9.0 s left" in text
    assert "\x1b[" in text
    assert text.rsplit("s left", 1)[1].endswith(ERASE_LINE)


def test_no_label_steers_the_terminal():
    text = listen([Noted(text="\x1b[2J\x07evil\r\n[bold]x[/bold]")])
    assert "\x1b" not in text
    assert "\x07" not in text
    assert text.count("\n") == 1
    assert "[bold]x[/bold]" in text


def test_a_flood_of_progress_does_not_hold_up_the_training(report):
    flood = [Doing(what="training", fraction=i / 20_000, seconds_left=None) for i in range(20_000)]
    started = time.perf_counter()
    listen(flood, is_terminal=True)
    assert time.perf_counter() - started < 1.5


def test_an_interrupt_leaves_the_screen_in_order():
    out = io.StringIO()
    with pytest.raises(KeyboardInterrupt), Progress(Console(file=out, force_terminal=True)):
        raise KeyboardInterrupt
    assert out.getvalue().rindex(SHOW_CURSOR) > out.getvalue().rindex(HIDE_CURSOR)


def test_every_kind_of_event_can_be_said(report):
    assert all(say(event).plain for event in events(report))


class TestNotebook:
    """By IPython's own display, as it reaches a notebook's page."""

    @pytest.fixture
    def shown(self):
        shell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell
        from IPython.core.displaypub import CapturingDisplayPublisher

        before, shell.instance().display_pub = shell.instance().display_pub, CapturingDisplayPublisher()
        yield shell.instance().display_pub.outputs
        shell.instance().display_pub = before

    def test_one_line_is_drawn_over_and_what_was_said_stays(self, shown, report):
        with Progress(Console(force_jupyter=True, width=80)) as progress:
            for event in events(report):
                progress(event)
        lines = [one for one in shown if one.get("transient")]
        assert len({one["transient"]["display_id"] for one in lines}) == 1
        assert [bool(one.get("update")) for one in lines] == [False, *[True] * (len(lines) - 1)]
        drawn = [one["data"]["text/html"] for one in lines]
        assert any("training the plan as it is" in html for html in drawn)
        assert "training" not in drawn[-1]  # the line goes away at the end
        said = "".join(one["data"]["text/html"] for one in shown if not one.get("transient"))
        assert "GF101 vanishing-gradients" in said
        assert said.count("helped, kept") == 3

    def test_it_is_not_drawn_more_often_than_can_be_seen(self, shown):
        with Progress(Console(force_jupyter=True, width=80)) as progress:
            for i in range(500):
                progress(Doing(what="training", fraction=i / 500, seconds_left=None))
        assert len(shown) < 50


def test_without_a_console_it_prints_to_standard_output(capsys):
    with Progress() as progress:
        progress(Noted(text="3 pixels were dropped"))
    assert "3 pixels were dropped" in capsys.readouterr().out
