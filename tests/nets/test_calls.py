"""Functions called in forward become modules, and nothing else changes."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from goodfit.nets.calls import as_modules

ROWS = [torch.randn(4, 4)]


class Functional(nn.Module):
    """Every way to call an activation, a gate, dropout, and a layer that nobody uses."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.unused, self.b, self.c = (
            nn.Linear(4, 8),
            nn.Linear(2, 2),
            nn.Linear(8, 8),
            nn.Linear(8, 2),
        )
        self.slope = 0.2

    def forward(self, x):
        h = F.relu(self.a(x), inplace=True)
        h = F.dropout(h, 0.3, training=self.training)
        h = h * torch.sigmoid(self.b(h))
        return self.c(F.leaky_relu(h, self.slope).tanh())


class Looping(nn.Module):
    """Asks numbers how often to run, which no tracer can know."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(4, 4)

    def forward(self, x):
        for _ in range(int(x.abs().sum() * 0) + 2):
            x = torch.tanh(self.a(x))
        return x


class Moody(nn.Module):
    """Does something else in training."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(4, 4)

    def forward(self, x):
        return torch.tanh(self.a(x)) if self.training else self.a(x).relu()


class Outer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner, self.loop = Functional(), Looping()
        self.out = nn.Linear(2, 4)

    def forward(self, x):
        return F.softmax(self.loop(F.gelu(self.out(self.inner(x)), approximate="tanh")), dim=-1)


def outputs(module, training):
    torch.manual_seed(0)
    return copy.deepcopy(module).train(training)(ROWS[0])


@pytest.mark.parametrize("training", [True, False])
def test_the_copy_computes_the_same_bit_for_bit(training):
    net = Functional()
    reached = as_modules(net, example=ROWS)
    assert [line.partition(":")[0] for line in reached.changed] == [
        "relu_0",
        "dropout_1",
        "leaky_relu_2",
        "tanh_3",
    ]
    assert reached.module.leaky_relu_2.negative_slope == 0.2
    assert torch.equal(outputs(reached.module, training), outputs(net, training))


def test_a_gate_stays_a_function():
    assert "sigmoid" not in str(as_modules(Functional(), example=ROWS).changed)


def test_names_order_and_values_of_parameters_stay_and_so_does_what_is_unused():
    net = Functional()
    before, after = net.state_dict(), as_modules(net, example=ROWS).module.state_dict()
    assert list(before) == list(after)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_copy_shares_nothing_and_can_be_copied_and_pickled():
    net = Functional()
    anew = as_modules(net, example=ROWS).module
    anew.a.weight.data.zero_()
    assert net.a.weight.abs().sum() > 0
    again = pickle.loads(pickle.dumps(copy.deepcopy(anew)))
    assert torch.equal(outputs(again, False), outputs(anew, False))
    assert "relu_0" not in dict(net.named_modules())


def test_inner_modules_are_reached_one_by_one_and_what_cannot_be_traced_is_said():
    reached = as_modules(Outer(), example=ROWS)
    assert "inner.relu_0: relu(...) -> ReLU()" in reached.changed
    assert "gelu_0: gelu(...) -> GELU(approximate='tanh')" in reached.changed
    assert "softmax_1: softmax(...) -> Softmax(dim=-1)" in reached.changed
    (said,) = reached.unreached
    assert said.startswith("loop: torch.fx cannot trace it")


def test_a_forward_that_asks_for_its_mode_is_left_alone():
    reached = as_modules(Moody(), example=ROWS)
    assert reached.changed == ()
    assert "in training" in reached.unreached[0]


def test_modules_alone_need_nothing():
    net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Dropout(0.5))
    reached = as_modules(net, example=ROWS)
    assert (reached.changed, reached.unreached) == ((), ())
    assert reached.module is not net


def test_torchs_transformer_layer_gives_up_its_function():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)
    rows = [torch.randn(2, 3, 8)]
    reached = as_modules(layer, example=rows)
    assert reached.changed == ("activation: relu(...) -> ReLU()",)
    torch.testing.assert_close(reached.module.eval()(rows[0]), layer.eval()(rows[0]))
