"""The mean over all numbers of labels of a run: encoders against every row of the baselines, paired.

The score of an encoder and head is the mean of its balanced accuracies over the numbers of labels. Right answers are
averaged over them for every draw, group and class, before anything is compared, so that intervals know how alike the
numbers of labels are. Draws are nested: what a draw learned from is what it learned from with the most labels. So the
intervals, for new groups to learn from and to be tested on, are those of one number of labels with other counts
(`bench.report.tables.paired`). Of an encoder's heads the one with the higher mean is compared.

An encoder is better than every row of the baselines where all of its intervals are above 0; that needs no
adjustment for their number, as all have to hold at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bench.report.pages.markdown import table_lines
from bench.report.pages.numbers import gain, points, signed_interval
from bench.report.tables.answers import answers_of
from bench.report.tables.paired import differences_from_first
from bench.report.tables.sides import Sides
from bench.runs.record import RunRecord, read_record_of
from bench.statistics.comparison import Comparison

Row = tuple[str, str]  # encoder, head


def against_baselines(run: Path, encoders: Mapping[str, str]) -> pd.DataFrame:
    """Return a row for each of some encoders and each row of the other, trivial ones of a run."""
    record = read_record_of(run)
    rows, right, rho, most = mean_of_levels(run, record)
    score = {row: score_of(right[i], most) for i, row in enumerate(rows)}
    baselines = [row for row in rows if record.facts.encoders[row[0]].trivial and row[0] not in encoders]
    found = []
    for name in encoders:
        own = max((row for row in rows if row[0] == name), key=score.__getitem__)
        at = [rows.index(row) for row in (own, *baselines)]
        for row, paired in zip(baselines, differences_from_first(most, right[at], rho[at]), strict=True):
            found.append({
                "encoder": name, "head": own[1], "score": score[own], "baseline": row[0], "its head": row[1],
                "its score": score[row], "difference": -paired["difference"], "low": -paired["ci_high"],
                "high": -paired["ci_low"],
            })  # fmt: skip
    return pd.DataFrame(found)


def mean_of_levels(run: Path, record: RunRecord) -> tuple[list[Row], np.ndarray, np.ndarray, Comparison]:
    """Return the rows (M) of a run, their right answers (M, S, G, K) and rho (M,) in the mean over the numbers of labels,
    and the answers with the most labels, for what was learned from and tested."""
    sides = Sides.of(record.table, record.plan, record.facts)
    units = [unit for unit in record.units if unit.shots]
    right, rho, rows, answers = [], [], [], None
    for shots in sorted({unit.shots for unit in units}):
        block = [unit for unit in units if unit.shots == shots]
        answers = answers_of(run, sides, record.facts, block)[1][0]
        named = [(unit.encoder, unit.head) for unit in block]
        rows = rows or named
        order = [named.index(row) for row in rows]
        right.append(answers.hits.right[order])
        rho.append(np.zeros(len(rows)) if answers.rho is None else answers.rho[order])
    assert answers is not None
    return rows, np.mean(right, 0), np.mean(rho, 0), answers


def score_of(right: np.ndarray, answers: Comparison) -> float:
    """Return the balanced accuracy of right answers (S, G, K)."""
    total = answers.hits.total.sum(0)
    return float((right.mean(0).sum(0)[total > 0] / total[total > 0]).mean())


def print_over_labels(table: pd.DataFrame, rungs: Mapping[str, str], detailed: Sequence[str]) -> None:
    """Print what every encoder is beside its nearest baseline, then some encoders beside every one."""
    rows = []
    for name, of_set in table.groupby("set", sort=False):
        for rung, what in rungs.items():
            own = of_set[of_set["encoder"] == rung]
            best, least = own.loc[own["its score"].idxmax()], own.loc[own["low"].idxmin()]
            rows.append([
                name, what, best["head"], points(best["score"]), row_of(best), gain(best["difference"]),
                signed_interval(best["low"], best["high"]), row_of(least),
                signed_interval(least["low"], least["high"]), f"{(own['low'] > 0).sum()} of {len(own)}",
            ])  # fmt: skip
    head = ["set", "encoder", "head", "mean over labels", "best baseline", "against it", "95% interval",
            "baseline with the lowest limit", "95% interval", "baselines below it, by their interval"]  # fmt: skip
    print(f"\n{table_lines([head, *rows])}\n")
    rows = []
    for (name, *row), own in table[table["encoder"].isin(detailed)].groupby(["set", "baseline", "its head"], sort=False):
        by = own.set_index("encoder").loc[list(detailed)]
        rows.append([name, " ".join(map(str, row)), points(by["its score"].iloc[0]), *(
            text for _, one in by.iterrows() for text in (gain(one["difference"]), signed_interval(one["low"], one["high"]))
        )])  # fmt: skip
    head = ["set", "baseline", "mean over labels", *(text for name in detailed for text in (f"`{name}`", "95% interval"))]
    print(table_lines([head, *rows]))


def row_of(row: pd.Series) -> str:
    """Return the name of a row of the baselines."""
    return f"{row['baseline']} {row['its head']}"
