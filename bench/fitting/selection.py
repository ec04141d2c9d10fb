"""How a head's setting is chosen: not at all, from the support, from other data, or (a diagnostic) from the test.

    fixed      the head's published default
    loo        every support row predicted by the head learned without its group, in closed form
    inner-cv   cross-validation over the groups of the support; no group is on both sides
    transfer   the setting with the least log loss on other data; learned before, see `bench.fitting.transfer`
    tuned      the setting that `bench tune` found on groups that take no part; see `bench.fitting.tuned`
    oracle     the setting with the least log loss on the test rows: what selection could reach, never ranked

The criterion is the log loss of the labels that the head learns from, wrong ones included; accuracy ties on few
rows. Equal losses go to the default, then to the earlier setting. Only 'oracle' is handed test labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from bench.errors import BenchError, did_you_mean
from bench.fitting.metrics import log_loss
from bench.heads import Head, Params, all_heads
from bench.heads.contract import Scored
from bench.heads.support import Support

MIN_GROUPS: Mapping[str, int] = MappingProxyType({"loo": 2, "inner-cv": 3})  # of every class, in every draw
MAX_FOLDS = 5


@dataclass(frozen=True)
class Episode:
    """One draw with its m noisy label vectors.

    Y: int (m, n) in [0, K). groups (n,): group of each support row; the rows are those of the first class, then of
    the second, ..., equally many. truth (n_test,): labels of the test rows, None for all but 'oracle'.
    """

    support: Support
    Y: np.ndarray
    n_classes: int
    groups: np.ndarray
    truth: np.ndarray | None = None

    @cached_property
    def folds(self) -> tuple[tuple[np.ndarray, Support], ...]:
        """Which rows are held out, bool (n,), and the support of the others; made once, for every head."""
        fold, X = fold_of(self.groups, self.n_classes), self.support.X
        # Products sliced from those of the whole support would not pay: heads share these, and the time is in solving.
        return tuple((fold == f, Support(X[fold != f], X[fold == f])) for f in range(fold.max() + 1))


class Judged(NamedTuple):
    """What a criterion found: losses (m, L) of all settings, and the test rows at all of them if it scored those."""

    losses: np.ndarray
    test: Scored | None = None


class Chosen(NamedTuple):
    """P (m, n_test, K) at the chosen settings, chosen (m,): which those are, losses (m, L) or None: why.

    gap, iterations (m,): see `bench.heads.contract.Scored`; NaN and -1 of heads that do not iterate.
    """

    P: np.ndarray
    chosen: np.ndarray
    losses: np.ndarray | None
    gap: np.ndarray
    iterations: np.ndarray


Criterion = Callable[[Head, Sequence[Params], Episode], Judged]


def leave_one_out(head: Head, settings: Sequence[Params], episode: Episode) -> Judged:
    """Judge by the log loss of the support rows, each predicted without its group."""
    assert head.loo is not None
    P = head.loo(episode.support, episode.Y, episode.n_classes, settings).P
    return Judged(_own_loss(P, episode.Y))


def inner_folds(head: Head, settings: Sequence[Params], episode: Episode) -> Judged:
    """Judge by the log loss of the support rows, each predicted without its fold of groups."""
    m, n = episode.Y.shape
    P = np.empty((m, len(settings), n, episode.n_classes))
    for held, inner in episode.folds:
        P[:, :, held] = head.scores(inner, episode.Y[:, ~held], episode.n_classes, settings).P
    return Judged(_own_loss(P, episode.Y))


def on_the_test(head: Head, settings: Sequence[Params], episode: Episode) -> Judged:
    """Judge by the log loss of the test rows."""
    assert episode.truth is not None
    scored = head.scores(episode.support, episode.Y, episode.n_classes, settings)
    return Judged(log_loss(scored.P, episode.truth), scored)


def _own_loss(P: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Return the log loss (m, L) of probabilities P (m, L, n, K) of the support, each label vector's under itself."""
    return np.stack([log_loss(own, y) for own, y in zip(P, Y, strict=True)])


