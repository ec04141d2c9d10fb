"""Is a row better than chance? A permutation test over slides, because 1/K is not what guessing gives.

Items of one slide are right or wrong together, so a score from few slides is far from 1/K by luck alone. The answers
stay as they are and the class names are given out again. The unit is the block: the items of one class in one group.

    1. Groups with the same number of classes exchange their sets of names. Groups of one class thereby exchange their
       class. A group that gets the set it had keeps it as it was.
    2. In every group of several classes the names are put on its blocks by a random bijection.

With A_bc the answers "class c" to block b and n_b its items, balanced accuracy is the sum over blocks of w_b A_bc,
where c is the block's name, w_b = 1 / (C N_c), N_c the items called c, and C the number of tested classes. In step 1,
N_c follows the new names. In step 2, w_b stays with the block. If class a has 90% of the cells of every slide, the
score depends mostly on luck in the small blocks of b, and so must the scores under permutation. So that a name on heavy
blocks is not rewarded for being a frequent answer, A_bc is replaced by A_bc - n_b mu_c, with mu_c the mean answer where
every class weighs the same. None of this changes the score of the true names, or any score where each group has one
class.

Step 1 is exact where every group has one class and the tested groups were not learned from (a fixed split). Step 2
assumes that under the null hypothesis a group's blocks differ by luck alone, and by as much in either direction.

Under folds, and where each group is held out in turn, two similar groups are both right if they have the same class,
and both wrong if not, since each was learned from to answer for the other. Nothing is refitted here, so this is not
seen. A score that is a quadratic form y'Wy in the labels then has twice the variance that y fixed on one side gives,
if W is symmetric, and never more: (w_ij + w_ji)^2 <= 2 w_ij^2 + 2 w_ji^2. So deviations are multiplied by the root of 2
where they are small. From few groups they have a bound, which the true names reach if all answers are right, so the
multiplication is done on the scale of Student's t: a deviation of z standard deviations becomes
sqrt(2) z / sqrt(1 + z^2 / F), with F the largest z^2 that the names allow if blocks weigh the same. Beyond F (by blocks
that weigh more than others, or by the luck of the permutations) a deviation stays as it is: none is made smaller.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix  # slow to import

PERMUTATIONS = 1999
BLOCK = 2**22  # names made at once
KEPT = 2**24  # names kept for the next call, with their weights: 200 MB at most
ROUNDING = 1e-6  # scores closer than this are equal


@dataclass(frozen=True)
class Chance:
    """How often M methods would do as well if class names meant nothing.

    alone (M,): of each method by itself. best (M,): how often the best of all M would do as well as this one (Westfall
    and Young 1993, section 2.3); of methods without skill, any is below .05 in one comparison out of twenty. least: the
    smallest p that this design can give, from the number of distinct ways to give out the names.
    """

    alone: np.ndarray
    best: np.ndarray
    least: float


def share_of_answers(P: np.ndarray) -> np.ndarray:
    """Return float32 (N, K): the share of draws in which an item is taken for each class. P: (S, N, K)."""
    return shares_of(P.argmax(-1), P.shape[-1])


def shares_of(answer: np.ndarray, n_classes: int) -> np.ndarray:
    """Return float32 (N, K): the share of draws in which an item is taken for each class, of answers (S, N)."""
    counts = np.stack([(answer == k).mean(0) for k in range(n_classes)], -1)
    return counts.astype(np.float32)


def chance_test(
    shares: np.ndarray,
    y: np.ndarray,
    group: np.ndarray,
    *,
    in_turn: bool = False,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> Chance:
    """Return p-values of M methods; the permutations are the same for all of them.

    shares (M, N, K): see `share_of_answers`; y (N,): true classes; group (N,). in_turn: tested groups were learned
    from in other folds, see above. Every p is a multiple of 1 / (permutations + 1).
    """
    M, _, K = shares.shape
    g = np.unique(group, return_inverse=True)[1].ravel()
    blocks = find_blocks(y, g, K)
    B, size, name = len(blocks.size), blocks.size, blocks.name
    sums = np.stack([blocks.sum_up(own) for own in shares], -1)  # (B, K, M)
    tested = np.bincount(name, size, K)
    weight = 1 / (np.count_nonzero(tested) * tested[name])
    mu = np.einsum("b,bkm->km", weight, sums)  # (K, M)
    usual = mu[tested > 0].mean(0)  # (M,), 1 / C unless answers name a class that is not tested
    centred = (sums - size[:, None, None] * mu).reshape(B * K, M)
    observed = (weight[:, None] * sums[np.arange(B), name]).sum(0)  # (M,)
    weights: Iterable[csr_matrix]
    if permutations * B <= KEPT:
        weights = _kept(y.astype(np.int64).tobytes(), g.astype(np.int64).tobytes(), K, permutations, seed)
    else:
        weights = _renamed(blocks, K, permutations, seed)
    score = np.concatenate([own @ centred for own in weights]) + usual  # (R, M)
    if in_turn:
        score = _widened(score, blocks)
    alone = (score >= observed - ROUNDING).sum(0)
    best = (score.max(1)[:, None] >= observed - ROUNDING).sum(0)
    least = max(1 / (1 + permutations), 1 / _ways(blocks))
    return Chance((1 + alone) / (1 + permutations), (1 + best) / (1 + permutations), least)


@dataclass(frozen=True)
class Blocks:
    """The B pairs of a group and a class that items fall into, group after group, in a group the largest block first.

    of_item (N,): the block of every item. name (B,): its class. size (B,): its items. group (B,): its group's number.
    """

    of_item: np.ndarray
    name: np.ndarray
    size: np.ndarray
    group: np.ndarray

    def sum_up(self, values: np.ndarray) -> np.ndarray:
        """Return the sums over the items of each block, float64 (B, K). values (N, K)."""
        return np.stack([np.bincount(self.of_item, column, len(self.size)) for column in values.T], -1)

    def alike(self) -> Iterator[np.ndarray]:
        """Yield, for every number of classes m that a group has, the blocks of these groups, (groups, m)."""
        first, count = np.unique(self.group, return_index=True, return_counts=True)[1:]
        for m in np.unique(count):
            yield first[count == m][:, None] + np.arange(m)


def find_blocks(y: np.ndarray, group: np.ndarray, K: int) -> Blocks:
    """Return the blocks of items with classes y (N,) below K in groups (N,)."""
    g = np.unique(group, return_inverse=True)[1]
    slot, inverse, size = np.unique(g * K + y, return_inverse=True, return_counts=True)
    order = np.lexsort((slot % K, -size, slot // K))
    place = np.argsort(order)
    return Blocks(place[inverse], (slot % K)[order], size[order].astype(float), (slot // K)[order])


@lru_cache(maxsize=1)
def _kept(y: bytes, g: bytes, K: int, count: int, seed: int) -> tuple[csr_matrix, ...]:
    """Return all of `_renamed`, kept for the next call: the levels of a leaderboard have the same items."""
    blocks = find_blocks(np.frombuffer(y, np.int64), np.frombuffer(g, np.int64), K)
    return tuple(_renamed(blocks, K, count, seed))


def _renamed(blocks: Blocks, K: int, count: int, seed: int) -> Iterator[csr_matrix]:
    """Yield the weights w_b of new names, sparse (R, B K) with B entries in a row, until there are `count` rows.

    The place of an entry says the block and its name after both steps. Every group and step has a stream of random
    numbers of its own, so that it does not matter how many rows are made at once.
    """
    from scipy.sparse import csr_matrix

    B, strata = len(blocks.name), list(blocks.alike())
    moves, turns = ([np.random.default_rng([seed, step, i]) for i in range(len(strata))] for step in (1, 2))
    start = np.arange(B, dtype=np.int32) * K
    at_once = max(1, BLOCK // B)
    for done in range(0, count, at_once):
        R = min(at_once, count - done)
        names = np.empty((R, B), np.int32)
        for own, rng in zip(strata, moves, strict=True):
            names[:, own] = _exchanged(blocks.name[own], R, rng)
        row = np.arange(R, dtype=np.int32)[:, None] * K
        items = np.bincount((row + names).ravel(), np.tile(blocks.size, R), R * K)
        with np.errstate(divide="ignore"):
            weight = np.reciprocal(items * np.count_nonzero(items[:K]))[row + names]
        for own, rng in zip(strata, turns, strict=True):
            if own.shape[1] > 1:
                order = np.argsort(rng.random((R, *own.shape)), axis=-1)
                names[:, own] = np.take_along_axis(names[:, own], order, -1)
        names += start
        yield csr_matrix((weight.ravel(), names.ravel(), np.arange(0, R * B + 1, B)), shape=(R, B * K))


def _exchanged(names: np.ndarray, R: int, rng: np.random.Generator) -> np.ndarray:
    """Return names (n, m) of groups after R exchanges of their sets, (R, n, m); a group given its own set keeps it."""
    n, m = names.shape
    if m == 1:
        return rng.permuted(np.tile(names.T.astype(np.int32), (R, 1)), axis=1)[..., None]
    kind = np.unique(np.sort(names, 1), axis=0, return_inverse=True)[1].ravel()
    here = np.arange(n, dtype=np.int32)
    donor = rng.permuted(np.tile(here, (R, 1)), axis=1)
    return names[np.where(kind[donor] == kind, here, donor)]


def _widened(score: np.ndarray, blocks: Blocks) -> np.ndarray:
    """Return scores (R, M) of new names with deviations of twice the variance; see above for F."""
    F = 0
    for own in blocks.alike():
        n, m = own.shape
        F += n * (m - 1) ** 2 if m > 1 else (n - 1) * (len(np.unique(blocks.name[own])) - 1)
    deviation = score - score.mean(0)
    z = deviation / np.maximum(deviation.std(0), ROUNDING)
    return score.mean(0) + deviation * np.sqrt(np.maximum(2 / (1 + z**2 / max(F, 1)), 1))


def _ways(blocks: Blocks) -> float:
    """Return how many distinct ways there are to give out the names."""
    from scipy.special import gammaln

    log = 0.0
    for own in blocks.alike():
        n, m = own.shape
        times = np.unique(np.sort(blocks.name[own], 1), axis=0, return_counts=True)[1]
        log += gammaln(n + 1) - gammaln(times + 1).sum() + n * gammaln(m + 1)
    return float(np.exp(min(log, 700.0)))
