"""What scores vary by: other test groups, other training groups, other draws.

The estimand is the score that a reader expects: learned from NEW groups and tested on NEW groups, as many as here. A
score is a mean over test groups and over draws, and errs by both and by the groups that it was learned from
(`bench.statistics.learning`).

    fixed, official     variance = T + L           T: other test groups, L: other training groups and draws
    in turn (folds)     variance = (1 + w) T + (1 - w) D + v C + luck of the draws
                        D: the groups as they are learned from, C: twice its covariance with T, both by deletions

In folds every group is tested and learned from, and its variance is T + D + C. By deletions D is right in the mean and
noisy, a sum of squares of what few draws say. Where learning is symmetric, with as much effect on the answers to others
as others have on the answer to it, it is T (`bench.statistics.chance` has the bound). The two are weighed by 1 - w and
w = `PRIOR`. C may be larger than T, as odd groups, which are hard to test, mislead those who learn from them. One of
its factors is known well, so that it is less noisy than D and counts for more, v = 2 (1 - w), where groups hold all
classes. Where each holds one class, deleting a group leaves so few of its class that D and C come out up to twice as
large as they are, and v = 1 - w; between these v goes by how many classes a group holds. The variance is never less
than T, and of several methods D and C are shrunk towards T times their average ratio over all of them. Only a part of
the groups may be missing from some draw: the weights of D and C are smaller by that part. The weights were chosen by
`tests/simulation/new_slides.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.statistics.hits import Hits
from bench.statistics.learning import Deletions, Learned, common_lucks, deletions

ROUNDING = 1e-18  # a variance below this is that of equal numbers, rounded
PRIOR = 2 / 3
LEAST_DF = 3.0  # below it limits say no more than that a score is between 0 and 1

Pick = Callable[[np.ndarray], np.ndarray]  # a matrix (M, M) of methods to the variances of some contrasts of them


@dataclass(frozen=True)
class Spread:
    """What the scores of M methods vary by: matrices (M, M) of covariances of the mean scores.

    mean (M,): balanced accuracies. test: over other test groups; luck: over other draws from the same training groups;
    learning: over other training groups and draws, where groups are only learned from (else as `luck`). in_turn:
    whether groups are tested in turn; deleted: what deleting them then changes, None where draws are too few.
    df_test, df_draws, df_groups: degrees of freedom of test, of luck and learning, and of the deletions. mixed: 1 where
    groups hold all classes, 0 where each holds one.
    """

    mean: np.ndarray
    test: np.ndarray
    luck: np.ndarray
    learning: np.ndarray
    in_turn: bool
    deleted: Deletions | None
    df_test: float
    df_draws: float
    df_groups: float
    mixed: float = 1.0

    def errors(self, pick: Pick) -> tuple[np.ndarray, np.ndarray]:
        """Return variance and degrees of freedom (Satterthwaite 1946) of contrasts, for other groups on both sides."""
        test, learning = (np.maximum(pick(part), 0) for part in (self.test, self.learning))
        terms = [(learning, self.df_draws)]
        if self.deleted is None:
            variance = (2 if self.in_turn else 1) * test + learning
            terms.append(((2 if self.in_turn else 1) * test, self.df_test))
        else:
            found = self.deleted
            weight, known = (1 - PRIOR) * found.known, found.known * (self.df_groups - 1) / self.df_groups
            kept = (1 - PRIOR) * known
            raw = _pooled(np.maximum(pick(found.raw), 0), test)
            learned = kept * _pooled(pick(found.raw) - pick(found.noise), test)
            shared = (1 + self.mixed) * kept
            odd = shared * _pooled(pick(found.cross), test)
            variance = np.maximum((2 - weight) * test + learned + odd, test) + learning
            terms += [((2 - weight) * test, self.df_test), (kept * raw, self.df_groups)]
            terms.append((shared * np.sqrt(2 * test * raw), self.df_groups))
        df = _freedom(variance, terms)
        return variance, np.minimum(df, max(self.df_test, LEAST_DF)) if self.in_turn else df

    def errors_here(self, pick: Pick) -> tuple[np.ndarray, np.ndarray]:
        """Return variances and degrees of freedom for other test groups, with these very training groups."""
        test, luck = (np.maximum(pick(part), 0) for part in (self.test, self.luck))
        return test + luck, _freedom(test + luck, [(test, self.df_test), (luck, self.df_draws)])


def _pooled(found: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Return what deletions say of each contrast, drawn toward the share of `test` that it is in all of them.

    Few draws say little of one contrast; of n contrasts its own weighs 1/n.
    """
    own = 1 / max(found.size, 1)
    return own * found + (1 - own) * test * (found.sum() / max(test.sum(), ROUNDING))


