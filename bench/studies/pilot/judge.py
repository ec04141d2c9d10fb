"""What every arm of a pilot is worth beside the base: paired differences, for new slides and other trainings.

Right answers are averaged over the trainings of an arm and over the heads before arms are compared. Another pilot would
have other slides, for which `bench.report.tables.paired` has an interval, and other trainings, each from a seed of its
own. Their squares add: a limit lies away from the difference by

    sqrt( (limit for new slides)^2 + (t s / sqrt(n))^2 )

with s the deviation of the n trainings' differences and t of n - 1 degrees of freedom. The difference in the mean over
numbers of labels has the mean of their limits for new slides, as if these were wrong together, which they are in part:
so its interval is rather too wide than too narrow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bench.report.tables.paired import differences_from_first
from bench.runs.record import RunRecord
from bench.statistics.quantiles import student
from bench.studies.ablate.effects import ALL_HEADS, judged_levels

ALL_LEVELS = 0  # in the place of a number of labels: the mean over all
COLUMNS = (
    "arm", "head", "shots", "trainings", "balanced_accuracy", "base", "difference", "ci_low", "ci_high",
    "ci_slides_low", "ci_slides_high", "spread_of_trainings",
)  # fmt: skip


def contrasts(folder: Path, record: RunRecord, arms: Mapping[str, Sequence[str]], base: str) -> pd.DataFrame:
    """Return a row COLUMNS per arm, head and number of labels, and for the mean over numbers of labels.

    arms: the encoders of every arm, one a training, by its name; `base` is one of them. Arms that the run lacks have no
    rows. ci_slides_low, ci_slides_high: limits for new slides and these very trainings. spread_of_trainings: the
    deviation of their differences, NaN of one.
    """
    there = {arm: [name for name in names if name in record.facts.encoders] for arm, names in arms.items()}
    there = {base: there[base], **{arm: names for arm, names in there.items() if names and arm != base}}
    names = [name for own in there.values() for name in own]
    at = {arm: [names.index(name) for name in own] for arm, own in there.items()}
    rows, trained = [], {}
    for judged in judged_levels(folder, record, names):
        right = np.stack([judged.right[own].mean(0) for own in at.values()])
        rho = np.array([judged.rho[own].mean() for own in at.values()])
        found = differences_from_first(judged.answers, right, rho)
        each = differences_from_first(
            judged.answers, np.concatenate([right[:1], judged.right]), np.concatenate([rho[:1], judged.rho])
        )
        for arm, row in zip(list(at)[1:], found, strict=True):
            own = np.array([each[i]["difference"] for i in at[arm]])
            trained[arm, judged.head, judged.shots] = own
            rows.append({"arm": arm, "head": judged.head, "shots": judged.shots, "trainings": len(own), **row})
    table = pd.DataFrame(rows)
    means = [_over_levels(own, trained) for _, own in table.groupby(["arm", "head"], sort=False)]
    table = pd.concat([table, pd.DataFrame(means)], ignore_index=True)
    wide = [widened(row, trained[row["arm"], row["head"], row["shots"]]) for row in table.to_dict("records")]
    return pd.DataFrame(wide, columns=list(COLUMNS))


def _over_levels(own: pd.DataFrame, trained: dict[tuple[str, str, int], np.ndarray]) -> dict[str, object]:
    """Return the row of an arm and a head in the mean over numbers of labels, and add its trainings to `trained`."""
    first = own.iloc[0]
    key = first["arm"], first["head"]
    trained[*key, ALL_LEVELS] = np.mean([trained[*key, shots] for shots in own["shots"]], 0)
    means = own[["balanced_accuracy", "base", "difference", "ci_low", "ci_high"]].mean()
    return {"arm": first["arm"], "head": first["head"], "shots": ALL_LEVELS, "trainings": first["trainings"], **means}


def widened(row: dict, trained: np.ndarray) -> dict:
    """Return a row with limits that allow for other trainings too. trained (n,): the differences of each."""
    row = {**row, "ci_slides_low": row["ci_low"], "ci_slides_high": row["ci_high"]}
    if len(trained) < 2:
        return {**row, "spread_of_trainings": np.nan}
    s = float(trained.std(ddof=1))
    reach = student(0.975, len(trained) - 1) * s / np.sqrt(len(trained))
    low, high = (np.hypot(row[limit] - row["difference"], reach) for limit in ("ci_low", "ci_high"))
    return {**row, "ci_low": row["difference"] - low, "ci_high": row["difference"] + high, "spread_of_trainings": s}


def judged_by(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that a verdict rests on: of the mean of heads, or of the only one."""
    return table[table["head"] == (ALL_HEADS if (table["head"] == ALL_HEADS).any() else table["head"].iloc[0])]
