"""What a class has to do with where it comes from (lab, stain, batch).

How much a class and its source tell of each other is their normalised mutual information (NMI). From few groups it is
above 0 by chance, so it is held against what it is when the sources change places between whole groups, since a group
has one source. Adjusted for chance it is (NMI - mean) / (1 - mean), with the mean of those permutations: 0
where class and source have nothing to do with each other, 1 where they are the same thing (as Vinh, Epps and Bailey
2010, with groups in place of items).

It is asked of all classes and sources at once, and of every class against the rest with every source against the rest,
since one class among many that comes from a lab of its own changes little of the whole. The largest counts, and its p
is that of the largest under permutation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

INSEPARABLE = 0.95  # normalised mutual information from which class and source are the same thing
CONFOUNDED = 0.2  # adjusted for chance, from which a share of the score may be the source's
TOLD_BY_KIND = 0.5  # the same, of kinds of files, which mix in many a folder
ALPHA = 0.05
PERMUTATIONS = 499
MOST_PERMUTED = 20_000  # rows, where kinds of files change places
ROUNDING = 1e-9
ENOUGH_SOURCES = 3  # with two classes each, from which `--split source` can hold each out in turn


@dataclass(frozen=True)
class Confounding:
    """How far classes go with their sources.

    pair: the class and the source that go together most, None where all classes and sources do so more. nmi, adjusted:
    theirs, as it is and adjusted for chance. p: how often chance gives as much.
    """

    pair: tuple[str, str] | None
    nmi: float
    adjusted: float
    p: float


def class_source_nmi(table: pd.DataFrame) -> float:
    """Return the normalised mutual information of class and source, in [0, 1]; NaN with fewer than two sources.

    table: columns label and source, rows without a source left out. Divided by the mean of the two entropies.
    """
    known = table.dropna(subset=["source"])
    if known["source"].nunique() < 2 or known["label"].nunique() < 2:
        return float("nan")
    return _nmi(pd.crosstab(known["source"], known["label"]).to_numpy(float))


def confounding(table: pd.DataFrame, seed: int = 0) -> Confounding:
    """Return how far class and source go together; NaN as `class_source_nmi`. table: columns label, source, group.

    A group in several sources counts as a group in each.
    """
    from scipy.sparse import csr_matrix  # slow to import

    known = table.dropna(subset=["source"])
    if np.isnan(class_source_nmi(known)):
        return Confounding(None, float("nan"), float("nan"), float("nan"))
    units = known.groupby(["group", "source"]).ngroup().to_numpy()
    by_class = pd.crosstab(units, known["label"].to_numpy())
    counts = by_class.to_numpy(float)  # (G, K)
    names, of_row = np.unique(known["source"].to_numpy(str), return_inverse=True)
    source = of_row[np.unique(units, return_index=True)[1]]  # (G,)
    G, rng, drawn = len(source), np.random.default_rng(seed), []
    for row in (source, *(rng.permutation(source) for _ in range(PERMUTATIONS))):
        moved = csr_matrix((np.ones(G), (row, np.arange(G))), shape=(len(names), G))
        drawn.append(_all_nmi(moved @ counts))
    nmi, *rest = np.array(drawn)  # (1 + sources K,) each
    mean = np.mean(rest, 0)
    scale = np.maximum(1 - mean, ROUNDING)
    adjusted = (nmi - mean) / scale
    most = int(adjusted.argmax())
    beyond = ((rest - mean) / scale).max(1) >= adjusted[most] - ROUNDING
    s, k = divmod(most - 1, counts.shape[1])
    pair = (str(by_class.columns[k]), str(names[s])) if most else None
    return Confounding(pair, float(nmi[most]), float(adjusted[most]), (1 + int(beyond.sum())) / (1 + PERMUTATIONS))


def source_warnings(table: pd.DataFrame) -> list[str]:
    """Return what stands between a score and a biological claim: classes that their source gives away."""
    nmi = class_source_nmi(table)
    if np.isnan(nmi):
        return []
    known = table.dropna(subset=["source"])
    n_sources = known["source"].nunique()
    if nmi >= INSEPARABLE:
        return [
            f"class cannot be separated from source, so a score proves nothing biological. The {n_sources} sources "
            f"and the classes coincide (normalised mutual information {nmi:.2f}), so that stain, camera or lab would "
            "score as well"
        ]
    classes = known.groupby("source")["label"].nunique()
    if (classes == 1).all() and n_sources < known["group"].nunique():
        return [
            f"every one of {n_sources} sources holds one class only (normalised mutual information {nmi:.2f}): "
            "classes can only be compared across sources, so stain, camera or lab may be what tells them apart"
        ]
    counts = pd.crosstab(known["source"], known["label"]).to_numpy(float)
    if n_sources == known["group"].nunique() or _all_nmi(counts).max() < CONFOUNDED:  # adjusted, it is less still
        return []
    found = confounding(known)
    if found.adjusted < CONFOUNDED or found.p > ALPHA:
        return []
    if (classes >= 2).sum() >= ENOUGH_SOURCES:
        way = "score with --split source, which tests on sources that were not learned from"
    else:
        way = (
            f"add groups of every class from the same sources; --split source needs {ENOUGH_SOURCES} sources that hold "
            "two classes each"
        )
    said = "" if found.pair is None else f": {_shares(known, *found.pair)}"
    return [
        f"class and source are associated{said}. A score may come from the lab, stain or batch instead of the class "
        f"(normalised mutual information {found.nmi:.2f}, {found.adjusted:.2f} adjusted for chance, p = {found.p:.2g} "
        f"with sources permuted between groups): {way}"
    ]


def kind_warnings(table: pd.DataFrame, kinds: pd.Series) -> list[str]:
    """Return the sentence that warns of classes that the kind of file gives away, nothing where it does not.

    table: columns label, group. kinds: of the file of each row, in words, as 'PNG of uint8'.
    """
    known = table[["label", "group"]].assign(source=kinds.to_numpy(object))
    if known["source"].nunique() < 2 or known["label"].nunique() < 2:
        return []
    if _all_nmi(pd.crosstab(known["source"], known["label"]).to_numpy(float)).max() < TOLD_BY_KIND:
        return []
    found = confounding(known if len(known) <= MOST_PERMUTED else known.sample(MOST_PERMUTED, random_state=0))
    if found.adjusted < TOLD_BY_KIND or found.p > ALPHA:
        return []
    label, kind = found.pair or _most(known)
    inside, own = known["source"] == kind, known["label"].astype(str) == label
    return [
        f"the kind of file goes with the class: {int((inside & own).sum()):,} of {int(own.sum()):,} of class '{label}' "
        f"and {int((inside & ~own).sum()):,} of the {int((~own).sum()):,} others are {kind}. A score may come from how "
        "files were made, as compression and depth change pixels: save all in one way, from the same originals"
    ]


def _most(known: pd.DataFrame) -> tuple[str, str]:
    """Return the class and the source of which one has the most of the other."""
    shares = pd.crosstab(known["label"].astype(str), known["source"], normalize="index")
    k, s = divmod(int((shares - shares.mean()).to_numpy().argmax()), shares.shape[1])
    return str(shares.index[k]), str(shares.columns[s])


def _shares(known: pd.DataFrame, label: str, source: str) -> str:
    """Return in words which part of the groups of a class and of the others come from a source."""
    blocks = known.drop_duplicates(["group", "source", "label"])
    inside = blocks["source"].astype(str) == source
    own = blocks["label"].astype(str) == label
    return (
        f"source '{source}' holds {(inside & own).sum()} of the {own.sum()} groups of class '{label}' "
        f"({100 * inside[own].mean():.0f}%) and {100 * inside[~own].mean():.0f}% of the groups of other classes"
    )


def _all_nmi(counts: np.ndarray) -> np.ndarray:
    """Return the NMI of all classes and sources, and of each source with each class, (1 + sources K,).

    counts (sources, K). A class that is rarer in a source than elsewhere gives 0: another one is more frequent there.
    """
    N, of_source, of_class = counts.sum(), counts.sum(1, keepdims=True), counts.sum(0)
    cells = np.stack([counts, of_source - counts, of_class - counts, N - of_source - of_class + counts]) / N
    shared = _h(of_source / N) + _h(of_class / N) - _plogp(cells).sum(0)
    mean = (_h(of_source / N) + _h(of_class / N)) / 2
    pairs = np.where((mean > 0) & (counts * N > of_source * of_class), shared / np.where(mean > 0, mean, 1), 0)
    return np.r_[_nmi(counts), pairs.ravel()]


def _h(p: np.ndarray) -> np.ndarray:
    """Return the entropy of a yes or no with probability p."""
    return _plogp(p) + _plogp(1 - p)


def _plogp(p: np.ndarray) -> np.ndarray:
    return -p * np.log(np.where(p > 0, p, 1))


def _nmi(counts: np.ndarray) -> float:
    """Return the mutual information of rows and columns over the mean of their entropies; counts (sources, classes)."""
    p = counts / counts.sum()
    apart = _plogp(p.sum(0)).sum() + _plogp(p.sum(1)).sum()
    return float((apart - _plogp(p).sum()) / (apart / 2)) if apart > 0 else 0.0