def _freedom(variance: np.ndarray, terms: list[tuple[np.ndarray, float]]) -> np.ndarray:
    doubt = sum((term**2 / max(df, 1) for term, df in terms), np.zeros_like(variance))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(doubt > 0, np.maximum(variance**2 / doubt, LEAST_DF), np.nan)


def of_scores(matrix: np.ndarray) -> np.ndarray:
    """Return the variances of the scores themselves, (M,)."""
    return matrix.diagonal()


def of_pairs(matrix: np.ndarray) -> np.ndarray:
    """Return the variances of all differences of two scores, (M, M)."""
    return matrix.diagonal()[:, None] + matrix.diagonal() - 2 * matrix


def against(reference: int, others: np.ndarray) -> Pick:
    """Return the variances of the differences of some scores from one: a `Pick` of (len(others),)."""
    return lambda matrix: matrix[others, others] + matrix[reference, reference] - 2 * matrix[others, reference]


def spread_of(
    hits: Hits, learned: Learned | None = None, rho: np.ndarray | None = None, in_turn: bool = False
) -> Spread:
    """Return how far the scores of `hits` would be elsewhere.

    learned: what the draws learned from, and rho (M,): how alike items of a group are,
    `bench.statistics.learning.alike`, which is not asked where groups are tested in turn; None where nothing was
    learned (zero-shot), or where the training groups are to be taken as they are. in_turn: that groups are tested in
    turn, where `learned` is not known.

    Balanced accuracy is linearised around the recalls, and what is left is a table draws x groups of two crossed
    random factors. The variance of draws is freed of their interaction with test groups (Owen 2007, section 2). Groups
    of unequal size tell less than as many equal ones: `_small_sample` (Bell and McCaffrey 2002 have the general form).
    """
    M, S, G, K = hits.right.shape
    items = hits.total.sum(0)
    there = items > 0
    recall = hits.right.mean(1).sum(1)[:, there] / items[there]  # (M, K)
    weight = 1 / (items[there] * there.sum())
    left = np.einsum("msgk,k->msg", hits.right[..., there], weight)
    left -= ((recall * weight) @ hits.total[:, there].T)[:, None]  # adds up to 0 over draws and groups
    share = hits.total[:, there] @ weight  # (G,), of the score
    alike = np.nan_to_num(intraclass(hits)[0], nan=1.0).mean()
    scale, df_test = _small_sample(share, hits.total.sum(1), _strata(hits.total), float(alike))
    of_group, of_draw = left.mean(1), left.sum(2)
    test = of_group @ of_group.T * scale
    none = np.zeros((M, M))
    if S == 1:
        in_turn = in_turn or (learned is not None and learned.in_turn)
        return Spread(recall.mean(1), test, none, none, in_turn, None, df_test, 1.0, 1.0)
    both = (left - of_group[:, None] - (of_draw / G)[:, :, None]).reshape(M, -1)
    centred = of_draw - of_draw.mean(1, keepdims=True)
    shared = both @ both.T * (G / max(G - 1, 1))
    luck = _positive((centred @ centred.T - shared) / (S * (S - 1)), centred @ centred.T / (S * (S - 1)))
    if learned is None or (rho is None and not learned.in_turn):
        return Spread(recall.mean(1), test, luck, luck, in_turn, None, df_test, S - 1.0, 1.0)
    if not learned.in_turn and rho is not None:
        fits = np.ones((S, 1)) if learned.holds.shape[0] == S else _fit_shares(learned, share)
        stretch = np.sqrt(S * common_lucks(learned, fits, rho))
        learning = luck * stretch[:, None] * stretch
        return Spread(recall.mean(1), test, luck, learning, False, None, df_test, S - 1.0, 1.0)
    groups = learned.holds.any(0).sum() / len(np.unique(_strata(hits.total)))
    found = deletions(learned, left, share)
    several = float(share @ ((hits.total > 0).sum(1) - 1)) / max(int(there.sum()) - 1, 1)
    return Spread(recall.mean(1), test, luck, luck, True, found, df_test, S - 1.0, max(float(groups), 2.0), several)


