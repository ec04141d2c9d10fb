"""How often forecasts hold what was found later: fitted to labels up to a quarter of s, held against the score at s.

Every set is forecast by a prior that was fitted without it (without its quarter, of made-up sets), and widened by what
the other sets ask for, real ones as much as made-up ones. The same for slides: fitted to labels from up to a quarter of
the slides. Figueroa's power law stands beside it. Prints Markdown.

    python tests/plan/backtest.py --board results/runs/*/leaderboard.csv    writes the curves of runs to results/plan
    python tests/plan/backtest.py                                           the tables of results/plan/README.md
    python tests/plan/backtest.py --only ifc_cellcycle                      the same of some sets
    python tests/plan/backtest.py --real                                    the same, widened by what real sets alone ask for
    python tests/plan/backtest.py --slides                                  the table of slides
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
from prior import MADE_UP, fit_prior, needs_of, parts_of, predicted, widened
from synthetic import KEPT

from bench.report.pages.markdown import table_lines
from bench.statistics.curve_law import EDGE
from bench.statistics.curve_prior import PRIOR

HERE = Path(__file__).resolve().parents[2] / "results" / "plan"
NOT_COUNTED = f"{MADE_UP} 200"  # made-up sets from here on only serve the prior


def forecast_all(known: Sequence[Known], only: Sequence[str] = (), real: bool = False) -> pd.DataFrame:
    """Return a row per task: what was said of it, by which of the two, and what came. only: sets, all if there are none.

    real: intervals are widened by what real sets alone ask for.
    """
    rows = []
    for part in parts_of(known):
        if only and not part & set(only):
            continue
        others = [one for one in known if one.dataset not in part]
        prior = widened(fit_prior(others), *needs_of(others, not real))
        own = [one for one in known if one.dataset in part and not _only_fitted(one.dataset)]
        for task in tasks_of(own):
            rows.append(
                (task.known.dataset, task.known.method, task.known.curve.noise, len(task.seen.n), task.n, task.score,
                 *predicted(task, prior), *figueroa(task.seen, task.n), prior.wider)
            )  # fmt: skip
    names = "set method noise points n score low middle high f_low f_middle f_high wider"
    found = pd.DataFrame(rows, columns=names.split())
    made = found["set"].str.startswith(MADE_UP)
    return found.assign(
        kind=np.where(made, "200 made-up sets", found["set"]), together=np.where(made, "made-up sets", "real sets"),
        wrong=found["noise"].map("{:.0%}".format), head=found["method"].str.split(" x ").str[1].str.split(" at ").str[0],
    )  # fmt: skip


def _only_fitted(name: str) -> bool:
    return name.startswith(MADE_UP) and name >= NOT_COUNTED


def held(found: pd.DataFrame, by: str = "") -> pd.Series:
    """Return whether intervals hold the scores; those within EDGE of 0 or 1 are one. by: before names of columns."""
    score, low, high = (found[name].clip(EDGE, 1 - EDGE) for name in ("score", f"{by}low", f"{by}high"))
    return (score >= low) & (score <= high)


def summary(found: pd.DataFrame, by: str) -> Iterator[tuple]:
    """Yield a row of the table per value of a column."""
    for name, own in found.groupby(by):
        given = own[own["f_low"].notna()]
        yield (
            name, len(own), f"{held(own).mean():.3f}", _points(own["high"] - own["low"]),
            _points((own["middle"] - own["score"]).abs()), f"{len(given) / len(own):.2f}",
            f"{held(given, 'f_').mean():.3f}" if len(given) else "", _points(given["f_high"] - given["f_low"]),
            _points((own["f_middle"] - own["score"]).abs()),
        )  # fmt: skip


HEADS = ("", "forecasts", "held", "width", "off by", "Figueroa gives one", "held", "width", "off by")


def _points(values: pd.Series) -> str:
    return f"{100 * values.mean():.1f}" if values.notna().any() else ""


def print_table(found: pd.DataFrame, by: str, what: str) -> None:
    """Print a table of the coverage."""
    print(table_lines([(what, *HEADS[1:]), *(tuple(map(str, row)) for row in summary(found, by))]), "\n")


def main() -> None:
    """Print the tables, or do what else is asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--board", type=Path, nargs="+", default=[])
    parser.add_argument("--prior", action="store_true")
    parser.add_argument("--slides", action="store_true")
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--real", action="store_true", help="widened by what real sets alone ask for")
    parser.add_argument("--to", type=Path, help="where a row per forecast is written too")
    asked = parser.parse_args()
    if asked.board:
        boards = [pd.read_csv(place) for place in asked.board]
        pd.concat([board[board["role"] != "diagnostic"][list(KEPT)] for board in boards]).to_csv(
            HERE / "curves.csv", index=False, float_format="%.6g"
        )
    elif asked.slides:
        print_slides()
    elif asked.prior:
        known = read_curves([HERE / "curves.csv", HERE / "synthetic.csv"])
        print(widened(fit_prior(known), *needs_of(known)))
    else:
        found = forecast_all(read_curves([HERE / "curves.csv", HERE / "synthetic.csv"]), asked.only, asked.real)
        if asked.to:
            found.to_csv(asked.to, index=False)
        print_labels(found)


def print_labels(found: pd.DataFrame) -> None:
    """Print how forecasts from few labels hold the score of four times as many."""
    print("widened by", found.groupby("kind")["wider"].unique().map(lambda each: each.round(2).tolist()).to_dict(), "\n")
    print_table(found, "kind", "set")
    print_table(found, "together", "together")
    for kind, own in found.groupby("together"):
        for by, what in (("points", "numbers of labels seen"), ("wrong", "wrong labels"), ("head", "head")):
            print_table(own, by, f"{kind}, {what}")


def print_slides() -> None:
    """Print how forecasts from few slides hold the score from four times as many and more."""
    rows = []
    for task in slide_tasks(slide_curves(HERE / "slides.csv")):
        alone = predicted(replace(task, seen=task.seen_alone()), PRIOR)
        rows.append((task.known.dataset, task.slides, task.score, *predicted(task, PRIOR), *alone))
    found = pd.DataFrame(rows, columns=["set", "slides", "score", "low", "middle", "high", "b_low", "b_middle", "b_high"])
    made = found["set"].str.startswith(MADE_UP)
    found["kind"] = np.where(made, "made-up sets", found["set"])
    lines = []
    for (kind, slides), own in [*found.groupby(["kind", "slides"]), *((key, own) for key, own in _whole(found))]:
        lines.append((
            kind, slides, len(own), f"{held(own).mean():.3f}", _points(own["high"] - own["low"]),
            _points((own["middle"] - own["score"]).abs()), f"{held(own, 'b_').mean():.3f}",
            _points((own["b_middle"] - own["score"]).abs()),
        ))  # fmt: skip
    heads = ("set", "slides", "forecasts", "held", "width", "off by", "labels alone: held", "off by")
    print(table_lines([heads, *(tuple(map(str, row)) for row in lines)]))


def _whole(found: pd.DataFrame) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    for kind, own in found.groupby("kind"):
        yield (str(kind), "all"), own


if __name__ == "__main__":
    main()
