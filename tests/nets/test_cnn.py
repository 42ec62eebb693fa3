from __future__ import annotations

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from goodfit.errors import PlanError
from goodfit.nets.activations import ACTIVATIONS
from goodfit.nets.cnn import CNN
from goodfit.nets.network import Sizes

DIGITS = Sizes(inputs=(1, 8, 8), outputs=10)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("normalisation", [None, "batch"])
@pytest.mark.parametrize("inputs", [(1, 8, 8), (3, 11, 32)])
def test_images_of_any_size_become_scores(activation, normalisation, inputs):
    sizes = Sizes(inputs=inputs, outputs=10)
    network = CNN(channels=(4, 6), widths=(5,), activation=activation, normalisation=normalisation, pieces=3)
    module = network.build(sizes, dropout=0.1)
    scores = module(torch.randn(2, *inputs))
    assert scores.shape == (2, 10)
    scores.sum().backward()
    assert all(parameter.grad is not None for parameter in module.parameters())


def test_more_convolutions_than_the_image_can_be_halved_still_run():
    module = CNN(channels=(2,) * 6, widths=()).build(DIGITS)
    assert module(torch.randn(2, 1, 8, 8)).shape == (2, 10)


def test_a_small_network_is_its_formula():
    torch.manual_seed(0)
    module = CNN(channels=(3,), widths=(), activation="tanh").build(DIGITS)
    x_NCHW = torch.randn(4, 1, 8, 8)
    conv = module.convolutions[0].conv
    h = nn.functional.max_pool2d(
        torch.tanh(nn.functional.conv2d(x_NCHW, conv.weight, conv.bias, padding=1)), 2
    )
    torch.testing.assert_close(module(x_NCHW), module.output(h.flatten(1)))


def test_maxout_pieces_are_counted():
    sizes = Sizes(inputs=(1, 8, 8), outputs=2)
    count = CNN(channels=(4,), widths=(), activation="maxout", pieces=3).count(sizes)
    assert count == 3 * 4 * (9 + 1) + 4 * 16 * 2 + 2


def test_codes_join_behind_the_convolutions():
    sizes = Sizes(inputs=(1, 8, 8), cardinalities=(5,), outputs=2)
    module = CNN(channels=(3,), widths=(7,)).build(sizes)
    x_NCHW = torch.randn(1, 1, 8, 8).expand(2, 1, 8, 8)
    first, second = module(x_NCHW, torch.tensor([[0], [4]]))
    assert not torch.equal(first, second)


def test_dropout_behind_a_convolution_silences_whole_channels():
    module = CNN(channels=(50,), widths=()).build(DIGITS, dropout=0.5).train()
    module.convolutions[0].conv.bias.data.fill_(100.0)
    is_zero_NC = (module.convolutions[0](torch.randn(4, 1, 8, 8)) == 0).flatten(2).float().mean(2)
    assert set(is_zero_NC.unique().tolist()) == {0.0, 1.0}


def test_it_learns_the_digits():
    torch.manual_seed(0)
    images, labels = load_digits(return_X_y=True)
    x_NCHW = torch.tensor(images / 16, dtype=torch.float32).view(-1, 1, 8, 8)
    labels_N = torch.tensor(labels)
    module = CNN(channels=(8, 16), widths=(32,)).build(DIGITS)
    walker = torch.optim.Adam(module.parameters(), lr=0.005)
    for rows in torch.randperm(len(x_NCHW))[:1400].repeat(8).split(100):
        walker.zero_grad()
        nn.functional.cross_entropy(module(x_NCHW[rows]), labels_N[rows]).backward()
        walker.step()
    accuracy = (module(x_NCHW).argmax(1) == labels_N).float().mean()
    assert accuracy > 0.93


def test_the_structure_is_said_in_a_few_words():
    network = CNN(channels=(16, 32), widths=(64, 64), normalisation="batch", initialisation="he")
    words = network.describe(Sizes(inputs=(1, 28, 28), outputs=10))
    assert words == "1x28x28-conv16-conv32-64x2-10 relu, batch norm, he start"
    assert network.describe() == "conv16-conv32-64x2 relu, batch norm, he start"


@pytest.mark.parametrize("inputs", [(64,), (1, 7, 30)])
def test_what_is_no_image_or_too_small_is_refused_by_shape(inputs):
    with pytest.raises(PlanError, match=r"inputs of shape \("):
        CNN().build(Sizes(inputs=inputs, outputs=2))


@pytest.mark.parametrize(
    "settings", [{"channels": ()}, {"channels": (0,)}, {"normalisation": "layer"}, {"initialisation": "one"}]
)
def test_an_impossible_structure_is_refused(settings):
    with pytest.raises(PlanError):
        CNN(**settings)


@pytest.mark.parametrize("normalisation", [None, "batch"])
def test_where_channels_lie_changes_neither_scores_nor_gradients(normalisation):
    sizes = Sizes(inputs=(3, 9, 12), outputs=4)
    network = CNN(channels=(4, 6), widths=(5,), normalisation=normalisation, activation="maxout")
    plain, layouts = network.build(sizes).double(), []
    other = network.build(sizes).double()
    other.load_state_dict(plain.state_dict())
    for part in other.convolutions:
        part.puts_channels_last = True
        part.pool.register_forward_hook(
            lambda _part, _inputs, out: layouts.append(
                out.is_contiguous(memory_format=torch.channels_last) and not out.is_contiguous()
            )
        )
    x = torch.randn(5, 3, 9, 12, dtype=torch.float64)
    scores, moved = plain(x), other(x)
    assert all(layouts)
    torch.testing.assert_close(moved, scores, rtol=1e-9, atol=1e-12)
    for found in (scores, moved):
        found.square().sum().backward()
    for one, same in zip(plain.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(same.grad, one.grad, rtol=1e-9, atol=1e-10)
