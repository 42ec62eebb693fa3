from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from goodfit.errors import ShapeError
from goodfit.tensors import Layout, flatten_parameters, unflatten_row, views

SHAPES = st.lists(st.lists(st.integers(1, 4), max_size=3).map(tuple), min_size=1, max_size=5)


@settings(deadline=None)
@given(shapes=SHAPES, num_candidates=st.integers(1, 4))
def test_what_is_flattened_comes_back_number_for_number(shapes, num_candidates):
    members = [{f"p{i}": torch.randn(shape) for i, shape in enumerate(shapes)} for _ in range(num_candidates)]
    flat_KP, layout = flatten_parameters(members)
    assert flat_KP.shape == (num_candidates, layout.num_parameters)
    assert flat_KP.is_contiguous()
    stacked = views(flat_KP, layout)
    for k, member in enumerate(members):
        row = unflatten_row(flat_KP[k], layout)
        assert list(row) == list(member)
        for name, tensor in member.items():
            assert torch.equal(row[name], tensor)
            assert torch.equal(stacked[name][k], tensor)


def test_writing_to_a_view_writes_to_the_buffer_and_back():
    flat_KP, layout = flatten_parameters([{"w": torch.zeros(2, 3), "b": torch.zeros(2)}] * 2)
    stacked = views(flat_KP, layout)
    stacked["b"][1, 0] = 7.0
    assert flat_KP[1, 6] == 7.0
    flat_KP[0, 0] = 5.0
    assert stacked["w"][0, 0, 0] == 5.0


def test_a_row_taken_out_no_longer_changes_with_the_buffer():
    flat_KP, layout = flatten_parameters([{"w": torch.ones(3)}])
    row = unflatten_row(flat_KP[0], layout)
    flat_KP.zero_()
    assert row["w"].tolist() == [1.0, 1.0, 1.0]


def test_flattening_leaves_the_modules_alone():
    module = nn.Linear(2, 2)
    flat_KP, _ = flatten_parameters([dict(module.named_parameters())])
    before = module.weight.detach().clone()
    flat_KP.zero_()
    assert torch.equal(module.weight, before)
    assert not flat_KP.requires_grad


def test_the_weights_are_what_has_two_axes_or_more():
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.PReLU(), nn.Flatten(), nn.Linear(8, 3))
    layout = Layout.of(dict(module.named_parameters()))
    assert layout.weights == ("0.weight", "4.weight")
    mask_P = layout.mask(*layout.weights)
    assert mask_P.sum() == module[0].weight.numel() + module[4].weight.numel()
    assert mask_P[layout.span("4.weight")].min() == 1
    assert mask_P[layout.span("4.bias")].max() == 0


def test_networks_of_two_structures_are_refused_with_the_parameter_that_differs():
    members = [dict(nn.Linear(4, 2).named_parameters()), dict(nn.Linear(4, 3).named_parameters())]
    with pytest.raises(ShapeError, match=r"network 1 .* weight is \(3, 4\) against \(2, 4\)"):
        flatten_parameters(members)


def test_a_parameter_that_one_network_lacks_is_named():
    members = [dict(nn.Linear(4, 2).named_parameters()), dict(nn.Linear(4, 2, bias=False).named_parameters())]
    with pytest.raises(ShapeError, match="bias is absent"):
        flatten_parameters(members)


def test_an_empty_population_is_refused():
    with pytest.raises(ShapeError, match="0 networks"):
        flatten_parameters([])


def test_a_buffer_of_another_layout_is_refused():
    _, layout = flatten_parameters([{"w": torch.ones(3)}])
    with pytest.raises(ShapeError, match="rows of 4 numbers, the layout 3"):
        views(torch.zeros(2, 4), layout)
