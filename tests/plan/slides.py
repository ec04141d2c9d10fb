"""Scores by how many labels there are and how many slides they come from: made-up sets, and a real one out of its run.

Of every set a third of the slides is tested. DRAWS times, g of the others are drawn, and n labels per class of those,
as evenly as they hold them. Writes one row per set, encoder, head, labels and slides.

    python tests/plan/slides.py --sets 60 --run results/runs/nuclei_cells --to results/plan/slides.csv
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from synthetic import HEADS, Kind, made_up

from bench.embeddings.store import EmbeddingStore
from bench.fitting.scaling import scale_rows
from bench.heads import get_heads
from bench.heads.support import Support
from bench.protocol.splits import class_codes
from bench.runs.record import encoder_keys, read_record_of

SHOTS, SLIDES, DRAWS = (1, 2, 4, 8, 16), (1, 2, 4, 8, 16), 12
ITEMS, MADE_SLIDES = 500, 24
MOST_TESTED = 600


def scores(
    name: tuple[str, str], X: np.ndarray, y: np.ndarray, slide: np.ndarray, test: np.ndarray, heads: tuple[str, ...]
) -> Iterator[tuple]:
    """Yield rows of a set. X (N, d), y, slide (N,); test bool (N,): what is tested, slides as a whole."""
    rng = np.random.default_rng(len(y))
    K, train = int(y.max()) + 1, np.flatnonzero(~test)
    X = scale_rows(X, train, slide, "unit")
    tested = rng.permutation(np.flatnonzero(test))[:MOST_TESTED]
    of_class = [train[y[train] == k] for k in range(K)]
    pure = all(len(np.unique(y[slide == one])) == 1 for one in np.unique(slide[train]))
    for head in get_heads(list(heads)):
        for g in SLIDES:
            for n in (n for n in SHOTS if n >= g):
                found, groups = [], []
                for draw in range(DRAWS):
                    rows = _drawn(of_class, slide, g, n, np.random.default_rng([draw, g, n]), pure)
                    if rows is None:
                        break
                    P = head.scores(Support(X[rows], X[tested], slide[rows]), y[rows][None], K,
                                    [head.published(len(rows), K, X.shape[1])]).P[0, 0]  # fmt: skip
                    hit = P.argmax(-1) == y[tested]
                    found.append(np.mean([hit[y[tested] == k].mean() for k in range(K)]))
                    groups.append(len(np.unique(slide[rows])))
                if len(found) == DRAWS:
                    yield (
                        *name,
                        head.name,
                        K,
                        n,
                        g,
                        n * K / np.mean(groups),
                        np.mean(found),
                        np.std(found, ddof=1),
                        DRAWS,
                    )


def _drawn(
    of_class: list[np.ndarray], slide: np.ndarray, g: int, n: int, rng: np.random.Generator, pure: bool
) -> np.ndarray | None:
    """Return the rows of n items of every class, of g slides (each class its own where slides are pure), or None."""
    taken = []
    common = None
    for own in of_class:
        there = np.unique(slide[own])
        if pure:
            common = rng.permutation(there)[:g]
        elif common is None:
            common = rng.permutation(np.unique(slide[np.concatenate(of_class)]))[:g]
        by_slide = [rng.permutation(own[slide[own] == one]) for one in common]
        if len(common) < g:
            return None
        each = [rows[: -(-n // g)] for rows in by_slide]  # as many of every slide, or one more
        rows = np.array([rows[i] for i in range(-(-n // g)) for rows in each if i < len(rows)])[:n]
        if len(rows) < n:
            return None
        taken.append(rows)
    return np.concatenate(taken)


def of_run(folder: Path) -> Iterator[tuple]:
    """Yield the rows of every encoder of a run."""
    record = read_record_of(folder)
    table, classes = record.table, record.facts.classes
    y, slide = class_codes(table, classes), np.unique(table["group"].to_numpy(str), return_inverse=True)[1]
    rng = np.random.default_rng(0)
    main = np.array(
        [np.bincount(y[(slide == one) & (y >= 0)], minlength=len(classes)).argmax() for one in range(slide.max() + 1)]
    )
    test = np.zeros(slide.max() + 1, bool)
    for k in np.unique(main):
        own = rng.permutation(np.flatnonzero(main == k))
        test[own[: len(own) // 3]] = True
    store = EmbeddingStore(folder.parent.parent / "store")
    for name, key in encoder_keys(record.units).items():
        X = np.asarray(store.read(key, table["instance"].astype(str).tolist()), np.float32)
        yield from scores((record.facts.dataset, name), X, y, slide, test[slide], HEADS)


def of_made_up(number: int) -> Iterator[tuple]:
    """Yield the rows of a made-up set whose slides differ."""
    rng = np.random.default_rng([5, number])
    kind = replace(Kind.drawn(rng), slides=MADE_SLIDES, slide=float(rng.uniform(0, 2)), both=float(rng.uniform(0, 1.5)))
    kind = replace(kind, classes=min(kind.classes, 4))
    X, y, slide = made_up(kind, ITEMS, rng)
    heads = tuple(rng.choice(HEADS, 2, replace=False).tolist())
    yield from scores((f"made up {number:03}", "e"), X, y, slide, slide >= MADE_SLIDES, heads)


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=60)
    parser.add_argument("--run", type=Path, action="append", default=[])
    parser.add_argument("--to", type=Path, required=True)
    asked = parser.parse_args()
    rows = [row for number in range(asked.sets) for row in of_made_up(number)]
    rows += [row for folder in asked.run for row in of_run(folder)]
    names = ["dataset", "encoder", "head", "classes", "n", "of_slides", "per_slide", "score", "spread", "draws"]
    pd.DataFrame(rows, columns=names).to_csv(asked.to, index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
