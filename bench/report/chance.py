"""Is anything better than chance? A permutation test over groups, because 1/K is not what guessing gives.

Tiles of one image are right or wrong together, so that a score of a few images is far from 1/K by luck alone. The
answers stay as they are and the true labels change places, whole groups at a time.

That is exact where the tested groups were not learned from (a fixed split). In folds, and where each group is held out
in turn, two groups that are alike are both right when they are of one class and both wrong when not, since each was
learned from to answer for the other: nothing is refitted here, so that this is not seen. A score that is a quadratic
form y'Wy in the labels has then twice the variance that y fixed on one side gives, if W is symmetric, and never more
((w_ij + w_ji)^2 <= 2 w_ij^2 + 2 w_ji^2); deviations are widened by the root of 2 accordingly.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

PERMUTATIONS = 1999
BLOCK = 2**24  # numbers held at once


def share_of_answers(P: np.ndarray) -> np.ndarray:
    """Return float32 (N, K): the share of draws in which an item is taken for each class. P: (S, N, K)."""
    answer = P.argmax(-1)  # (S, N)
    counts = np.stack([(answer == k).mean(0) for k in range(P.shape[-1])], -1)
    return counts.astype(np.float32)


def chance_test(
    shares: np.ndarray,
    y: np.ndarray,
    group: np.ndarray,
    *,
    in_turn: bool = False,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> np.ndarray:
    """Return p (M,): how often the best of M methods does as well as this one when labels mean nothing.

    shares (M, N, K): see `share_of_answers`; y (N,): true classes; group (N,). in_turn: tested groups were learned
    from in other folds, see above. Groups of one class exchange their
    classes, and in a group of several classes its items do; the permutations are the same for every method. A score
    is compared with the largest of all methods' in each permutation (Westfall and Young 1993, section 2.3), so that of
    methods without skill any is below .05 in one comparison out of twenty. p >= 1 / (permutations + 1).
    """
    M, N, K = shares.shape
    there = np.bincount(y, minlength=K) > 0
    observed = _score(shares, y[None], there)[:, 0]
    flat = np.ascontiguousarray(shares.transpose(2, 1, 0))  # (K, N, M)
    blocks = _permuted(y, group, permutations, seed, max(1, BLOCK // N))
    score = np.concatenate([_score_flat(flat, labels, there) for labels in blocks])  # (R, M)
    if in_turn:
        score = score.mean(0) + np.sqrt(2) * (score - score.mean(0))
    beyond = (score.max(1)[:, None] >= observed - 1e-6).sum(0)
    return (1 + beyond) / (1 + permutations)


def _permuted(y: np.ndarray, group: np.ndarray, count: int, seed: int, at_once: int) -> Iterator[np.ndarray]:
    """Yield labels (R, N) permuted by whole groups of one class and within groups of several."""
    names, g = np.unique(group, return_inverse=True)
    first = y[np.unique(g, return_index=True)[1]]  # a class of every group
    mixed = np.zeros(len(names), bool)
    mixed[g[y != first[g]]] = True
    pure = np.flatnonzero(~mixed)
    inside = np.flatnonzero(mixed[g])
    inside = inside[np.argsort(g[inside], kind="stable")]
    rng = np.random.default_rng(seed)
    done = 0
    while done < count:
        R = min(at_once, count - done)
        of_group = np.tile(first, (R, 1))
        of_group[:, pure] = rng.permuted(of_group[:, pure], axis=1)
        labels = of_group[:, g]
        if len(inside):
            order = np.argsort(rng.random((R, len(inside))) + g[inside], axis=1)  # shuffled, group after group
            labels[:, inside] = y[inside][order]
        yield labels
        done += R


def _score(shares: np.ndarray, labels: np.ndarray, there: np.ndarray) -> np.ndarray:
    return _score_flat(np.ascontiguousarray(shares.transpose(2, 1, 0)), labels, there).T


def _score_flat(flat: np.ndarray, labels: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return balanced accuracy (R, M) of answers flat (K, N, M) if the labels were (R, N)."""
    out = np.zeros((len(labels), flat.shape[2]))
    for k in np.flatnonzero(there):
        own = (labels == k).astype(np.float32)
        out += (own @ flat[k]) / own.sum(1, keepdims=True)
    return out / there.sum()
