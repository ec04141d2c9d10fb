"""How labels go wrong, fitted to what models that did not see them say: how many are wrong, and how likely each is.

A label is wrong with probability e, and then names another class by a pattern C (K, K), rows summing to 1, 0 on the
diagonal. With p the pooled opinion, sharpened by u,

    P(label = j | x) = sum_k p_k(x)^u T_kj,     T = (1 - e) I + e C

A class that is hard to tell makes p flat near its border, while a wrong label contradicts p where it is certain: so
the likelihood tells one from the other. e is found by expectation-maximisation at every u, u by its likelihood. Where
classes are easy, opinions that learned from the wrong labels are flat everywhere by the same amount and any u explains
them as well: then the sharpest one that is not significantly worse (a loss of 1.92, half of the 95% point of chi
squared) counts, for some images of every class are certain (the anchors of Patrini et al. 2017).

Where a class is hard to tell from the one that its labels go wrong to, the likelihood is flat, and a small e fits as
well as a large one. So the upper limit is never below the share of labels that a row's likeliest class contradicts, as
certainly as that class is predicted where it is the label (the confident joint of Northcutt et al. 2021). That share
counts hard images as wrong labels, so it is a limit and no estimate.

Two patterns are held against each other by description length: any other class alike, or one for each class, which is
what the class is mistaken for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.statistics.quantiles import student
from bench.studies.audit.unseen import log_sum

SHARPNESS = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 12.0)
WORSE = 1.92
STEPS = 40
START, LEAST, MOST = 0.1, 1e-4, 0.6  # of e
PAIRED = 0.9  # of the pattern of mistaken classes; the rest is any other class
ANY, MISTAKEN = "any other class", "the class it is mistaken for"


@dataclass(frozen=True, kw_only=True, eq=False)
class WrongLabels:
    """What was fitted. rate, low, high: share of labels that are wrong, with its 95% interval for other slides; high is
    at least `contradicted`.

    pattern: ANY or MISTAKEN. T (K, K): true class to label. p (n,): probability that the label is wrong. margin (n,):
    log-odds of the likeliest other class against the label, above 0 where the label is less likely. other int (n,):
    that class.
    """

    rate: float
    low: float
    high: float
    pattern: str
    T: np.ndarray
    p: np.ndarray
    margin: np.ndarray
    other: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class _Fit:
    """A pattern at one sharpness: e, the log-likelihood, and of every row what the label has if it is right, or not."""

    e: float
    likelihood: float
    right: np.ndarray
    wrong: np.ndarray

    @property
    def p(self) -> np.ndarray:
        """The probability that a label is wrong, (n,)."""
        wrong = self.e * self.wrong
        return np.where(wrong > 0, wrong / np.maximum((1 - self.e) * self.right + wrong, 1e-300), 0.0)


def fit_wrong(S: np.ndarray, y: np.ndarray, groups: np.ndarray, judged: np.ndarray) -> WrongLabels:
    """Fit it to log-probabilities S (n, K), labels y (n,), of which only rows `judged` count; groups (n,)."""
    n, K = int(judged.sum()), S.shape[1]
    own, labels = S[judged], y[judged]
    patterns = {ANY: (any_other(K), 0.0)}
    fits = {ANY: [fit(u * own, labels, patterns[ANY][0]) for u in SHARPNESS]}
    if K > 2 and n:
        best = max(fits[ANY], key=lambda one: one.likelihood)
        C = mistaken_for(own * SHARPNESS[fits[ANY].index(best)], labels, best.e)
        patterns[MISTAKEN] = C, K * np.log(K - 1)
        fits[MISTAKEN] = [fit(u * own, labels, C) for u in SHARPNESS]
    pattern = max(fits, key=lambda name: max(one.likelihood for one in fits[name]) - patterns[name][1])
    C, able = patterns[pattern][0], fits[pattern]
    top = max(one.likelihood for one in able)
    near = [one for one in able if one.likelihood >= top - WORSE]
    chosen = near[-1]  # the sharpest
    T = np.eye(K) * (1 - chosen.e) + chosen.e * C
    limits = np.array([interval(one, groups[judged]) for one in near])
    high = max(float(limits[:, 1].max()), contradicted(own, labels, groups[judged]))
    margin, other = margins(S, y, T)
    p = np.full(len(y), np.nan)
    p[judged] = chosen.p
    return WrongLabels(
        rate=float(chosen.p.mean()) if n else 0.0, low=float(limits[:, 0].min()), high=high,
        pattern=pattern, T=T, p=p, margin=margin, other=other,
    )  # fmt: skip


def any_other(K: int) -> np.ndarray:
    """Return the pattern of any other class, (K, K)."""
    return (1 - np.eye(K)) / max(K - 1, 1)  # type: ignore[no-any-return]


def mistaken_for(S: np.ndarray, y: np.ndarray, e: float) -> np.ndarray:
    """Return the pattern of one class for each, found from what labels y (n,) are of rows that S (n, K) is certain of.

    A step of expectation-maximisation with a pattern of its own for every class, from any other class alike.
    """
    K = S.shape[1]
    P = np.exp(S - log_sum(S))
    T = np.eye(K) * (1 - e) + e * any_other(K)
    for _ in range(STEPS):
        R = P * T[:, y].T
        R /= R.sum(1, keepdims=True)
        N = np.stack([R[y == j].sum(0) for j in range(K)], 1)  # (true, label)
        e = float(np.clip(1 - np.trace(N) / N.sum(), LEAST, MOST))
        T = (N + 10 * (np.eye(K) * (1 - e) + e * any_other(K))) / (N.sum(1, keepdims=True) + 10)
    np.fill_diagonal(T, 0)
    C = (1 - PAIRED) * any_other(K)
    C[np.arange(K), T.argmax(1)] += PAIRED
    return C


def fit(S: np.ndarray, y: np.ndarray, C: np.ndarray) -> _Fit:
    """Return e and what follows from it, for the pattern C (K, K) and opinions S (n, K) that need not be normalised."""
    P = np.exp(S - log_sum(S))
    right = P[np.arange(len(y)), y]
    wrong = (P * C[:, y].T).sum(1)
    e = share(right, wrong)
    likelihood = np.log(np.maximum((1 - e) * right + e * wrong, 1e-300)).sum()
    return _Fit(e=e, likelihood=float(likelihood), right=right, wrong=wrong)


def share(right: np.ndarray, wrong: np.ndarray) -> float:
    """Return e, of what each label has if it is right or wrong, (n,) each."""
    e = START
    for _ in range(STEPS):
        odds = e * wrong
        odds = odds / np.maximum((1 - e) * right + odds, 1e-300)
        e = float(np.clip(odds.sum() / (len(right) + 1), LEAST, MOST))
    return e


def interval(one: _Fit, groups: np.ndarray) -> tuple[float, float]:
    """Return the 95% limits of e at one sharpness for other groups: a sandwich over them (Liang and Zeger 1986)."""
    names, group = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        return 0.0, 1.0
    slope = (one.wrong - one.right) / np.maximum((1 - one.e) * one.right + one.e * one.wrong, 1e-300)
    scores = np.bincount(group, slope)
    error = np.sqrt((scores**2).sum() * len(names) / (len(names) - 1)) / max((slope**2).sum(), 1e-12)
    reach = float(student(0.975, len(names) - 1) * error)
    least = 3.0 / len(groups)  # where none is seen among n: the rule of three
    return max(one.e - reach, 0.0), min(max(one.e + reach, least), 1.0)


def contradicted(S: np.ndarray, y: np.ndarray, groups: np.ndarray) -> float:
    """Return the upper 95% limit of the share of labels y (n,) that opinions S (n, K) contradict, see above."""
    names, group = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        return 1.0
    P, top = np.exp(S - log_sum(S)), S.argmax(1)
    own = np.array([P[y == k, k].mean() if (y == k).any() else 1.0 for k in range(S.shape[1])])
    doubted = (top != y) & (P.max(1) >= own[top])
    apart = np.bincount(group, doubted - doubted.mean())
    error = np.sqrt((apart**2).sum() * len(names) / (len(names) - 1)) / len(y)
    return min(float(doubted.mean() + student(0.975, len(names) - 1) * error), 1.0)


def margins(S: np.ndarray, y: np.ndarray, T: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the log-odds (n,) of the likeliest other class against the label, and that class int (n,)."""
    J = S + np.log(np.maximum(T, 1e-12))[:, y].T
    rows = np.arange(len(y))
    own = J[rows, y]
    J[rows, y] = -np.inf
    other = J.argmax(1)
    return J[rows, other] - own, other
