"""Patterns that only a comparison of trainings can show."""

from __future__ import annotations

from goodfit.diagnosis.entry import entry

IN_COMPARISONS = (
    entry(
        "GF120",
        "depth-trouble",
        "warning",
        "a net with fewer layers does better on training data",
        "shallower skip batch-norm relu he-init adam layer-norm",
    ),
    entry(
        "GF121",
        "noisy-gradients",
        "warning",
        "larger batches in as many steps reach a far lower training loss",
        "cosine lr-down averaging adam",
    ),
    entry(
        "GF122",
        "rate-too-high",
        "warning",
        "a lower learning rate alone trains better",
        "lr-down cosine adam",
    ),
    entry(
        "GF123",
        "rate-too-low",
        "warning",
        "a higher learning rate alone trains better",
        "lr-up adam momentum longer",
    ),
    entry(
        "GF205",
        "too-few-rows",
        "warning",
        "validation scores still grow with the number of training rows",
        "ensemble input-dropout dropout label-smoothing",
        "testing",
    ),
    entry(
        "GF207",
        "over-regularised",
        "warning",
        "without regularisation training and validation scores are higher",
        "",
        "testing",
    ),
)
"""Entries of comparisons."""
