"""When to look inside the layers, so that looking costs a set share of the training.

The cost is counted, not timed: with the same plan and data a training is probed at the same epochs on every
machine, so that its history repeats.
"""

from __future__ import annotations

SHARE = 0.02
"""Share of the time of all steps that probes may take."""
FEWEST, MOST = 4, 16
"""Of a training of few steps even four looks cost more than the share; without them nothing is known."""
MEASURING = 1.2
"""What a pass over rows costs when the layers are measured, over what it costs in a step: 0.7 to 1.3 for
stacks of 8 and 32 networks of 32 to 512 units, less for one network."""


def probe_cost(*, probe_rows: int, batch_size: int) -> float:
    """Count the steps that one probe costs.

    A step costs its rows, and about as much again for what does not depend on them: the update, and the
    calls themselves.

    Args:
        probe_rows: Rows that a probe looks at.
        batch_size: Rows of a step.

    Example:
        >>> probe_cost(probe_rows=128, batch_size=128)
        2.4
    """
    return MEASURING * (1 + probe_rows / batch_size)


def probed_epochs(
    *,
    epochs: int,
    every: int,
    steps_per_epoch: int,
    batch_size: int,
    probe_rows: int,
    share: float = SHARE,
) -> frozenset[int]:
    """Choose the epochs after which the layers are probed.

    Args:
        epochs: Epochs of the training.
        every: Epochs between two points of the learning curve; only there is a probe taken.
        steps_per_epoch: Steps of an epoch.
        batch_size: Rows of a step.
        probe_rows: Rows that a probe looks at.
        share: Share of the steps' cost that all probes together may have.

    Returns:
        Evenly spread epochs, among them 0 (before any step), the first that is measured, and the last.

    Example:
        >>> sorted(probed_epochs(epochs=60, every=1, steps_per_epoch=67, batch_size=16, probe_rows=128))
        [0, 1, 12, 24, 36, 48, 60]
    """
    allowed = share * epochs * steps_per_epoch / probe_cost(probe_rows=probe_rows, batch_size=batch_size)
    count = int(min(MOST, max(FEWEST, allowed)))
    spread = {round(place * epochs / (count - 2) / every) * every for place in range(count - 1)}
    return frozenset({min(epoch, epochs) for epoch in spread} | {min(every, epochs), epochs})
