"""What two heads gain from what few labels leave unused, against those they come from. Prints Markdown.

    OMP_NUM_THREADS=1 python tests/settings/few_labels.py --data data --to scratch

Every set of SETS below --data is fitted with both encoders, on draws and splits of `bench run`, and kept below --to as a
parquet file, which is not made again. Heads of the registry choose their settings by `--select auto`. Of the forms in
`forms.py` no setting is chosen on the set that it is judged on: at every number of labels a form takes the ridge that is
best in the mean over the other sets, encoders and rates of wrong labels. Intervals are t-intervals of the paired
difference over sets x encoders, 95%.
"""

from __future__ import annotations

import argparse
import warnings
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
from bench.fitting.schedule import inputs_of
from bench.fitting.selection import choose, settings_of
from bench.fitting.views import Embedded
from bench.heads import all_heads
from bench.heads.pool import Pool
from bench.protocol.protocol import Protocol
from bench.report.pages.markdown import table_lines

FIELD = "([^/]+)__"
SETS = {  # group pattern, draws, splits of every draw that are fitted
    "bccd_cells": (FIELD, 8, 1),
    "sperm_mhsma_acrosome": (None, 8, 1),
    "nuclei_cells": (FIELD, 5, 1),
    "ifc_cellcycle": (None, 5, 1),
    "plankton33": (None, 5, 1),
}
ENCODERS = "efficientnet-lite0@size=128,texture"
HEADS = ("lda", "knn", "knn-reliable", "logreg", "ridge", "centroid")
FIXED = ("knn", "knn-reliable")  # at their published settings as well
SHOTS = (1, 5, 10, 50)
NOISE = (0.0, 0.2, 0.4)
WIDE = 0.15  # where knn's votes have .07
LEVEL = ["kind", "noise", "shots"]
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
    protocol = Protocol(
        shots=SHOTS, noise=NOISE, noise_kinds=("symmetric", "asymmetric"), draws=draws, select=("auto",)
    )
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
            pool = rows_of_split(view, split, inputs)
            assert isinstance(pool, Pool)
            unlabelled = UnlabelledPool.of(pool.X[split.train])
            tested, y = unlabelled.turn(pool.X[split.test]), inputs.y[split.test]
            for block in blocks:
                for seed in range(repeat, block.draws, len(repeats)):
                    supports = sweep.draws_of(block.level).supports
                    drawn = Drawn(seed, split, supports[block.shots, seed, split.name], pool)
                    for part in parts_of(block, drawn, inputs):
                        learned = unlabelled.turn(pool.X[drawn.rows])
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
    warnings.filterwarnings("ignore", category=FutureWarning)
    known = rows.groupby([*CELL, *LEVEL, "method"])[["ba", "loss"]].mean().reset_index()
    ba = 100 * known.pivot_table(index=[*CELL, *LEVEL], columns="method", values="ba")
    loss = known.pivot_table(index=[*CELL, *LEVEL], columns="method", values="loss")
    ba = pd.concat([ba, chosen_elsewhere(ba)], axis=1)
    forms = list(ROUNDS)
    print("## Balanced accuracy, mean over sets and encoders\n")
    print(_levels(ba[[*HEADS, f"knn, T = {WIDE}", "WANN", *forms]].groupby(LEVEL).mean().round(1)))
    print("\n## knn-reliable minus knn\n")
    for way, other in (("auto", ""), ("fixed", " fixed")):
        print(f"{way}:\n\n" + _gains(ba["knn-reliable" + other] - ba["knn" + other]) + "\n")
    print(f"knn, T = {WIDE}, minus knn, both fixed:\n\n" + _gains(ba[f"knn, T = {WIDE}"] - ba["knn fixed"]) + "\n")
    print("Log loss, mean:\n\n" + _levels(loss[["knn", "knn-reliable"]].groupby(LEVEL).mean().round(3)))
    own = ba[ba.index.get_level_values("kind") == "symmetric"]
    for form in forms:
        print(f"\n## {form} minus lda\n\n" + _gains(own[form] - own["lda"]))
    for form in forms[1:]:
        print(f"\n## {form} minus own\n\n" + _gains(own[form] - own["own"]))


def chosen_elsewhere(ba: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of every form at the ridge that is best on the other sets, at so many labels."""
    ba = ba[ba.index.get_level_values("kind") == "symmetric"]
    sets, shots = ba.index.get_level_values("set"), ba.index.get_level_values("shots")
    out = pd.DataFrame(index=ba.index, columns=list(ROUNDS), dtype=float)
    for form in ROUNDS:
        columns = [f"{form} {ridge}" for ridge in RIDGES]
        for name in sets.unique():
            for level in shots.unique():
                best = ba.loc[(sets != name) & (shots == level), columns].mean().idxmax()
                own = (sets == name) & (shots == level)
                out.loc[own, form] = ba.loc[own, best]
    return out


def _gains(difference: pd.Series) -> str:
    """Return the mean difference of every level with its interval over sets x encoders, and the worst of these."""
    lines = [["wrong labels", "labels per class", "points", "95% interval", "worst", "sets x encoders"]]
    for (kind, noise, shots), one in difference.dropna().groupby(LEVEL):
        if kind == "asymmetric" and noise == 0:
            continue
        half = student.ppf(0.975, len(one) - 1) * one.std() / np.sqrt(len(one)) if len(one) > 1 else np.nan
        what = "none" if noise == 0 else f"{noise:.0%} {kind}"
        mean = one.mean()
        lines.append([what, str(shots), f"{mean:+.1f}", f"{mean - half:+.1f} to {mean + half:+.1f}", f"{one.min():+.1f}",
                      str(len(one))])  # fmt: skip
    return table_lines(lines)


def _levels(table: pd.DataFrame) -> str:
    table = table[(table.index.get_level_values("kind") == "symmetric") | (table.index.get_level_values("noise") > 0)]
    lines = [["wrong labels", "labels per class", *map(str, table.columns)]]
    for (kind, noise, shots), values in zip(table.index, table.to_numpy().tolist(), strict=True):
        what = "none" if noise == 0 else f"{noise:.0%} {kind}"
        lines.append([what, str(shots), *("" if np.isnan(value) else f"{value:g}" for value in values)])
    return table_lines(lines)


if __name__ == "__main__":
    main()
