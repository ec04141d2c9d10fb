"""What draws take where slides hold a few wrong labels, and how often the warning of slips is raised, on simulated data.

    python -m tests.simulation.draws [--sets 200] [--part regimes,slips,slides]

Slides hold one class each and are of unlike sizes; in every slide one item (or a share of the items) carries the label
of another class. `regimes` draws labels by `bench.protocol.splits`, with the orders of `bench.protocol.order` and others that
were considered, and tests on new slides. `slips` asks `bench.data.slips` about such data and about honest ones. `slides`
counts what noise of the kind 'group' flips.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd

from bench.data.slips import look_like_slips
from bench.heads import get_heads
from bench.heads.support import Support
from bench.protocol import order
from bench.protocol.order import OrderKeys
from bench.protocol.slide_noise import flip_slides, slides_of
from bench.protocol.splits import Split, SplitPlan, plan_splits
from bench.protocol.supports import draw_supports

DIMS, SIGNAL, SLIDE = 8, 1.0, 0.6
HEADS = ("centroid", "logreg")
SHOTS = (1, 5, 10, 20)


def as_equals(keys: OrderKeys) -> tuple[np.ndarray, ...]:
    """Go round the slides as equals."""
    return keys.of_group, keys.turn + keys.of_group


def by_share(keys: OrderKeys) -> tuple[np.ndarray, ...]:
    """Weight c / N: a large slide counts as a small one."""
    return keys.of_group, (keys.turn + keys.of_group) * keys.size / keys.count


def in_proportion(keys: OrderKeys) -> tuple[np.ndarray, ...]:
    """Weight c: as proportional, but round the slides."""
    return keys.of_group, (keys.turn + keys.of_group) / keys.count


CONSIDERED: Mapping[str, Callable[[OrderKeys], tuple[np.ndarray, ...]]] = MappingProxyType(
    {"as equals": as_equals, "weight c/N": by_share, "weight c": in_proportion}
)


@dataclass(frozen=True)
class Case:
    """Training data of K classes: slides a class; sizes (rng, slides) to items; share of wrong labels, None: 1 a slide."""

    name: str
    K: int
    slides: int
    sizes: Callable[[np.random.Generator, int], np.ndarray]
    share: float | None = None


def equal(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.full(n, 20)


def unlike(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.integers(5, 36, n)


def skewed(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.maximum(2, np.rint(np.exp(rng.normal(np.log(20) - 0.5, 1, n)))).astype(int)


def giant(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.array([20 * n, *[20] * (n - 1)])


CASES = (
    Case("20 items each", 2, 20, equal),
    Case("20 items each, 4 classes", 4, 10, equal),
    Case("5 to 35 items", 2, 20, unlike),
    Case("log-normal sizes, sd 1", 2, 20, skewed),
    Case("log-normal sizes, sd 1, a random 5%", 2, 20, skewed, 0.05),
    Case("one slide a class holds half", 2, 20, giant),
    Case("log-normal sizes, sd 1, no wrong label", 2, 20, skewed, 0.0),
)


def make(case: Case, rng: np.random.Generator) -> pd.DataFrame:
    """Return the training table: columns instance, label, group, true (class number), split."""
    parts = []
    for k in range(case.K):
        for s, size in enumerate(case.sizes(rng, case.slides).tolist()):
            wrong = np.arange(size) < 1 if case.share is None else rng.random(size) < case.share
            label = np.where(wrong, (k + 1 + rng.integers(0, case.K - 1, size)) % case.K, k)
            named = f"{k}-{s}-{rng.integers(2**40)}"  # draws go by names, so every table needs names of its own
            parts.append(pd.DataFrame({"label": label.astype(str), "true": k, "group": named}))
    table = pd.concat(parts, ignore_index=True)
    return table.assign(instance=[f"i{i}-{rng.integers(2**40)}" for i in range(len(table))], split=pd.NA)


def embed(true: np.ndarray, group: np.ndarray, K: int, rng: np.random.Generator) -> np.ndarray:
    """Return rows (n, DIMS): a class mean, a shift of the slide, and noise of variance 1 of the item."""
    which = np.unique(group, return_inverse=True)[1]
    shift = SLIDE * rng.normal(size=(which.max() + 1, DIMS))
    return (SIGNAL * np.eye(K, DIMS)[true] + shift[which] + rng.normal(size=(len(true), DIMS))).astype(np.float32)


def regimes(sets: int, seeds: int = 5) -> None:
    """Print, for every case and order: wrong labels, slides and the largest slide's share of a draw, and accuracy."""
    order.REGIMES = MappingProxyType({**order.REGIMES, **CONSIDERED})
    names = [*CONSIDERED, "spread", "proportional", "concentrated"]
    heads = get_heads(HEADS)
    for case in CASES:
        found: dict[tuple[str, int], list[list[float]]] = {(name, n): [] for name in names for n in SHOTS}
        stray = []
        for s in range(sets):
            rng = np.random.default_rng([s, CASES.index(case)])
            table = make(case, rng)
            classes, true = [str(k) for k in range(case.K)], table["true"].to_numpy()
            y, group = table["label"].astype(int).to_numpy(), table["group"].to_numpy(str)
            new, other = np.repeat(np.arange(case.K), 600), np.repeat([f"new{i}" for i in range(60 * case.K)], 10)
            X = embed(np.r_[true, new], np.r_[group, other], case.K, rng)
            X -= X[: len(table)].mean(0)
            plan = SplitPlan("official", "", ((Split("all", np.arange(len(table)), np.arange(0)),),))
            stray.append((y != true).mean())
            for name in names:
                drawn = draw_supports(table, classes, plan, SHOTS, draws=seeds, regime=name)
                for (n, _, _), rows in drawn.supports.items():
                    support = Support(X[rows], X[len(table) :])
                    right = [
                        100 * (head.scores(support, y[rows][None], case.K, [head.default]).P[0, 0].argmax(-1) == new).mean()
                        for head in heads
                    ]
                    share = [np.unique(group[rows[y[rows] == k]], return_counts=True)[1] for k in range(case.K)]
                    found[name, n].append([
                        100 * (y[rows] != true[rows]).mean(), float(np.mean([len(own) for own in share])),
                        100 * float(np.mean([own.max() / n for own in share])), *right,
                    ])  # fmt: skip
        print(f"\n{case.name}: {np.mean(stray):.1%} of the labels wrong\n")
        print("| order | " + " | ".join(f"{n} labels: wrong / slides / largest / {' / '.join(HEADS)}" for n in SHOTS) + " |")
        print("|---|" + "---|" * len(SHOTS))
        for name in names:
            cells = [np.mean(found[name, n], axis=0) for n in SHOTS if found[name, n]]
            print(f"| {name} | " + " | ".join("{:.1f}% / {:.1f} / {:.0f}% / {:.1f} / {:.1f}".format(*own) for own in cells) + " |")


