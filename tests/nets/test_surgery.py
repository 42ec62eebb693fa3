from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import nn

from goodfit.errors import PlanError
from goodfit.nets.fresh_start import reinitialise
from goodfit.nets.surgery import hidden_activations, set_dropout, set_input_dropout, swap_activations

ROWS = [torch.randn(4, 6)]


class Tangled(nn.Module):
    """Declares its activation last and uses it between all layers, like much code in the wild."""

    def __init__(self, *, at_output: bool = False) -> None:
        super().__init__()
        self.first = nn.Linear(6, 5)
        self.norm = nn.BatchNorm1d(5)
        self.second = nn.Linear(5, 5)
        self.last = nn.Linear(5, 2)
        self.act = nn.Sigmoid()
        self.at_output = at_output

    def forward(self, x):
        h = self.act(self.norm(self.first(x)))
        h = self.last(self.act(self.second(h)))
        return self.act(h) if self.at_output else h


def plain() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(6, 5),
        nn.Sigmoid(),
        nn.Linear(5, 5),
        nn.Tanh(),
        nn.Linear(5, 2),
        nn.Softmax(1),
        nn.Sigmoid(),
    )


def equal_bit_for_bit(one: nn.Module, other: nn.Module) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return list(first) == list(second) and all(torch.equal(first[name], second[name]) for name in first)


def test_hidden_activations_are_swapped_and_the_output_is_not():
    net = plain()
    edited = swap_activations(net, "relu", example=ROWS)
    kinds = [type(part).__name__ for part in edited.module]
    assert kinds == ["Linear", "ReLU", "Linear", "ReLU", "Linear", "Softmax", "Sigmoid"]
    assert edited.changed == ("1: Sigmoid -> ReLU", "3: Tanh -> ReLU")
    assert equal_bit_for_bit(edited.module, net)


def test_the_original_stays_as_it_was():
    net = plain()
    before = net(ROWS[0])
    swap_activations(net, "relu", example=ROWS)
    set_dropout(net, 0.5, example=ROWS)
    reinitialise(net, "he", example=ROWS)
    assert torch.equal(net(ROWS[0]), before)
    assert isinstance(net[1], nn.Sigmoid)


def test_the_order_of_running_counts_and_not_that_of_declaring():
    edited = swap_activations(Tangled(), "gelu", example=ROWS)
    assert edited.changed == ("act: Sigmoid -> GELU",)


def test_an_activation_that_is_also_used_at_the_output_is_left_alone():
    assert swap_activations(Tangled(at_output=True), "gelu", example=ROWS).changed == ()
    assert set_dropout(Tangled(at_output=True), 0.5, example=ROWS).changed == ()


def test_an_activation_under_two_names_is_swapped_under_both():
    act = nn.Sigmoid()
    net = nn.Sequential(nn.Linear(6, 6), act, nn.Linear(6, 6), act, nn.Linear(6, 1))
    edited = swap_activations(net, "relu", example=ROWS).module
    assert isinstance(edited[1], nn.ReLU)
    assert edited[1] is edited[3]


def test_swapping_computes_the_same_network_with_the_other_function():
    net = nn.Sequential(nn.Linear(6, 5), nn.Sigmoid(), nn.Linear(5, 2))
    edited = swap_activations(net, "silu", example=ROWS).module
    torch.testing.assert_close(edited(ROWS[0]), net[2](nn.functional.silu(net[0](ROWS[0]))))


def test_what_has_the_activation_already_is_unchanged():
    net = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2))
    assert swap_activations(net, "relu", example=ROWS).changed == ()


def test_a_function_inside_forward_is_reached_as_a_module():
    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(6, 5), nn.Linear(5, 2)

        def forward(self, x):
            return self.b(torch.sigmoid(self.a(x)))

    net = Functional()
    assert hidden_activations(net, example=ROWS) == ("sigmoid_0",)
    edited = swap_activations(net, "relu", example=ROWS)
    assert edited.changed == ("sigmoid_0: Sigmoid -> ReLU",)
    assert equal_bit_for_bit(edited.module, net)
    torch.testing.assert_close(edited.module(ROWS[0]), net.b(torch.relu(net.a(ROWS[0]))))
    assert set_dropout(net, 0.5, example=ROWS).changed == ("sigmoid_0: Sigmoid, then dropout 0.5",)