def _fit_shares(learned: Learned, share: np.ndarray) -> np.ndarray:
    """Return a fit's share of the score of its draw, (S, F)."""
    F = len(learned.holds) // learned.draws
    return (learned.fold[:, None] == np.arange(F)[:, None]) @ share


def _positive(matrix: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """Return a symmetric matrix without its negative part, where its diagonal is more than rounding of the bound's."""
    values, vectors = np.linalg.eigh(matrix)
    kept = np.maximum(values, 0)
    kept[kept < 1e-12 * max(float(bound.trace()), 0)] = 0
    return (vectors * kept) @ vectors.T


def _small_sample(share: np.ndarray, items: np.ndarray, stratum: np.ndarray, icc: float) -> tuple[float, float]:
    """Return (what a sum of squared residuals is multiplied by for the variance, its degrees of freedom).

    share (G,): of the score; items (G,); icc: how alike answers of a group are. What a group adds to the score has the
    variance v = share^2 (icc + (1 - icc) / items).
    """
    v = share**2 * (icc + (1 - icc) / np.maximum(items, 1))
    expected = 0.0
    for part in np.unique(stratum):
        own, c = v[stratum == part], share[stratum == part]
        c = c / max(c.sum(), ROUNDING)
        expected += (own * (1 - 2 * c)).sum() + (c**2).sum() * own.sum()
    if expected <= 1e-12 * v.sum():
        return 1.0, 1.0
    return v.sum() / expected, max(v.sum() ** 2 / (v**2).sum() - len(np.unique(stratum)), 1.0)


def intraclass(hits: Hits) -> tuple[np.ndarray, np.ndarray]:
    """Return (icc, n_eff), each (M,): how alike answers are within a test group, and what the items are worth.

    icc: of right and wrong within a class, one-way analysis of variance (Donner 1986, eq. 1), mean over draws, at
    least 0; NaN where no group holds two items of a class. n_eff = N / (1 + (m - 1) icc), m the size of the group
    that an item lies in on average (Kish 1965, section 5.4): N items of these groups tell as much as n_eff of as many
    groups.
    """
    n = hits.total.astype(float)  # (G, K)
    items, blocks, classes = n.sum(), int((n > 0).sum()), int((n.sum(0) > 0).sum())
    if items == blocks:
        return np.full(len(hits.right), np.nan), np.full(len(hits.right), items)
    size = np.where(n > 0, n, 1)
    recall = hits.right.sum(2, keepdims=True) / np.maximum(n.sum(0), 1)  # (M, S, 1, K)
    within = (hits.right * (1 - hits.right / size)).sum((2, 3)) / (items - blocks)
    between = (n * (hits.right / size - recall) ** 2).sum((2, 3)) / max(blocks - classes, 1)
    usual = (items - ((n**2).sum(0) / np.maximum(n.sum(0), 1)).sum()) / max(blocks - classes, 1)
    icc = np.maximum(_share_between(between, within, usual).mean(1), 0)
    return icc, items / (1 + ((n**2).sum() / items - 1) * icc)


def between_groups(values: np.ndarray, groups: np.ndarray) -> float:
    """Return the share of the variance of values (n,) that lies between groups (n,), as `intraclass` has it of answers.

    0 where no group holds two items or there is one group. Below 0 where items of a group are less alike than others.
    """
    group = np.unique(groups, return_inverse=True)[1]
    size = np.bincount(group)
    n, G = len(values), len(size)
    if not 1 < G < n:
        return 0.0
    mean = np.bincount(group, values) / size
    between = (size * (mean - values.mean()) ** 2).sum() / (G - 1)
    within = ((values - mean[group]) ** 2).sum() / (n - G)
    return float(_share_between(between, within, (n - (size**2).sum() / n) / (G - 1)))


def _share_between(between: np.ndarray, within: np.ndarray, usual: float) -> np.ndarray:
    """Return the part of a variance between groups, of mean squares of any shape and the usual items of a group."""
    total = between + (usual - 1) * within
    return np.where(total > 0, (between - within) / np.where(total > 0, total, 1), 0.0)


def _strata(total: np.ndarray) -> np.ndarray:
    """Return the part (G,) that a group falls into when groups are tied by the classes they share; total (G, K)."""
    from scipy.sparse import bmat, csr_matrix
    from scipy.sparse.csgraph import connected_components

    ties = csr_matrix(total[:, total.sum(0) > 0] > 0)
    return connected_components(bmat([[None, ties], [ties.T, None]]), directed=False)[1][: len(total)]
