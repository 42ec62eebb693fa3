"""A run appears whole or not at all; tried with a killed process and a full disk."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from goodfit.errors import RunFolderError
from goodfit.store.staging import stage, write_whole

KILLED_HALFWAY = """
import sys, time
from pathlib import Path
from goodfit.store.staging import stage
with stage(Path(sys.argv[1])) as folder:
    (folder / "run.json").write_text("whole")
    print("written", flush=True)
    time.sleep(60)
"""


@contextlib.contextmanager
def small_files():
    """Let no file grow beyond a kilobyte, as a full disk would.

    Not a fixture: the limit holds for the whole process, and pytest writes its own output
    before a fixture ends.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_the_folder_appears_at_the_end_and_nothing_else_stays(tmp_path):
    with stage(tmp_path / "run") as folder:
        (folder / "a").write_text("x")
        assert not (tmp_path / "run").exists()
    assert (tmp_path / "run" / "a").read_text() == "x"
    assert os.listdir(tmp_path) == ["run"]


def test_the_folder_has_the_rights_that_any_new_folder_has(tmp_path):
    (tmp_path / "plain").mkdir()
    with stage(tmp_path / "run") as folder:
        (folder / "a").write_text("x")
    assert (tmp_path / "run").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_inside_leaves_nothing(tmp_path, error):
    def fail_halfway():
        with stage(tmp_path / "run") as folder:
            (folder / "a").write_text("x")
            raise error

    with pytest.raises(error):
        fail_halfway()
    assert os.listdir(tmp_path) == []


def test_a_killed_process_leaves_no_folder_of_that_name(tmp_path):
    command = [sys.executable, "-c", KILLED_HALFWAY, str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "written\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (tmp_path / "run").exists()
    assert all(name.startswith(".") for name in os.listdir(tmp_path))


def test_a_full_disk_leaves_nothing_and_says_so(tmp_path):
    with (
        small_files(),
        pytest.raises(RunFolderError, match=r"cannot be written: File too large"),
        stage(tmp_path / "run") as folder,
    ):
        (folder / "a").write_bytes(bytes(10_000))
    assert os.listdir(tmp_path) == []


def test_a_full_disk_leaves_the_old_run_as_it_was(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "a").write_text("old")
    with small_files(), pytest.raises(RunFolderError), stage(tmp_path / "run", replace=True) as folder:
        (folder / "a").write_bytes(bytes(10_000))
    assert (tmp_path / "run" / "a").read_text() == "old"
    assert os.listdir(tmp_path) == ["run"]


def test_replacing_leaves_nothing_of_the_old_folder(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "old").write_text("x")
    with stage(tmp_path / "run", replace=True) as folder:
        (folder / "new").write_text("y")
    assert os.listdir(tmp_path / "run") == ["new"]
    assert os.listdir(tmp_path) == ["run"]


def test_a_place_that_was_filled_in_the_meantime_is_not_overwritten(tmp_path):
    def come_second():
        with stage(tmp_path / "run") as folder:
            (folder / "mine").write_text("x")
            (tmp_path / "run").mkdir()
            (tmp_path / "run" / "theirs").write_text("y")

    with pytest.raises(RunFolderError):
        come_second()
    assert os.listdir(tmp_path / "run") == ["theirs"]


def test_of_many_at_once_exactly_one_gets_the_place(tmp_path):
    winners = []
    ready = threading.Barrier(8)

    def compete(number):
        try:
            with stage(tmp_path / "run") as folder:
                (folder / "who").write_text(str(number))
                ready.wait()
        except RunFolderError:
            return
        winners.append(number)

    threads = [threading.Thread(target=compete, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [int((tmp_path / "run" / "who").read_text())] == winners
    assert os.listdir(tmp_path) == ["run"]


def test_folders_on_the_way_are_made(tmp_path):
    with stage(tmp_path / "a" / "b" / "run") as folder:
        (folder / "x").write_text("")
    assert (tmp_path / "a" / "b" / "run" / "x").exists()


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    page = tmp_path / "page.html"
    write_whole(page, "old")
    with small_files(), pytest.raises(RunFolderError):
        write_whole(page, "x" * 10_000)
    assert page.read_text() == "old"
    assert os.listdir(tmp_path) == ["page.html"]


def test_a_file_in_a_missing_folder_is_refused():
    with pytest.raises(RunFolderError, match="No such file"):
        write_whole(Path("/nowhere/at/all/page.html"), "x")
