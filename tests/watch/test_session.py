"""Watching leaves torch and the script as they are, whatever happens."""

from __future__ import annotations

import json
import sys
import textwrap
import threading

import pytest
import torch
from torch import nn
from torch.nn.modules import module as modules
from torch.optim import optimizer as optimizers

import goodfit.watch
from goodfit.errors import ModelError, PlanError
from goodfit.watch.machine import to_object, to_sarif
from goodfit.watch.notes.collector import Collector
from goodfit.watch.runner import run
from goodfit.watch.session import Session


def state_of_torch():
    return (
        torch.nn.functional.cross_entropy,
        torch.nn.functional.mse_loss,
        torch.autograd.backward,
        nn.Module.train,
        torch.no_grad.__enter__,
        torch.inference_mode.__enter__,
        torch.amp.GradScaler.scale,
        torch.optim.lr_scheduler.LRScheduler.step,
        dict(modules._global_forward_hooks),
        dict(modules._global_forward_pre_hooks),
        dict(optimizers._global_optimizer_pre_hooks),
        dict(optimizers._global_optimizer_post_hooks),
    )


def test_torch_is_left_as_it_was(watched):
    before = state_of_torch()
    watched()
    assert state_of_torch() == before


def steps_of_a_broadcast(num_steps):
    network = nn.Linear(3, 1)
    rule, x = torch.optim.SGD(network.parameters(), lr=0.01), torch.randn(8, 3)
    for _ in range(num_steps):
        rule.zero_grad()
        torch.nn.functional.mse_loss(network(x), x[:, 0]).backward()
        rule.step()


def test_a_pause_leaves_torch_as_it_was_and_its_steps_out():
    before = state_of_torch()
    with Session(quiet=True) as session:
        with session.paused():
            assert state_of_torch() == before
            steps_of_a_broadcast(20)
        assert state_of_torch() != before
    assert session.num_steps == 0
    assert session.findings == ()


def test_what_is_wrong_is_found_around_a_pause():
    with Session(quiet=True) as session:
        for _ in range(4):
            steps_of_a_broadcast(5)
            with session.paused():
                steps_of_a_broadcast(3)
    assert session.num_steps == 20
    assert [found.code for found in session.findings if found.severity == "error"] == ["GF012"]


def test_a_pause_ends_with_an_error_inside_it():
    with Session(quiet=True) as session:
        with pytest.raises(ZeroDivisionError), session.paused():
            _ = 1 / 0
        steps_of_a_broadcast(8)
    assert session.num_steps == 8


def test_a_fault_in_goodfit_never_reaches_the_script(watched, monkeypatch, capsys):
    def break_down(self, optimizer):
        raise ZeroDivisionError("planted")

    before = state_of_torch()
    monkeypatch.setattr(Collector, "stepped", break_down)
    done = watched(after="print('epoch', epoch)", quiet=False)
    said = capsys.readouterr()
    assert done.ending.code == 0
    assert "epoch 9" in said.out
    assert said.err.count("a fault in goodfit (ZeroDivisionError: planted)") == 2  # at once, and at the end
    assert any("planted" in reason for reason in done.session.not_checked)
    assert state_of_torch() == before


def test_the_numbers_of_a_run_do_not_change_under_observation(write):
    path = write(
        model="nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 2))",
        after="print(loss.item())",
    )
    text = path.read_text(encoding="utf-8")
    alone, together = {}, {}
    exec(compile(text, str(path), "exec"), alone)
    with Session(quiet=True):
        exec(compile(text, str(path), "exec"), together)
    for one, other in zip(alone["model"].parameters(), together["model"].parameters(), strict=True):
        assert torch.equal(one, other)


def test_severe_findings_are_told_while_the_script_runs(watched, capsys):
    text = "nn.Sequential(nn.Linear(8, 2), nn.Softmax(dim=1))"
    watched(model=text, quiet=False, after="import sys; sys.stderr.write(f'epoch {epoch}\\n')")
    said = capsys.readouterr().err
    assert said.index("GF010") < said.index("epoch 1")
    assert said.count("error GF010") == 1


def test_the_package_can_be_called():
    model = nn.Linear(2, 1)
    rule = torch.optim.SGD(model.parameters(), lr=0.1)
    with goodfit.watch(model, rule, quiet=True) as session:
        for _ in range(20):
            rule.zero_grad()
            torch.nn.functional.mse_loss(model(torch.ones(4, 2)), torch.ones(4)).backward()
            rule.step()
    assert "broadcast-in-loss" in {found.name for found in session.findings}


