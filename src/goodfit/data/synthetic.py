"""Small data made or shipped here, for the demo and for tests."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits

from goodfit.data.arrays import pair
from goodfit.data.assembly import Wishes, assemble
from goodfit.data.split import Split
from goodfit.data.splits import Division
from goodfit.seeds import numpy_stream

PATIENT_ROWS = 200
PATIENT_VALIDATION_ROWS = 798
PIXEL_NOISE = 2.0
WRONG_LABELS = 0.2


def digits_split(seed: int = 0) -> Split:
    """Split the 1,797 handwritten digits that scikit-learn ships, 8 x 8 grey values in a row.

    Reference:
        Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998.
    """
    x_ND, y_N = load_digits(return_X_y=True)
    return assemble(pair(x_ND, y_N, name="digit"), Wishes(seed=seed), name="digits", kind="arrays")


def overfit_patient(seed: int = 0) -> Split:
    """Make a patient that learns by heart: digits under noise, of which only 200 train.

    Pixels get normal noise and a fifth of the labels is wrong, in all parts alike, so a wide network
    can reach every training label only by learning the noise.
    """
    random = numpy_stream(seed, "overfit patient")
    x_ND, y_N = load_digits(return_X_y=True)
    x_ND = x_ND + random.normal(0.0, PIXEL_NOISE, x_ND.shape)
    is_wrong = random.random(len(y_N)) < WRONG_LABELS
    y_N = np.where(is_wrong, (y_N + random.integers(1, 10, len(y_N))) % 10, y_N)
    train, validation, test = np.split(
        random.permutation(len(y_N)), [PATIENT_ROWS, PATIENT_ROWS + PATIENT_VALIDATION_ROWS]
    )
    division = Division(train=np.sort(train), validation=np.sort(validation), test=np.sort(test))
    source = pair(x_ND.astype(np.float32), y_N, name="digit")
    return assemble(source, Wishes(seed=seed), name="noisy digits", kind="arrays", division=division)


def mixed_table(num_rows: int = 400, *, seed: int = 0) -> pd.DataFrame:
    """Make a table with a column of every kind, some cells missing, and a ``target`` of yes and no."""
    random = numpy_stream(seed, "mixed table")
    age = random.normal(40, 12, num_rows).round(1)
    income = np.exp(random.normal(8, 2, num_rows))
    city = random.choice([f"city {place}" for place in range(30)], num_rows)
    colour = random.choice(["blue", "green", "red"], num_rows)
    is_member = random.random(num_rows) < 0.4
    score = (age - 40) / 12 + np.log(income) - 8 + 2 * (colour == "red") + random.normal(0, 0.5, num_rows)
    frame = pd.DataFrame(
        {
            "id": np.arange(1000, 1000 + num_rows),
            "age": np.where(random.random(num_rows) < 0.05, np.nan, age),
            "income": income,
            "city": city,
            "colour": pd.Series(colour, dtype="str").mask(random.random(num_rows) < 0.05),
            "member": is_member,
            "joined": pd.Timestamp("2020-01-01")
            + pd.to_timedelta(random.integers(0, 900, num_rows), unit="D"),
            "comment": [f"note number {place} on {name}" for place, name in enumerate(city)],
            "country": "Utopia",
        }
    )
    return frame.assign(target=np.where(score > np.median(score), "yes", "no"))
