"""Hold the fixed version itself against the bar of repair.py: how often is a sound network at par?

    python benchmarks/fixed.py [--seeds 2] [--networks 12]

A repaired network has to be at par with the sound plan: not below the mean of three sound networks beyond the
chance of the held-out rows. That chance is not the only one: those three may have begun luckily, and so may
any one network. Here further networks of the sound plan, alike but for their seeds, are measured by it. No
repair whose network is as good as a sound one can be at par more often.
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any

import numpy as np
from machine import write_results
from searching import train
from sick_plans import Patient, patients
from treating import beside, count_processor_time, difference, held_out


def main() -> None:
    """Train sound networks on every split, print who is at par, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2, help="splits of each data set, as in repair.py")
    parser.add_argument("--networks", type=int, default=12, help="sound networks on each split")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    count_processor_time()
    rows = [
        measure(patient, networks=arguments.networks)
        for patient in patients(seeds=arguments.seeds, illnesses=1)
    ]
    show(rows)
    print(write_results("fixed", {"networks": arguments.networks, "rows": rows}))


def measure(patient: Patient, *, networks: int) -> dict[str, Any]:
    """Set further networks of a patient's sound plan beside the mean of those that a repair has to reach."""
    assert patient.healthy is not None
    bar_N, _ = beside(patient.healthy, patient.split, patient)
    found = [train(patient.healthy, patient.split, seed=seed) for seed in range(networks)]
    scores_KN = np.stack([held_out(one, patient.split, patient) for one in found])
    return {
        "data": patient.data,
        "seed": patient.seed,
        "bar": round(float(bar_N.mean()), 4),
        "mean": round(float(scores_KN.mean()), 4),
        "deviation": round(float(scores_KN.mean(1).std(ddof=1)), 4),
        "at_par": sum(difference(bar_N, scores_N)[1] >= 0 for scores_N in scores_KN),
        "networks": networks,
    }


def show(rows: list[dict[str, Any]]) -> None:
    """Print one line for each split, and how many of all networks are at par."""
    print("| data, split | bar | mean of sound networks | deviation | at par |")
    print("|---|---:|---:|---:|---:|")
    for row in rows:
        numbers = " | ".join(f"{row[name]:.3f}" for name in ("bar", "mean", "deviation"))
        print(f"| {row['data']}, {row['seed']} | {numbers} | {row['at_par']} of {row['networks']} |")
    passed, all_of_them = (sum(row[name] for row in rows) for name in ("at_par", "networks"))
    print(f"\nAt par: {passed} of {all_of_them} ({passed / all_of_them:.1%}).")


if __name__ == "__main__":
    main()
