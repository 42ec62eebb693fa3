"""Networks that are awkward: treated rightly, or refused with the fix."""

from __future__ import annotations

import pytest
import torch
from tests.procedure import own_networks as own
from torch import nn

from goodfit.errors import DataError, ModelError
from goodfit.nets.given import Given
from goodfit.procedure.fit import fit

QUICK = {"max_trainings": 4, "num_seeds": 2, "epochs": 2}
ONE = own.mlp()


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.1)


class Tied(nn.Module):
    """One submodule used twice, under two names, and an activation that all layers share."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(6, 6)
        self.again = self.inner
        self.act = nn.Tanh()
        self.out = nn.Linear(6, own.CLASSES)

    def forward(self, x):
        return self.out(self.act(self.again(self.act(self.inner(x)))))


def lazy():
    return nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(own.CLASSES))


BACKBONE = nn.Sequential(nn.Linear(6, 12), nn.Sigmoid(), nn.Linear(12, 12), nn.Sigmoid())


def frozen():
    """A pretrained backbone that must not move, behind it a head that is fresh."""
    backbone = nn.Sequential(nn.Linear(6, 12), nn.Sigmoid(), nn.Linear(12, 12), nn.Sigmoid())
    backbone.load_state_dict(BACKBONE.state_dict())
    return nn.Sequential(backbone.requires_grad_(False), nn.Linear(12, own.CLASSES))


def test_a_factory_that_returns_one_object_is_refused():
    x, y = own.flat()
    with pytest.raises(ModelError, match="two calls of the model's function share") as caught:
        fit(own.loader(x, y), model=lambda: ONE, **QUICK)
    assert "every call returns a fresh one" in caught.value.fix


def test_shared_submodules_stay_shared():
    x, y = own.flat()
    fitted = fit(own.loader(x, y), model=Tied, optimizer=sgd, **QUICK)
    (module,) = fitted.predictor.modules
    assert module.inner.weight is module.again.weight
    state = module.state_dict()
    assert torch.equal(state["inner.weight"], state["again.weight"])
    assert fitted.run.arms[0].histories[0].num_parameters == 6 * 7 + 7 * own.CLASSES


def test_lazy_layers_learn_their_width_from_the_rows():
    x, y = own.flat()
    fitted = fit(own.loader(x, y), model=lazy, optimizer=sgd, **QUICK)
    assert fitted.run.arms[0].histories[0].num_parameters == 7 * 8 + 9 * own.CLASSES


def test_a_frozen_backbone_is_handed_back_bit_for_bit():
    x, y = own.flat()
    fitted = fit(own.loader(x, y), model=frozen, optimizer=sgd, **QUICK | {"max_trainings": 10})
    assert fitted.run.verdicts
    (module,) = fitted.predictor.modules
    state = module.state_dict()
    for name, tensor in BACKBONE.state_dict().items():
        assert torch.equal(state[f"0.{name}"], tensor)


def test_a_fresh_start_spares_what_somebody_has_trained():
    def pretrained():
        net = frozen()
        return net.requires_grad_(True)

    from goodfit.nets.network import Sizes

    network = Given(factory=pretrained, activation="relu", initialisation="he")
    module = network.build(Sizes(inputs=(6,), outputs=own.CLASSES))
    assert torch.equal(module[0][0].weight, BACKBONE[0].weight)
    assert isinstance(module[0][1], nn.ReLU)
    assert module[1].bias.abs().max() == 0  # the head was fresh, and starts anew


def test_a_network_of_several_outputs_is_read_by_name_or_refused():
    class Heads(nn.Module):
        def __init__(self, named):
            super().__init__()
            self.body, self.named = nn.Linear(6, own.CLASSES), named

        def forward(self, x):
            scores = self.body(x)
            return {"logits": scores, "aux": scores * 2} if self.named else (scores, scores * 2)

    x, y = own.flat()
    fitted = fit(own.loader(x, y), model=lambda: Heads(True), optimizer=sgd, **QUICK)
    assert len(fitted.predict(x[:3])) == 3
    with pytest.raises(ModelError, match=r"several outputs \(tuple of 2\)") as caught:
        fit(own.loader(x, y), model=lambda: Heads(False), optimizer=sgd, **QUICK)
    assert "logits" in caught.value.fix


def test_one_spent_generator_for_both_parts_is_refused():
    x, y = own.flat()
    stream = iter(own.loader(x, y))
    with pytest.raises(DataError, match="training and validation are one object"):
        fit(stream, validation=stream, model=own.mlp, **QUICK)


def test_the_training_rows_as_validation_rows_are_refused_in_arrays_too():
    x, y = own.flat()
    order = torch.randperm(len(x))
    with pytest.raises(DataError, match="training and validation are the same rows") as caught:
        fit(
            x.numpy(),
            y.numpy(),
            validation=(x[order].numpy(), y[order].numpy()),
            test=(x[:9].numpy(), y[:9].numpy()),
            **QUICK,
        )
    assert "leave validation out" in caught.value.fix


def test_a_network_that_knows_more_classes_than_the_rows_hold_is_taken_as_it_is():
    x, y = own.flat()
    fitted = fit(own.loader(x, y), model=lambda: nn.Linear(6, 5), optimizer=sgd, **QUICK)
    assert "probability_4" in fitted.predict(x[:1])


def test_functions_in_forward_that_cannot_be_reached_are_told():
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(6, 6), nn.Linear(6, own.CLASSES)

        def forward(self, x):
            for _ in range(1 + int(x.sum() * 0)):
                x = torch.tanh(self.a(x))
            return self.b(x)

    heard = []
    x, y = own.flat()
    fitted = fit(own.loader(x, y), model=Counting, optimizer=sgd, listener=heard.append, **QUICK)
    assert "relu" not in {verdict.remedy for verdict in fitted.run.verdicts}
    assert any("torch.fx cannot trace it" in str(event) for event in heard)


def test_a_class_that_does_not_count_but_is_counted_is_told_with_the_ways_to_say_so():
    x = torch.randn(40, 1, 4, 4, generator=own.stream())
    y = (x[:, 0] > 0).long()
    y[:, 0] = 255
    with pytest.raises(ModelError, match=r"256") as refused:
        fit(own.loader(x, y), model=lambda: own.Segmenter(3), loss=lambda o, t: o.mean(), **QUICK)
    assert "does not count is -100, or the ignore_index" in refused.value.fix
