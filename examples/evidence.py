"""Read what a run has shown: answers, trials with their intervals, and what was left untried.

    python examples/evidence.py [RUN]

The record opens without torch. Without a folder, a small run is made first.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from goodfit.store.record import load_run


def make_run(folder: Path, **budget: float) -> Path:
    """Make a small run on the flowers that scikit-learn ships."""
    from sklearn.datasets import load_iris

    import goodfit
    from goodfit.store.folder import save

    flowers = load_iris(as_frame=True).frame
    fitted = goodfit.fit(
        flowers, target="target", hidden=(8,) * 6, activation="sigmoid", **(budget or {"budget": 30})
    )
    return save(fitted, folder)


def tell(folder: Path) -> None:
    """Print the evidence of a run."""
    run = load_run(folder)
    for answer in run.answers:
        print(f"round {answer.round}: good results on {answer.question} data? {answer.reason}")
    print(f"\n{'remedy':<22}{'outcome':<11}{'effect':>8}  {'interval':<18}{'p, corrected':>12}")
    for verdict in run.verdicts:
        effect = verdict.effect
        between = f"{effect.low:+.3f} to {effect.high:+.3f}"
        print(
            f"{verdict.remedy:<22}{verdict.outcome:<11}{effect.value:>+8.3f}  {between:<18}"
            f"{verdict.p_adjusted:>12.3f}{'  kept' if verdict.kept else ''}"
        )
    print(f"\nuntried: {', '.join(name for name, _ in run.untried) or 'nothing'}")
    print(f"stopped because {run.stopped_because}, after {run.num_trainings} trainings")


def main(folder: str | None = None, **budget: float) -> None:
    """Tell a run that is there, or one made on the spot."""
    if folder is not None:
        tell(Path(folder))
        return
    with tempfile.TemporaryDirectory() as place:
        tell(make_run(Path(place) / "run", **budget))


if __name__ == "__main__":
    main(*sys.argv[1:2])
