"""Repair sick networks, beside retraining unchanged, random search and Optuna in the same time.

    python benchmarks/repair.py [--quick] [--json] [--trainings 2] [--seeds 3] [--jobs 2] [--again]
        [--least 1] [--ward FOLDER] [--alone]

A patient is sick if the same plan without the illness scores higher on held-out rows, beyond the chance
of those rows. It is repaired if the network handed back scores higher than the plan as it is, beyond
chance, and is not below the healthy plan beyond chance; harmed if it scores lower than the plan as it is.
Every method has as much time as ``--trainings`` trainings of the plan as it is take in a plain loop, but
``--least`` seconds in any case: 30 is what a person allows who waits for the answer.
Every patient's row is written as soon as it is there, and a run that was cut short goes on where it
ended (``--again`` begins anew). Optuna is left out, and said, where it is not installed.
``--alone`` leaves the other methods out, for a quarter of the time.
With ``--ward`` the patients are the real programs that ``ward.jsonl`` in that folder describes (see ward.py);
those that are no patients are named, with the reason.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from machine import RESULTS, keep_row, kept_rows, write_results
from repair_table import show, summarise
from sick_plans import Patient, patients
from treating import count_processor_time, methods, treat
from ward import build
from ward_patients import records_of, ward_patients

QUICK = {"seeds": 1, "illnesses": 5, "num_data": 2}
QUICK_PROGRAMS = 8


def main() -> None:
    """Treat every patient, print the table and the summary, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="ten patients, about a minute; no record")
    parser.add_argument("--json", action="store_true", help="print nothing but the summary as JSON")
    parser.add_argument("--trainings", type=float, default=2.0, help="time of a method, in trainings")
    parser.add_argument("--least", type=float, default=1.0, help="seconds of a method in any case")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=len(_cores()))
    parser.add_argument("--again", action="store_true", help="forget the rows of an earlier run")
    parser.add_argument("--alone", action="store_true", help="goodfit only; a record of its own")
    parser.add_argument("--ward", type=Path, help="a folder with ward.jsonl and build.py")
    arguments = parser.parse_args()
    count_processor_time()  # and one thread, before processes are forked
    ward = _ward(arguments)
    names = methods()[:1] if arguments.alone else methods()
    least = "" if arguments.least == 1 else f"-{arguments.least:g}s"
    patients_of = "ward-" if arguments.ward else ""
    name = f"repair-{patients_of}{arguments.trainings:g}{least}{'-alone' * arguments.alone}"
    kept = None if arguments.quick else RESULTS / f"{name}.jsonl"
    if kept is not None and arguments.again:
        kept.unlink(missing_ok=True)
    told = (lambda row: None) if arguments.json else _tell
    means = {"trainings": arguments.trainings, "least": arguments.least, "names": names}
    rows = treat_all(ward, means, jobs=arguments.jobs, kept=kept, told=told)
    summary = summarise(rows, names)
    if arguments.json:
        print(json.dumps(summary))
    else:
        show(rows, summary, names)
    if kept is not None:
        times = {"trainings": arguments.trainings, "least_seconds": arguments.least}
        record = {**times, "summary": summary, "rows": rows}
        print(write_results(name, record))


def _ward(arguments: argparse.Namespace) -> list[Patient]:
    if not arguments.ward:
        return patients(**QUICK) if arguments.quick else patients(seeds=arguments.seeds)
    records, found = records_of(arguments.ward), []
    records = records[:QUICK_PROGRAMS] if arguments.quick else records
    with tempfile.TemporaryDirectory() as folder:
        build(arguments.ward, Path(folder), records)
        for seed in range(1 if arguments.quick else arguments.seeds):
            those, others = ward_patients(Path(folder), records, seed=seed)
            found += those
    if not arguments.json:
        for program, reason in others.items():
            print(f"no patient: {program}: {reason}", flush=True)
    return found


def treat_all(
    ward: list[Patient],
    means: dict[str, Any],
    *,
    jobs: int,
    kept: Path | None,
    told: Callable[[dict[str, Any]], object],
) -> list[dict[str, Any]]:
    """Treat the patients that are not in the file of rows, in as many processes as jobs; returns all rows.

    ``means`` are the arguments of :func:`treating.treat`.
    """
    rows = kept_rows(kept)
    known = {(row["illness"], row["data"], row["seed"]) for row in rows}
    places = [i for i, p in enumerate(ward) if (p.illness, p.data, p.seed) not in known]
    places.sort(key=lambda place: ward[place].seed)  # what a run that is cut leaves out is further splits
    with ProcessPoolExecutor(
        jobs, mp_context=multiprocessing.get_context("fork"), initializer=_begin, initargs=(ward,)
    ) as pool:
        for done in as_completed([pool.submit(_treat_place, place, means) for place in places]):
            rows.append(done.result())
            told(rows[-1])
            keep_row(kept, rows[-1])
    return rows


_WARD: list[Patient] = []
"""The patients, in every process of the pool: they hold functions, which cannot be sent."""


def _begin(ward: list[Patient]) -> None:
    warnings.filterwarnings("ignore")
    _WARD[:] = ward
    cores = _cores()
    if hasattr(os, "sched_setaffinity"):
        identity = multiprocessing.current_process()._identity[0]
        os.sched_setaffinity(0, {cores[identity % len(cores)]})
    count_processor_time()


def _tell(row: dict[str, Any]) -> None:
    scores = [f"{name} {told['score']}" for name, told in row["methods"].items()]
    goodfit = row["methods"]["goodfit"]
    state = "repaired" if goodfit["repaired"] else "harmed" if goodfit["harmed"] else "not repaired"
    print(
        f"{row['illness']}, {row['data']}, {row['seed']}: {state if row['sick'] else 'not sick'}; "
        f"was {row['unchanged']}, healthy {row.get('healthy')}; {', '.join(scores)}; "
        f"{goodfit['time ratio']} x; {goodfit.get('prescription', goodfit.get('error'))}",
        flush=True,
    )


def _treat_place(place: int, means: dict[str, Any]) -> dict[str, Any]:
    return treat(_WARD[place], **means)


def _cores() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


if __name__ == "__main__":
    main()
