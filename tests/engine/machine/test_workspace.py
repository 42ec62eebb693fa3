"""Memory is kept by name and shape."""

from __future__ import annotations

import torch

from goodfit.engine.machine.workspace import Workspace


def test_the_same_name_and_shape_is_the_same_memory():
    room = Workspace(torch.zeros(1, dtype=torch.float64))
    first = room.take("sums", 2, 3)
    assert first.shape == (2, 3)
    assert first.dtype == torch.float64
    assert room.take("sums", 2, 3) is first


def test_another_name_or_shape_is_other_memory():
    room = Workspace(torch.zeros(1))
    pointers = {room.take(name, *shape).data_ptr() for name in "ab" for shape in ((2, 3), (3, 2))}
    assert len(pointers) == 4
