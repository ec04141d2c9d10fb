"""What a class has to do with where it comes from (lab, stain, batch).

How much a class and its source tell of each other is their normalised mutual information (NMI). From few groups it is
above 0 by chance, so it is held against what it is when the sources change places between whole groups, since a group
has one source. Adjusted for chance it is (NMI - mean) / (1 - mean), with the mean of those permutations: 0
where class and source have nothing to do with each other, 1 where they are the same thing (as Vinh, Epps and Bailey
2010, with groups in place of items).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

INSEPARABLE = 0.95  # normalised mutual information from which class and source are the same thing
CONFOUNDED = 0.2  # adjusted for chance, from which a share of the score may be the source's
ALPHA = 0.05
PERMUTATIONS = 499
ENOUGH_SOURCES = 3  # with two classes each, from which `--split source` can hold each out in turn


@dataclass(frozen=True)
class Confounding:
    """How far a class goes with its source. nmi: as it is; adjusted: for chance; p: how often chance gives as much."""

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

    nmi = class_source_nmi(table)
    known = table.dropna(subset=["source"])
    units = known.groupby(["group", "source"]).ngroup().to_numpy()
    if np.isnan(nmi):
        return Confounding(nmi, nmi, nmi)
    counts = pd.crosstab(units, known["label"].to_numpy()).to_numpy(float)  # (G, K)
    first = np.unique(units, return_index=True)[1]
    source = np.unique(known["source"].to_numpy(str), return_inverse=True)[1][first]  # (G,)
    G, rng, drawn = len(source), np.random.default_rng(seed), []
    for _ in range(PERMUTATIONS):
        moved = csr_matrix((np.ones(G), (rng.permutation(source), np.arange(G))), shape=(source.max() + 1, G))
        drawn.append(_nmi(moved @ counts))
    mean = float(np.mean(drawn))
    p = (1 + int((np.array(drawn) >= nmi - 1e-9).sum())) / (1 + PERMUTATIONS)
    return Confounding(nmi, (nmi - mean) / (1 - mean) if mean < 1 else 0.0, p)


def source_warnings(table: pd.DataFrame) -> list[str]:
    """Return what stands between a score and a biological claim: classes that their source gives away."""
    nmi = class_source_nmi(table)
    if np.isnan(nmi):
        return []
    known = table.dropna(subset=["source"])
    n_sources = known["source"].nunique()
    if nmi >= INSEPARABLE:
        return [
            f"class not separable from source: claim nothing biological. {n_sources} sources and the classes are the "
            f"same thing (normalised mutual information {nmi:.2f}), so that stain, camera or lab would score as well"
        ]
    classes = known.groupby("source")["label"].nunique()
    if (classes == 1).all() and n_sources < known["group"].nunique():
        return [
            f"every one of {n_sources} sources holds one class only (normalised mutual information {nmi:.2f}): a class "
            "is told from others only across sources, and may be told by stain, camera or lab"
        ]
    if nmi < CONFOUNDED:  # adjusted for chance it is less still
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
    return [
        f"class and source go together: {_most_unequal(known)}. A score may be the lab's, stain's or batch's and not "
        f"the class's (normalised mutual information {nmi:.2f}, {found.adjusted:.2f} adjusted for chance, "
        f"p = {found.p:.2g} with sources permuted between groups): {way}"
    ]


def _most_unequal(known: pd.DataFrame) -> str:
    """Return in words which class and source go together most, by groups: the largest standardised excess."""
    blocks = known.drop_duplicates(["group", "source", "label"])
    counts = pd.crosstab(blocks["label"], blocks["source"])
    n = counts.to_numpy(float)
    expected = n.sum(1, keepdims=True) * n.sum(0) / n.sum()
    k, s = divmod(int(((n - expected) / np.sqrt(expected)).argmax()), n.shape[1])
    own, others = n[k].sum(), n.sum() - n[k].sum()
    rest = n[:, s].sum() - n[k, s]
    return (
        f"source '{counts.columns[s]}' holds {n[k, s]:.0f} of the {own:.0f} groups of class '{counts.index[k]}' "
        f"({100 * n[k, s] / own:.0f}%) and {100 * rest / others:.0f}% of the groups of other classes"
    )


def _nmi(counts: np.ndarray) -> float:
    """Return the mutual information of rows and columns over the mean of their entropies; counts (sources, classes)."""
    p = counts / counts.sum()
    entropies = [_entropy(p.sum(axis)) for axis in (0, 1)]
    mean = sum(entropies) / 2
    return (sum(entropies) - _entropy(p.ravel())) / mean if mean > 0 else 0.0


def _entropy(p: np.ndarray) -> float:
    p = p[p > 0]
    return float(-(p * np.log(p)).sum())
