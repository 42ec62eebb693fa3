"""Every loss, row by row, against NumPy and SciPy written from its formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import expit, huber, log_softmax, softmax
from sklearn.metrics import accuracy_score, r2_score

from goodfit.engine.goodness.blend import Blend
from goodfit.engine.goodness.losses import FOR_CLASSES, FOR_NUMBERS, Loss
from goodfit.engine.goodness.predicted import apply_link, row_scores
from goodfit.errors import PlanError

K, N, O = 3, 40, 4  # noqa: E741  (the letters of the shapes)
RANDOM = np.random.default_rng(0)
SCORES_KNO = 3 * RANDOM.normal(size=(K, N, O))
CLASSES_KN = RANDOM.integers(O, size=(K, N))
BITS_KN = RANDOM.integers(2, size=(K, N))
NUMBERS_KN = 2 * RANDOM.normal(size=(K, N))
SMOOTHING_K = np.array([0.0, 0.1, 0.5])


def loss_of(name, *, kind="classes", num_outputs=O, **settings):
    return Loss(name=name, kind=kind, num_outputs=num_outputs, **settings)


def rows_of(loss, scores_KNO, y_KN, smoothing_K=None):
    smoothing_K1 = None if smoothing_K is None else torch.from_numpy(smoothing_K).unsqueeze(1)
    return loss.rows(torch.from_numpy(scores_KNO), torch.from_numpy(y_KN), smoothing_K1=smoothing_K1).numpy()


def smoothed_targets(smoothing_K):
    smoothing_K11 = smoothing_K[:, None, None]
    return (1 - smoothing_K11) * np.eye(O)[CLASSES_KN] + smoothing_K11 / O


def assert_rows(found_KN, expected_KN):
    assert found_KN.dtype == np.float64
    np.testing.assert_allclose(found_KN, expected_KN, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("num_candidates", [1, K])
@pytest.mark.parametrize("smoothing_K", [None, SMOOTHING_K], ids=["plain", "smoothed"])
@pytest.mark.parametrize("weights", [(), (0.2, 1.0, 5.0, 0.0)], ids=["even", "weighted"])
@pytest.mark.parametrize("name", ["cross-entropy", "squared"])
def test_means_are_the_means_of_the_rows_and_so_are_their_slopes(name, weights, smoothing_K, num_candidates):
    loss, y_KN = loss_of(name, class_weights=weights), torch.from_numpy(CLASSES_KN[:num_candidates])
    scores_KNO = torch.from_numpy(SCORES_KNO[:num_candidates]).requires_grad_()
    smoothing_K1 = None if smoothing_K is None else torch.from_numpy(smoothing_K[-num_candidates:, None])
    found_K = loss.means(scores_KNO, y_KN, smoothing_K1=smoothing_K1)
    expected_K = loss.rows(scores_KNO, y_KN, smoothing_K1=smoothing_K1).mean(-1)
    torch.testing.assert_close(found_K, expected_K, rtol=1e-12, atol=0)
    slopes = [torch.autograd.grad(mean_K.sum(), scores_KNO)[0] for mean_K in (found_K, expected_K)]
    torch.testing.assert_close(*slopes, rtol=1e-12, atol=1e-15)


class TestRows:
    @pytest.mark.parametrize("smoothing_K", [None, SMOOTHING_K], ids=["plain", "smoothed"])
    def test_cross_entropy_is_the_target_times_the_negative_log_of_the_softmax(self, smoothing_K):
        targets_KNO = smoothed_targets(np.zeros(K) if smoothing_K is None else smoothing_K)
        expected_KN = -(targets_KNO * log_softmax(SCORES_KNO, axis=-1)).sum(-1)
        assert_rows(rows_of(loss_of("cross-entropy"), SCORES_KNO, CLASSES_KN, smoothing_K), expected_KN)

    @pytest.mark.parametrize("smoothing_K", [None, SMOOTHING_K], ids=["plain", "smoothed"])
    def test_squared_on_classes_is_the_mean_squared_distance_from_the_target(self, smoothing_K):
        targets_KNO = smoothed_targets(np.zeros(K) if smoothing_K is None else smoothing_K)
        expected_KN = ((softmax(SCORES_KNO, axis=-1) - targets_KNO) ** 2).mean(-1)
        assert_rows(rows_of(loss_of("squared"), SCORES_KNO, CLASSES_KN, smoothing_K), expected_KN)

    @pytest.mark.parametrize("smoothing_K", [None, SMOOTHING_K], ids=["plain", "smoothed"])
    def test_binary_cross_entropy_is_that_of_the_sigmoid(self, smoothing_K):
        smoothing_K1 = np.zeros((K, 1)) if smoothing_K is None else smoothing_K[:, None]
        target_KN = (1 - smoothing_K1) * BITS_KN + smoothing_K1 / 2
        right_KN = expit(SCORES_KNO[..., 0])
        expected_KN = -(target_KN * np.log(right_KN) + (1 - target_KN) * np.log(1 - right_KN))
        loss = loss_of("binary-cross-entropy", num_outputs=1)
        assert_rows(rows_of(loss, SCORES_KNO[..., :1], BITS_KN, smoothing_K), expected_KN)

    def test_binary_cross_entropy_is_cross_entropy_of_two_scores(self):
        two_KNO = np.concatenate([np.zeros((K, N, 1)), SCORES_KNO[..., :1]], axis=-1)
        one = rows_of(
            loss_of("binary-cross-entropy", num_outputs=1), SCORES_KNO[..., :1], BITS_KN, SMOOTHING_K
        )
        assert_rows(one, rows_of(loss_of("cross-entropy", num_outputs=2), two_KNO, BITS_KN, SMOOTHING_K))

    def test_squared_on_numbers_is_the_square_of_the_difference(self):
        found_KN = rows_of(loss_of("squared", kind="numbers", num_outputs=1), SCORES_KNO[..., :1], NUMBERS_KN)
        assert_rows(found_KN, (SCORES_KNO[..., 0] - NUMBERS_KN) ** 2)

    def test_huber_is_half_the_square_within_one_and_linear_beyond(self):
        found_KN = rows_of(loss_of("huber", kind="numbers", num_outputs=1), SCORES_KNO[..., :1], NUMBERS_KN)
        distance_KN = np.abs(SCORES_KNO[..., 0] - NUMBERS_KN)
        assert distance_KN.min() < 1 < distance_KN.max()
        assert_rows(found_KN, huber(1.0, distance_KN))

    @pytest.mark.parametrize(
        ("name", "kind"),
        [*((name, "classes") for name in FOR_CLASSES), *((name, "numbers") for name in FOR_NUMBERS)],
    )
    def test_targets_of_one_row_serve_all_candidates(self, name, kind):
        num_outputs = 1 if kind == "numbers" or name.startswith("binary") else O
        y_1N = NUMBERS_KN[:1] if kind == "numbers" else BITS_KN[:1]
        loss, scores_KNO = loss_of(name, kind=kind, num_outputs=num_outputs), SCORES_KNO[..., :num_outputs]
        shared_KN = rows_of(loss, scores_KNO, y_1N)
        assert shared_KN.shape == (K, N)
        assert_rows(shared_KN, rows_of(loss, scores_KNO, np.repeat(y_1N, K, axis=0)))

    @pytest.mark.parametrize("name", FOR_CLASSES)
    def test_class_weights_make_the_mean_a_weighted_mean_for_each_candidate(self, name):
        num_outputs, weights_O = (1, (0.3, 2.0)) if name.startswith("binary") else (O, (0.5, 0.0, 3.0, 1.0))
        y_KN = BITS_KN if num_outputs == 1 else CLASSES_KN
        scores_KNO = SCORES_KNO[..., :num_outputs]
        plain_KN = rows_of(loss_of(name, num_outputs=num_outputs), scores_KNO, y_KN)
        loss = loss_of(name, num_outputs=num_outputs, class_weights=weights_O)
        expected_K = np.average(plain_KN, axis=1, weights=np.array(weights_O)[y_KN])
        np.testing.assert_allclose(rows_of(loss, scores_KNO, y_KN).mean(1), expected_K, rtol=1e-12)

    def test_weighted_cross_entropy_is_torchs(self):
        weights_O = (0.5, 0.1, 3.0, 1.0)
        loss = loss_of("cross-entropy", class_weights=weights_O)
        for k in range(K):
            theirs = torch.nn.functional.cross_entropy(
                torch.from_numpy(SCORES_KNO[k]),
                torch.from_numpy(CLASSES_KN[k]),
                weight=torch.tensor(weights_O, dtype=torch.float64),
            )
            found = rows_of(loss, SCORES_KNO[k : k + 1], CLASSES_KN[k : k + 1]).mean()
            assert found == pytest.approx(theirs.item(), rel=1e-12)

    def test_scores_of_a_thousand_overflow_nothing(self):
        huge_KNO = np.array([[[1000.0, -1000.0, 0.0, 0.0]]])
        for name, expected in (("cross-entropy", 2000.0), ("squared", 0.5)):
            assert rows_of(loss_of(name), huge_KNO, np.array([[1]]))[0, 0] == pytest.approx(expected)


class TestLink:
    @pytest.mark.parametrize(
        ("name", "kind", "num_outputs", "link"),
        [
            ("cross-entropy", "classes", O, "softmax"),
            ("squared", "classes", O, "softmax"),
            ("binary-cross-entropy", "classes", 1, "sigmoid"),
            ("squared", "numbers", 1, "identity"),
            ("huber", "numbers", 1, "identity"),
        ],
    )
    def test_the_loss_owns_the_link(self, name, kind, num_outputs, link):
        assert loss_of(name, kind=kind, num_outputs=num_outputs).link == link

    def test_classes_are_predicted_as_shares_and_numbers_as_they_are(self):
        scores_KNO = torch.from_numpy(SCORES_KNO)
        shares_KNO = loss_of("squared").predict(scores_KNO).numpy()
        np.testing.assert_allclose(shares_KNO, softmax(SCORES_KNO, axis=-1), rtol=1e-12)
        numbers = loss_of("huber", kind="numbers", num_outputs=1).predict(scores_KNO[..., :1])
        assert torch.equal(numbers, scores_KNO[..., :1])

    def test_one_sigmoid_output_becomes_two_columns(self):
        predicted_KN2 = apply_link(torch.from_numpy(SCORES_KNO[..., :1]), "sigmoid").numpy()
        right_KN = expit(SCORES_KNO[..., 0])
        np.testing.assert_allclose(predicted_KN2, np.stack([1 - right_KN, right_KN], axis=-1), rtol=1e-12)

    def test_outputs_that_are_meant_as_shares_become_shares_in_the_same_order(self):
        outputs_NO = torch.tensor([[0.2, 0.8], [1.4, 0.7], [-0.5, 0.1], [-2.0, -1.0], [0.0, 0.0]])
        shares_NO = apply_link(outputs_NO, "shares")
        rest = 1 / (1 + math.e)
        wanted = [[0.2, 0.8], [2 / 3, 1 / 3], [0.0, 1.0], [rest, 1 - rest], [0.5, 0.5]]
        np.testing.assert_allclose(shares_NO.numpy(), wanted, rtol=1e-6)
        one_N2 = apply_link(torch.tensor([[-0.5], [0.3], [1.2]]), "shares")
        np.testing.assert_allclose(one_N2.numpy(), [[1, 0], [0.7, 0.3], [0, 1]], rtol=1e-6)

    def test_shares_of_labels_stay_apart(self):
        outputs_NO = torch.tensor([[-0.5, 0.9, 0.9, 1.5]])
        assert torch.equal(apply_link(outputs_NO, "shares of labels"), torch.tensor([[0.0, 0.9, 0.9, 1.0]]))


class TestExpectedAtStart:
    """The loss of a network that knows nothing, whose scores are all 0, on a large sample."""

    @pytest.mark.parametrize("num_classes", [2, 3, 10])
    @pytest.mark.parametrize("name", ["cross-entropy", "squared"])
    def test_for_classes_it_is_the_loss_of_equal_shares(self, name, num_classes):
        loss = loss_of(name, num_outputs=num_classes)
        y_1N = np.random.default_rng(1).integers(num_classes, size=(1, 1000))
        found = rows_of(loss, np.zeros((1, 1000, num_classes)), y_1N).mean()
        assert loss.expected_at_start == pytest.approx(found, rel=1e-12)

    def test_for_two_classes_and_one_output_it_is_log_two(self):
        loss = loss_of("binary-cross-entropy", num_outputs=1)
        found = rows_of(loss, np.zeros((1, N, 1)), BITS_KN[:1]).mean()
        assert loss.expected_at_start == pytest.approx(found, rel=1e-12)
        assert loss.expected_at_start == pytest.approx(math.log(2))

    @pytest.mark.parametrize("name", FOR_NUMBERS)
    def test_for_numbers_it_is_the_loss_of_saying_the_mean_of_a_standard_normal(self, name):
        loss = loss_of(name, kind="numbers", num_outputs=1)
        y_1N = np.random.default_rng(2).normal(size=(1, 1_000_000))
        found = rows_of(loss, np.zeros((1, 1_000_000, 1)), y_1N).mean()
        assert loss.expected_at_start == pytest.approx(found, rel=0.01)


class TestRowScores:
    def test_their_mean_is_accuracy(self):
        scores_KN = row_scores(torch.from_numpy(SCORES_KNO), torch.from_numpy(CLASSES_KN), kind="classes")
        for k in range(K):
            expected = accuracy_score(CLASSES_KN[k], SCORES_KNO[k].argmax(-1))
            assert scores_KN[k].mean().item() == pytest.approx(expected)

    def test_their_mean_is_r_squared(self):
        predicted_KN1 = 0.5 * NUMBERS_KN[..., None] + 0.3 * SCORES_KNO[..., :1]
        scores_KN = row_scores(torch.from_numpy(predicted_KN1), torch.from_numpy(NUMBERS_KN), kind="numbers")
        for k in range(K):
            expected = r2_score(NUMBERS_KN[k], predicted_KN1[k, :, 0])
            assert scores_KN[k].mean().item() == pytest.approx(expected, rel=1e-12)

    def test_each_row_is_judged_by_itself(self):
        predicted_NO = torch.tensor([[0.6, 0.4], [0.1, 0.9], [0.7, 0.3]])
        scores_N = row_scores(predicted_NO, torch.tensor([0, 0, 1]), kind="classes")
        assert scores_N.tolist() == [1.0, 0.0, 0.0]

    def test_saying_the_mean_scores_zero(self):
        y_N = torch.tensor([1.0, 2.0, 6.0])
        assert row_scores(y_N.mean().expand(3, 1), y_N, kind="numbers").mean().item() == pytest.approx(
            0, abs=1e-6
        )


class TestRefusals:
    def test_an_unknown_name_is_named_with_the_nearest(self):
        with pytest.raises(PlanError, match=r"'cross-entrpy'.*classes") as caught:
            loss_of("cross-entrpy")
        assert "'cross-entropy'" in caught.value.fix

    def test_a_loss_for_classes_does_not_serve_numbers(self):
        with pytest.raises(PlanError, match="'cross-entropy' for a target of numbers") as caught:
            loss_of("cross-entropy", kind="numbers", num_outputs=1)
        assert caught.value.fix.endswith("squared, huber")

    def test_binary_cross_entropy_wants_one_output(self):
        with pytest.raises(PlanError, match="the network has 2") as caught:
            loss_of("binary-cross-entropy", num_outputs=2)
        assert "cross-entropy" in caught.value.fix

    def test_a_negative_class_weight_is_refused(self):
        with pytest.raises(PlanError, match=r"\(1.0, -2.0, 1.0, 1.0\)") as caught:
            loss_of("cross-entropy", class_weights=(1.0, -2.0, 1.0, 1.0))
        assert "at least 0" in caught.value.fix


def test_a_blend_of_classes_is_cross_entropy_with_the_mixed_target():
    loss = loss_of("cross-entropy")
    other_KN, share_K1 = CLASSES_KN[:, ::-1].copy(), np.array([[1.0], [0.5], [0.7]])
    blend = Blend(
        own_KN=torch.from_numpy(CLASSES_KN),
        other_KN=torch.from_numpy(other_KN),
        share_K1=torch.from_numpy(share_K1),
    )
    t_KNO = share_K1[..., None] * np.eye(O)[CLASSES_KN] + (1 - share_K1[..., None]) * np.eye(O)[other_KN]
    expected_KN = -(t_KNO * log_softmax(SCORES_KNO, axis=-1)).sum(-1)
    found_KN = loss.rows(torch.from_numpy(SCORES_KNO), blend).numpy()
    np.testing.assert_allclose(found_KN, expected_KN, rtol=1e-12)
