"""What is looked for, in the words people use, and by which finding: a table for the docs.

    python benchmarks/phrases.py

Beside each finding stand the illness or mistake that is planted to raise it, and the healthy twin that must
not. How often each is right is measured by ``diagnosis.py`` (runs of the recipe) and ``scripts.py``.
"""

from __future__ import annotations

from illnesses import PATIENTS, TWINS_OF_COMPARISON
from mistakes import MISTAKES

from goodfit.diagnosis.catalogue import CATALOGUE

HARNESS = {
    "loss at the start far from what is expected": "GF001",
    "cannot learn even one batch by heart": "GF002",
    "constant inputs": "GF003",
    "unscaled inputs": "GF004",
    "inputs that are NaN or infinite": "GF005",
    "duplicated inputs": "GF040",
    "labels out of range": "GF027",
    "constant labels": "GF025",
    "sorted labels": "GF041 GF036",
    "labels shuffled against the rows": "GF029",
    "imbalanced labels": "GF007",
    "targets far from the size of a fresh answer": "GF028",
    "training rows also in validation": "GF006",
    "batches not shuffled": "GF036",
    "the same random stream in every loader worker": "GF037",
    "samples of a batch leak into each other, by gradient": "GF008",
    "[N, 1] against [N] in the loss": "GF012",
    "softmax before cross-entropy": "GF010",
    "raw scores into BCE or NLL": "GF011",
    "an output activation that does not fit the targets": "GF013",
    "wrong output size": "GF014 GF038",
    "the same answer for every row": "GF026",
    "summed instead of mean loss": "GF030",
    "the sign of the loss turned": "GF022",
    "loss detached": "GF009",
    "graph kept alive": "GF031",
    "parameters missing from the optimizer": "GF018",
    "parameters frozen": "GF039",
    "parameters that never receive a gradient": "GF009",
    "parameters that never change": "GF019",
    "parameters listed twice": "GF032",
    "zero_grad missing": "GF015",
    "evaluation in train mode": "GF017",
    "training in eval mode": "GF016",
    "scheduler before the optimizer": "GF023",
    "scheduler down to zero": "GF033",
    "learning rate out of range for the rule": "GF020",
    "weight decay on norm and bias": "GF034",
    "Adam with L2 meant as decay": "GF035",
    "symmetric or zero initial weights": "GF042",
    "badly scaled initial weights": "GF043",
    "batch size 1 with batch-norm": "GF024",
    "NaN: the first step and layer, under AMP too": "GF021",
}
TRAINING = {
    "vanishing gradients": "GF101",
    "exploding gradients": "GF102",
    "dying units": "GF103",
    "saturated units": "GF104",
    "dead layers": "GF105",
    "update-to-weight ratio too small": "GF106",
    "update-to-weight ratio too large": "GF107",
    "plateau": "GF108 GF113",
    "slow convergence": "GF109 GF115",
    "oscillation": "GF110",
    "divergence": "GF111",
    "learning rate too high, by experiment": "GF122",
    "learning rate too low, by experiment": "GF123",
    "capacity too small": "GF112",
    "worse than a straight line or nearest neighbours": "GF114",
    "optimisation trouble: a shallower net does better": "GF120",
    "gradient noise too large for the batch": "GF121",
}
TESTING = {
    "overfitting, the gap with an interval": "GF201",
    "overtraining: validation loss turned, and where": "GF202",
    "too little data: slope of the learning curve": "GF205",
    "validation too small to tell": "GF203",
    "regularisation has nothing to give back": "GF204",
    "training and validation rows differ": "GF206",
    "over-regularised": "GF207",
    "calibration poor": "GF208",
}
PHRASES = {**HARNESS, **TRAINING, **TESTING}
"""Codes by phrase, separated by spaces."""
THIRTY = "the thirty networks"


def main() -> None:
    """Print the table."""
    print("\n".join(table()))


def table() -> list[str]:
    """Write the table, one line a finding."""
    lines = [
        "| looked for | finding | asked of | planted | healthy twin |",
        "| --- | --- | --- | --- | --- |",
    ]
    for phrase, codes in PHRASES.items():
        for code in codes.split():
            for asked_of, planted, twin in planted_for(code):
                cells = (phrase, f"{code} {CATALOGUE[code].name}", asked_of, planted, twin)
                lines.append(f"| {' | '.join(cells)} |")
    return lines


def planted_for(code: str) -> list[tuple[str, str, str]]:
    """Say of what a finding is asked, what is planted for it there, and which twin must not raise it."""
    twins = {twin.code: twin.illness for twin in TWINS_OF_COMPARISON}
    of_runs = [p.illness for p in PATIENTS if p.code == code]
    of_scripts = [(m.words, m.right) for m in MISTAKES if m.code == code]
    found = [("runs", "; ".join(of_runs), twins.get(code, THIRTY))] if of_runs else []
    if of_scripts:
        words, rights = zip(*of_scripts, strict=True)
        found.append(("scripts", "; ".join(words), "; ".join(dict.fromkeys(rights))))
    return found


if __name__ == "__main__":
    main()