def slips(sets: int) -> None:
    """Print how often honest data raise the warning, by how evenly slides mix their classes, and what it finds."""
    evenness = (0.1, 0.3, 1, 3, 10, 50)
    print("\n| honest slides | classes | " + " | ".join(f"{phi:g}" for phi in evenness) + " |")
    print("|---|---|" + "---|" * len(evenness))
    for G in (6, 12, 30, 100):
        for shares in ((0.5, 0.5), (1 / 3,) * 3, (0.6, 0.3, 0.07, 0.03), (1 / 8,) * 8):
            fired = []
            for phi in evenness:
                rng = np.random.default_rng([G, len(shares), round(10 * phi)])
                fired.append(np.mean([
                    look_like_slips(np.array([rng.multinomial(rng.integers(10, 101), p) for p in
                                              rng.dirichlet(phi * np.array(shares), G)])).any()
                    for _ in range(sets)
                ]))  # fmt: skip
            print(f"| {G} | {len(shares)}{'' if len(set(shares)) == 1 else ', unequal'} | " + " | ".join(f"{x:.2f}" for x in fired) + " |")
    print("\n| slides of one class with wrong labels | warned of | wrong labels named | right ones named |\n|---|---|---|---|")
    for case in (*CASES[:6], Case("20 to 40 items, 3 slides a class, 4 classes", 4, 3, lambda rng, n: rng.integers(20, 41, n)),
                 Case("100 items, a random 2%", 2, 6, lambda rng, n: np.full(n, 100), 0.02),
                 Case("100 items, a random 10%", 2, 6, lambda rng, n: np.full(n, 100), 0.1)):  # fmt: skip
        warned, named, spoken = [], [], []
        for s in range(sets):
            table = make(case, np.random.default_rng([s, 7]))
            counts = pd.crosstab(table["group"], table["label"])
            found = look_like_slips(counts.to_numpy())
            said = found[counts.index.get_indexer(table["group"]), counts.columns.get_indexer(table["label"])]
            wrong = (table["label"].astype(int) != table["true"]).to_numpy()
            warned.append(found.any())
            named.append(said[wrong].mean())
            spoken.append(said[~wrong].mean())
        print(f"| {case.name} | {np.mean(warned):.2f} | {np.mean(named):.2f} | {np.mean(spoken):.4f} |")


