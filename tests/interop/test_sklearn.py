from __future__ import annotations

import inspect
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import goodfit
from goodfit import GoodfitClassifier, GoodfitRegressor
from goodfit.errors import GoodfitError
from goodfit.interop.sklearn_input import EstimatorError

QUICK = {"max_trainings": 2, "num_seeds": 1, "epochs": 12}


@pytest.fixture(scope="module")
def irises():
    return load_iris(return_X_y=True, as_frame=True)


@pytest.fixture(scope="module")
def fitted(irises):
    X, y = irises
    return GoodfitClassifier(**QUICK).fit(X, np.array(["setosa", "versicolor", "virginica"])[y])


@pytest.mark.long
@pytest.mark.parametrize("kind", [GoodfitClassifier, GoodfitRegressor])
@pytest.mark.filterwarnings("ignore")
def test_every_check_of_scikit_learn_is_passed(kind):
    results = check_estimator(kind(**QUICK), on_skip=None, on_fail=None)
    assert [r["check_name"] for r in results if r["status"] in ("failed", "xfail")] == []
    assert [r["check_name"] for r in results if r["status"] == "skipped"] in ([], ["check_array_api_input"])
    assert len(results) > 45


def test_labels_and_names_come_back_as_they_were_given(fitted, irises):
    X, _ = irises
    assert list(fitted.classes_) == ["setosa", "versicolor", "virginica"]
    assert list(fitted.feature_names_in_) == list(X.columns)
    assert set(fitted.predict(X)) <= set(fitted.classes_)
    shares = fitted.predict_proba(X)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert (fitted.classes_[shares.argmax(axis=1)] == fitted.predict(X)).all()


def test_the_record_of_the_run_is_there(fitted):
    assert fitted.run_.test.metric == "accuracy"
    assert fitted.run_.test.num_rows == 30


def test_a_pipeline_and_cross_validation_run_it(irises):
    pipeline = make_pipeline(StandardScaler(), GoodfitClassifier(**QUICK)).set_output(transform="pandas")
    assert cross_val_score(pipeline, *irises, cv=2).min() > 0.7


def test_a_grid_search_sets_its_parameters(irises):
    grid = GridSearchCV(GoodfitClassifier(**QUICK), {"hidden": [(), (8,)], "lr": [0.01]}, cv=2)
    assert set(grid.fit(*irises).best_params_) == {"hidden", "lr"}


def test_a_clone_is_not_fitted_and_a_pickle_is(fitted, irises):
    X, _ = irises
    copied = clone(fitted)
    assert copied.get_params() == fitted.get_params()
    assert not hasattr(copied, "predictor_")
    fitted.predict(X)
    packed = pickle.dumps(fitted)
    np.testing.assert_array_equal(pickle.loads(packed).predict_proba(X), fitted.predict_proba(X))
    assert "modules" in vars(fitted.predictor_)  # packing left the original as it was


def test_frames_keep_their_words_dates_and_gaps(table):
    rows = table.drop(columns=["stays", "spends"])
    classifier = GoodfitClassifier(**QUICK).fit(rows, table["stays"])
    kinds = {column.name: column.kind for column in classifier.predictor_.preparation.columns}
    assert kinds["city"] == kinds["street"] == "category"
    assert kinds["since"] == "date-time"
    assert len(classifier.predict(rows.head(3))) == 3
    assert GoodfitRegressor(**QUICK).fit(rows, table["spends"]).predict(rows).dtype == np.float64


def test_polars_frames_are_taken(irises):
    polars = pytest.importorskip("polars")
    X, y = irises
    classifier = GoodfitClassifier(**QUICK).fit(polars.from_pandas(X), y)
    assert list(classifier.feature_names_in_) == list(X.columns)


def test_equal_seeds_give_equal_numbers_and_others_others(irises):
    X, y = irises
    first, same, other = (
        GoodfitClassifier(**QUICK, random_state=seed).fit(X, y).predict_proba(X) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).max() > 1e-3


def test_a_random_state_may_be_a_generator(irises):
    GoodfitClassifier(**QUICK, random_state=np.random.RandomState(3)).fit(*irises)


def test_few_rows_are_trained_as_they_are_with_a_warning():
    X = np.linspace(-1, 1, 12)[:, None]
    with pytest.warns(UserWarning, match="12 rows are too few"):
        classifier = GoodfitClassifier(epochs=200).fit(X, X[:, 0] > 0)
    assert classifier.run_ is None
    assert classifier.score(X, X[:, 0] > 0) == 1.0


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("make", [sparse.csr_array, sparse.coo_matrix])
def test_sparse_rows_are_refused_by_name(make, fitted):
    X = make(np.eye(30, 4))
    with pytest.raises(TypeError, match="dense data is required"):
        GoodfitClassifier().fit(X, np.arange(30) % 2)
    with pytest.raises(TypeError, match="dense data is required"):
        fitted.predict(X)


@pytest.mark.parametrize("kind", [GoodfitClassifier, GoodfitRegressor])
def test_weights_of_rows_are_no_argument(kind):
    assert "sample_weight" not in inspect.signature(kind.fit).parameters
    with pytest.raises(TypeError, match="sample_weight"):
        kind(**QUICK).fit(np.eye(30), np.arange(30) % 2, sample_weight=np.ones(30))


def test_what_goodfit_refuses_is_a_value_error_with_a_fix():
    with pytest.raises(EstimatorError, match="update rule 'adan'") as refused:
        GoodfitClassifier(rule="adan", **QUICK).fit(
            np.random.default_rng(0).normal(size=(30, 2)), [0, 1] * 15
        )
    assert isinstance(refused.value, ValueError)
    assert isinstance(refused.value, GoodfitError)
    assert refused.value.fix == "write adam"
    assert pickle.loads(pickle.dumps(refused.value)).fix == "write adam"


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="one class"):
        GoodfitClassifier().fit(np.eye(30), np.zeros(30))


def test_the_users_own_network_is_run_as_it_is(irises):
    X, y = irises
    classifier = GoodfitClassifier(model="torch.nn:Linear", **QUICK).fit(X, y)
    np.testing.assert_allclose(
        classifier.predict_proba(X),
        classifier.predictor_.predict(X).iloc[:, 1:].to_numpy(),
        rtol=1e-6,
    )


def test_frames_and_arrays_are_learnt_alike(irises):
    X, y = irises
    of_frame = GoodfitClassifier(**QUICK).fit(X, y).predict_proba(X)
    of_array = GoodfitClassifier(**QUICK).fit(X.to_numpy(), y).predict_proba(X.to_numpy())
    np.testing.assert_array_equal(of_frame, of_array)


def test_rows_of_another_frame_are_refused(fitted, irises):
    X, _ = irises
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(X.rename(columns={X.columns[0]: "other"}))
    with pytest.raises(ValueError, match="0 sample"):
        fitted.predict(X.head(0))
    with pytest.raises(ValueError, match="unique column names"):
        GoodfitClassifier(**QUICK).fit(pd.DataFrame(np.eye(30, 2), columns=["a", "a"]), [0, 1] * 15)


def test_the_names_are_public():
    assert {"GoodfitClassifier", "GoodfitRegressor", "export"} <= set(goodfit.__all__)
