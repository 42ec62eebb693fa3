"""The one facade that every door uses: data in, trained network and record out."""

from __future__ import annotations

import math
import time as clock
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from goodfit.data.assembly import Wishes
from goodfit.data.loaders import is_loader, rows_of_batch
from goodfit.data.own_rows import load_own, paired, refuse_same, refuse_same_parts
from goodfit.data.sources import load, refuse_weights
from goodfit.engine.machine.device import device_named
from goodfit.nets.network import Network
from goodfit.procedure.budget import Budget
from goodfit.procedure.case import Case
from goodfit.procedure.course import run_recipe
from goodfit.procedure.events import Listener, silence
from goodfit.procedure.fitted import Fitted
from goodfit.procedure.journal import Journal
from goodfit.procedure.own import ignored_class, refuse_own
from goodfit.procedure.start import Wanted, own_plan, plan_as_it_is
from goodfit.recipe.prescription import Prescription, read_prescription

USUAL_BUDGET = 300.0
"""Seconds allowed when the user bounds neither time nor trainings."""


def fit(
    source: Any,
    y: Any = None,
    *,
    target: str | int | None = None,
    task: str | None = None,
    test: Any = None,
    validation: Any = None,
    group: Any = None,
    time: Any = None,
    model: str | Callable[..., nn.Module] | None = None,
    network: Network | None = None,
    hidden: tuple[int, ...] | None = None,
    activation: str | None = None,
    rule: str | None = None,
    lr: float | None = None,
    loss: str | Callable[..., Any] | None = None,
    optimizer: Callable[..., Any] | None = None,
    metric: Any = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    class_weights: Sequence[float] = (),
    sample_weight: Any = None,
    prescription: Prescription | str | Path | None = None,
    target_metric: float | None = None,
    budget: float | None = None,
    max_trainings: int | None = None,
    num_seeds: int | None = None,
    device: str = "auto",
    seed: int = 0,
    listener: Listener = silence,
    command: str = "goodfit.fit(...)",
) -> Fitted:
    """Run the recipe of deep learning on data, from the plan as it is to the sealed test.

    Args:
        source: Anything that :func:`goodfit.data.sources.load` reads. With ``model`` a loader may yield
            tuples, mappings or objects, of several inputs, with targets of any shape.
        y: Targets, for sources that do not hold their own.
        target: Name or place of the target column.
        task: ``"classes"`` or ``"numbers"``; for a network of the user's own also ``"labels"`` (several yes
            or no a row) or ``"places"`` (a class for each time step or pixel). By default decided by the
            targets' content.
        test: The user's own test rows.
        validation: The user's own validation rows.
        group: Column whose equal values stay in one part.
        time: Column by which the newest rows become the test.
        model: The user's own network, ``"FILE.py:FUNCTION"`` or a function of (inputs, outputs).
        network: A network of this package, in place of ``model``.
        hidden: Widths of the hidden layers, in place of ``network``.
        activation: Activation of the hidden layers.
        rule: Update rule.
        lr: Learning rate.
        loss: Name of the loss; with ``model`` also the user's own, a function of (outputs, targets).
        optimizer: The user's own: a function of the parameters, or of the model if its argument is called
            so, that makes any optimizer of torch's kind, in place of ``rule`` and ``lr``.
        metric: What is judged by: a name, or a metric of torchmetrics. One to be minimised is negated.
        epochs: Passes over the training rows of every training.
        batch_size: Rows of a step.
        class_weights: Weight of each class in the loss.
        sample_weight: How often each row counts, at least 0, as if it stood there so many times; ``None``
            counts all alike. Rows are drawn for training by their weights, and every score is a weighted
            mean; rows of weight 0 are left out, and rows of ``validation`` and ``test`` count once each.
            For arrays, frames and files of rows and targets, judged by accuracy or R squared.
        prescription: What another run prescribed, or its folder or file: only that is tried, as a whole
            for each question.
        target_metric: Score that counts as good on both questions, in place of the references' bar; in the
            metric's own sign.
        budget: Seconds allowed; 300 if neither it nor ``max_trainings`` is given.
        max_trainings: Networks that may be trained. Bounds the work in place of time, so that the
            same seed gives the same numbers.
        num_seeds: Seeds of every arm; 8 by default, fewer if time is short.
        device: ``"cpu"``, ``"cuda"``, or ``"auto"``: a GPU where torch finds one and it is faster. What is
            handed back lies on the processor in any case.
        seed: Root seed of everything random.
        listener: Told of everything as it happens.
        command: What the user typed, for the record.

    Returns:
        The run and its predictor.

    Raises:
        GoodfitError: The device is not there, the data cannot be learnt from, the plan contradicts itself,
            the model cannot be built, the budget is too small for one epoch, or a loader, a loss or a metric
            of the user's own is to go by weights.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> fitted = fit(X, y, max_trainings=8, num_seeds=4, epochs=20)
        >>> fitted.run.test.metric
        'accuracy'
    """
    device_named(device)  # before any data is read
    if isinstance(prescription, str | Path):
        prescription = read_prescription(prescription)
    seconds = budget if budget is not None else (math.inf if max_trainings else USUAL_BUDGET)
    allowed = Budget(seconds=seconds, max_trainings=max_trainings or math.inf, started=clock.monotonic())
    journal = Journal(listener=listener)
    journal.doing("reading the data", fraction=0.0, seconds_left=None)
    is_own = model is not None and (is_loader(source) or (loss is not None and not isinstance(loss, str)))
    wishes = Wishes(task=task, group=group, time=time, seed=seed)  # type: ignore[arg-type]
    if is_own:
        refuse_weights(sample_weight, "a loader or a loss of your own")
        split = load_own(
            source if is_loader(source) else paired(source, y),
            wishes,
            target=None if target is None else str(target),
            validation=validation,
            test=test,
            ignored=ignored_class(loss),
            standardised=loss is None or isinstance(loss, str),
        )
    else:
        refuse_own(loss)
        refuse_same(source, validation)
        split = load(
            source,
            y,
            target=target,
            task=task,  # type: ignore[arg-type]
            test=test,
            validation=validation,
            group=group,
            time=time,
            sample_weight=sample_weight,
            seed=seed,
        )
        if validation is not None:
            refuse_same_parts(split)
    wanted = Wanted(
        model=model,
        network=network,
        hidden=hidden,
        activation=activation,
        rule=rule,
        lr=lr,
        loss=loss,
        optimizer=optimizer,
        metric=metric,
        epochs=epochs,
        batch_size=batch_size or (rows_of_batch(source) if is_own else None),
        class_weights=tuple(class_weights),
    )
    plan, split = own_plan(wanted, split) if is_own else (plan_as_it_is(wanted, split), split)
    if target_metric is not None and plan.loss.scoring is not None and plan.loss.scoring.is_minimised:
        target_metric = -abs(target_metric)
    may_mix = validation is None and group is None and time is None
    case = Case(split=split, budget=allowed, journal=journal, may_mix=may_mix, prescription=prescription)
    return run_recipe(
        plan,
        case,
        target_metric=target_metric,
        num_seeds=num_seeds,
        device=device,
        command=command,
    )
