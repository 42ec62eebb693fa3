"""What a script trains on, step by step: how batches are drawn, summed, and let go."""

from __future__ import annotations

from goodfit.diagnosis.finding import Severity
from goodfit.watch.judging.standing import is_unfinished, main_loss
from goodfit.watch.observation import Observation
from goodfit.watch.sighting import Sighting, measured, sighting

FEWEST_KEPT = 4
MOST_KEPT = 0.9
MOST_APART = 0.5
"""Of batches drawn at random about one part in their number of rows lies between them."""


def findings(observation: Observation) -> tuple[Sighting, ...]:
    """Find what is odd about the batches."""
    detectors = [graphs_kept, same_streams]
    if observation.is_over:
        detectors += [summed_loss, unshuffled_batches, spare_outputs]
    return tuple(found for detect in detectors if (found := detect(observation)) is not None)


def summed_loss(observation: Observation) -> Sighting | None:
    """Gradients that grow with the rows of a batch."""
    use = main_loss(observation)
    if use is None or not use.summed_rows or not observation.is_bare:
        return None
    return sighting(
        "GF030",
        f"{use.function} is summed over batches of {use.summed_rows} rows: every step is as many times as "
        "long as with the mean, and changes with the batch size",
        measured("rows summed in a loss", float(use.summed_rows), 1.0),
        place=use.place,
        advice='use reduction="mean", and choose the learning rate for that',
        severity=_if_it_suffered(observation),
    )


def graphs_kept(observation: Observation) -> Sighting | None:
    """Losses that are gathered with all that made them."""
    kept, judged = observation.num_graphs_kept, observation.num_graphs_judged
    if kept < FEWEST_KEPT or kept < MOST_KEPT * judged:
        return None
    use = observation.losses[0] if observation.losses else None
    return sighting(
        "GF031",
        f"the graphs of {kept} of {judged} earlier steps are still alive: memory grows with every step",
        measured("graphs that outlived their step", float(kept), 0.0),
        place=use.place if use else None,
        advice="gather loss.item() or loss.detach(), not the loss itself",
    )


def unshuffled_batches(observation: Observation) -> Sighting | None:
    """Rows that come sorted, so that every batch tells of a few classes only."""
    use = main_loss(observation)
    if use is None or use.apart is None or not use.apart > MOST_APART:
        return None
    return sighting(
        "GF036",
        f"{use.apart:.0%} of what tells targets apart lies between batches, not within them: rows come "
        f"sorted by their targets; limit {MOST_APART:.0%}",
        measured("share of the targets' variance between batches", use.apart, MOST_APART),
        place=use.place,
        advice="shuffle the training rows: DataLoader(..., shuffle=True)",
        severity=_if_it_suffered(observation),
    )


def same_streams(observation: Observation) -> Sighting | None:
    """Workers that all draw the same random numbers."""
    if observation.shared_stream is None:
        return None
    what, num_workers, place = observation.shared_stream
    return sighting(
        "GF037",
        f"{num_workers} workers of a loader each get a copy of {what} in the same state, and draw the same "
        "random numbers",
        measured("workers with the same stream", float(num_workers), 1.0),
        place=place,
        advice="make the generator inside of the worker, from torch.utils.data.get_worker_info().seed",
    )


def spare_outputs(observation: Observation) -> Sighting | None:
    """More outputs than classes."""
    use = main_loss(observation)
    if use is None or not use.is_class_index or len(use.output_shape) != 2 or use.num_calls < 10:
        return None
    num_classes, num_outputs = int(use.target_high) + 1, use.output_shape[1]
    if use.is_target_constant or num_classes >= num_outputs:
        return None
    return sighting(
        "GF038",
        f"{use.function} is given {num_outputs} outputs, and no target seen is above {num_classes - 1}",
        measured("outputs", float(num_outputs), float(num_classes)),
        place=use.place,
        advice="check the number of classes; end the network with one output for each",
    )


def _if_it_suffered(observation: Observation) -> Severity | None:
    return None if is_unfinished(observation) else "info"
