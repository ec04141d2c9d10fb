"""What two heads gain from what few labels leave unused, against those they come from. Prints Markdown.

    OMP_NUM_THREADS=1 python tests/settings/few_labels.py --data data --to scratch

Every set of SETS below --data is fitted with both encoders, on draws and splits of `bench run`, and kept below --to as a
parquet file, which is not made again. Heads of the registry choose their settings by `--select auto`. Of the forms in
`forms.py` no setting is chosen on the set that it is judged on: at every number of labels a form takes the ridge that is
best in the mean over the other sets, encoders and rates of wrong labels. Of the paired difference there are two
t-intervals, 95%: over sets x encoders, and, of the mean over these, over draws.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from forms import RIDGES, ROUNDS, UnlabelledPool, lda, wann, wide
from scipy.stats import t as student
from sweep import rows_of
from threadpoolctl import threadpool_limits

from bench.fitting.episode import Episode
from bench.fitting.fit import Drawn, parts_of
from bench.fitting.fit import rows_of as rows_of_split
from bench.fitting.plan import Sweep, plan_sweep
from bench.fitting.selection import choose
from bench.fitting.selection_plan import settings_of
from bench.fitting.tasks import inputs_of
from bench.fitting.views import Embedded
from bench.heads import all_heads
from bench.protocol.protocol import Protocol
from bench.report.pages.markdown import table_lines

FIELD = "([^/]+)__"
SETS = {  # group pattern, draws, splits of every draw that are fitted
    "bccd_cells": (FIELD, 8, 1),
    "sperm_mhsma_acrosome": (None, 8, 1),
    "nuclei_cells": (FIELD, 5, 1),
    "ifc_cellcycle": (None, 5, 1),
}
ENCODERS = "efficientnet-lite0@size=128,texture"
HEADS = ("lda", "knn", "knn-reliable", "logreg", "ridge", "centroid")
FIXED = ("knn", "knn-reliable")  # at their published settings as well
SHOTS = (1, 5, 10, 50)
NOISE = (0.0, 0.2, 0.4)
WIDE = 0.15  # where knn's votes have .07
LEVEL = ["noise", "kind", "shots"]
KINDS = ["symmetric", "asymmetric"]
CELL = ["set", "encoder"]


def main() -> None:
    """Fit what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of the sets")
    parser.add_argument("--to", type=Path, required=True, help="a folder for embeddings and scores")
    parser.add_argument("--sets", default=",".join(SETS))
    given = parser.parse_args()
    given.to.mkdir(parents=True, exist_ok=True)
    files = {name: given.to / f"{name}.parquet" for name in given.sets.split(",")}
    for name, file in files.items():
        if not file.exists():
            with threadpool_limits(1):
                pd.DataFrame(fit(given.data / name, given.to, *SETS[name])).to_parquet(file, index=False)
    print_tables(pd.concat([pd.read_parquet(file) for file in files.values()], ignore_index=True))


def fit(data: Path, out: Path, pattern: str | None, draws: int, splits: int) -> list[dict[str, object]]:
    """Return the balanced accuracy, and where there are probabilities the log loss, of every method in every draw."""
    asked = argparse.Namespace(data=data, group_pattern=pattern, encoder=ENCODERS, out=out, made_up="")
    name, table, views = rows_of(asked)
    classes = tuple(sorted(set(table["label"])))
    protocol = Protocol(shots=SHOTS, noise=NOISE, noise_kinds=tuple(KINDS), draws=draws, select=("auto",))
    keys = {view.name: (view.key, view.scaling) for view in views.values()}
    sweep = plan_sweep(table, classes, protocol, keys, ["lda"])
    return [
        {"set": name, "encoder": view.name, **row} for view in views.values() for row in _of_view(sweep, view, splits)
    ]


