import os

import pytest

from goodfit.errors import RunFolderError
from goodfit.store.place import free_name, refuse_place


def make_run_folder(place):
    place.mkdir()
    (place / "run.json").write_text("{}")
    return place


def test_names_are_counted_up_from_the_first_free_one(tmp_path):
    assert free_name(tmp_path).name == "goodfit-run"
    (tmp_path / "goodfit-run").mkdir()
    (tmp_path / "goodfit-run-2").write_text("a file")
    (tmp_path / "goodfit-run-3").symlink_to("nowhere")
    assert free_name(tmp_path).name == "goodfit-run-4"


@pytest.mark.parametrize("place", ["new", "new/deeper/still", "empty"])
def test_new_and_empty_places_are_taken(tmp_path, place):
    (tmp_path / "empty").mkdir()
    refuse_place(tmp_path / place)


def test_a_run_is_replaced_only_when_asked(tmp_path):
    place = make_run_folder(tmp_path / "run")
    with pytest.raises(RunFolderError, match="holds a run already") as caught:
        refuse_place(place)
    assert "--replace" in caught.value.fix
    refuse_place(place, replace=True)


@pytest.mark.parametrize("name", ["folder", "file", "link"])
def test_what_is_no_run_is_never_replaced(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.tex").write_text("years of work")
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "absent")
    with pytest.raises(RunFolderError, match="is not a run"):
        refuse_place(tmp_path / name, replace=True)


def test_a_place_below_a_file_is_refused_before_any_work(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunFolderError, match="no folder that can be written to"):
        refuse_place(tmp_path / "file" / "run")


def test_the_current_folder_is_the_usual_parent(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "goodfit-run").mkdir()
    assert os.fspath(free_name()) == "goodfit-run-2"
