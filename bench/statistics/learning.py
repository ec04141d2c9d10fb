"""What a score owes to the groups (slides) that were learned from: how far it would be off with other ones.

A score is a mean over S draws of the labelled examples, all from the same training groups. Other training groups would
give another mean, and no test group shows by how much. Two ways lead there without a fit more:

**Groups that are only learned from** (a fixed or official split). Two draws share a part r of what they know: the same
groups, and some of the same items. Let rho be the correlation of two items of one group; then

    r = (rho G + (1 - rho) I) / (rho G' + (1 - rho) I')

where G and I are the inner products of the two draws' shares of groups and of items, G' and I' those of a draw with
itself. Variation between draws then shows only the share 1 - phi of a score's variance over training groups; the share
phi is what all draws have in common. phi = r where the score answers linearly to what is learned from, r^2 where only
the square counts (an expansion into Hermite polynomials has the factor r^j in order j). Both occur: `ORDER` is the
middle. rho is the intraclass correlation of the test items' margins, since test groups are groups like the training
ones.

**Groups that are tested in turn** (folds). A group that is odd when it is tested is odd when it is learned from too, so
that both effects have to be added before they are squared. In some draws a group was not learned from while another one
was tested: the difference to all draws is the effect of deleting the first. The sum of squares of all deletions, from
the test and from what is learned from, is the jackknife of the whole procedure (Efron and Stein 1981: not too small in
the mean). What few draws add by chance is what the same sum is when draws are exchanged, and is subtracted. What
remains is noisy: see `bench.statistics.spread.PRIOR`.

Letters: M methods, S draws, F fits a draw (one a fold), P = S F, G tested groups, J groups of the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ORDER = 1.5
EXCHANGES = 40  # of draws, from which the noise of deletions is known
ALIKE = 0.05  # step of the correlations rho that are told apart
LEAST = 1e-4  # probabilities are raised to it in margins


@dataclass(frozen=True)
class Learned:
    """What the fits of S draws learned from, and what they answered for.

    by_group, by_item (P, P): inner products of two fits' shares of the groups and of the items, summed over classes.
    holds bool (P, J): the groups a fit learned from. fold int (S, G): the fit of a draw that answers for a tested
    group. tested int (G,): which of the J groups these are. in_turn: whether tested groups are learned from by others.
    """

    by_group: np.ndarray
    by_item: np.ndarray
    holds: np.ndarray
    fold: np.ndarray
    tested: np.ndarray
    in_turn: bool

    @property
    def draws(self) -> int:
        """The number S of draws."""
        return len(self.fold)

    @property
    def tells_apart(self) -> bool:
        """Whether draws differ, without which nothing is known of other training groups."""
        F = len(self.holds) // self.draws
        first, own = self.by_item[:F, :F].diagonal(), self.by_item[:, :F]
        repeats = own.reshape(self.draws, F, F).diagonal(axis1=1, axis2=2)  # what a draw shares with the first
        return self.draws > 1 and bool((repeats < first - 1e-9).any())


def learned_from(
    support: np.ndarray,
    y: np.ndarray,
    group: np.ndarray,
    tested: np.ndarray,
    *,
    answered: Sequence[Sequence[np.ndarray]],
    in_turn: bool,
) -> Learned:
    """Return what draws learned from.

    support int (S, F, n): rows of the table, -1 where there are fewer. y int, group (N,): of the table. tested (G,):
    names of the tested groups, rising. answered: of every partition, the rows that each of its folds is tested on; draw
    s has partition s modulo their number.
    """
    from scipy.sparse import csr_matrix

    S, F, n = support.shape
    names, g = np.unique(group.astype(str), return_inverse=True)
    fit, rows = np.repeat(np.arange(S * F), n), support.reshape(-1)
    fit, rows = fit[rows >= 0], rows[rows >= 0]
    K = int(y.max()) + 1
    per_class = np.zeros((S * F, K))
    np.add.at(per_class, (fit, y[rows]), 1)
    share = 1 / per_class[fit, y[rows]]
    by_group = csr_matrix((share, (fit, g[rows] * K + y[rows])), (S * F, len(names) * K))
    by_item = csr_matrix((share, (fit, rows)), (S * F, len(y)))
    holds = np.zeros((S * F, len(names)), bool)
    holds[fit, g[rows]] = True
    at = np.searchsorted(names, tested.astype(str))
    place = np.full(len(names), -1)
    place[at] = np.arange(len(at))
    fold = np.zeros((len(answered), len(at)), np.int64)
    for r, folds in enumerate(answered):
        for f, rows_tested in enumerate(folds):
            fold[r, place[g[rows_tested]]] = f
    return Learned(
        (by_group @ by_group.T).toarray(), (by_item @ by_item.T).toarray(), holds, fold[np.arange(S) % len(fold)], at,
        in_turn,
    )  # fmt: skip


def margins(P: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the logarithm of the true class's probability over the largest of the others'; P (..., N, K), y (N,)."""
    at = np.broadcast_to(y[:, None], (*P.shape[:-1], 1))
    own = np.take_along_axis(P, at, -1)[..., 0].astype(np.float64)
    others = np.where(np.arange(P.shape[-1]) == y[:, None], 0, P).max(-1).astype(np.float64)
    return np.log(np.maximum(own, LEAST)) - np.log(np.maximum(others, LEAST))


