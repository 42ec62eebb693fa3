"""The shipped patients are as ill as they claim to be."""

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from goodfit.data.synthetic import digits_split, overfit_patient


def test_digits_can_be_learnt():
    split = digits_split()
    train, validation = split.rows("train"), split.rows("validation")
    assert split.task.num_outputs == 10
    assert float(train.x.max()) == 1
    model = LogisticRegression(max_iter=300).fit(train.x, train.y_N)
    assert model.score(validation.x, validation.y_N) > 0.93


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_overfit_patient_learns_by_heart_and_regularisation_helps_it():
    split = overfit_patient()
    train, validation = split.rows("train"), split.rows("validation")
    assert (len(train), len(validation), len(split.test_index)) == (200, 798, 799)
    free, held = (
        MLPClassifier((512,), alpha=alpha, max_iter=150, random_state=0).fit(train.x, train.y_N)
        for alpha in (0, 15)
    )
    assert free.score(train.x, train.y_N) > 0.99
    assert held.score(validation.x, validation.y_N) > free.score(validation.x, validation.y_N) + 0.03
