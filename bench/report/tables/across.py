"""Which methods are best over several datasets: pure functions from scores per draw to tables.

A method is an encoder x head x selection. Its scores on a dataset are (BA - null) / (1 - null), so that guessing gives
0 and no error 1 whatever the number of classes. At given shots and noise those methods are compared that every dataset
has, over the first S draws that all have:

    mean, mean_low, mean_high  the mean over the datasets of the mean over draws, every dataset weighing the same, and a
                             percentile interval from a bootstrap that draws again within every dataset (Agarwal et al.
                             2021, section 4.2); the draws of a dataset are the same for all methods
    rank                     mean over the datasets of the rank, 1 is best; ties share theirs
    p_improvement, ...       the chance that the first method beats this one on a dataset taken at random, each with a
                             draw of its own (4.3, the Mann-Whitney statistic per dataset), and its interval
    difference, p, p_holm    of two methods: of their means over datasets; two-sided p of the signed-rank test over
                             datasets (Wilcoxon 1945) and adjusted over all pairs of that level (Holm 1979)

The interquartile mean over all datasets x draws, which is usual for many runs of similar tasks, is not used: datasets
differ by more than draws, so it would leave out the easiest and the hardest datasets as a whole.

The intervals allow for the luck of the draw on these very datasets. Only the signed-rank test is about datasets in
general, and it needs FEWEST of them: with 5, the smallest possible p is .0625.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.report.pages.numbers import rate as percent
from bench.report.tables.pairs import METHOD
from bench.statistics.hits import RESAMPLES, percentile_interval
from bench.text import counted

FEWEST = 6
EXACT_TO = 50  # datasets; from there on the normal approximation of the signed-rank test is as good
DIGITS = 12  # differences below this are rounding errors of equal scores
LEVEL = ["shots", "noise_kind", "noise"]
COLUMNS = [*LEVEL, "datasets", "draws", *METHOD, "mean", "mean_low", "mean_high", "rank", "p_improvement",
           "p_improvement_low", "p_improvement_high"]  # fmt: skip
PAIRS = [*LEVEL, "datasets", *(f"{name}_{side}" for side in "ab" for name in METHOD), "difference", "p", "p_holm"]


@dataclass(frozen=True)
class Across:
    """methods: one row COLUMNS per method and level, best first. pairs: PAIRS. notes: what was left out and why."""

    methods: pd.DataFrame
    pairs: pd.DataFrame
    notes: tuple[str, ...]


def across(scores: pd.DataFrame) -> Across:
    """Compare methods over datasets at every level of shots and noise that two datasets or more have.

    scores: columns dataset, encoder, head, selection, shots, noise_kind, noise, seed, score (as above), one row a draw.
    """
    methods, pairs, notes = [], [], []
    for key, rows in scores.groupby(LEVEL, sort=True):
        level: dict[str, Any] = dict(zip(LEVEL, key, strict=True))
        named = _named(level)
        datasets = sorted(rows["dataset"].unique())
        if len(datasets) < 2:
            continue
        names, A = common(rows, datasets)
        if len(names) < 2:
            notes.append(f"{named}: fewer than two methods have a row in each of {', '.join(datasets)}")
            continue
        left_out = rows[list(METHOD)].drop_duplicates().shape[0] - len(names)
        if left_out:
            missing = counted(left_out, "method")
            notes.append(f"{named}: left out {missing} without a row in each of the {len(datasets)} datasets")
        level |= {"datasets": len(datasets)}
        table = rate(A)
        methods.append(pd.concat([pd.DataFrame(names, columns=list(METHOD)), table], axis=1).assign(**level))
        if len(datasets) >= FEWEST:
            order = table["mean"].argsort(kind="stable").to_numpy()[::-1]
            pairs.append(signed_ranks([names[i] for i in order], A[order].mean(2)).assign(**level))
    counts = {count for table in methods if (count := int(table["datasets"].iloc[0])) < FEWEST}
    if counts:
        few = f"no signed-rank test over {' or '.join(map(str, sorted(counts)))} datasets: it needs {FEWEST} or more"
        notes.insert(0, f"{few} to find a difference (5 give no p below .0625)")
    return Across(_joined(methods, COLUMNS), _joined(pairs, PAIRS), tuple(dict.fromkeys(notes)))


def common(scores: pd.DataFrame, datasets: Sequence[str]) -> tuple[list[tuple[str, ...]], np.ndarray]:
    """Return (methods that every dataset has, scores (M, D, S) of the S draws that all of them have)."""
    wide = scores.pivot(index=list(METHOD), columns=["dataset", "seed"], values="score")
    by_dataset = [wide[[name]].sort_index(axis=1).to_numpy() for name in datasets]  # (all methods, draws)
    draws = np.stack([(~np.isnan(scores)).sum(1) for scores in by_dataset])
    kept = np.flatnonzero((draws > 0).all(0))
    S = int(draws[:, kept].min()) if len(kept) else 0
    return [tuple(wide.index[i]) for i in kept.tolist()], np.stack([scores[kept, :S] for scores in by_dataset], 1)


def rate(A: np.ndarray, *, resamples: int = RESAMPLES, seed: int = 0) -> pd.DataFrame:
    """Return the columns of COLUMNS from draws on, one row per method. A (M, D, S): scores."""
    from scipy.stats import rankdata  # slow to import

    M, D, S = A.shape
    drawn = np.random.default_rng(seed).integers(S, size=(resamples, D, S))
    counts = np.stack([np.bincount(d, minlength=S) for d in drawn.reshape(-1, S)]).reshape(resamples, D, S)
    mean = A.mean((1, 2))
    low, high = percentile_interval(A.reshape(M, -1) @ (counts.reshape(resamples, -1) / (D * S)).T)
    leader = int(mean.argmax())
    table = pd.DataFrame({"draws": S, "mean": mean, "mean_low": low, "mean_high": high})
    table["rank"] = rankdata(-A.mean(2).round(DIGITS), axis=0).mean(1)
    improvements = np.full((M, 3), np.nan)  # the chance and its limits
    for m in (m for m in range(M) if m != leader):
        chance, resampled = improvement(A[leader], A[m], counts)
        improvements[m] = chance, *percentile_interval(resampled)
    table[["p_improvement", "p_improvement_low", "p_improvement_high"]] = improvements
    return table


def improvement(x: np.ndarray, y: np.ndarray, counts: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the chance that x beats y on a dataset, mean over datasets, and its resamples (B,).

    x, y (D, S): scores; every draw of x meets every draw of y, a tie counts half. counts (B, D, S): how often a
    resample takes each draw.
    """
    wins = (x[:, :, None] > y[:, None]) + 0.5 * (x[:, :, None] == y[:, None])  # (D, S, S)
    weight = counts / x.shape[1]
    each = np.einsum("bds,dst,bdt->b", weight, wins, weight, optimize=True) / len(x)
    return float(wins.mean()), each