def _of_view(sweep: Sweep, view: Embedded, splits: int) -> Iterator[dict[str, object]]:
    inputs = inputs_of(sweep, Path("unused"))
    blocks = [block for block in sweep.blocks if block.encoder == view.name]
    repeats = sweep.plan.repeats
    counts: dict[tuple, list[np.ndarray]] = {}
    for repeat, own in enumerate(repeats):
        for split in own[:splits]:
            pool, whole = rows_of_split(view, split, inputs), view.scaled(split.train, inputs.groups)
            unlabelled = UnlabelledPool.of(whole[split.train])
            tested, y = unlabelled.turn(whole[split.test]), inputs.y[split.test]
            for block in blocks:
                for seed in range(repeat, block.draws, len(repeats)):
                    supports = sweep.draws_of(block.level).supports
                    drawn = Drawn(seed, split, supports[block.shots, seed, split.name], pool)
                    for part in parts_of(block, drawn, inputs):
                        learned = unlabelled.turn(whole[drawn.rows])
                        for rate, method, guess, loss in _guesses(part.episode, block, learned, tested, unlabelled, y):
                            key = (block.noise_kind, rate, block.shots, seed, method)
                            right = np.bincount(y, guess == y, len(sweep.classes))
                            of_class = np.bincount(y, minlength=len(sweep.classes))
                            counts.setdefault(key, []).append(np.stack([right, of_class, np.full(len(right), loss)]))
    for (kind, rate, shots, seed, method), parts in counts.items():
        right, of_class, _ = np.sum(parts, axis=0)
        ba = float((right / np.maximum(of_class, 1))[of_class > 0].mean())
        loss = float(np.mean([part[2, 0] for part in parts]))
        yield {"kind": kind, "noise": rate, "shots": shots, "seed": seed, "method": method, "ba": ba, "loss": loss}


def _guesses(
    episode: Episode, block, learned: np.ndarray, tested: np.ndarray, pool: UnlabelledPool, y_test: np.ndarray
) -> Iterator[tuple[float, str, np.ndarray, float]]:
    """Yield (rate of wrong labels, method, classes of the test rows, log loss or NaN)."""
    K, heads = episode.n_classes, all_heads()
    auto = "auto" if episode.can_leave_out and block.shots > 1 else "fixed"
    for name, way in [*((name, auto) for name in HEADS), *((name, "fixed") for name in FIXED)]:
        chosen = choose(way, heads[name], settings_of(way, heads[name]), episode)
        method = f"{name} fixed" if way == "fixed" != auto else name
        methods = [method] if auto != "fixed" else list(dict.fromkeys([name, f"{name} fixed"]))
        for P, rate in zip(chosen.P, block.rates, strict=True):
            loss = -np.log(np.maximum(P[np.arange(len(P)), y_test], 1e-6)).mean()
            yield from ((rate, one, P.argmax(1), float(loss)) for one in methods)
    k = int(episode.published(heads["knn"])["k"])
    for y, rate in zip(episode.Y, block.rates, strict=True):
        yield rate, "WANN", wann(episode.support, y, K), np.nan
        yield rate, f"knn, T = {WIDE}", wide(episode.support, y, K, k, WIDE), np.nan
        if block.noise_kind == "symmetric":
            for form in ROUNDS:
                for ridge in RIDGES:
                    W, b = lda(form, ridge, learned, y, K, pool)
                    yield rate, f"{form} {ridge}", (tested @ W.T + b).argmax(1), np.nan


def print_tables(rows: pd.DataFrame) -> None:
    """Print what every head scores, what knn-reliable gains, and what the forms of LDA gain."""
    rows = rows[(rows["kind"] == KINDS[0]) | (rows["noise"] > 0)].assign(kind=pd.Categorical(rows["kind"], KINDS))
    ba, loss = _table(100 * rows["ba"], rows), _table(rows["loss"], rows)
    ba = pd.concat([ba, chosen_elsewhere(ba)], axis=1)
    forms, wider = list(ROUNDS), f"knn, T = {WIDE}"
    print("## Balanced accuracy, mean over sets and encoders\n")
    print(_levels(ba[[*HEADS, wider, "WANN", *forms]], 1))
    pairs = [("knn-reliable", "knn"), ("knn-reliable fixed", "knn fixed"), (wider, "knn fixed"), ("WANN", "knn fixed")]
    pairs += [("knn-reliable fixed", wider), *((form, "lda") for form in forms), *((form, "own") for form in forms[1:])]
    for one, other in pairs:
        print(f"\n## {one} minus {other}\n\n{_gains(ba[one] - ba[other])}")
    print("\n## Log loss, mean over sets and encoders\n\n" + _levels(loss[["knn", "knn-reliable"]], 3))
    gain = (ba["knn-reliable"] - ba["knn"]).groupby([*CELL, *LEVEL], observed=True).mean().unstack(CELL)
    print("\n## knn-reliable minus knn, every set and encoder\n\n" + _levels(gain, 1))