CRITERIA: Mapping[str, Criterion | None] = MappingProxyType(
    {
        "fixed": None,
        "loo": leave_one_out,
        "inner-cv": inner_folds,
        "transfer": None,
        "tuned": None,
        "oracle": on_the_test,
    }
)


def choose(kind: str, head: Head, settings: Sequence[Params], episode: Episode) -> Chosen:
    """Choose a setting for every label vector and score the test rows with it."""
    m, Y = len(episode.Y), episode.Y
    criterion = CRITERIA[kind]
    judged = criterion(head, settings, episode) if criterion else None
    index = np.zeros(m, np.int64) if judged is None else _least(judged.losses, settings, head.default)
    P = np.empty((m, len(episode.support.X_test), episode.n_classes))
    gap, iterations = np.full(m, np.nan), np.full(m, -1)
    for i in np.unique(index):
        at = np.flatnonzero(index == i)
        if judged is not None and judged.test is not None:
            scored, rows, column = judged.test, at, i
        else:
            scored = head.scores(episode.support, Y[at], episode.n_classes, [settings[i]])
            rows, column = np.arange(len(at)), 0
        P[at] = scored.P[rows, column]
        if scored.gap is not None:
            gap[at] = scored.gap[rows, column]
        if scored.iterations is not None:
            iterations[at] = scored.iterations[rows, column]
    return Chosen(P, index, None if judged is None else judged.losses, gap, iterations)


def _least(losses: np.ndarray, settings: Sequence[Params], default: Params) -> np.ndarray:
    """Return the setting (m,) with the least of its losses (m, L); of equals the default, else the earliest."""
    index = losses.argmin(1)
    own = [i for i, setting in enumerate(settings) if setting == default]
    if own:
        index[losses[:, own[0]] == losses.min(1)] = own[0]
    return index


def fold_of(groups: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the fold (n,) of every support row, groups dealt out in the order of the draw; labels are not used."""
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))[inverse]
    return rank % min(MAX_FOLDS, _fewest_groups(groups, n_classes))


def _fewest_groups(groups: np.ndarray, n_classes: int) -> int:
    return min(len(np.unique(own)) for own in groups.reshape(n_classes, -1))


def settings_of(kind: str, head: Head) -> tuple[Params, ...]:
    """Return what there is to choose from; the default alone where nothing is chosen."""
    return head.grid if CRITERIA[kind] else (head.default,)


def check_selection(kind: str, heads: Sequence[Head]) -> None:
    """Raise BenchError for an unknown kind, or for heads that have nothing to choose from or no way to do so."""
    if kind not in CRITERIA:
        known = ", ".join(CRITERIA)
        raise BenchError(f"Got --select '{kind}'{did_you_mean(kind, CRITERIA) or '.'} Expected some of: {known}.")
    unable = [head.name for head in heads if not _able(kind, head)]
    if unable:
        able = [head.name for head in all_heads().values() if _able(kind, head)]
        lacks = "whose left-out rows have a closed form" if kind == "loo" else "with a grid of settings"
        raise BenchError(
            f"Got --select {kind} with --head {', '.join(unable)}; expected heads {lacks}: {', '.join(able) or 'none'}."
            + (" Or use --select inner-cv." if kind == "loo" else "")
        )


def _able(kind: str, head: Head) -> bool:
    return kind in ("fixed", "tuned") or (bool(head.grid) and (kind != "loo" or head.loo is not None))


def refuse_shots(
    kind: str, shots: int, supports: Iterable[np.ndarray], n_classes: int, series: str = "balanced"
) -> str:
    """Return why settings cannot be chosen this way at a level, or "". supports: groups (n,) of every draw."""
    needed = MIN_GROUPS.get(kind, 0)
    if not needed:
        return ""  # without a look at the draws, which are made when asked for
    if series == "budget":
        return f"--budget {shots} with --select {kind}: a draw may have too few groups of a class to leave some out"
    fewest = min((_fewest_groups(groups, n_classes) for groups in supports), default=0)
    if fewest >= needed:
        return ""
    return (
        f"shots={shots} with --select {kind}: a draw has a class from {fewest} group{'s' * (fewest != 1)}, "
        f"and {needed} are needed to leave groups out"
    )
