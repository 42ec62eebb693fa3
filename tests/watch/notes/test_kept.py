"""What is kept of a script's tensors."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from goodfit.watch.notes.curve import MOST_WAITING, CourseOf
from goodfit.watch.notes.kept import MOST_BATCHES, MOST_KEPT, KeptBatches
from goodfit.watch.notes.layers import LayerNotes
from goodfit.watch.notes.losses import LossNotes
from goodfit.watch.notes.networks import MOST_ROWS, NetworkNotes, is_finite


def batch(start, rows=4):
    return torch.full((rows, 2), float(start)), torch.full((rows,), start)


def test_the_latest_batches_are_kept_oldest_first():
    kept = KeptBatches()
    for number in range(MOST_BATCHES + 3):
        kept.add(*batch(number))
    assert len(kept) == MOST_BATCHES
    firsts = [int(target[0]) for _, target in kept]
    assert firsts == list(range(3, MOST_BATCHES + 3))
    assert all(torch.equal(output[:, 0], target.float()) for output, target in kept)


def test_what_is_kept_is_a_copy():
    kept, (output, target) = KeptBatches(), batch(1)
    kept.add(output, target)
    output.fill_(7.0)
    ((first, _),) = kept
    assert torch.equal(first, torch.ones(4, 2))
    assert first.untyped_storage().data_ptr() != output.untyped_storage().data_ptr()


def test_a_smaller_last_batch_stands_beside_the_others():
    kept = KeptBatches()
    kept.add(*batch(0))
    kept.add(*batch(1, rows=2))
    assert [tuple(output.shape) for output, _ in kept] == [(4, 2), (2, 2)]


@pytest.mark.parametrize(
    "other",
    [
        (torch.zeros(4, 3), torch.zeros(4)),
        (torch.zeros(9, 2), torch.zeros(9)),
        (torch.zeros(4, 2, dtype=torch.float64), torch.zeros(4)),
        (torch.zeros(4, 2), torch.zeros(4, dtype=torch.int64)),
    ],
    ids=["wider", "longer", "of another type", "with other targets"],
)
def test_batches_of_another_kind_begin_anew(other):
    kept = KeptBatches()
    kept.add(torch.ones(4, 2), torch.ones(4))
    kept.add(*other)
    ((output, target),) = kept
    assert (output.shape, target.shape) == (other[0].shape, other[1].shape)
    assert (output.dtype, target.dtype) == (other[0].dtype, other[1].dtype)


def test_large_batches_are_few_and_single_numbers_none():
    kept = KeptBatches()
    for _ in range(9):
        kept.add(torch.zeros(8, MOST_KEPT // 16), torch.zeros(8))
    assert len(kept) == 2
    kept.clear()
    kept.add(torch.tensor(1.0), torch.tensor(1.0))
    assert len(kept) == 0


def test_batches_judged_in_inference_mode_are_kept_beside_others():
    kept = KeptBatches()
    with torch.inference_mode():
        kept.add(*batch(0))
    with torch.no_grad():
        kept.add(*batch(1))
    assert [int(target[0]) for _, target in kept] == [0, 1]


def test_a_course_reads_its_values_in_order_whatever_their_shape():
    course = CourseOf()
    values = [float(number) for number in range(MOST_WAITING + 5)]
    for number in values:
        course.add(torch.tensor([number]) if number % 2 else torch.tensor(number, dtype=torch.float64))
    assert course.values() == tuple(values)


def test_rows_are_kept_once_and_up_to_a_limit():
    notes = NetworkNotes(torch.nn.Linear(3, 1))
    x = torch.arange(3.0 * (MOST_ROWS + 40)).reshape(-1, 3)
    for part in (x[:100], x[50:150], x[150:]):
        notes.take_rows(part, part[:, 0])
    rows, targets = notes.rows()
    assert len(rows) == MOST_ROWS
    assert len({row.tobytes() for row in rows}) == MOST_ROWS
    assert (rows[:, 0] == targets).all()


def test_numbers_that_are_none_are_counted_when_there_is_room_for_rows_no_more():
    notes = NetworkNotes(torch.nn.Linear(3, 1))
    x = torch.arange(3.0 * (MOST_ROWS + 2)).reshape(-1, 3)
    x[-1, 1] = float("nan")
    notes.take_rows(x[:MOST_ROWS], x[:MOST_ROWS, 0])
    assert notes.num_nonfinite == 0
    notes.take_rows(x[-2:], x[-2:, 0])
    assert notes.num_nonfinite == 1


def judged(notes, *batches):
    """Hear an evaluation after a training call."""
    output = torch.zeros(4, 2, requires_grad=True)
    notes.add(output.mean(), output, torch.zeros(4), is_training=True)
    for size, number in batches:
        notes.add(torch.tensor(0.0), torch.full((size, 2), number), torch.zeros(size), is_training=False)
    return {float(output[0, 0]) for output, _ in notes.checks}


def test_an_evaluation_of_which_little_was_heard_does_not_hide_the_one_before():
    notes = LossNotes("mse_loss", is_plain=True)
    assert judged(notes, (64, 1.0), (15, 1.0)) == {1.0}
    assert judged(notes, (15, 2.0)) == {1.0}
    assert judged(notes, (15, 3.0)) == {1.0}
    assert judged(notes, (64, 4.0)) == {4.0}
    assert judged(notes) == {4.0}


def test_rows_of_several_shapes_are_not_compared():
    notes = NetworkNotes(torch.nn.Linear(3, 1))
    notes.take_rows(torch.ones(4, 3), torch.ones(4))
    notes.take_rows(torch.ones(4, 5), torch.ones(4))
    assert notes.rows() is None


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_one_number_that_is_none_is_seen(bad, kind):
    tensor = torch.randn(5, 7).to(kind)
    assert is_finite(tensor)
    tensor[3, 2] = bad
    assert not is_finite(tensor)


def test_what_holds_no_numbers_is_finite():
    assert is_finite(torch.zeros(0, 3))
    assert is_finite(torch.ones(3, dtype=torch.int64))


@pytest.mark.parametrize(
    ("shape", "units"), [((6, 4), 4), ((3, 5, 4), 4), ((2, 4, 3, 3), 4), ((4,), 4), ((), 1)]
)
def test_a_unit_is_dead_if_it_is_zero_for_every_row_and_place(shape, units):
    output = torch.rand(shape) + 0.1
    if len(shape) > 1:
        output.movedim(1 if len(shape) > 3 else -1, 0)[0] = 0.0
    notes = LayerNotes()
    notes.look("0", torch.nn.ReLU(), output)
    (layer,) = notes.record()
    assert layer.dead_share == pytest.approx(1 / units if len(shape) > 1 else 0.0)


def test_to_watch_loads_no_large_library_that_a_script_may_not_need():
    text = (
        "import sys, torch; before = set(sys.modules)\n"
        "import goodfit.cli, goodfit.cli.observing, goodfit.cli.command\n"
        "import goodfit.watch.session, goodfit.watch.runner, goodfit.watch.settings\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(new & {'scipy', 'sklearn', 'pandas', 'typer', 'pydantic', 'rich', 'PIL'}))"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