def _table(values: pd.Series, rows: pd.DataFrame) -> pd.DataFrame:
    """Return values by draw, one column for every method."""
    keys = [*CELL, *LEVEL, "seed"]
    return rows.assign(value=values).pivot_table(index=keys, columns="method", values="value", observed=True)


def chosen_elsewhere(ba: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of every form at the ridge that is best on the other sets, at so many labels."""
    means = ba.groupby([*CELL, *LEVEL], observed=True).mean()
    sets, shots = (means.index.get_level_values(name) for name in ("set", "shots"))
    out = pd.DataFrame(index=ba.index, columns=list(ROUNDS), dtype=float)
    for form in ROUNDS:
        columns = [f"{form} {ridge}" for ridge in RIDGES]
        for name in sets.unique():
            for level in shots.unique():
                own = (ba.index.get_level_values("set") == name) & (ba.index.get_level_values("shots") == level)
                best = means.loc[(sets != name) & (shots == level), columns].mean()
                out.loc[own, form] = ba.loc[own, best.idxmax() if best.notna().any() else columns[0]]
    return out


def _gains(difference: pd.Series) -> str:
    """Return the mean difference of every level with its intervals, and the worst set and encoder."""
    lines = [["wrong labels", "labels per class", "points", "over sets x encoders", "over draws", "worst"]]
    known = difference.dropna()
    levels = [
        (_wrong(noise, kind), str(shots), one) for (noise, kind, shots), one in known.groupby(LEVEL, observed=True)
    ]
    many = known.index.get_level_values("shots") > 1
    noisy = known.index.get_level_values("noise") > 0
    whole = [("none", "5 to 50", known[many & ~noisy]), ("all kinds and rates", "5 to 50", known[many & noisy])]
    for wrong, shots, one in [*whole, *levels]:
        cells = one.groupby(CELL).mean()
        draws = one.groupby([*CELL, "seed"]).mean().unstack(CELL).dropna().mean(axis=1)
        lines.append([wrong, shots, f"{cells.mean():+.1f}", _interval(cells, cells.mean()),
                      _interval(draws, cells.mean()), f"{cells.min():+.1f}"])  # fmt: skip
    return table_lines(lines)


def _interval(values: pd.Series, middle: float) -> str:
    half = student.ppf(0.975, len(values) - 1) * values.std() / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return f"{middle - half:+.1f} to {middle + half:+.1f}"


def _wrong(noise: float, kind: str) -> str:
    return "none" if noise == 0 else f"{noise:.0%} {kind}"


def _levels(table: pd.DataFrame, digits: int) -> str:
    """Return the mean of every column at every level; sets and encoders weigh the same."""
    if "seed" in table.index.names:
        table = table.groupby([*CELL, *LEVEL], observed=True).mean().groupby(LEVEL, observed=True).mean()
    heads = [" ".join(name) if isinstance(name, tuple) else str(name) for name in table.columns]
    lines = [["wrong labels", "labels per class", *heads]]
    for (noise, kind, shots), values in zip(table.index, table.to_numpy().tolist(), strict=True):
        lines.append([_wrong(noise, kind), str(shots), *("" if np.isnan(v) else f"{v:.{digits}f}" for v in values)])
    return table_lines(lines)


if __name__ == "__main__":
    main()
