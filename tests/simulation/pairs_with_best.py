"""How often a method is said to be worse than the best one though it is not, where scores are normal. Markdown.

    python tests/simulation/pairs_with_best.py --tables 600

Scores of M methods are drawn about true ones, with a common part (half of the variance, or none) and variances that are
estimated with so many degrees of freedom. Distances are in deviations of a score's own part. *False*: tables in which
the best is said to be better than one that is truly as good as it, or better. *Told*: how many truly worse ones are
told apart from it.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np

from bench.report.pages.markdown import table_lines
from bench.statistics.ranks import compare_all
from bench.statistics.spread import Spread

SAMPLES = 1000
TRUE = {
    **{f"{M} equal": np.zeros(M) for M in (3, 5, 10, 20, 40)},
    **{f"one of {M} ahead by {d}": np.r_[d, np.zeros(M - 1)] for M in (3, 20) for d in (1.0, 2.0, 3.0, 4.2)},
    "two of 20 ahead by 2": np.r_[2.0, 2.0, np.zeros(18)],
    "two of 20 ahead by 4.2": np.r_[4.2, 4.2, np.zeros(18)],
    "ten of 20 ahead by 3": np.r_[np.full(10, 3.0), np.zeros(10)],
    "20 at equal steps, from 0 to 4": np.linspace(0, 4, 20),
}
#: degrees of freedom of the variances, share of the common part, how unlike the methods' variances are
SETTINGS = ((49, 0.5, 0.0), (15, 0.5, 0.0), (49, 0.0, 0.6))


def scores(true: np.ndarray, setting: tuple[int, float, float], rng: np.random.Generator) -> Spread:
    """Return scores drawn about the true ones (M,), and what is known of how far they vary."""
    df, common, unlike = setting
    M = len(true)
    own = np.sqrt(1 + unlike * np.linspace(-1, 1, M)[rng.permutation(M)])
    covariance = np.diag(own**2) + common / (1 - common)
    root = np.linalg.cholesky(covariance)
    mean = true + root @ rng.standard_normal(M)
    seen = root @ rng.standard_normal((M, df))
    none = np.zeros((M, M))
    return Spread(mean, seen @ seen.T / df, none, none, False, None, float(df), 1.0, 1.0)


def claims(true: np.ndarray, setting: tuple[int, float, float], seed: int) -> tuple[bool, int]:
    """Return whether something false is said of the best of one table, and how many are rightly told apart."""
    spread = scores(true, setting, np.random.default_rng([len(true), seed]))
    best = int(spread.mean.argmax())
    better = compare_all(spread, samples=SAMPLES, seed=seed).better[best]
    as_good = true >= true[best]
    return bool(better[as_good].any()), int(better[~as_good].sum())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=600)
    asked = parser.parse_args()
    lines = [["true scores", *(f"{name}, {df} df, {common:.0%} common" + (", unlike variances" if unlike else "")
                               for df, common, unlike in SETTINGS for name in ("false", "told"))]]  # fmt: skip
    with ProcessPoolExecutor() as pool:
        for name, true in TRUE.items():
            row = [name]
            for setting in SETTINGS:
                found = list(pool.map(partial(claims, true, setting), range(asked.tables), chunksize=25))
                false, told = np.mean(found, axis=0)
                row += [f"{false:.3f}", f"{told:.1f}" if true.any() else ""]
            lines.append(row)
    print(table_lines(lines))


if __name__ == "__main__":
    main()