def test_an_edit_shows_its_difference_and_what_it_was_made_from():
    net = plain()
    edited = swap_activations(net, "relu", example=ROWS)
    assert edited.original is net
    lines = edited.diff.splitlines()
    assert [line for line in lines if line[0] in "+-"] == [
        "-  (1): Sigmoid()",
        "+  (1): ReLU()",
        "-  (3): Tanh()",
        "+  (3): ReLU()",
    ]


def test_maxout_needs_wider_layers_and_is_refused():
    with pytest.raises(PlanError, match="maxout"):
        swap_activations(plain(), "maxout", example=ROWS)


def test_the_example_teaches_batch_normalisation_nothing():
    net = Tangled().train()
    edited = swap_activations(net, "relu", example=ROWS).module
    assert edited.norm.num_batches_tracked == 0
    assert all(part.training for part in edited.modules())
    assert not any(part._forward_hooks for part in edited.modules())


def test_dropout_is_added_behind_hidden_activations_only():
    net = plain()
    edited = set_dropout(net, 0.4, example=ROWS)
    assert edited.changed == ("1: Sigmoid, then dropout 0.4", "3: Tanh, then dropout 0.4")
    assert [type(part).__name__ for part in edited.module[4:]] == ["Linear", "Softmax", "Sigmoid"]
    assert equal_bit_for_bit(edited.module, net)
    assert torch.equal(edited.module.eval()(ROWS[0]), net.eval()(ROWS[0]))
    edited.module.train()
    assert not torch.equal(edited.module(ROWS[0]), edited.module(ROWS[0]))


def test_a_dropout_that_is_there_gets_the_rate_and_no_second_one():
    net = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Dropout(0.1), nn.Linear(5, 2), nn.Dropout(0.1))
    edited = set_dropout(net, 0.4, example=ROWS)
    assert edited.changed == ("2: dropout 0.1 -> 0.4",)
    assert [part.p for part in edited.module if isinstance(part, nn.Dropout)] == [0.4, 0.1]
    again = set_dropout(edited.module, 0.4, example=ROWS)
    assert again.changed == ()


def test_setting_dropout_twice_changes_the_rate_and_adds_nothing():
    once = set_dropout(plain(), 0.4, example=ROWS).module
    twice = set_dropout(once, 0.2, example=ROWS)
    assert twice.changed == ("1.dropout: dropout 0.4 -> 0.2", "3.dropout: dropout 0.4 -> 0.2")


def test_behind_a_convolution_whole_channels_are_dropped():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
    edited = set_dropout(net, 0.5, example=[torch.randn(2, 1, 8, 8)]).module
    assert isinstance(edited[1].dropout, nn.Dropout2d)


def test_a_swapped_activation_keeps_the_dropout_behind_it():
    dropped = set_dropout(plain(), 0.4, example=ROWS).module
    swapped = swap_activations(dropped, "relu", example=ROWS)
    assert swapped.changed == ("1: Sigmoid -> ReLU", "3: Tanh -> ReLU")
    is_zero = (swapped.module.train()[1](torch.ones(1000, 5)) == 0).float().mean()
    assert is_zero == pytest.approx(0.4, abs=0.05)


def test_an_edited_module_can_be_copied_and_pickled():
    edited = set_input_dropout(set_dropout(plain(), 0.4, example=ROWS).module, 0.1).module
    for copied in (copy.deepcopy(edited), pickle.loads(pickle.dumps(edited))):
        torch.manual_seed(0)
        expected = edited(ROWS[0])
        torch.manual_seed(0)
        assert torch.equal(copied(ROWS[0]), expected)


def test_input_dropout_silences_inputs_and_leaves_codes():
    class Echo(nn.Module):
        def forward(self, x, codes):
            return x, codes

    codes = torch.ones(1000, 2, dtype=torch.long)
    x, same = set_input_dropout(Echo(), 0.25).module.train()(torch.ones(1000, 6), codes)
    assert (x == 0).float().mean() == pytest.approx(0.25, abs=0.03)
    assert same is codes


def test_a_rate_outside_its_range_is_refused_by_value():
    with pytest.raises(PlanError, match=r"1\.0"):
        set_dropout(plain(), 1.0, example=ROWS)
