"""Settings learned on other data: of every head, the one that is best in the oracle rows of other runs.

What is averaged is what 'oracle' chooses by, 1 - balanced accuracy.
"""

from __future__ import annotations

import io
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bench.errors import BenchError
from bench.heads import Head, Params
from bench.runs.ledger import read_ledger
from bench.storage.tables import parse_csv
from bench.storage.together import read_member


def learn_settings(
    runs: Sequence[Path], heads: Sequence[Head], shots: Sequence[int], instances: Sequence[str]
) -> dict[tuple[str, int], Params]:
    """Return (head, shots) -> setting, from the ledgers of runs made with --select oracle.

    Of every run the shot level nearest in ratio counts, as the mean over its encoders, draws and noise rates; every
    run weighs the same. instances: of the data the settings are for; BenchError where a run has some of them.
    """
    own = set(instances)
    ledgers = {}
    for run in runs:
        table, units = read_member(run, "instances.parquet"), read_member(run, "units.csv")
        if table is None or units is None:
            raise BenchError(
                f"Got --transfer {run}, which holds no run, or one whose files are damaged; expected a folder such as "
                "results/runs/NAME, whole. Run its `bench run` again."
            )
        ledger, names = read_ledger(run), parse_csv(units)["unit"]
        lacking = names[~names.isin(ledger["unit"] if len(ledger) else [])]
        if len(lacking):
            raise BenchError(
                f"Got --transfer {run}, in whose ledger {len(lacking)} of {len(names)} parts are missing or damaged; "
                f"expected all. `bench leaderboard {shlex.quote(str(run))} --rebuild` makes them again."
            )
        shared = len(own & set(pd.read_parquet(io.BytesIO(table), columns=["instance"])["instance"]))
        if shared:
            raise BenchError(
                f"Got --transfer {run}, which has {shared} instances of this very data; expected other data, as "
                "settings learned on it have seen its labels."
            )
        known = (ledger["selection"] == "oracle") & (ledger["losses"] != "")  # means of units have none
        ledgers[run] = ledger[known & (ledger["series"] == "balanced" if "series" in ledger else True)]
    return {(head.name, n): _least(head, n, ledgers) for head in heads for n in shots}


def _least(head: Head, shots: int, ledgers: Mapping[Path, pd.DataFrame]) -> Params:
    means = []
    for run, ledger in ledgers.items():
        rows = ledger[ledger["head"] == head.name]
        if rows.empty:
            raise BenchError(
                f"Got --transfer {run}, which has no oracle rows of head '{head.name}'; expected a run made with "
                f"--select oracle --head {head.name}."
            )
        away = np.abs(np.log(rows["shots"].to_numpy(float) / shots))
        losses = pd.DataFrame([json.loads(text) for text in rows["losses"][away == away.min()]])
        means.append(losses.mean())
    loss = pd.concat(means, axis=1, join="inner").mean(axis=1)
    known = {json.dumps(dict(setting), sort_keys=True): setting for setting in (head.default, *head.grid)}
    loss = loss[[text for text in known if text in loss.index]]
    if loss.empty:
        raise BenchError(f"Got --transfer runs with settings of '{head.name}' of another version; make them again.")
    return known[str(loss.idxmin())]
