"""What the doors of scikit-learn share: their parameters, and the call of the recipe.

Shapes: N rows, D columns, O outputs.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from goodfit.data.task import TaskKind
from goodfit.engine.goodness.predicted import apply_link
from goodfit.engine.machine.device import device_named
from goodfit.errors import PlanError
from goodfit.interop.canonical import Weighted, canonical
from goodfit.interop.few_rows import are_too_few, fit_as_it_is
from goodfit.interop.module_settings import WithModuleSettings
from goodfit.interop.sklearn_input import checked_rows, value_errors
from goodfit.nets.given import Given
from goodfit.procedure.fit import fit as run_recipe
from goodfit.procedure.fitted import ROWS_AT_ONCE, Predictor
from goodfit.procedure.run import Run
from goodfit.procedure.start import Wanted

USUAL_TRAININGS = 64
"""Networks that one ``fit`` may train: work is bounded, not time, so that equal seeds give equal numbers."""


class RecipeEstimator(WithModuleSettings):
    """Parameters, input checks and the call of the recipe, for classifier and regressor alike."""

    task: ClassVar[TaskKind]
    predictor_: Predictor
    run_: Run | None

    def __init__(
        self,
        *,
        model: str | Callable[..., nn.Module] | None = None,
        module: Callable[..., nn.Module] | None = None,
        hidden: Sequence[int] | None = None,
        activation: str | None = None,
        rule: str | None = None,
        lr: float | None = None,
        loss: str | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        target_metric: float | None = None,
        budget: float | None = None,
        max_trainings: int | None = USUAL_TRAININGS,
        num_seeds: int | None = None,
        device: str = "auto",
        random_state: Any = 0,
        **module_settings: Any,
    ) -> None:
        self.model = model
        self.module = module
        self.hidden = hidden
        self.activation = activation
        self.rule = rule
        self.lr = lr
        self.loss = loss
        self.epochs = epochs
        self.batch_size = batch_size
        self.target_metric = target_metric
        self.budget = budget
        self.max_trainings = max_trainings
        self.num_seeds = num_seeds
        self.device = device
        self.random_state = random_state
        self._take(module_settings)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.sparse = False
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "predictor_")

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if "predictor_" in state:  # without the modules that it built from its weights, and can build again
            state["predictor_"] = copy.copy(self.predictor_)
            vars(state["predictor_"]).pop("modules", None)
        return state

    def _learn(self, given: Weighted) -> None:
        seed = self._seed()
        learnt = canonical(given, seed=seed)
        rows, targets = learnt.inputs, pd.Series(learnt.targets_N, name="target")
        said: dict[str, Any] = {
            "model": self._model(),
            "hidden": None if self.hidden is None else tuple(self.hidden),
            "activation": self.activation,
            "rule": self.rule,
            "lr": self.lr,
            "loss": self.loss,
            "epochs": self.epochs,
            "batch_size": self.batch_size,
        }
        if are_too_few(len(rows)):
            what = "rows" if learnt is given else "different rows"
            warnings.warn(
                f"{len(rows)} {what} are too few to prove anything: the plan is trained as it is",
                stacklevel=3,
            )
            device_named(self.device)  # too few rows shall hide no mistake
            wanted = Wanted(**said)
            self.run_ = None
            self.predictor_ = fit_as_it_is(
                rows,
                targets,
                task=self.task,
                wanted=wanted,
                weight_N=learnt.weight_N,
                num_seeds=self.num_seeds,
                seed=seed,
            )
            return
        fitted = run_recipe(
            rows,
            targets,
            task=self.task,
            sample_weight=learnt.weight_N,
            **said,
            target_metric=self.target_metric,
            budget=self.budget,
            max_trainings=self.max_trainings,
            num_seeds=self.num_seeds,
            device=self.device,
            seed=seed,
            command=f"{type(self).__name__}().fit(X, y)",
        )
        self.run_, self.predictor_ = fitted.run, fitted.predictor

    def _model(self) -> str | Callable[..., nn.Module] | None:
        made = self._factory()
        if made is not None and self.model is not None:
            raise PlanError("model and module are both given", fix="give only one of them")
        return self.model if made is None else made

    def _seed(self) -> int:
        if isinstance(self.random_state, (int, np.integer)):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _outputs(self, X: Any) -> np.ndarray:
        """Probabilities or standardised values, shape ``(N, O)``."""
        check_is_fitted(self)
        rows = checked_rows(self, X)
        with value_errors():
            x_ND, codes_NC = self.predictor_.preparation.transform(rows, inputs=self.predictor_.inputs)
        codes = None if codes_NC is None else torch.from_numpy(codes_NC)
        return _precise_outputs(self.predictor_, torch.from_numpy(x_ND), codes)


@torch.no_grad()
def _precise_outputs(predictor: Predictor, x_ND: Tensor, codes_NC: Tensor | None) -> np.ndarray:
    """Mean over members, in float64: scikit-learn asks for equal numbers whatever rows stand beside a row.

    A network that the user brought may insist on float32, and is run as it is.
    """
    modules, rows_ND = predictor.modules, x_ND
    if not isinstance(predictor.network, Given):
        modules, rows_ND = tuple(copy.deepcopy(module).double() for module in modules), x_ND.double()
    parts = []
    for start in range(0, len(rows_ND), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        codes = () if codes_NC is None else (codes_NC[rows],)
        members = [apply_link(module(rows_ND[rows], *codes), predictor.link) for module in modules]
        parts.append(torch.stack(members).mean(0))
    outputs_NO: np.ndarray = torch.cat(parts).numpy()
    return outputs_NO
