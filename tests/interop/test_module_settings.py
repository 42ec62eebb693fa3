"""A network and its settings as parameters of an estimator, as skorch has them."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from torch import nn

from goodfit import GoodfitClassifier, GoodfitRegressor
from goodfit.interop.module_settings import ModuleFactory
from goodfit.interop.sklearn_input import EstimatorError

QUICK = {"max_trainings": 2, "num_seeds": 1, "epochs": 3}


class Sized(nn.Sequential):
    """A network that asks for the sizes of the data by name."""

    def __init__(self, width=8, *, inputs, outputs, activation=nn.ReLU):
        super().__init__(nn.Linear(inputs, width), activation(), nn.Linear(width, outputs))


class Fixed(nn.Sequential):
    """A network that knows its sizes."""

    def __init__(self, width=8, slope=0.1):
        super().__init__(nn.Linear(4, width), nn.LeakyReLU(slope), nn.Linear(width, 3))


@pytest.fixture(scope="module")
def irises():
    return load_iris(return_X_y=True)


class TestFactory:
    def test_sizes_are_given_by_name_to_the_open_ones_or_not_at_all(self):
        assert ModuleFactory(Sized, {"width": 5})(4, 3)[0].weight.shape == (5, 4)
        assert ModuleFactory(nn.Linear, {"bias": False})(4, 3).weight.shape == (3, 4)
        assert ModuleFactory(Fixed, {"slope": 0.5})(4, 3)[0].weight.shape == (8, 4)

    def test_a_setting_wins_over_the_size(self):
        assert ModuleFactory(Sized, {"outputs": 7})(4, 3)[2].weight.shape == (7, 8)


class TestParameters:
    def test_they_are_seen_set_and_cloned(self):
        classifier = GoodfitClassifier(module=Sized, module__width=6, **QUICK)
        assert classifier.get_params()["module__width"] == 6
        copied = clone(classifier.set_params(module__width=9, lr=0.01))
        assert (copied.module__width, copied.lr, copied.module) == (9, 0.01, Sized)
        assert "module__width=9" in repr(copied)
        assert "module__width" not in GoodfitClassifier().get_params()

    def test_one_underscore_too_few_is_told_when_it_is_fitted(self, irises):
        with pytest.raises(EstimatorError, match="module_width is no parameter"):
            GoodfitClassifier(module=Sized, module_width=9).fit(*irises)

    def test_other_unknown_parameters_are_refused_as_python_does(self):
        with pytest.raises(TypeError, match="unexpected keyword argument 'hiden'"):
            GoodfitClassifier(hiden=(3,))
        with pytest.raises(ValueError, match="hiden"):
            GoodfitClassifier().set_params(hiden=(3,))


class TestFit:
    def test_the_network_is_the_users_with_their_settings(self, irises):
        classifier = GoodfitClassifier(module=Sized, module__width=6, **QUICK).fit(*irises)
        (module, *_) = classifier.predictor_.modules
        assert isinstance(module, Sized)
        assert module[0].weight.shape == (6, 4)
        assert classifier.predict_proba(irises[0][:2]).shape == (2, 3)
        again = pickle.loads(pickle.dumps(classifier))
        assert np.array_equal(again.predict(irises[0]), classifier.predict(irises[0]))

    def test_a_search_goes_over_them(self, irises):
        grid = {"module__width": [2, 16], "lr": [0.02]}
        search = GridSearchCV(GoodfitClassifier(module=Sized, **QUICK), grid, cv=2).fit(*irises)
        assert search.best_params_["module__width"] in (2, 16)
        (module, *_) = search.best_estimator_.predictor_.modules
        assert len(module[0].weight) == search.best_params_["module__width"]


class TestBadInput:
    @pytest.mark.parametrize(
        ("parameters", "said", "fix"),
        [
            ({"module__width": 3}, "module__width is set, but there is no module", "give module="),
            ({"module": Sized, "module__depth": 3}, "Sized has no depth", "module__width"),
            ({"module": Sized, "model": Fixed}, "both given", "only one"),
            ({"module": Fixed()}, "module is one Fixed", "give the class"),
        ],
        ids=["no module", "no such setting", "model too", "an object"],
    )
    def test_it_is_named_with_the_fix(self, parameters, said, fix, irises):
        with pytest.raises(EstimatorError, match=said) as caught:
            GoodfitClassifier(**parameters, **QUICK).fit(*irises)
        assert fix in caught.value.fix

    def test_a_regressor_takes_the_same(self):
        assert GoodfitRegressor(module=Sized, module__width=4).get_params()["module__width"] == 4