def signed_ranks(names: Sequence[tuple[str, ...]], means: np.ndarray) -> pd.DataFrame:
    """Return the columns of PAIRS from the methods on, for every pair of methods. means (M, D), best method first."""
    a, b = np.triu_indices(len(names), 1)
    differences = means[a] - means[b]
    rows: dict[str, object] = {}
    for side, index in (("a", a), ("b", b)):
        rows |= {f"{name}_{side}": [names[i][j] for i in index.tolist()] for j, name in enumerate(METHOD)}
    p = signed_rank_p(differences)
    return pd.DataFrame(rows | {"difference": differences.mean(1), "p": p, "p_holm": holm(p)})


def signed_rank_p(differences: np.ndarray) -> np.ndarray:
    """Return the two-sided p of the signed-rank test of differences (P, D), each row by itself; 1 where all are 0."""
    from scipy.stats import wilcoxon

    differences = differences.round(DIGITS)
    size = np.sort(np.abs(differences), axis=1)
    tied = (size[:, 0] == 0) | (np.diff(size, axis=1) == 0).any(1)
    p = np.ones(len(differences))
    if (~tied).any():
        method = "exact" if differences.shape[1] <= EXACT_TO else "asymptotic"
        p[~tied] = wilcoxon(differences[~tied], axis=1, method=method).pvalue
    for i in np.flatnonzero(tied & (size[:, -1] > 0)):
        p[i] = wilcoxon(differences[i]).pvalue
    return p


def _named(level: dict[str, Any]) -> str:
    noise = f", {percent(level['noise'])} wrong labels ({level['noise_kind']})" if level["noise"] else ""
    return f"{counted(level['shots'], 'label')} per class{noise}"


def _joined(tables: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    if not tables:
        return pd.DataFrame(columns=columns)
    joined = pd.concat(tables, ignore_index=True)[columns]
    if "rank" in joined:
        joined = joined.sort_values("mean", ascending=False, kind="stable")
        joined = joined.sort_values(LEVEL, kind="stable", ignore_index=True)
    return joined


def holm(p: np.ndarray) -> np.ndarray:
    """Return p-values (P,) adjusted for P tests (Holm 1979), at most 1; a NaN is no test and stays NaN."""
    adjusted = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1)
    return adjusted
