"""The training loop itself: gradients, modes, optimizers and schedulers."""

from __future__ import annotations

from goodfit.watch.observation import Observation
from goodfit.watch.sighting import Sighting, measured, sighting
from goodfit.watch.uses import NetworkUse, OptimizerUse, ParameterUse

FEWEST_STALE = 3
STALE = 0.9
FEWEST_CALLS = 3
IN_WRONG_MODE = 0.3
FEWEST_STEPS = 5
MOST_NAMES = 3


def findings(observation: Observation) -> tuple[Sighting, ...]:
    """Find mistakes of the loop."""
    several = [
        *(stale_gradients(use) for use in observation.optimizers),
        *(training_in_eval_mode(use) for use in observation.networks),
        *(evaluation_in_train_mode(use) for use in observation.networks),
        *(lone_rows(use) for use in observation.networks),
        parameters_left_out(observation),
        unused_parameters(observation),
        parameters_stand_still(observation),
        negated_loss(observation),
        early_scheduler(observation),
        non_finite_loss(observation),
        *(non_finite_inputs(use) for use in observation.networks),
    ]
    return tuple(found for found in several if found is not None)


def stale_gradients(use: OptimizerUse) -> Sighting | None:
    """Gradients that were not cleared between steps; several backward passes for one step are no such."""
    if use.num_stale < FEWEST_STALE or use.num_stale < STALE * use.num_judged:
        return None
    return sighting(
        "GF015",
        f"{use.num_stale} of {use.num_judged} steps of {use.kind} used the gradients of the step before too",
        measured("steps with stale gradients", float(use.num_stale), 0.0),
        place=use.place,
        advice="call optimizer.zero_grad() once before the backward pass of each step",
    )


def training_in_eval_mode(use: NetworkUse) -> Sighting | None:
    """Steps taken with dropout and batch-norm switched off."""
    count = use.num_training_in_eval
    if not use.has_modes or count < FEWEST_CALLS or count < IN_WRONG_MODE * use.num_training:
        return None
    return sighting(
        "GF016",
        f"{use.name} was in evaluation mode in {count} of {use.num_training} training calls looked at",
        measured("share of training calls in evaluation mode", count / use.num_training, 0.0),
        place=use.place,
        advice="call model.train() at the start of every epoch",
    )


def evaluation_in_train_mode(use: NetworkUse) -> Sighting | None:
    """A network judged with dropout or batch-norm at work."""
    count = use.num_evaluations_in_train
    if not use.has_modes or not count or count < use.num_evaluations or use.num_training < FEWEST_CALLS:
        return None
    return sighting(
        "GF017",
        f"{use.name}, which has dropout or batch-norm, was evaluated {count} times in training mode",
        measured("evaluations in training mode", float(count), 0.0),
        place=use.evaluation_place,
        advice="call model.eval() before evaluating and model.train() after",
    )


def lone_rows(use: NetworkUse) -> Sighting | None:
    """Batch-norm that normalises one row by itself."""
    if not use.has_batch_norm or use.largest_batch != 1 or use.num_training - use.num_training_in_eval < 3:
        return None
    return sighting(
        "GF024",
        "batch-norm was trained with batches of 1 row; it needs 2 to know how rows differ",
        measured("rows of a batch", 1.0, 2.0),
        place=use.place,
        advice="use larger batches, or layer-norm or group-norm",
    )


def parameters_left_out(observation: Observation) -> Sighting | None:
    """Trainable parameters that receive gradients and are in no optimizer that steps."""
    left_out = [
        use
        for use in observation.parameters
        if use.is_trainable and use.had_gradient and not use.is_optimized
    ]
    if not left_out or observation.num_steps < FEWEST_STEPS or not observation.is_over:
        return None
    return sighting(
        "GF018",
        f"{_count(left_out)} with gradients, {_names(left_out)}, in no optimizer: no step changes them",
        measured("parameters left out", float(len(left_out)), 0.0, layer=left_out[0].name),
        place=observation.optimizers[0].place if observation.optimizers else None,
        advice="hand them to the optimizer; register layers with nn.ModuleList, or freeze them with "
        "requires_grad_(False) if that is meant",
        # a frozen backbone in front of a trained head is often meant
        severity="info" if _is_backbone(observation.parameters) else None,
    )


