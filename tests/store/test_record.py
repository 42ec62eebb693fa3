import dataclasses
import json
import math
import random
import subprocess
import sys
from typing import Literal, get_args, get_origin, get_type_hints

import numpy as np
import pytest

from goodfit.engine.history import History
from goodfit.errors import RunFolderError
from goodfit.evidence.verdict import Interval
from goodfit.procedure.run import FORMAT, Arm, Reference, Run
from goodfit.store.record import RUN_FILE, decode_run, encode_run, load_run

NUMBERS = (0.0, -0.0, 1.5, 1e-300, 1e300, 0.1 + 0.2, math.nan, math.inf, -math.inf)
WORDS = ("", "plain", "nan", "null", "1", "é\u2028\x00\U0001f600", '"\\</script>')


def any_of(kind, draw):
    """Draw a value of a type, records and all that is in them included."""
    if dataclasses.is_dataclass(kind):
        return kind(**{name: any_of(part, draw) for name, part in get_type_hints(kind).items()})
    parts = get_args(kind)
    if get_origin(kind) is Literal:
        return draw.choice(parts)
    if get_origin(kind) is tuple and parts[-1] is ...:
        return tuple(any_of(parts[0], draw) for _ in range(draw.randint(0, 2)))
    if get_origin(kind) is tuple:
        return tuple(any_of(part, draw) for part in parts)
    if parts:
        return any_of(draw.choice(parts), draw)
    simple = {bool: (True, False), int: (0, -1, 2**63 - 1), float: NUMBERS, str: WORDS, type(None): (None,)}
    return draw.choice(simple[kind])


def refuse(word):
    raise AssertionError(f"{word} is no JSON")


@pytest.mark.parametrize("seed", range(40))
def test_any_record_comes_back_equal_from_strict_json(seed):
    run = dataclasses.replace(any_of(Run, random.Random(seed)), format=FORMAT)
    text = encode_run(run)
    json.loads(text, parse_constant=refuse)
    assert repr(decode_run(text)) == repr(run)  # NaN is not equal to itself, but it reads the same


def test_a_record_from_before_a_measure_was_made_still_opens():
    drawn = any_of(Run, random.Random(3))
    arm = dataclasses.replace(any_of(Arm, random.Random(1)), histories=(any_of(History, random.Random(2)),))
    old = json.loads(encode_run(dataclasses.replace(drawn, arms=(arm,), format=FORMAT)))
    del old["arms"][0]["histories"][0]["reliability"]
    for name in ("parts_apart", "twin_layers", "num_train_rows"):
        del old["harness"][name]
    back = decode_run(json.dumps(old).encode())
    assert back.arms[0].histories[0].reliability == ()
    assert (back.harness.parts_apart, back.harness.twin_layers, back.harness.num_train_rows) == (None, (), 0)


def test_a_name_that_is_no_text_does_not_stop_a_run_from_being_saved(fitted):
    run = dataclasses.replace(fitted.run, command="goodfit fit caf\udce9.csv")
    assert decode_run(encode_run(run)).command == "goodfit fit caf?.csv"


def test_nan_comes_back_as_nan(fitted):
    score = Interval(value=float("nan"), low=float("-inf"), high=float("inf"), level=0.95)
    reference = Reference(name="r", train_score=score.value, validation_score=0.5, num_rows=3, seconds=0.1)
    run = dataclasses.replace(fitted.run, references=(reference,), seconds=score.high)
    back = decode_run(encode_run(run))
    assert math.isnan(back.references[0].train_score)
    assert back.seconds == math.inf


def test_numbers_of_numpy_become_numbers_of_json(fitted):
    run = dataclasses.replace(
        fitted.run,
        seconds=np.float32(1.5),
        seed=np.int64(7),
        good_on_training=np.bool_(True),
        budget_seconds=np.float64("inf"),
    )
    back = decode_run(encode_run(run))
    assert (back.seconds, back.seed, back.good_on_training, back.budget_seconds) == (1.5, 7, True, math.inf)


def written(tmp_path, text):
    (tmp_path / RUN_FILE).write_bytes(text)
    return tmp_path


def test_a_newer_format_is_refused_with_both_versions(tmp_path, fitted):
    newer = dataclasses.replace(fitted.run, format=FORMAT + 1, goodfit="9.8.7")
    with pytest.raises(RunFolderError, match=rf"format {FORMAT + 1}.*9\.8\.7.*up to {FORMAT}") as caught:
        load_run(written(tmp_path, encode_run(newer)))
    assert "upgrade" in caught.value.fix


def test_a_newer_format_with_unknown_fields_is_refused_as_newer_not_as_damaged():
    with pytest.raises(RunFolderError, match="format 7"):
        decode_run(b'{"format": 7, "goodfit": "2.0", "something": "else"}')


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"null", b'{"format": "1"}', b'{"format": 0}', b'{"a": 1}', b"\x80\x00"]
)
def test_what_is_no_record_is_refused(tmp_path, text):
    with pytest.raises(RunFolderError, match=r"damaged|not the record"):
        load_run(written(tmp_path, text))


def test_a_record_cut_short_anywhere_is_refused(tmp_path, fitted):
    text = encode_run(fitted.run)
    for length in range(0, len(text) - 2, 97):
        with pytest.raises(RunFolderError):
            decode_run(text[:length])


def test_a_record_without_a_field_names_the_field(fitted):
    values = json.loads(encode_run(fitted.run))
    del values["seed"]
    with pytest.raises(RunFolderError, match="seed"):
        decode_run(json.dumps(values).encode())


def test_a_record_from_before_ways_were_chosen_is_read():
    runs = (any_of(Run, random.Random(seed)) for seed in range(100))
    values = next(v for v in (json.loads(encode_run(run)) for run in runs) if _histories(v))
    values["format"] = FORMAT
    for history in _histories(values):
        del history["choice"]
    read = decode_run(json.dumps(values).encode())
    assert all(history.choice is None for arm in read.arms for history in arm.histories)


def _histories(values):
    return [history for arm in values["arms"] for history in arm["histories"]]


@pytest.mark.parametrize(
    ("place", "why"), [("absent", "does not exist"), ("empty", "holds no run.json"), ("file", "is a file")]
)
def test_a_folder_that_is_no_run_is_refused_with_the_reason(tmp_path, place, why):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunFolderError, match=why):
        load_run(tmp_path / place)


def test_a_record_is_read_without_torch(tmp_path, fitted):
    written(tmp_path, encode_run(fitted.run))
    code = (
        "import sys; from goodfit.store.record import load_run;"
        f"load_run({str(tmp_path)!r}); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
