"""Draws and noise on embeddings of real images: stray labels planted in slides, slides mislabelled, and resemblance.

    bench export --encoder E --data D [--group-pattern P] --to e.npz       (and so for color-histogram, texture, thumbnail)
    python -m tests.simulation.draws_real e.npz [--spaces color-histogram.npz texture.npz thumbnail.npz] [--part strays]

`strays`: none or a random 5% of the labels made wrong, or one in every slide of at most 20 items; learned from by draws of
each order, tested against the true labels. `slides`: what noise of the kind 'group' flips at 30%. `resemblance`: how often a
wrong label names the class that the item resembles most, by the descriptors that noise looks at and by the embedding,
which it has not seen.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd

from bench.fitting.scaling import scale_rows
from bench.fitting.views import Embedded
from bench.heads import get_heads
from bench.heads.support import Support
from bench.protocol import order
from bench.protocol.noise import flip_labels
from bench.protocol.noise_context import NoiseContext
from bench.protocol.noise_inputs import find_noise_inputs
from bench.protocol.resemblance_noise import class_features
from bench.protocol.splits import SplitPlan, plan_splits
from bench.protocol.supports import draw_supports
from bench.seeds import keyed_uniform
from tests.simulation.draws import CONSIDERED

HEADS = ("centroid", "knn", "logreg")
SHOTS = (1, 5, 10, 20)
SHARE, MOST = 0.05, 20
RATE = 0.3


class Given(NamedTuple):
    """What was exported: rows X (N, d), table (instance, label, group, split), spaces by name to rows (N, d_s)."""

    X: np.ndarray
    table: pd.DataFrame
    spaces: Mapping[str, np.ndarray]


def read(embedding: str, spaces: Sequence[str]) -> Given:
    """Read files of `bench export`."""
    with np.load(embedding) as file:
        table = pd.DataFrame({"instance": file["path"], "label": file["label"], "group": file["group"]})
        X = file["embedding"]
    looks = {}
    for path in spaces:
        with np.load(path) as file:
            assert np.array_equal(file["path"], table["instance"]), f"{path} holds other rows than {embedding}"
            looks[path.rsplit("/", 1)[-1].removesuffix(".npz")] = file["embedding"]
    return Given(X, table.assign(split=pd.NA), looks)


def plant(table: pd.DataFrame, share: float, one_a_slide: bool) -> pd.DataFrame:
    """Return the table with wrong labels, a share or one a slide of few items, and the right ones as column true."""
    items, names = table["instance"].tolist(), sorted(table["label"].unique())
    table = table.assign(true=table["label"], lot=keyed_uniform(("planted", "lot"), items))
    place = table.groupby("group")["lot"].rank()
    wrong = place == 1 if one_a_slide else table["lot"] < share
    away = 1 + np.floor(keyed_uniform(("planted", "target"), items) * (len(names) - 1)).astype(int)
    code = table["label"].map({name: k for k, name in enumerate(names)}).to_numpy()
    table["label"] = np.where(wrong, np.array(names)[(code + away) % len(names)], table["label"])
    return table[place <= MOST] if one_a_slide else table


def strays(given: Given, seeds: int) -> None:
    """Print wrong labels and accuracy by order of the draw."""
    order.REGIMES = MappingProxyType({**order.REGIMES, **CONSIDERED})
    classes = sorted(given.table["label"].unique())
    heads = get_heads(HEADS)
    for share, one_a_slide in ((0.0, False), (SHARE, False), (SHARE, True)):
        table = plant(given.table, share, one_a_slide)
        X, table = given.X[table.index], table.reset_index(drop=True)
        y, true = (table[name].map(classes.index).to_numpy() for name in ("label", "true"))
        group, plan = table["group"].to_numpy(str), plan_splits(table, classes)
        scaled = {split.name: scale_rows(X, split.train, group, "unit") for repeat in plan.repeats for split in repeat}
        what = f"one wrong label a slide, at most {MOST} items of each" if one_a_slide else f"a random {share:.0%}"
        print(f"\n{what}: {len(table)} items, {len(set(group))} slides, {(y != true).mean():.1%} of the labels wrong\n")
        print("| order | " + " | ".join(f"{n} labels: wrong / slides / {' / '.join(HEADS)}" for n in SHOTS) + " |")
        print("|---|" + "---|" * len(SHOTS))
        for name in ("as equals", "spread", "proportional", "concentrated"):
            drawn = draw_supports(table, classes, plan, SHOTS, draws=seeds, regime=name).supports
            cells = []
            for n in SHOTS:
                found = [
                    _scores(scaled[split], rows, y, true, _test(plan, seed, split), len(classes), heads, group)
                    for (shots, seed, split), rows in drawn.items() if shots == n
                ]  # fmt: skip
                cells.append("{:.1f}% / {:.1f} / {:.1f} / {:.1f} / {:.1f}".format(*np.nanmean(found, axis=0)) if found else "")
            print(f"| {name} | {' | '.join(cells)} |")


def _test(plan: SplitPlan, seed: int, split: str) -> np.ndarray:
    [test] = [s.test for s in plan.splits(seed) if s.name == split]
    return test


def _scores(X: np.ndarray, rows: np.ndarray, y: np.ndarray, true: np.ndarray, test: np.ndarray, K: int, heads: list, group: np.ndarray) -> list[float]:  # fmt: skip
    support = Support(X[rows], X[test], group[rows], is_centred=True)
    out = [100 * float((y[rows] != true[rows]).mean()), np.mean([len(set(group[rows[y[rows] == k]])) for k in range(K)])]
    for head in heads:
        answer = head.scores(support, y[rows][None], K, [head.default]).P[0, 0].argmax(-1)
        out.append(100 * float(np.nanmean([(answer[true[test] == k] == k).mean() for k in range(K) if (true[test] == k).any()])))
    return out


def slides(given: Given, seeds: int) -> None:
    """Print what noise of the kind 'group' flips, by order and number of labels."""
    classes = sorted(given.table["label"].unique())
    table, group = given.table, given.table["group"].to_numpy(str)
    y, items, plan = table["label"].map(classes.index).to_numpy(), table["instance"].to_numpy(), plan_splits(table, classes)
    noise_inputs = find_noise_inputs(plan, y, group, classes, kinds=["group"])
    print("\n| order | labels a class | labels wrong | sd over draws | slides in a draw | wrong slides | of these with all "
          "examples wrong | with two examples or more | wrong at fewer labels, right at more |\n" + "|---" * 9 + "|")  # fmt: skip
    for name in ("spread", "proportional", "concentrated"):
        found: dict[int, list[list[float]]] = {5: [], 10: [], 40: []}
        bad: dict[tuple[int, str], set[str]] = {}
        for (n, seed, split), rows in sorted(draw_supports(table, classes, plan, list(found), draws=seeds, regime=name).supports.items()):
            draw = NoiseContext(y[rows], items[rows].tolist(), group[rows], len(classes), seed, noise_inputs.targets[split],
                                slides=noise_inputs.slides[split])  # fmt: skip
            wrong = flip_labels(draw, "group", RATE) != draw.y
            own = pd.DataFrame({"group": group[rows], "wrong": wrong}).groupby("group")["wrong"].agg(["mean", "size"])
            flipped = own[own["mean"] > 0]
            now, before = set(flipped.index), bad.get((seed, split), set())
            found[n].append([wrong.mean(), len(own), len(flipped), (flipped["mean"] == 1).sum(), (flipped["size"] > 1).sum(), len(before - now)])
            bad[seed, split] = now
        for n, rows in found.items():
            wrong, slides_, flipped, whole, company, lost = np.array(rows, float).T
            print(f"| {name} | {n} | {wrong.mean():.1%} | {wrong.std():.1%} | {slides_.mean():.1f} | {flipped.sum():.0f} | "
                  f"{whole.sum():.0f} | {company.sum():.0f} | {lost.sum():.0f} |")  # fmt: skip


def resemblance(given: Given, seeds: int) -> None:
    """Print how often wrong labels name the most similar class, by kind of noise."""
    classes = sorted(given.table["label"].unique())
    table, group = given.table, given.table["group"].to_numpy(str)
    y, items, plan = table["label"].map(classes.index).to_numpy(), table["instance"].tolist(), plan_splits(table, classes)
    kinds = ("symmetric", "asymmetric", "instance-dependent", "resemblance")
    spaces = {name: Embedded(name, name, "standard", X) for name, X in given.spaces.items()}
    noise_inputs = find_noise_inputs(plan, y, group, classes, kinds=kinds, spaces=spaces, confusable=tuple(spaces))
    split = plan.repeats[0][0]
    train = split.train
    X = scale_rows(given.X, train, group, "unit")
    own = {"the descriptors": list(noise_inputs.features.items()), "the embedding": [("", X)]}
    nearest = {}
    for name, by in own.items():
        ranks = [_distances(Z[train], y[train], class_features(Z[train], y[train], len(classes)).mean) for _, Z in by]
        nearest[name] = np.mean(ranks, axis=0).argmin(1)
    print(f"\n{len(classes)} classes, {len(train)} items of a training side; by chance {1 / (len(classes) - 1):.1%}\n")
    print("| noise | " + " | ".join(f"names the nearest class by {name}" for name in own) + " |\n|---|---|---|")
    for kind in kinds:
        hits: dict[str, list[float]] = {name: [] for name in own}
        for seed in range(seeds):
            draw = NoiseContext(y[train], [items[i] for i in train], group[train], len(classes), seed, noise_inputs.targets[split.name],
                                {name: Z[train] for name, Z in noise_inputs.features.items()}, None, noise_inputs.classes[split.name])  # fmt: skip
            noisy = flip_labels(draw, kind, RATE)
            wrong = noisy != draw.y
            for name in own:
                hits[name].append(float((noisy == nearest[name])[wrong].mean()))
        print(f"| {kind} | " + " | ".join(f"{np.mean(hit):.1%}" for hit in hits.values()) + " |")


def _distances(X: np.ndarray, y: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return squared distances to the class means in units of their mean, (n, K); infinite to the own class."""
    away = ((X[:, None] - mean) ** 2).sum(-1) if len(X) * mean.size < 1e8 else np.stack([((X - m) ** 2).sum(1) for m in mean], 1)
    away /= away.mean(1, keepdims=True)
    away[np.arange(len(y)), y] = np.inf
    return away


PARTS: Mapping[str, Callable[[Given, int], None]] = MappingProxyType({"strays": strays, "slides": slides, "resemblance": resemblance})


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("embedding")
    parser.add_argument("--spaces", nargs="*", default=[])
    parser.add_argument("--part", default="strays")
    parser.add_argument("--seeds", type=int, default=20)
    given = parser.parse_args(arguments)
    for part in given.part.split(","):
        PARTS[part](read(given.embedding, given.spaces), given.seeds)


if __name__ == "__main__":
    main()
