from __future__ import annotations

import pickle
import sys

import pytest

from goodfit.errors import ModelError
from goodfit.nets.factory import load


@pytest.fixture
def write(tmp_path):
    def write_file(text: str, name: str = "network.py") -> str:
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write_file


def test_a_file_is_executed_once_while_it_is_unchanged(write):
    path = write("def make(): ...\n")
    assert load(f"{path}:make") is load(f"{path}:make")


def test_reading_a_file_leaves_the_search_path_as_it_was(write):
    before = list(sys.path)
    load(f"{write('def make(): ...')}:make")
    with pytest.raises(ModelError):
        load(f"{write('1 / 0')}:make")
    assert sys.path == before


def test_what_a_file_defines_can_be_pickled(write):
    path = write("from dataclasses import dataclass\n@dataclass\nclass Setting:\n    width: int\n")
    setting = load(f"{path}:Setting")(3)
    assert pickle.loads(pickle.dumps(setting)) == setting


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import not_a_module_at_all", "ModuleNotFoundError.*not_a_module_at_all"),
        ("def make(:", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
        ("raise SystemExit(3)", "SystemExit"),
    ],
)
def test_a_file_that_raises_is_refused_with_what_it_raises(write, text, words):
    with pytest.raises(ModelError, match=words):
        load(f"{write(text)}:make")


def test_a_misspelt_function_is_answered_with_the_closest(write):
    path = write("def make_network(): ...\n")
    with pytest.raises(ModelError, match="did you mean make_network"):
        load(f"{path}:make_netwrok")


def test_a_misspelt_file_is_answered_with_the_closest(write, tmp_path):
    write("def make(): ...\n")
    with pytest.raises(ModelError, match=r"did you mean network\.py"):
        load(f"{tmp_path / 'netwrok.py'}:make")


def test_a_name_that_is_no_function_is_said_so(write):
    with pytest.raises(ModelError, match="make is not callable"):
        load(f"{write('make = 3')}:make")


@pytest.mark.parametrize("place", ["network.py", "network.py:", ":make", "a.py:not a name"])
def test_a_place_of_another_form_is_refused(place):
    with pytest.raises(ModelError, match=r"write FILE\.py:FUNCTION"):
        load(place)


def test_a_module_that_cannot_be_imported_is_named():
    with pytest.raises(ModelError, match="not_installed_at_all"):
        load("not_installed_at_all:make")
