"""Which encoder and head the classifier takes, and what that choice is worth on groups that had no part in it.

The best of many owes part of its score to luck, so the rows that judge a choice must not make it. Groups are dealt to
folds. For each fold everything is chosen by the other folds: the setting and the temperature of every head by their
log loss, then the encoder and head by their balanced accuracy. The chosen one answers the fold, and of all these
answers is the promise made. The classifier itself takes what is best on all folds.

    rows of a fold -> probabilities without their own group -> of the candidate that is best on the other folds
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bench.heads.contract import Params
from bench.heads.temperature import log_probabilities, soften

Name = tuple[str, str]  # encoder, head


class LeftOut(Protocol):
    """What a candidate says of n rows without having learned from their group.

    P (L, n, K): at L settings. chosen: whether labels chose among settings.
    """

    @property
    def settings(self) -> tuple[Params, ...]:
        """The settings."""
        ...

    @property
    def P(self) -> np.ndarray:
        """The probabilities at each."""
        ...

    @property
    def chosen(self) -> bool:
        """Whether labels chose."""
        ...

    def settle(self, y: np.ndarray, among: np.ndarray | None = None) -> tuple[int, float]:
        """Return which setting some rows choose, and the temperature; y (n,), among bool (n,), None for all."""
        ...


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An encoder with a head. score: balanced accuracy on left-out rows at the setting that is best on all of them;
    folds: for how many of the folds the others chose it.
    """

    encoder: str
    head: str
    score: float
    folds: int


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What is taken, and how. P (n, K): of every row by what the other folds chose, softened.

    setting, temperature: of the chosen one, by all rows. by: "left-out groups" or "rule". candidates: best first.
    """

    encoder: str
    head: str
    setting: Params
    temperature: float
    by: str
    P: np.ndarray
    candidates: tuple[Candidate, ...]
    n_folds: int


def choose(left_out: Mapping[Name, LeftOut], y: np.ndarray, fold: np.ndarray, told: np.ndarray) -> Choice:
    """Choose an encoder and head by rows y (n,) that were predicted without their group, as above. fold (n,).

    told bool (n,): rows that may judge, whose class was learned from without their group as well. Without any the first
    candidate is taken, and no score is known (NaN).
    """
    names = list(left_out)
    folds = np.unique(fold)
    sets = [fold != one for one in folds] if len(folds) > 1 else [np.ones(len(y), bool)]
    each = [[_settled(left_out[name], y, among) for among in sets] for name in names]  # (candidates, folds)
    answers = np.empty_like(next(iter(left_out.values())).P[0], dtype=np.float64)
    wins = dict.fromkeys(names, 0)
    for at, (one, among) in enumerate(zip(folds, sets, strict=True)):
        best = _best([settled[at].P for settled in each], y, among & told)
        answers[fold == one] = each[best][at].P[fold == one]
        wins[names[best]] += 1
    final = [_settled(left_out[name], y) for name in names]
    scores = [_score(settled.P, y, told) for settled in final]
    taken = _best([settled.P for settled in final], y, told)
    candidates = [
        Candidate(encoder=name[0], head=name[1], score=score, folds=wins[name])
        for name, score in zip(names, scores, strict=True)
    ]
    ranked = sorted(candidates, key=lambda one: (-np.nan_to_num(one.score), (one.encoder, one.head) != names[taken]))
    return Choice(
        encoder=names[taken][0], head=names[taken][1], setting=final[taken].setting,
        temperature=final[taken].temperature, by="left-out groups" if left_out[names[taken]].chosen else "rule",
        P=answers, candidates=tuple(ranked), n_folds=len(folds),
    )  # fmt: skip


def judges(told: np.ndarray, tested: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return which rows choose, bool (n,): of those that can tell the ones that scores rest on, or all if none is.

    None where all are of one class y (n,): it is best found by who always answers it.
    """
    if len(np.unique(y[told])) < 2:
        return np.zeros_like(told)
    return told & tested if (told & tested).any() else told


@dataclass(frozen=True, kw_only=True)
class _Settled:
    """A candidate at the setting and temperature that some rows chose. P (n, K): of all rows, softened."""

    setting: Params
    temperature: float
    P: np.ndarray


def _settled(found: LeftOut, y: np.ndarray, among: np.ndarray | None = None) -> _Settled:
    at, temperature = found.settle(y, among)
    return _Settled(setting=found.settings[at], temperature=temperature, P=soften(found.P[at], temperature))


def _score(P: np.ndarray, y: np.ndarray, rows: np.ndarray) -> float:
    """Return the balanced accuracy of P (n, K) on some of its rows, NaN where there are none."""
    if not rows.any():
        return float("nan")
    right, total = (np.bincount(y[rows & some], minlength=P.shape[1]) for some in (P.argmax(1) == y, True))
    return float((right[total > 0] / total[total > 0]).mean())


def _best(Ps: Sequence[np.ndarray], y: np.ndarray, rows: np.ndarray) -> int:
    """Return which is best on some rows: by balanced accuracy, of equals by log loss, then the first."""
    if not rows.any():
        return 0
    order = [
        (-_score(P, y, rows), -float(np.take_along_axis(log_probabilities(P[rows]), y[rows, None], 1).mean()), i)
        for i, P in enumerate(Ps)
    ]
    return min(order)[2]
