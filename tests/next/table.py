"""The tables of `tests/next/replay.py`: each arm against random, draw by draw.

    python tests/next/table.py FILE.csv ... [--share 0.9]

Labels needed: where the mean curve of an arm first reaches chance + share x (full - chance), between two rounds by a
straight line; its interval is over draws, resampled, both arms alike. Difference: of balanced accuracy in percentage points
to random, draw by draw, with a 95% interval by Student's t; worst is the round where it is lowest. The random order may
have been replayed further than an arm: then they are compared up to where the arm ends.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t

RESAMPLES = 1000


def needed(labels: np.ndarray, curve: np.ndarray, goal: float) -> float:
    """Return how many labels a mean curve needs to a goal; infinity where it does not reach it."""
    reached = np.flatnonzero(curve >= goal)
    if not len(reached):
        return float("inf")
    i = int(reached[0])
    if i == 0:
        return float(labels[0])
    share = (goal - curve[i - 1]) / (curve[i] - curve[i - 1])
    return float(labels[i - 1] + share * (labels[i] - labels[i - 1]))


def saved(labels: np.ndarray, arm: np.ndarray, random: np.ndarray, goals: np.ndarray) -> tuple[float, float, float]:
    """Return (labels of arm, of random, their share saved) of curves (draws, rounds) and goals (draws,)."""
    goal = float(goals.mean())
    a, b = needed(labels, arm.mean(0), goal), needed(labels, random.mean(0), goal)
    return (
        a,
        b,
        1 - a / b if np.isfinite(a) and np.isfinite(b) else (1 - a / labels[-1] if np.isfinite(a) else float("nan")),
    )


def summary(rows: pd.DataFrame, share: float) -> pd.DataFrame:
    wide = rows.pivot_table(index=["arm", "draw"], columns="labels", values="score")
    labels = wide.columns.to_numpy(float)
    one = rows.drop_duplicates("draw").set_index("draw")
    arms = {arm: part.droplevel(0) for arm, part in wide.groupby(level=0)}
    draws = sorted(set.intersection(*(set(part.index) for part in arms.values())))
    chance = 1 / one["K"].loc[draws].to_numpy()
    goals = chance + share * (one["full"].loc[draws].to_numpy() - chance)
    random = arms["random"].loc[draws].to_numpy()
    rng, out = np.random.default_rng(0), []
    for arm, part in arms.items():
        own = part.loc[draws].to_numpy()
        both = ~np.isnan(own).any(0)
        gap, at = 100 * (own - random)[:, both], labels[both]
        n = len(draws)
        mean, reach = gap.mean(0), t.ppf(0.975, n - 1) * gap.std(0, ddof=1) / np.sqrt(n)
        a, b, less = saved(labels, own, random, goals)
        again = [saved(labels, own[i], random[i], goals[i])[2] for i in rng.integers(n, size=(RESAMPLES, n))]
        again = [x for x in again if not np.isnan(x)] or [float("nan")]
        area = gap.mean(1)
        worst = int(np.argmin(mean))
        out.append({
            "arm": arm, "draws": n, "needs": a, "random": b, "less": less, "less_low": np.quantile(again, 0.025),
            "less_high": np.quantile(again, 0.975), "rounds": len(at), "mean_gap": area.mean(),
            "gap_reach": t.ppf(0.975, n - 1) * area.std(ddof=1) / np.sqrt(n), "worst_at": at[worst],
            "worst": mean[worst], "worst_low": mean[worst] - reach[worst], "worst_high": mean[worst] + reach[worst],
            "worse_rounds": int((mean + reach < 0).sum()),
            **{f"at{int(k)}": mean[list(at).index(k)] for k in (20, 40, 100, 200, 300, 400, 500) if k in at},
            **{f"reach{int(k)}": reach[list(at).index(k)] for k in (20, 40, 100, 200, 300, 400, 500) if k in at},
        })  # fmt: skip
    return pd.DataFrame(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--share", type=float, default=0.9)
    told = parser.parse_args()
    pd.set_option("display.width", 250, "display.max_columns", 40)
    for name, rows in pd.concat(map(pd.read_csv, told.files)).groupby("set", sort=False):
        print(name, f"full {rows['full'].mean():.3f}")
        print(summary(rows, told.share).round(2).to_string(index=False))


if __name__ == "__main__":
    main()