def _is_backbone(parameters: tuple[ParameterUse, ...]) -> bool:
    flags = [use.is_optimized for use in parameters if use.is_trainable]
    first = flags.index(True) if True in flags else len(flags)
    return all(use.is_registered for use in parameters) and first > 0 and all(flags[first:])


def unused_parameters(observation: Observation) -> Sighting | None:
    """Parameters in the optimizer that no gradient ever reached."""
    unused = [
        use
        for use in observation.parameters
        if use.is_trainable and use.is_optimized and not use.is_reached and use.movement == 0.0
    ]
    if not unused or observation.num_steps < FEWEST_STEPS or not observation.is_over:
        return None
    is_all = len(unused) == sum(use.is_optimized for use in observation.parameters)
    return sighting(
        "GF009",
        f"no gradient ever reached {_names(unused)}, {_count(unused)}",
        measured("parameters without gradient", float(len(unused)), 0.0, layer=unused[0].name),
        place=observation.networks[0].place if observation.networks else None,
        advice="use them in forward, look for a detach() or no_grad() between them and the loss, "
        "or remove them",
        severity="error" if is_all else None,
    )


def parameters_stand_still(observation: Observation) -> Sighting | None:
    """Parameters with gradients, in an optimizer, that did not move."""
    still = [
        use
        for use in observation.parameters
        if use.is_trainable and use.is_optimized and use.had_gradient and use.movement == 0.0
    ]
    if not still or observation.num_steps < FEWEST_STEPS or not observation.is_over:
        return None
    return sighting(
        "GF019",
        f"{_count(still)}, {_names(still)}, did not move in {observation.num_steps} steps",
        measured("parameters that did not move", float(len(still)), 0.0, layer=still[0].name),
        place=observation.optimizers[0].place if observation.optimizers else None,
        advice="check the learning rate of their group, and that the optimizer holds these very tensors",
    )


def negated_loss(observation: Observation) -> Sighting | None:
    """A loss that is made larger."""
    if not observation.is_negated or len(observation.optimizers) != 1:
        return None
    first = observation.losses[0]
    return sighting(
        "GF022",
        f"what is sent backward is {first.function} with its sign turned: every step makes the loss larger",
        measured("loss sent backward over the loss", -1.0, 1.0),
        place=first.place,
        advice="send the loss backward as it is",
    )


def early_scheduler(observation: Observation) -> Sighting | None:
    """A scheduler that skips the first learning rate."""
    if observation.early_schedule is None:
        return None
    return sighting(
        "GF023",
        "the scheduler stepped before the optimizer had taken 1 step: the first learning rate is skipped",
        measured("optimizer steps before the scheduler's", 0.0, 1.0),
        place=observation.early_schedule,
        advice="call scheduler.step() after optimizer.step()",
    )


def non_finite_loss(observation: Observation) -> Sighting | None:
    """The first step whose loss is no number, and the layer that broke."""
    broken = observation.nonfinite
    if broken is None:
        return None
    where = ""
    if broken.layer is not None:
        where = f"; the first layer seen to break is {broken.layer}"
        where += ", whose weights are no numbers any more" if broken.in_weights else ""
    return sighting(
        "GF021",
        f"the loss became NaN or infinite at step {broken.step}{where}",
        measured("step of the first loss that is no number", float(broken.step), 0.0, layer=broken.layer),
        place=broken.place,
        advice="lower the learning rate, clip gradients, and look for log(0), division by 0 and inputs "
        "that are NaN",
    )


def non_finite_inputs(use: NetworkUse) -> Sighting | None:
    """NaN or infinity among the inputs of training."""
    if use.inputs is None or not use.inputs.num_nonfinite:
        return None
    return sighting(
        "GF005",
        f"{use.inputs.num_nonfinite} input values are NaN or infinite; every loss they touch is too",
        measured("input values that are NaN or infinite", float(use.inputs.num_nonfinite), 0.0),
        place=use.place,
        advice="replace or drop them before training",
    )


def _count(uses: list[ParameterUse]) -> str:
    return "1 parameter" if len(uses) == 1 else f"{len(uses)} parameters"


def _names(uses: list[ParameterUse]) -> str:
    names = ", ".join(use.name for use in uses[:MOST_NAMES])
    return f"{names} and {len(uses) - MOST_NAMES} more" if len(uses) > MOST_NAMES else names
