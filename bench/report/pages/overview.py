"""The Markdown of several runs: the best rows of every dataset, what holds across datasets, calibration."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bench.instances.blank import diagnostic_of
from bench.protocol.split_kinds import RANDOM
from bench.report.pages.markdown import difference, head_label, table_lines, with_interval
from bench.report.pages.sections import ALPHA
from bench.report.tables.across import FEWEST, LEVEL, Across
from bench.report.tables.rows import best_first, cleanest, competing, counted, is_diagnostic, labels_of, main_series
from bench.text import sentence

TOP = 10  # methods in the table across datasets
EACH = 5  # rows of a dataset in the tables of calibration and of diagnostics


def render_overview(table: pd.DataFrame, top: int = 5, notes: Sequence[str] = ()) -> str:
    """Return the best rows of every dataset at its most labels, clean, from merged leaderboards; no diagnostics.

    notes: what a reader has to know first. Rows of one dataset on other groups are not of one table.
    """
    parts = ["# Leaderboard", ""]
    if notes:
        parts += ["**Read this first**", "", *[f"- {sentence(note)}" for note in notes], ""]
    parts += [f"The {top} best rows per dataset, at the most labels per class, labels clean.", ""]
    taking_part = competing(table if "data" in table else table.assign(data=""))
    counts = taking_part.groupby(["dataset", "instances"])["data"].nunique()
    several = set(counts.index[counts > 1])
    each = taking_part.groupby(["dataset", "instances", "data"], sort=True, dropna=False)
    for (dataset, instances, data), rows in each:
        apart = f", groups and regions `{data}`" if (dataset, instances) in several else ""
        rows = cleanest(main_series(rows))
        rows = rows[rows["shots"] == rows["shots"].max()]
        if rows.empty:
            continue
        best = rows.sort_values("balanced_accuracy", ascending=False, kind="stable").head(top)
        shots = int(best["shots"].iloc[0])
        parts += [f"## {dataset} ({instances}), {labels_of(best, shots)}{apart}", ""]
        lines = [["encoder", "head", "balanced accuracy", "95% interval", "groups tested"]]
        for row in best.to_dict("records"):
            interval = f"{100 * row['ci_low']:.0f}-{100 * row['ci_high']:.0f}"
            lines.append([row['encoder'], head_label(row), f"{100 * row['balanced_accuracy']:.1f}", interval,
                          str(row["n_groups"])])  # fmt: skip
        parts += [table_lines(lines), ""]
    return "\n".join([*parts, *_diagnostics(table)]).rstrip() + "\n"


def _diagnostics(table: pd.DataFrame) -> list[str]:
    """Return the lines of the diagnostics of all datasets, the best head of each; none where there are none.

    Rows of a random split are left to `leak.csv`, which holds them against the split by group.
    """
    lines = [["dataset", "encoder", "head", "what is different", "labels", "balanced accuracy", "lost"]]
    rows = table[is_diagnostic(table) & (table["selection"] != "oracle") & (table["split"] != RANDOM)]
    for (dataset, instances), own in rows.groupby(["dataset", "instances"], sort=True):
        own = cleanest(main_series(own))
        own = best_first(own[own["shots"] == own["shots"].max()]).drop_duplicates("encoder").head(EACH)
        whole = ["the cell blanked in every window"] if diagnostic_of(str(instances)) else []
        for row in own.to_dict("records"):
            different = "; ".join([*whole, *([row["diagnostic"]] if isinstance(row["diagnostic"], str) else [])])
            lines.append([f"{dataset} ({instances})", row['encoder'], head_label(row), different,
                          str(int(row["shots"])), with_interval(row), difference(row, "lost", "lost_low", "lost_high"),
                          ])  # fmt: skip
    if len(lines) == 1:
        return []
    return [
        "## Diagnostics: what scores rest on", "", table_lines(lines), "",
        "These rows are no results and are ranked with nothing: something was taken away from the images, or the "
        "network has random weights. *Lost*: points below the same encoder and head with nothing taken away, with its "
        "95% interval. Where little is lost, a score is no evidence that the encoder used what was taken away.", "",
    ]  # fmt: skip


def render_merged(table: pd.DataFrame, found: Across, notes: Sequence[str]) -> str:
    """Return the Markdown of merged runs. table: as `bench.report.tables.merge` gives it, with ece columns or
    without."""
    parts = [render_overview(table, notes=notes), *across_section(found), *calibration_section(table)]
    return "\n".join(parts).rstrip() + "\n"


def across_section(found: Across) -> list[str]:
    """Return the lines of the methods at the most labels, clean; none where no two datasets share methods."""
    if found.methods.empty:
        return []
    part = shown_level(found.methods)
    shots, datasets, draws = (int(part[name].iloc[0]) for name in ("shots", "datasets", "draws"))
    lines = [["encoder", "head", "mean skill", "95% interval", "mean rank", "the first is better"]]
    for row in part.head(TOP).to_dict("records"):
        better = "" if row["p_improvement"] != row["p_improvement"] else (
            f"{100 * row['p_improvement']:.0f}% [{100 * row['p_improvement_low']:.0f}-"
            f"{100 * row['p_improvement_high']:.0f}]"
        )  # fmt: skip
        interval = f"{100 * row['mean_low']:.1f}-{100 * row['mean_high']:.1f}"
        lines.append([row['encoder'], head_label(row), f"{100 * row['mean']:.1f}", interval,
                      f"{row['rank']:.1f}", better])  # fmt: skip
    return [
        f"## Across {datasets} datasets, {counted(shots)} per class", "", table_lines(lines), "",
        f"The first {len(lines) - 1} of {len(part)} methods that every dataset has. Scores are the skill above "
        "guessing, 0 for guessing and 100 for no error. *Mean skill*: the mean over the datasets, each of which weighs "
        f"the same, of the mean over {draws} draws, with the interval of the luck of the draws on these very datasets. "
        "*The first is better*: how often the first method beats this one on a dataset taken at random, each with "
        "draws of its own. "
        f"{_told_apart(found.pairs, part)} All levels: `across.csv`.", "",
    ]  # fmt: skip


def shown_level(methods: pd.DataFrame) -> pd.DataFrame:
    """Return the rows on the cleanest labels of the level with the most labels among those with the most datasets."""
    part = cleanest(methods)
    part = part[part["datasets"] == part["datasets"].max()]
    return part[part["shots"] == part["shots"].max()]


def _told_apart(pairs: pd.DataFrame, part: pd.DataFrame) -> str:
    own = pairs[(pairs[LEVEL] == part[LEVEL].iloc[0]).all(axis=1)]
    if own.empty:
        return f"Whether that would hold on other datasets is not tested on fewer than {FEWEST}."
    count, least = int((own["p_holm"] < ALPHA).sum()), 0.5 ** (int(own["datasets"].iloc[0]) - 1)
    if least * len(own) >= ALPHA:
        return (
            f"Of {len(own)} pairs of methods none can be told apart: over {own['datasets'].iloc[0]} datasets no p of "
            f"the signed-rank test is below {least:.2g}, and Holm's correction takes it times {len(own)}. Join runs "
            "with fewer methods, or more datasets (`across_pairs.csv`)."
        )
    return (
        f"By the signed-rank test over datasets, {count} of {len(own)} pairs of methods differ (p by Holm below "
        f"{ALPHA}; `across_pairs.csv`)."
    )


def calibration_section(table: pd.DataFrame) -> list[str]:
    """Return the lines of calibration of the best rows of every dataset; none where it was not asked for."""
    if "ece" not in table or table["ece"].isna().all():
        return []
    lines = [["dataset", "encoder", "head", "tested", "ECE", "calibrated would show", "Brier", "log loss"]]
    for dataset, own in competing(table[table["ece"].notna()]).groupby("dataset", sort=True):
        own = cleanest(main_series(own))
        own = own[own["shots"] == own["shots"].max()].nlargest(EACH, "balanced_accuracy")
        for row in own.to_dict("records"):
            lines.append([str(dataset), row['encoder'], head_label(row), str(row["n_test"]), f"{row['ece']:.3f}",
                          f"{row['ece_null_low']:.3f}-{row['ece_null_high']:.3f}", f"{row['brier']:.3f}",
                          f"{row['log_loss']:.3f}"])  # fmt: skip
    return [
        "## Calibration", "", table_lines(lines), "",
        "*ECE*: how far probabilities are from how often they come true, in 15 bins of equal width, for the best rows "
        "at the most labels, clean. It is never 0, least of all on few items: *calibrated would show* is what the same "
        "probabilities show in 95 of 100 cases if they are true, so only an ECE above that is a fault. Brier score and "
        "log loss have no such floor that moves with the number of items.", "",
    ]  # fmt: skip
