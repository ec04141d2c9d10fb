"""Learning curves of made-up sets of very different kinds, by the heads and draws of the project.

A class is one to four clusters, so that it takes one label or many to learn it; clusters are stretched along directions
that are shared or their own, slides shift all of their items, and sets differ in classes, dimensions, slides, how far
classes are apart, and how much of the vectors tells nothing. Heads choose their settings as in a run. Writes
one leaderboard of the columns that curves need.

    python tests/plan/synthetic.py --sets 200 --to results/plan/synthetic.csv
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bench.fitting.episode import Episode
from bench.fitting.scaling import scale_rows
from bench.fitting.selection import choose
from bench.fitting.selection_plan import settings_of, way_of
from bench.heads import get_heads
from bench.heads.support import Support
from bench.protocol.order import order_items

SHOTS, NOISE, DRAWS = (1, 2, 4, 8, 16, 32, 64, 128), (0.0, 0.2, 0.4), 5
TEST = 500  # items that are tested, of slides that nobody learns from
HEADS = ("centroid", "ridge", "logreg", "knn")
KEPT = ("dataset", "encoder", "head", "role", "selection", "series", "shots", "support_items", "support_groups",
        "noise_kind", "noise", "seeds", "balanced_accuracy", "spread")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of set, drawn at random by `kind`."""

    classes: int
    width: int
    clusters: int
    gap: float
    within: float
    stretch: float
    own: float
    slides: int
    slide: float
    both: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Kind:
        """Return a kind, easy or hard, of a few classes or many."""
        return cls(
            classes=int(rng.choice([2, 2, 3, 4, 6, 10])), width=int(rng.choice([8, 16, 32, 64])),
            clusters=int(rng.choice([1, 1, 2, 4])), gap=float(np.exp(rng.uniform(np.log(0.8), np.log(6)))),
            within=float(rng.uniform(0.5, 1.5)), stretch=float(rng.uniform(0, 1.2)), own=float(rng.uniform(0, 1)),
            slides=int(rng.choice([24, 60, 2000])), slide=float(rng.uniform(0, 1)), both=float(rng.uniform(0, 0.7)),
        )  # fmt: skip


def made_up(kind: Kind, items: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return vectors (N, width), classes and slides (N,): `items` of every class to learn from, then TEST in all."""
    K, d = kind.classes, kind.width
    scale = np.arange(1, d + 1.0) ** (-kind.stretch / 2)
    means = rng.standard_normal((K, d)) * kind.gap / np.sqrt(d)
    apart = kind.within * kind.gap / np.sqrt(d) * (kind.clusters > 1)
    centres = means[:, None] + apart * rng.standard_normal((K, kind.clusters, d))
    turns = np.stack([np.linalg.qr(np.eye(d) + kind.own * rng.standard_normal((d, d)))[0] for _ in range(K)])
    y = np.r_[np.repeat(np.arange(K), items), np.arange(TEST) % K]
    slide = rng.integers(kind.slides, size=len(y)) + kind.slides * (np.arange(len(y)) >= K * items)
    shift = kind.slide * rng.standard_normal((2 * kind.slides, d))
    both = kind.both * rng.standard_normal((2 * kind.slides, K, d))
    noise = np.einsum("nd,nde->ne", rng.standard_normal((len(y), d)) * scale, turns[y])
    X = centres[y, rng.integers(kind.clusters, size=len(y))] + (shift[slide] + both[slide, y]) * scale + noise
    return X.astype(np.float32), y, slide


def board(number: int, seed: int = 0) -> pd.DataFrame:
    """Return the leaderboard of made-up set `number`, of two heads whose settings are chosen as `bench run` does."""
    rng = np.random.default_rng([seed, number])
    kind = Kind.drawn(rng)
    heads = get_heads(sorted(rng.choice(HEADS, 2, replace=False).tolist()))
    X, y, slide = made_up(kind, SHOTS[-1], rng)
    K, learn = kind.classes, kind.classes * SHOTS[-1]
    train, test = np.arange(learn), np.arange(learn, len(y))
    X = scale_rows(X, train, slide, "unit")
    scores = np.zeros((len(heads), len(SHOTS), len(NOISE), DRAWS))
    slides = np.zeros((len(SHOTS), DRAWS))
    for s in range(DRAWS):
        order = [np.flatnonzero(y[:learn] == k) for k in range(K)]
        order = [own[order_items([f"{i}" for i in own], slide[own].astype(str), (number, s, k), "spread")]
                 for k, own in enumerate(order)]  # fmt: skip
        flip, other = rng.random((K, SHOTS[-1])), rng.integers(1, K, size=(K, SHOTS[-1]))
        for i, n in enumerate(SHOTS):
            rows = np.concatenate([own[:n] for own in order])
            Y = np.stack([(y[rows] + np.where(flip[:, :n] < rate, other[:, :n], 0).ravel()) % K for rate in NOISE])
            episode = Episode(Support(X[rows], X[test], slide[rows]), Y, K, slide[rows])
            slides[i, s] = len(np.unique(slide[rows]))
            for h, head in enumerate(heads):
                way = way_of("auto", head, episode.can_leave_out)
                P = choose(way, head, settings_of(way, head), episode).P  # (rates, TEST, K)
                hit = P.argmax(-1) == y[test]
                scores[h, i, :, s] = np.mean([hit[:, y[test] == k].mean(1) for k in range(K)], 0)
    rows_out = [
        (f"made up {number:03}", "e", head.name, "encoder", "auto", "balanced", n, n * K, slides[i].mean(),
         "symmetric" if rate else "none", rate, DRAWS, scores[h, i, r].mean(), scores[h, i, r].std(ddof=1))
        for h, head in enumerate(heads) for i, n in enumerate(SHOTS) for r, rate in enumerate(NOISE)
    ]  # fmt: skip
    return pd.DataFrame(rows_out, columns=[*KEPT])


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--to", type=Path, required=True)
    asked = parser.parse_args()
    done = pd.read_csv(asked.to) if asked.to.exists() else pd.DataFrame(columns=[*KEPT])
    have = set(done["dataset"])
    for number in range(asked.sets):
        if f"made up {number:03}" not in have:
            done = pd.concat([done, board(number)], ignore_index=True) if len(done) else board(number)
            done.to_csv(asked.to, index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