def alike(margin: np.ndarray, y: np.ndarray, group: np.ndarray) -> float:
    """Return how alike items of one group are, rho in [0, 1]: the intraclass correlation of their `margins`.

    margin (S, N): of the test rows in every draw; y, group (N,). Within a class, one-way analysis of variance (Donner
    1986, eq. 1), the components summed over classes and draws. 1 where no group holds two items of a class: then items
    are groups.
    """
    K = int(y.max()) + 1
    names, block = np.unique(np.unique(group, return_inverse=True)[1] * K + y, return_inverse=True)
    label = names % K
    size = np.bincount(block).astype(float)
    total = np.stack([np.bincount(block, row, len(size)) for row in margin])  # (S, blocks)
    square = (margin**2).sum(0)
    among, within = 0.0, 0.0
    for k in np.unique(label):
        here, n = label == k, size[label == k]
        N, B = n.sum(), len(n)
        if N == B or B == 1:
            continue
        usual = (N - (n**2).sum() / N) / (B - 1)
        between = (total[:, here] ** 2 / n).sum(1) - total[:, here].sum(1) ** 2 / N
        rest = square[y == k].sum() / len(margin) - ((total[:, here] ** 2 / n).sum(1)).mean()
        inside = max(rest, 0.0) / (N - B)
        among += max(between.mean() / (B - 1) - inside, 0.0) / usual
        within += inside
    return among / (among + within) if among + within > 0 else float(size.max() == 1)


def common_luck(learned: Learned, weight: np.ndarray, rho: float) -> float:
    """Return what the variance of draws is multiplied by for that of their mean over other training groups.

    weight (S, F): a fit's share of the score of its draw.
    """
    shared = rho * learned.by_group + (1 - rho) * learned.by_item
    length = np.sqrt(shared.diagonal())
    phi = np.minimum(shared / length[:, None] / length, 1) ** ORDER
    S, F = weight.shape
    flat = weight.reshape(-1)
    of_draws = (phi * flat[:, None] * flat).reshape(S, F, S, F).sum((1, 3))  # (S, S)
    same = of_draws.diagonal().mean()
    other = (of_draws.sum() - of_draws.trace()) / (S * (S - 1))
    return float(of_draws.mean() / max(same - other, 1e-3 * same))


def common_lucks(learned: Learned, weight: np.ndarray, rho: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return `common_luck` of every method (M,), rho rounded to `ALIKE`."""
    steps = np.round(np.asarray(rho) / ALIKE).astype(int)
    known = {step: common_luck(learned, weight, step * ALIKE) for step in np.unique(steps).tolist()}
    return np.array([known[step] for step in steps.tolist()])


@dataclass(frozen=True)
class Deletions:
    """Effects d (M, J) of deleting a training group, as matrices (M, M) of sums over the groups.

    raw: of d d'; noise: what of it draws give by chance; cross: of -(t d' + d t'), where t (M, G) is what a group
    adds to the score as a test. known: the share of the groups learned from that some draw does without.
    """

    raw: np.ndarray
    noise: np.ndarray
    cross: np.ndarray
    known: float


def deletions(learned: Learned, parts: np.ndarray, weight: np.ndarray, seed: int = 0) -> Deletions:
    """Return the effects of deleting training groups on scores.

    parts (M, S, G): what a tested group adds to the score of a draw, less its mean; weight (G,): a group's share of
    the score. A group that no draw does without is left out.
    """
    M, S, G = parts.shape
    P, J = learned.holds.shape
    F = P // S
    holds = learned.holds.astype(np.float64)
    tested = (learned.fold[:, None] == np.arange(F)[:, None]).astype(np.float64)  # (S, F, G)
    weighed = np.zeros(J)
    weighed[learned.tested] = weight
    without = S - (tested @ weight).reshape(P) @ holds - S * weighed  # draws without a group, weighed by tested groups
    some = without > 0.5
    inverse = np.where(some, 1 / np.where(some, without, 1), 0)
    centred = parts - parts.mean(1, keepdims=True)
    names: dict[bytes, int] = {}
    first = np.array([names.setdefault(fold.tobytes(), len(names)) for fold in learned.fold])
    repeats = learned.fold[np.unique(first, return_index=True)[1]]
    sums = np.stack([
        np.einsum("msg,fg->msf", centred, (repeat == np.arange(F)[:, None]).astype(np.float64), optimize=True)
        for repeat in repeats
    ])  # fmt: skip  # (repeats, M, S, F): what draw s would be in the fits of a repeat

    def effects(order: np.ndarray) -> np.ndarray:
        by_fit = sums[first, :, order].transpose(1, 0, 2).reshape(M, P)
        return -(by_fit @ holds) * inverse

    rng = np.random.default_rng(seed)
    d = effects(np.arange(S))
    noise = np.zeros((M, M))
    for _ in range(EXCHANGES):
        other = effects(rng.permutation(S))
        noise += other @ other.T / EXCHANGES
    t = parts.mean(1)
    cross = t @ d[:, learned.tested].T
    used = learned.holds.any(0)
    return Deletions(d @ d.T, noise, -(cross + cross.T), float(some[used].mean()))