@pytest.mark.parametrize(("model", "optimizer"), [("net", None), (None, "adam")])
def test_what_is_no_network_or_optimizer_is_refused(model, optimizer):
    with pytest.raises(ModelError, match="is a str"), goodfit.watch(model, optimizer):
        pass


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("print('hello')", 0),
        ("import sys; sys.exit(3)", 3),
        ("import sys; sys.exit('no data')", 1),
        ("raise SystemExit", 0),
        ("1 / 0", 1),
        ("def broken(:", 1),
        ("raise KeyboardInterrupt", 130),
    ],
)
def test_a_script_keeps_its_exit_code(watched, text, code):
    done = watched(text)
    assert done.ending.code == code
    assert done.session.findings == ()
    assert any("no optimizer" in reason for reason in done.session.not_checked)


def test_a_traceback_shows_the_script_and_not_the_watching(watched, capsys):
    watched("import torch\ntorch.nn.functional.mse_loss(torch.ones(2), torch.ones(3))\n")
    said = capsys.readouterr().err
    assert "train.py" in said
    assert "RuntimeError" in said
    assert "goodfit" not in said


def test_a_script_finds_its_arguments_and_its_neighbours(watched, tmp_path, capsys):
    (tmp_path / "neighbour.py").write_text("name = 'found'")
    watched("import sys, neighbour\nprint(sys.argv[1:], neighbour.name, __name__)", arguments=["--lr", "3"])
    assert capsys.readouterr().out == "['--lr', '3'] found __main__\n"
    sys.modules.pop("neighbour")


def test_a_module_runs_by_name(tmp_path, monkeypatch, capsys):
    (tmp_path / "trainer_of_mine.py").write_text("import sys; print(sys.argv[1:], __name__)")
    monkeypatch.chdir(tmp_path)
    assert run("trainer_of_mine", ["a"], as_module=True).code == 0
    assert capsys.readouterr().out == "['a'] __main__\n"


def test_a_missing_script_is_refused(tmp_path):
    with pytest.raises(PlanError, match="there is no script"):
        run(str(tmp_path / "none.py"), [], as_module=False)


def test_a_script_cut_off_on_its_way_down_is_not_called_poor(watched):
    text = "if epoch == 3: raise KeyboardInterrupt"
    done = watched(optimizer="torch.optim.SGD(model.parameters(), lr=0.02)", after=text, batch="8")
    assert done.ending.code == 130
    assert done.severe == set()


def test_findings_become_json_of_a_known_form(watched):
    done = watched(model="nn.Sequential(nn.Linear(8, 2), nn.Softmax(dim=1))")
    session = done.session
    told = to_object(session.sightings, not_checked=session.not_checked, overhead=session.overhead)
    told = json.loads(json.dumps(told, allow_nan=False))
    assert set(told) == {"findings", "not_checked", "overhead"}
    keys = {"code", "name", "severity", "message", "evidence", "file", "line", "remedies", "advice"}
    assert all(set(found) == keys for found in told["findings"])
    first = told["findings"][0]
    assert (first["code"], first["severity"], first["file"]) == ("GF010", "error", str(done.path))


def test_findings_become_sarif(watched):
    done = watched(model="nn.Sequential(nn.Linear(8, 2), nn.Softmax(dim=1))")
    log = to_sarif(done.session.sightings)
    result = log["runs"][0]["results"][0]
    rules = {rule["id"] for rule in log["runs"][0]["tool"]["driver"]["rules"]}
    line = done.sighting("probabilities-into-loss").place.line
    assert log["version"] == "2.1.0"
    assert (result["ruleId"], result["level"]) == ("GF010", "error")
    assert result["ruleId"] in rules
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": line}


def test_chosen_codes_are_kept_and_others_left_out(write):
    path = write(model="nn.Sequential(nn.Linear(8, 2), nn.Softmax(dim=1))", clear="pass")
    for options, wanted in (
        ({"select": {"GF015"}}, {"GF015"}),
        ({"ignore": {"GF015", "GF114", "GF113"}}, {"GF010"}),
    ):
        session = Session(quiet=True, **options)
        with session:
            run(str(path), [], as_module=False)
        assert {found.code for found in session.findings if found.severity == "error"} == wanted


def test_what_cannot_be_seen_is_listed(watched):
    text = textwrap.dedent("""
        import torch
        model = torch.nn.Linear(2, 1)
        rule = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in range(30):
            rule.zero_grad()
            (model(torch.ones(4, 2)) - 1).pow(2).mean().backward()
            rule.step()
    """)
    done = watched(text)
    reasons = " ".join(done.session.not_checked)
    assert "none of torch's loss functions" in reasons
    assert "evaluation: none was seen" in reasons
    assert done.severe == set()


def test_threads_that_were_there_before_the_script_are_not_waited_for(tmp_path):
    release = threading.Event()
    other = threading.Thread(target=release.wait)
    other.start()
    script = tmp_path / "script.py"
    script.write_text("import threading\nthreading.Thread(target=print, args=('trained',)).start()\n")
    try:
        assert run(str(script), [], as_module=False).code == 0
        assert other.is_alive()
    finally:
        release.set()
        other.join()
