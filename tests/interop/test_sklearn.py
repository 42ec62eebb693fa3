from __future__ import annotations

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
from goodfit.interop import estimator
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
    passed = {r["check_name"] for r in results if r["status"] == "passed"}
    assert {"check_sample_weight_equivalence_on_dense_data", "check_all_zero_sample_weights_error"} <= passed
    assert len(passed) > 50


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
def test_a_weight_of_3_is_three_copies_and_one_of_0_is_none(kind):
    random = np.random.default_rng(5)
    X = pd.DataFrame({"x": random.normal(size=60), "word": random.choice(["a", "b", None], 60)})
    y, weights = random.integers(0, 2, 60), random.integers(0, 4, 60)
    order = random.permutation(weights.sum())
    copies = X.loc[X.index.repeat(weights)].iloc[order]
    of_copies = kind(**QUICK).fit(copies, y.repeat(weights)[order])
    of_weights = kind(**QUICK).fit(X, y, sample_weight=weights)
    assert of_weights.run_.data.is_weighted
    assert of_weights.run_.test == of_copies.run_.test
    of_both = [
        estimator.predict_proba(X) if kind is GoodfitClassifier else estimator.predict(X)
        for estimator in (of_copies, of_weights)
    ]
    np.testing.assert_array_equal(*of_both)


def test_weights_of_one_change_nothing(irises):
    X, y = irises
    plain = GoodfitClassifier(**QUICK).fit(X, y)
    equal = GoodfitClassifier(**QUICK).fit(X, y, sample_weight=np.ones(150))
    np.testing.assert_array_equal(plain.predict_proba(X), equal.predict_proba(X))


def test_weights_go_through_a_pipeline_and_a_search(irises):
    X, y = irises
    # two classes that look alike to whoever sees no petals: the weights choose between them
    X, y = X.iloc[50:, :2], y[50:] - 1
    pipeline = make_pipeline(StandardScaler(), GoodfitClassifier(lr=0.05, **QUICK))
    grid = GridSearchCV(pipeline, {"goodfitclassifier__hidden": [(), (8,)]}, cv=2)
    for heavy in (0, 1):
        weights = np.where(y == heavy, 50.5, 1.0)
        grid.fit(X, y, goodfitclassifier__sample_weight=weights)
        assert (grid.predict(X) == heavy).mean() > 0.9


@pytest.mark.parametrize("kind", [GoodfitClassifier, GoodfitRegressor])
@pytest.mark.parametrize(
    ("weights", "words"),
    [(np.ones(29), "shape"), (-np.ones(30), "-1 in row 1"), (np.zeros(30), "zero in every row")],
)
def test_weights_that_are_none_are_refused(kind, weights, words):
    with pytest.raises(EstimatorError, match=words):
        kind(**QUICK).fit(np.random.default_rng(0).normal(size=(30, 2)), [0, 1] * 15, sample_weight=weights)


def test_a_class_of_weight_0_is_not_there(irises):
    X, y = irises
    classifier = GoodfitClassifier(**QUICK).fit(X, y, sample_weight=np.where(y == 1, 0.0, 1.0))
    assert classifier.classes_.tolist() == [0, 2]
    with pytest.raises(ValueError, match="one class"):
        GoodfitClassifier(**QUICK).fit(X, y, sample_weight=(y == 1).astype(float))


def test_few_rows_are_weighed_too():
    X, y = np.repeat([[0.0], [1.0]], 4, axis=0) + np.arange(8)[:, None] / 100, np.array([0, 1] * 4)
    for heavy in (0, 1):
        with pytest.warns(UserWarning, match="8 different rows are too few"):
            classifier = GoodfitClassifier(epochs=100).fit(
                X, y, sample_weight=np.where(y == heavy, 30.0, 1.0)
            )
        assert (classifier.predict(X) == heavy).all()


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


@pytest.mark.parametrize("num_rows", [12, 150])
def test_a_device_that_is_not_there_is_refused(irises, num_rows):
    X, y = (part[:: 150 // num_rows] for part in irises)
    with pytest.raises(EstimatorError, match="'tpu'"):
        GoodfitClassifier(**QUICK, device="tpu").fit(X, y)


def test_the_device_is_handed_to_the_recipe(irises, monkeypatch):
    asked = []

    def listening(*given, device, **said):
        asked.append(device)
        return goodfit.fit(*given, device=device, **said)

    monkeypatch.setattr(estimator, "run_recipe", listening)
    fitted = clone(GoodfitClassifier(**QUICK, device="cpu")).fit(*irises)
    assert asked == ["cpu"]
    assert "CPU only" in fitted.run_.machine