def slides(sets: int) -> None:
    """Print what 'group' noise flips at 30%, over 30 draws of a table, by order and number of labels."""
    print("\n| order | labels a class | labels wrong | sd over draws | wrong slides | all of a slide's examples wrong | "
          "of 5 labels' wrong slides in 10 labels' | examples with company |\n|---|---|---|---|---|---|---|---|")  # fmt: skip
    case = Case("", 2, 12, skewed, 0.0)
    table = make(case, np.random.default_rng(0))
    y, group = table["label"].astype(int).to_numpy(), table["group"].to_numpy(str)
    plan = plan_splits(table, ["0", "1"])
    for name in ("spread", "proportional", "concentrated"):
        supports = draw_supports(table, ["0", "1"], plan, (5, 10), draws=max(30, sets), regime=name).supports
        wrong_slides: dict[tuple[int, int, str], set[str]] = {}
        rows_of: dict[int, list[tuple[float, int, float, float]]] = {5: [], 10: []}
        for (n, seed, split), rows in supports.items():
            [train] = [s.train for s in plan.splits(seed) if s.name == split]
            noisy = flip_slides(slides_of(group[train], y[train], 2), group[rows], y[rows], 2, rate=0.3, seed=seed)
            by = pd.DataFrame({"group": group[rows], "wrong": noisy != y[rows]}).groupby("group")["wrong"]
            share = by.mean()
            wrong_slides[n, seed, split] = set(share.index[share > 0])
            alone = by.transform("size") > 1
            whole = float((share[share > 0] == 1).mean()) if (share > 0).any() else np.nan
            rows_of[n].append((float((noisy != y[rows]).mean()), int((share > 0).sum()), whole, float(alone.mean())))
        kept = np.mean([wrong_slides[5, seed, split] <= wrong_slides[10, seed, split] for n, seed, split in supports if n == 5])
        for n, found in rows_of.items():
            share, count, whole, company = (np.array(column, float) for column in zip(*found, strict=True))
            print(f"| {name} | {n} | {share.mean():.1%} | {share.std():.1%} | {count.mean():.1f} | {np.nanmean(whole):.0%} | "
                  f"{kept:.0%} | {company.mean():.0%} |")  # fmt: skip


PARTS: Mapping[str, Callable[[int], None]] = MappingProxyType({"regimes": regimes, "slips": slips, "slides": slides})


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--part", default=",".join(PARTS))
    given = parser.parse_args(arguments)
    for part in given.part.split(","):
        PARTS[part](given.sets)


if __name__ == "__main__":
    main()
