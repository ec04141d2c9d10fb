"""Whether CellProfiler's measurements of nuclei gain by PCA, and how they compare: a table in Markdown.

    python results/morphology/nuclei.py cp-measure=cut/cp.npz texture=cut/texture.npz 'texture, whole=plain/texture.npz'

Files are those of `bench export`. Rows are matched by image and box, so that all are drawn, learned from and tested
alike. Every method gets its rows scaled by the training side alone (`bench.fitting.scaling`). The PCA, of a method
called cp-measure, is fitted on the same rows, after that. Heads have their published settings.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import pandas as pd

from bench.fitting.scaling import scale_rows
from bench.heads import get_heads
from bench.heads.support import Support
from bench.protocol.splits import plan_splits
from bench.protocol.supports import draw_supports

SHOTS = (5, 20, 50)
DRAWS = 10
HEADS = ("logreg", "knn")
AGAIN = 2000  # times that fields are drawn for an interval
SCALED = {"texture": "standard", "cp-measure": "standard"}  # as their specs say; others: unit


def read(path: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Return (table, rows float64 (N, d)) of an export, sorted by image and box, each once."""
    with np.load(path) as file:
        table = pd.DataFrame({name: file[name] for name in ("path", "label", "group", "x0", "y0", "x1", "y1")})
        X = file["embedding"].astype(np.float64)
    table["instance"] = table["path"] + table[["x0", "y0", "x1", "y1"]].astype(str).agg(":".join, axis=1)
    table = table.drop_duplicates("instance").sort_values("instance")
    return table.reset_index(drop=True).assign(split=pd.NA), X[table.index]


def by_pca(
    Z: np.ndarray, train: np.ndarray, keep: float | int, over: Callable[[np.ndarray], np.ndarray] | None
) -> np.ndarray:
    """Return scaled rows Z (N, d) on the first principal axes of the training rows.

    keep: how many, or the share of their variance that they hold. over: what each is divided by, of the training rows.
    """
    mean = Z[train].mean(0)
    _, s, axes = np.linalg.svd(Z[train] - mean, full_matrices=False)
    k = keep if isinstance(keep, int) else int(np.searchsorted(np.cumsum(s**2) / np.sum(s**2), keep)) + 1
    rows = (Z - mean) @ axes[:k].T
    return rows if over is None else rows / over(rows[train]) / np.sqrt(k)


def mad(rows: np.ndarray) -> np.ndarray:
    """Return the median absolute deviation of each column, in units of a normal deviation."""
    return 1.4826 * np.median(np.abs(rows - np.median(rows, 0)), 0)


def main(given: list[str]) -> None:
    """Print the table, and how each method differs from the first."""
    tables, rows = {}, {}
    for word in given:
        name, _, path = word.rpartition("=")
        tables[name], rows[name] = read(path)
    shared = set.intersection(*(set(table["instance"]) for table in tables.values()))
    kept = {name: table["instance"].isin(shared).to_numpy() for name, table in tables.items()}
    table = next(iter(tables.values()))[next(iter(kept.values()))].reset_index(drop=True)
    rows = {name: X[kept[name]] for name, X in rows.items()}
    classes = sorted(table["label"].unique())
    y, group = table["label"].map(classes.index).to_numpy(), table["group"].to_numpy(str)
    plan = plan_splits(table, classes)
    drawn = draw_supports(table, classes, plan, SHOTS, draws=DRAWS).supports
    right: dict[tuple[str, str, int], np.ndarray] = {}  # (method, head, shots) -> share of draws that are right (N,)
    ways = {
        "": lambda Z, train: Z,
        ", PCA 95%": lambda Z, train: by_pca(Z, train, 0.95, None),
        ", PCA 95%, whitened": lambda Z, train: by_pca(Z, train, 0.95, lambda rows: rows.std(0)),
        ", PCA 64, over MAD": lambda Z, train: by_pca(Z, train, 64, mad),
    }
    heads = get_heads(HEADS)
    for name, X in rows.items():
        own = ways if name.startswith("cp-measure") else {"": ways[""]}
        scaled: dict[str, dict[str, np.ndarray]] = {}
        for (shots, draw, split), picked in drawn.items():
            [fold] = [one for one in plan.splits(draw) if one.name == split]
            if split not in scaled:
                kind = SCALED.get(name.split(",")[0], "unit")
                Z = scale_rows(X, fold.train, group, kind)
                scaled[split] = {way: make(Z, fold.train) for way, make in own.items()}
            for way, Z in scaled[split].items():
                support = Support(Z[picked], Z[fold.test], group[picked], is_centred=True)
                for head in heads:
                    setting = {**head.default, **head.published(len(picked), len(classes), Z.shape[1])}
                    P = head.scores(support, y[picked][None], len(classes), [setting]).P[0, 0]
                    found = right.setdefault((name + way, head.name, shots), np.zeros(len(y)))
                    found[fold.test] += (P.argmax(-1) == y[fold.test]) / DRAWS
    _show(right, y, group, classes)
    print(f"\n{len(y)} nuclei of {len(set(group))} fields; {', '.join(classes)}", file=sys.stderr)


def _show(right: dict[tuple[str, str, int], np.ndarray], y: np.ndarray, group: np.ndarray, classes: list[str]) -> None:
    rng = np.random.default_rng(0)
    fields = [np.unique(group[y == k]) for k in range(len(classes))]
    weights = [
        [dict(zip(*np.unique(rng.choice(own, len(own)), return_counts=True), strict=True)) for own in fields]
        for _ in range(AGAIN)
    ]
    first = next(iter(right))[0]
    levels = " | ".join(f"{n} labels per class" for n in SHOTS)
    print(f"| method | head | {levels} | at {SHOTS[-1]}, minus {first} |")
    print("|---|---|" + "---:|" * (len(SHOTS) + 1))
    sums = {
        key: [
            pd.DataFrame({"group": group[y == k], "right": own[y == k]}).groupby("group")["right"].agg(["sum", "size"])
            for k in range(len(classes))
        ]
        for key, own in right.items()
    }

    def score(key: tuple[str, str, int], drawn: list[dict[str, int]] | None = None) -> float:
        parts = []
        for k, own in enumerate(sums[key]):
            w = np.ones(len(own)) if drawn is None else own.index.map(lambda name: drawn[k].get(name, 0)).to_numpy()  # noqa: B023
            parts.append((own["sum"].to_numpy() @ w) / (own["size"].to_numpy() @ w))
        return 100 * float(np.mean(parts))

    for name in dict.fromkeys(key[0] for key in right):
        for head in HEADS:
            scores = [f"{score((name, head, n)):.1f}" for n in SHOTS]
            pair = (name, head, SHOTS[-1]), (first, head, SHOTS[-1])
            apart = [score(pair[0], one) - score(pair[1], one) for one in weights] if name != first else []
            low, high = np.quantile(apart, [0.025, 0.975]) if apart else (0, 0)
            gain = f"{score(pair[0]) - score(pair[1]):+.1f} [{low:+.1f}, {high:+.1f}]" if apart else ""
            print(f"| {name} | {head} | {' | '.join(scores)} | {gain} |")


if __name__ == "__main__":
    main(sys.argv[1:])
