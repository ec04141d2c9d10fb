"""How often the promise of `bench fit` holds the truth after rounds of picked labels: from all of them, from the drawn ones.

    python tests/next/fits.py --studies 100

Pools and picks are those of `estimates.py`, in ROUNDS rounds of 20 labels. The classifier learns from all labels; its promise is
the interval of balanced accuracy from all of them, as if all were drawn, or from the drawn ones, as `bench fit` makes it. The
truth is its balanced accuracy on NEW other rows of the same kind.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import estimates
import numpy as np
from threadpoolctl import threadpool_limits

from bench.heads import get_heads
from bench.report.pages.markdown import table_lines
from bench.statistics.metrics import balanced_accuracy
from bench.studies.classifier.learn import LabelledRows, learn
from bench.studies.classifier.promise import make_promise

ROUNDS, NEW, POOL, HEADS = 12, 4000, 2000, ("centroid", "ridge", "logreg")
CLASSES = ("a", "b", "c")


def study(strategy: str, seed: int) -> dict[str, tuple[float, float, float, float]]:
    """Return (promised, truth, low, high) by what the promise rests on."""
    rng = np.random.default_rng([POOL, seed])
    Z, y = estimates.make_pool(POOL, rng)
    known, drawn, _ = estimates.labelled(Z, y, strategy, rng, ROUNDS)
    Z_new, y_new = estimates.make_pool(NEW, rng)
    rows = LabelledRows(
        embedded={"e": Z[known]}, scaling={"e": "unit"}, y=y[known], group=np.arange(len(known)), n_classes=len(CLASSES),
        names=tuple(map(str, known)), tested=drawn,
    )  # fmt: skip
    found = {}
    for name, own in {"all labels": replace(rows, tested=np.ones(len(known), bool)), "the drawn ones": rows}.items():
        learned = learn(own, get_heads(HEADS))
        promise = make_promise(learned.choice.P[own.tested], own.y[own.tested], own.group[own.tested], CLASSES)
        truth = balanced_accuracy(learned.fitted.scores(learned.scale.of(Z_new)), y_new)
        found[name] = (promise.balanced_accuracy, truth, promise.low, promise.high)
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=100)
    parser.add_argument("--strategy", default="margin")
    asked = parser.parse_args()
    with threadpool_limits(1):
        found = [study(asked.strategy, i) for i in range(asked.studies)]
    print(table_lines(estimates.coverage_lines("the promise rests on", found)))


if __name__ == "__main__":
    main()
