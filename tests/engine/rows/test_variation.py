"""Rows as a step shows them, against NumPy written from the formulas; every candidate its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import beta, kstest
from tests.engine.conftest import make_plan, make_split
from tests.engine.given_networks import plain
from tests.engine.training.test_stack import assert_same
from tests.engine.ways.test_batched import assert_is_its_members
from tests.engine.ways.test_one_by_one import image_split

from goodfit.engine.candidate import Candidate
from goodfit.engine.chance.noise import Streams
from goodfit.engine.goodness.blend import Blend
from goodfit.engine.goodness.losses import Loss
from goodfit.engine.rows.variation import Variation
from goodfit.engine.training.loop import train
from goodfit.engine.ways.backend import Batch
from goodfit.errors import PlanError
from goodfit.nets.cnn import CNN
from goodfit.nets.given import Given
from goodfit.nets.mlp import MLP
from goodfit.rules.base import rule_named

pytestmark = pytest.mark.usefixtures("double")

VARIED = ({}, {"mixup": 0.4}, {"input_noise": 0.3}, {"mixup": 1.0, "input_noise": 0.1})
MOVED = ({}, {"shift": 0.2}, {"mirror": 0.5}, {"shift": 0.4, "mirror": 1.0, "mixup": 0.4})


def variation(*changes, seeds=None, kind="classes"):
    plans = [make_plan(**change) for change in changes]
    seeds = range(len(plans)) if seeds is None else seeds
    return Variation(plans, 0, seeds=seeds, kind=kind, dtype=torch.float64)


def batch_of(x):
    return Batch(x=x, codes=None, shared=False)


def images(num_candidates, num_rows=6, *, size=(5, 4), channels=2):
    x_BCHW = torch.randn(num_rows, channels, *size, generator=torch.Generator().manual_seed(0))
    return x_BCHW.expand(num_candidates, *x_BCHW.shape).clone()


class TestAgainstNumPy:
    """Softmax regression by gradient descent, every step written out with the draws of the streams."""

    STEPS, BATCH, CLASSES = 3, 16, 3

    def trained(self, split, *changes, kind="classes"):
        loss = Loss(
            name="cross-entropy" if kind == "classes" else "squared",
            kind=kind,
            num_outputs=self.CLASSES if kind == "classes" else 1,
        )
        plan = make_plan(
            network=MLP(widths=()), rule=rule_named("gradient-descent", lr=0.2), loss=loss, epochs=14
        )
        population = [
            Candidate(arm=str(place), seed=place % 2, plan=replace(plan, **change))
            for place, change in enumerate(changes)
        ]
        return population, train(population, split)

    def by_formula(self, split, candidate, start, *, kind="classes"):
        """Fourteen epochs of three steps; returns the weights, inputs first and the bias last."""
        plan, x_ND, y_N = candidate.plan, split.train.x.numpy(), split.train.y_N.numpy()
        t_NO = np.eye(self.CLASSES)[y_N] if kind == "classes" else y_N[:, None]
        draw = {
            name: Streams(split.seed, name, seeds=[candidate.seed])
            for name in ("batches", "mixup", "input_noise")
        }
        w_OD = start.copy()
        for _ in range(plan.epochs):
            order_N = draw["batches"].permutations(len(x_ND))[0].numpy()
            for step in range(self.STEPS):
                rows_B = order_N[step * self.BATCH : (step + 1) * self.BATCH]
                x_BD, t_BO = x_ND[rows_B], t_NO[rows_B]
                if plan.mixup:
                    other_B = draw["mixup"].permutations(self.BATCH)[0].numpy()
                    share = beta(plan.mixup, plan.mixup).ppf(float(draw["mixup"].uniform((1,))))
                    share = max(share, 1 - share)
                    x_BD = share * x_BD + (1 - share) * x_BD[other_B]
                    t_BO = share * t_BO + (1 - share) * t_BO[other_B]
                if plan.input_noise:
                    noise = draw["input_noise"].normal(x_BD.shape, dtype=torch.float64)[0].numpy()
                    x_BD = x_BD + plan.input_noise * noise
                x_BD = np.hstack([x_BD, np.ones((len(x_BD), 1))])
                s_BO = x_BD @ w_OD.T
                off_BO = softmax(s_BO, axis=1) - t_BO if kind == "classes" else 2 * (s_BO - t_BO)
                w_OD -= 0.2 * off_BO.T @ x_BD / self.BATCH
        return w_OD

    @pytest.mark.parametrize("kind", ["classes", "numbers"])
    def test_forty_steps_of_every_arm(self, kind):
        split = make_split(numbers=kind == "numbers")
        population, found = self.trained(split, *VARIED, kind=kind)
        for candidate, trained in zip(population, found, strict=True):
            start = replace(candidate, plan=replace(candidate.plan, rule=rule_named("adam", lr=1e-300)))
            (before,) = train([start], split)
            w_OD = self.by_formula(split, candidate, flat(before), kind=kind)
            np.testing.assert_allclose(flat(trained), w_OD, rtol=1e-9, atol=1e-12)


def flat(trained):
    weights = trained.weights
    return np.hstack([weights["output.weight"].numpy(), weights["output.bias"].numpy()[:, None]])


class TestPopulation:
    @pytest.mark.parametrize("cardinalities", [(), (4, 9)], ids=["numbers", "codes too"])
    @pytest.mark.parametrize("network", [MLP(widths=(6, 6)), Given(factory=plain)], ids=["own", "given"])
    def test_it_is_its_members_one_by_one(self, network, cardinalities):
        split = make_split(cardinalities=cardinalities)
        population = [
            Candidate(arm=str(place), seed=place % 2, plan=make_plan(network=network, **change))
            for place, change in enumerate(VARIED)
        ]
        for trained in train(population, split):
            assert_same(trained, train([trained.candidate], split)[0])

    def test_batched_it_is_its_members_one_by_one(self):
        population = [
            Candidate(arm=str(i), seed=i % 2, plan=make_plan(network=Given(factory=plain), **change))
            for i, change in enumerate(VARIED)
        ]
        assert_is_its_members(population, make_split())

    @pytest.mark.parametrize(
        "network", [CNN(channels=(3,), widths=(6,)), MLP(widths=(6,))], ids=["cnn", "mlp"]
    )
    def test_images_too(self, network):
        split = image_split()
        population = [
            Candidate(
                arm=str(i), seed=i % 2, plan=make_plan(network=network, batch_size=8, epochs=2, **change)
            )
            for i, change in enumerate(MOVED)
        ]
        for trained in train(population, split):
            assert_same(trained, train([trained.candidate], split)[0])
        if isinstance(network, CNN):
            assert_is_its_members(population, split)

    def test_an_arm_without_variation_is_what_it_is_without_neighbours_that_vary(self):
        split, plan = make_split(), make_plan()
        plainly = Candidate(arm="plain", seed=0, plan=plan)
        varied = Candidate(arm="varied", seed=0, plan=replace(plan, mixup=0.5, input_noise=0.5))
        beside, other = train([plainly, varied], split)
        assert_same(beside, train([plainly], split)[0], rtol=0)
        assert not np.allclose(beside.predicted_NO, other.predicted_NO)

    def test_those_who_stay_do_not_notice_that_others_leave(self):
        split, plan = make_split(), make_plan(network=MLP(widths=(7,)), epochs=12)
        stays = Candidate(arm="stays", seed=0, plan=replace(plan, mixup=0.4, input_noise=0.1))
        stops = Candidate(
            arm="stops", seed=1, plan=replace(plan, rule=rule_named("adam", lr=0.5), patience=1, mixup=1.0)
        )
        together = train([stops, stays], split)
        assert together[0].history.epochs[-1] < 12
        assert_same(together[1], train([stays], split)[0])

    def test_what_is_measured_is_measured_on_rows_as_they_are(self):
        split, plan = make_split(), make_plan(epochs=1, lr=1e-300)
        still, noisy = train(
            [
                Candidate(arm=str(noise), seed=0, plan=replace(plan, input_noise=noise))
                for noise in (0.0, 9.0)
            ],
            split,
        )
        assert still.history.train_loss == pytest.approx(noisy.history.train_loss, rel=1e-12)


class TestMixing:
    def test_rows_and_targets_are_mixed_by_one_share(self):
        x_KBD = torch.randn(3, 8, 4)
        y_KB = torch.arange(8).expand(3, 8)
        batch, targets = variation({"mixup": 0.4}, {}, {"mixup": 2.0}).show(batch_of(x_KBD), y_KB)
        assert isinstance(targets, Blend)
        assert targets.share_K1[1] == 1.0
        assert torch.equal(batch.x[1], x_KBD[1])
        for k, share in enumerate(targets.share_K1.flatten().tolist()):
            assert 0.5 <= share <= 1
            other_BD = x_KBD[k, targets.other_KN[k]]
            torch.testing.assert_close(batch.x[k], share * x_KBD[k] + (1 - share) * other_BD)

    @pytest.mark.parametrize("alpha", [0.2, 1.0, 3.0])
    def test_shares_have_the_distribution_of_beta(self, alpha):
        varied = variation({"mixup": alpha})
        y_KB, x_KBD = torch.zeros(1, 2).long(), torch.zeros(1, 2, 1)
        shares = [float(varied.show(batch_of(x_KBD), y_KB)[1].share_K1) for _ in range(2000)]
        folded = beta(alpha, alpha)
        assert kstest(shares, lambda s: folded.cdf(s) - folded.cdf(1 - s)).pvalue > 0.001

    def test_numbers_are_mixed_themselves(self):
        y_KB = torch.randn(1, 8)
        batch, targets = variation({"mixup": 1.0}, kind="numbers").show(batch_of(y_KB.unsqueeze(-1)), y_KB)
        torch.testing.assert_close(batch.x.squeeze(-1), targets)
        assert not torch.equal(targets, y_KB)


class TestMoving:
    def test_a_shift_moves_all_channels_and_repeats_the_edge(self):
        x = images(1, num_rows=200)
        shown = variation({"shift": 0.4}).show(batch_of(x), torch.zeros(1, 200).long())[0].x[0].numpy()
        padded = np.pad(x[0].numpy(), ((0, 0), (0, 0), (2, 2), (2, 2)), mode="edge")
        places = {
            (down, right): padded[:, :, 2 - down : 7 - down, 2 - right : 6 - right]
            for down in range(-2, 3)
            for right in range(-2, 3)
        }
        seen = [
            next(place for place, moved in places.items() if np.array_equal(moved[row], shown[row]))
            for row in range(200)
        ]
        assert set(seen) == set(places)

    def test_a_mirrored_image_is_mirrored_left_to_right(self):
        x = images(3, num_rows=400)
        y_KB = torch.zeros(3, 400).long()
        varied = variation({"mirror": 0.25}, {"mirror": 1.0}, {}, seeds=(4, 4, 4))
        shown = varied.show(batch_of(x), y_KB)[0].x
        assert torch.equal(shown[1], x[1].flip(-1))
        assert torch.equal(shown[2], x[2])
        is_mirrored = (shown[0] == x[0].flip(-1)).flatten(1).all(1)
        assert torch.equal(shown[0][~is_mirrored], x[0][~is_mirrored])
        assert is_mirrored.double().mean().item() == pytest.approx(0.25, abs=0.06)

    def test_arms_of_one_seed_are_moved_alike(self):
        x, y_KB = images(3, size=(20, 20)), torch.zeros(3, 6).long()
        shown = variation({"shift": 0.1}, {"shift": 0.1}, {"shift": 0.1}, seeds=(1, 2, 1)).show(
            batch_of(x), y_KB
        )[0]
        assert torch.equal(shown.x[0], shown.x[2])
        assert not torch.equal(shown.x[0], shown.x[1])

    def test_rows_that_are_no_images_are_refused(self):
        with pytest.raises(PlanError, match=r"rows of shape \(5,\) are to be shifted") as caught:
            train([Candidate(arm="a", seed=0, plan=make_plan(shift=0.1))], make_split())
        assert "no images" in caught.value.fix


def test_noise_has_the_strength_of_each_candidate_and_the_draws_of_its_seed():
    x_KBD = torch.zeros(3, 500, 20)
    varied = variation({"input_noise": 0.1}, {"input_noise": 0.5}, {}, seeds=(7, 7, 7))
    shown = varied.show(batch_of(x_KBD), torch.zeros(3, 500).long())[0].x
    assert shown[0].std().item() == pytest.approx(0.1, rel=0.05)
    torch.testing.assert_close(shown[1], 5 * shown[0])
    assert torch.equal(shown[2], x_KBD[2])


def test_without_variation_the_very_rows_are_shown():
    batch, y_KB = batch_of(torch.randn(2, 4, 3)), torch.zeros(2, 4).long()
    assert variation({}, {}).show(batch, y_KB) == (batch, y_KB)
