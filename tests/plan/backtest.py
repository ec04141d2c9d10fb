"""How often forecasts hold what was found later: fitted to labels up to a quarter of s, held against the score at s.

Every real set is forecast by a prior that was fitted without it, made-up sets by a prior of the other half of them;
what intervals are widened by is chosen without them too. The same for slides: fitted to labels from up to a quarter of
the slides. Figueroa's power law stands beside it. Prints Markdown.

    python tests/plan/backtest.py --board results/runs/*/leaderboard.csv    writes the curves of runs to results/plan
    python tests/plan/backtest.py                                           the tables of results/plan/README.md
    python tests/plan/backtest.py --only ifc_cellcycle                      the same of some sets
    python tests/plan/backtest.py --prior                                   the prior of bench/statistics/curve_prior.py
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from curves_of import Known, read_curves, slide_curves, slide_tasks, tasks_of
from figueroa import figueroa
from prior import MADE_UP, fit_prior, parts_of, predicted, thinned, widened
from synthetic import KEPT

from bench.report.pages.markdown import table_lines
from bench.statistics.curve_prior import PRIOR

HERE = Path(__file__).resolve().parents[2] / "results" / "plan"
NOT_COUNTED = f"{MADE_UP} 200"  # made-up sets from here on only serve the prior


def forecast_all(
    known: Sequence[Known], only: Sequence[str] = (), wider: float = 0.0, most: int = 1000
) -> pd.DataFrame:
    """Return a row per task: what was said of it, by which of the two, and what came.

    only: sets, all if there are none. wider: what intervals are widened by, 0 to choose it without the sets that are
    forecast. most: curves of a real set.
    """
    rows = []
    for part in parts_of(known):
        if only and not part & set(only):
            continue
        others = [one for one in known if one.dataset not in part]
        prior = replace(fit_prior(others), wider=wider) if wider else widened(fit_prior(others), others)
        own = thinned([one for one in known if one.dataset in part and not one.dataset.startswith(MADE_UP)], most)
        made = [one for one in known if one.dataset in part and MADE_UP <= one.dataset < NOT_COUNTED]
        own += thinned(made)
        for task in tasks_of(own):
            low, middle, high = predicted(task, prior)
            rows.append(
                (task.known.dataset, task.known.method, task.known.curve.noise, len(task.seen.n), task.n, task.score,
                 low, middle, high, *figueroa(task.seen, task.n), prior.wider)
            )  # fmt: skip
    names = [
        "set",
        "method",
        "noise",
        "points",
        "n",
        "score",
        "low",
        "middle",
        "high",
        "f_low",
        "f_middle",
        "f_high",
        "wider",
    ]
    return pd.DataFrame(rows, columns=names)


def summary(found: pd.DataFrame, by: str) -> Iterator[tuple]:
    """Yield a row of the table per value of a column."""
    for name, own in found.groupby(by):
        given = own["f_low"].notna()
        low, high = own["score"] < own["low"], own["score"] > own["high"]
        f_held = (own["score"].between(own["f_low"], own["f_high"]))[given]
        yield (
            name, len(own), f"{1 - (low | high).mean():.3f}", f"{100 * (own['high'] - own['low']).mean():.1f}",
            f"{100 * (own['middle'] - own['score']).abs().mean():.1f}",
            f"{given.mean():.2f}", f"{f_held.mean():.3f}" if given.any() else "",
            f"{100 * (own['f_high'] - own['f_low'])[given].mean():.1f}" if given.any() else "",
            f"{100 * (own['f_middle'] - own['score']).abs().mean():.1f}" if own["f_middle"].notna().any() else "",
        )  # fmt: skip


HEADS = ("", "forecasts", "held", "width", "off by", "Figueroa gives one", "held", "width", "off by")


def print_table(found: pd.DataFrame, by: str, what: str) -> None:
    """Print a table of the coverage."""
    print(table_lines([(what, *HEADS[1:]), *(tuple(map(str, row)) for row in summary(found, by))]), "\n")


def main() -> None:
    """Print the tables, or do what else is asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--board", type=Path, nargs="+", default=[])
    parser.add_argument("--prior", action="store_true")
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--wider", type=float, default=0.0)
    parser.add_argument("--most", type=int, default=1000)
    asked = parser.parse_args()
    if asked.board:
        boards = [pd.read_csv(place) for place in asked.board]
        pd.concat([board[board["role"] != "diagnostic"][list(KEPT)] for board in boards]).to_csv(
            HERE / "curves.csv", index=False, float_format="%.6g"
        )
        return
    known = read_curves([HERE / "curves.csv", HERE / "synthetic.csv"])
    if asked.prior:
        prior = fit_prior(known)
        print(replace(prior, wider=asked.wider) if asked.wider else widened(prior, known))
        return
    found = forecast_all(known, asked.only, asked.wider, asked.most)
    found = found.assign(
        kind=np.where(found["set"].str.startswith(MADE_UP), "200 made-up sets", found["set"]),
        wrong=found["noise"].map("{:.0%}".format), head=found["method"].str.split(" x ").str[1].str.split(" at ").str[0],
    )  # fmt: skip
    print("wider:", found.groupby("kind")["wider"].first().to_dict(), "\n")
    print_table(found, "kind", "set")
    real = found[~found["set"].str.startswith(MADE_UP)]
    for by, what in (("points", "numbers of labels seen"), ("wrong", "wrong labels"), ("head", "head")):
        print_table(real, by, f"real sets, {what}")
        if not asked.only:
            print_table(found[found["kind"] == "200 made-up sets"], by, f"made-up sets, {what}")
    if not asked.only and (HERE / "slides.csv").exists():
        print_slides()


def print_slides() -> None:
    """Print how forecasts from few slides hold the score from four times as many and more."""
    rows = []
    for task in slide_tasks(slide_curves(HERE / "slides.csv")):
        low, middle, high = predicted(task, PRIOR)
        blind = task.seen_alone()
        without = predicted(replace(task, seen=blind), PRIOR)
        rows.append((task.known.dataset, task.slides, task.score, low, middle, high, *without))
    names = ["set", "slides", "score", "low", "middle", "high", "b_low", "b_middle", "b_high"]
    found = pd.DataFrame(rows, columns=names)
    found["kind"] = np.where(found["set"].str.startswith(MADE_UP), "made-up sets", found["set"])
    lines = []
    for (kind, slides), own in found.groupby(["kind", "slides"]):
        lines.append((
            kind, int(slides), len(own), f"{own['score'].between(own['low'], own['high']).mean():.3f}",
            f"{100 * (own['high'] - own['low']).mean():.1f}", f"{100 * (own['middle'] - own['score']).abs().mean():.1f}",
            f"{own['score'].between(own['b_low'], own['b_high']).mean():.3f}",
            f"{100 * (own['b_middle'] - own['score']).abs().mean():.1f}",
        ))  # fmt: skip
    heads = ("set", "slides", "forecasts", "held", "width", "off by", "labels alone: held", "off by")
    print(table_lines([heads, *(tuple(map(str, row)) for row in lines)]))


if __name__ == "__main__":
    main()
