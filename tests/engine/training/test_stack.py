"""A population is its members one by one; leaving it changes nothing for those who stay."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.conftest import make_plan, make_split

from goodfit.engine.candidate import Candidate
from goodfit.engine.goodness.losses import Loss
from goodfit.engine.training.loop import measure_pace, train
from goodfit.nets.mlp import MLP
from goodfit.rules.base import rule_named
from goodfit.rules.schedules import Cosine, InverseSqrt

RULES = ("gradient-descent", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw")


def weights_of(trained):
    return {name: tensor.double().numpy() for name, tensor in trained.weights.items()}


def assert_same(one, other, *, rtol=1e-9):
    first, second = weights_of(one), weights_of(other)
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_allclose(first[name], second[name], rtol=rtol, atol=1e-12, err_msg=name)
    np.testing.assert_allclose(one.predicted_NO, other.predicted_NO, rtol=max(rtol, 1e-9), atol=1e-12)
    assert one.history.validation_loss == pytest.approx(other.history.validation_loss, rel=max(rtol, 1e-9))


plans = st.builds(
    lambda rule, lr, decay, l1, l2, dropout, input_dropout, smoothing, clip, averaging, varied, schedule: (
        make_plan(
            rule=replace(rule_named(rule, lr=lr), weight_decay=decay),
            l1=l1,
            l2=l2,
            dropout=dropout,
            input_dropout=input_dropout,
            label_smoothing=smoothing,
            clip_norm=clip,
            schedule=schedule,
            **averaging,
            **varied,
            epochs=2,
        )
    ),
    rule=st.sampled_from(RULES),
    lr=st.sampled_from([1e-3, 1e-2]),
    decay=st.sampled_from([0.0, 0.1]),
    l1=st.sampled_from([0.0, 1e-3]),
    l2=st.sampled_from([0.0, 1e-2]),
    dropout=st.sampled_from([0.0, 0.3]),
    input_dropout=st.sampled_from([0.0, 0.2]),
    smoothing=st.sampled_from([0.0, 0.1]),
    clip=st.sampled_from([math.inf, 0.05]),
    averaging=st.sampled_from([{}, {"averaging": 0.9}, {"tail_averaging": 0.5}]),
    varied=st.sampled_from([{}, {"mixup": 0.4}, {"input_noise": 0.2}]),
    schedule=st.sampled_from([Cosine(warmup=0.2), InverseSqrt()]),
)


@pytest.mark.usefixtures("double")
class TestStack:
    @settings(max_examples=25, deadline=None)
    @given(chosen=st.lists(plans, min_size=2, max_size=5), order=st.randoms(use_true_random=False))
    def test_a_population_is_its_members_one_by_one_in_any_order(self, chosen, order):
        split = make_split()
        population = [Candidate(arm=str(i), seed=i % 2, plan=plan) for i, plan in enumerate(chosen)]
        order.shuffle(population)
        together = train(population, split)
        for candidate, trained in zip(population, together, strict=True):
            assert trained.candidate is candidate
            assert_same(trained, train([candidate], split)[0])

    @pytest.mark.parametrize(
        "network",
        [
            MLP(widths=(7, 7), activation="relu", normalisation="batch"),
            MLP(widths=(7, 7), activation="gelu", normalisation="layer", skip=True),
            MLP(widths=(6,), activation="maxout", pieces=3),
            MLP(widths=(7, 7), activation="prelu", initialisation="he"),
            MLP(widths=()),
        ],
        ids=lambda network: f"{network.activation}-{network.normalisation}-{len(network.widths)}",
    )
    def test_every_structure_stacks(self, network):
        split = make_split(cardinalities=(4, 9))
        plan = make_plan(network=network, dropout=0.2)
        population = [Candidate(arm="a", seed=seed, plan=plan) for seed in range(3)]
        for trained, candidate in zip(train(population, split), population, strict=True):
            # normalisation subtracts nearly equal numbers, which costs two of the sixteen digits
            assert_same(trained, train([candidate], split)[0], rtol=1e-7)

    def test_arms_of_one_seed_share_weights_batches_and_dropout(self):
        plan = make_plan(dropout=0.3)
        twins = train([Candidate(arm=arm, seed=5, plan=plan) for arm in "ab"], make_split())
        assert_same(*twins, rtol=0)

    def test_other_seeds_are_other_networks(self):
        one, other = train([Candidate(arm="a", seed=s, plan=make_plan()) for s in (0, 1)], make_split())
        assert not np.allclose(one.predicted_NO, other.predicted_NO)

    def test_those_who_stay_do_not_notice_that_others_leave(self):
        split = make_split()
        plan = make_plan(network=MLP(widths=(7, 6)), epochs=12)
        stays = Candidate(arm="stays", seed=0, plan=replace(plan, dropout=0.2))
        stops = Candidate(
            arm="stops", seed=1, plan=replace(plan, rule=rule_named("adam", lr=0.5), patience=1)
        )
        burst = rule_named("gradient-descent", lr=1e200)
        bursts = Candidate(arm="bursts", seed=2, plan=replace(plan, rule=burst))
        together = train([bursts, stays, stops], split)
        assert [t.history.ending for t in together] == ["diverged", "finished", "stopped early"]
        assert_same(together[1], train([stays], split)[0])
        assert together[2].history.epochs[-1] < 12

    def test_a_diverged_candidate_does_not_contaminate_its_stack(self):
        split = make_split()
        network = MLP(widths=(7, 6))
        sick = Candidate(arm="sick", seed=0, plan=make_plan(lr=1e200, epochs=3, network=network))
        well = Candidate(arm="well", seed=1, plan=make_plan(epochs=3, network=network))
        trained = train([sick, well], split)
        assert trained[0].history.ending == "diverged"
        assert all(np.isfinite(w).all() for w in weights_of(trained[1]).values())
        assert None in trained[0].history.train_loss

    def test_early_stopping_hands_back_the_best_weights(self):
        plan = make_plan(epochs=40, lr=0.05, patience=5)
        split = make_split(num_train=24)
        (trained,) = train([Candidate(arm="a", seed=0, plan=plan)], split)
        history = trained.history
        assert history.ending == "stopped early"
        best = history.validation_loss[history.epochs.index(history.best_epoch)]
        right_N = trained.predicted_NO[np.arange(24), split.validation.y_N.numpy()]
        assert -np.log(right_N).mean() == pytest.approx(best, rel=1e-6)
        assert best == min(history.validation_loss)

    def test_weights_fit_the_plain_module_and_predict_the_same(self):
        split = make_split(cardinalities=(4,))
        plan = make_plan(network=MLP(widths=(8, 8), activation="maxout", normalisation="batch", skip=True))
        (trained,) = train([Candidate(arm="a", seed=0, plan=plan)], split)
        from goodfit.engine.ways.construction import sizes_of

        module = plan.network.build(sizes_of(plan, split)).eval()
        module.load_state_dict(trained.weights)
        with torch.no_grad():
            scores_NO = module(split.validation.x, split.validation.codes_NC)
        np.testing.assert_allclose(scores_NO.softmax(-1).numpy(), trained.predicted_NO, rtol=1e-6)

    def test_a_number_is_learnt_with_the_huber_loss(self):
        split = make_split(200, 60, numbers=True)
        plan = make_plan(loss=Loss(name="huber", kind="numbers", num_outputs=1), epochs=30)
        (trained,) = train([Candidate(arm="a", seed=0, plan=plan)], split)
        assert trained.history.metric == "r2"
        assert trained.validation_scores_N.mean() > 0.5


def test_no_step_is_taken_after_the_deadline():
    plan = make_plan(epochs=1000)
    (trained,) = train([Candidate(arm="a", seed=0, plan=plan)], make_split(), deadline=0.0)
    assert trained.history.ending == "out of time"
    assert trained.history.epochs == (0, 1)


def test_the_same_seed_gives_the_same_numbers():
    plan = make_plan(dropout=0.4)
    once, again = (train([Candidate(arm="a", seed=3, plan=plan)], make_split())[0] for _ in range(2))
    assert_same(once, again, rtol=0)


def test_members_with_folds_learn_from_all_rows_but_their_own_fold():
    from goodfit.engine.rows.pool import Pool

    split = make_split(48, 24)
    population = [Candidate(arm="f", seed=i, plan=make_plan(), fold=(i, 8)) for i in range(8)]
    pool = Pool(split, population)
    for learn, watch in zip(pool.learn_KN.tolist(), pool.watch_KN.tolist(), strict=True):
        assert len(watch) == 9
        assert sorted(learn + watch) == list(range(72))
    assert sorted(pool.watch_KN.flatten().tolist()) == list(range(72))


def test_the_pace_of_a_population_is_measured_in_seconds():
    plan = make_plan(epochs=1)
    pace = measure_pace([Candidate(arm="a", seed=0, plan=plan)], make_split(), seconds=0.02)
    assert 0 < pace < 5


def test_progress_ends_at_one():
    heard = []
    population = [
        Candidate(arm="a", seed=0, plan=make_plan()),
        Candidate(arm="b", seed=0, plan=make_plan(network=MLP(widths=(3,)))),
    ]
    train(population, make_split(), progress=heard.append)
    assert heard == sorted(heard)
    assert heard[-1] == pytest.approx(1.0)
