"""A table of words, numbers and gaps: fit it, read the answers, predict, and leave with plain PyTorch.

python examples/table.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import goodfit
from goodfit.interop.eject import eject
from goodfit.store.folder import save


def make_table(num_rows: int = 400) -> pd.DataFrame:
    """Members of a club, some of whom come back; age is not always known."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "age": rng.normal(40, 12, num_rows).round(),
            "town": rng.choice(["Bonn", "Oslo", "Rome"], num_rows),
            "joined": pd.date_range("2020-01-01", periods=num_rows, freq="D"),
        }
    )
    comes = (table["town"] == "Rome") ^ (table["age"] > 45)
    table["returns"] = np.where(comes | (rng.random(num_rows) < 0.05), "yes", "no")
    table.loc[::10, "age"] = np.nan
    return table


def main(**budget: float) -> None:
    """Run the recipe on the table."""
    table = make_table()
    fitted = goodfit.fit(table, target="returns", **(budget or {"budget": 30}))
    run = fitted.run
    print("good on training data:", run.good_on_training)
    print("good on testing data: ", run.good_on_testing)
    for verdict in run.prescription:
        print(f"  {verdict.sentence}: {verdict.effect.value:+.3f}")
    if run.test is not None:
        score = run.test.score
        print(f"sealed test: {score.value:.3f} ({score.low:.3f} to {score.high:.3f})")
    new = pd.DataFrame({"age": [30, None], "town": ["Rome", "Paris"], "joined": ["2021-05-01", None]})
    print(fitted.predict(new).round(3).to_string(index=False))
    with tempfile.TemporaryDirectory() as place:
        folder = save(fitted, Path(place) / "run")
        script, _ = eject(folder, Path(place) / "club.py")
        print(len(script.read_text(encoding="utf-8").splitlines()), "lines of plain PyTorch")


if __name__ == "__main__":
    main()
