"""How a head's setting is chosen: not at all, from the support, from other data, or (a diagnostic) from the test.

    auto       as 'loo', but near the published setting where labels are few; as 'fixed' where groups are too few, of a
               budget draw by draw
    fixed      the head's published setting for so many labels, classes and dimensions
    loo        every support row predicted by the head learned without its group, in closed form or nearly
    inner-cv   cross-validation over the groups of the support; no group is on both sides
    transfer   the best setting on other data; learned before, see `bench.fitting.transfer`
    tuned      the setting that `bench tune` found on groups that take no part; see `bench.fitting.tuned`
    oracle     the best setting on the test rows: what selection could reach, never ranked

The criterion is the log loss of the labels that the head learns from, wrong ones included, after every setting has had
its temperature fitted (`bench.heads.choice`); accuracy ties on few rows. In a draw of a budget, whose classes have
unlike many labels, rows weigh by their class. Equal losses go to the published setting, then to the earlier one.
Probabilities are softened by the temperature that belongs to the setting: fitted on the same left-out rows, or
published where none were left out. Only 'oracle' is handed test labels: draw by draw it takes the
best balanced accuracy of all settings that the others could take, so that no other can have a better one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from bench.fitting.episode import Episode
from bench.heads import Head, Params
from bench.heads.choice import Judged, judge, least, leave_groups_out, with_prior
from bench.heads.contract import Scored
from bench.heads.temperature import fit_temperature, soften
from bench.runs.predictions import as_stored


class Chosen(NamedTuple):
    """P (m, n_test, K) at the chosen settings, chosen (m,): which those are, losses (m, L) or None: why.

    temperature (m,): that P was softened by. gap, iterations (m,): see `bench.heads.contract.Scored`; NaN and -1 of
    heads that do not iterate.
    """

    P: np.ndarray
    chosen: np.ndarray
    losses: np.ndarray | None
    temperature: np.ndarray
    gap: np.ndarray
    iterations: np.ndarray


class Selected(NamedTuple):
    """What a way of choosing found: chosen (m,), its temperature (m,), losses (m, L) or None.

    test: the test rows at all settings, if it scored those.
    """

    chosen: np.ndarray
    temperature: np.ndarray
    losses: np.ndarray | None = None
    test: Scored | None = None


Way = Callable[[Head, Sequence[Params], Episode], Selected]


def take_published(head: Head, settings: Sequence[Params], episode: Episode) -> Selected:
    """Take the published setting, or the only one that there is."""
    m, published = len(episode.Y), episode.published(head)
    index = next((i for i, setting in enumerate(settings) if setting == published), 0)
    return Selected(np.full(m, index), episode.temperatures(head, 1)[:, 0])


def leave_one_out(head: Head, settings: Sequence[Params], episode: Episode) -> Selected:
    """Take the least log loss of the support rows, each predicted without its group."""
    judged = leave_groups_out(head, episode.support, episode.Y, episode.n_classes, settings)
    return _at(least(judged.losses, settings, episode.published(head)), judged)


def leave_one_out_cautiously(head: Head, settings: Sequence[Params], episode: Episode) -> Selected:
    """Do the same, but stay near the published setting where labels are few."""
    weights, n = episode.weights, episode.effective_rows
    judged = leave_groups_out(head, episode.support, episode.Y, episode.n_classes, settings, weights=weights)
    published = episode.published(head)
    losses = with_prior(judged.losses, head, settings, published, n)
    return _at(least(losses, settings, published), Judged(losses, judged.temperatures))


def inner_folds(head: Head, settings: Sequence[Params], episode: Episode) -> Selected:
    """Take the least log loss of the support rows, each predicted without its fold of groups."""
    judged = _judge_folds(head, settings, episode)
    return _at(least(judged.losses, settings, episode.published(head)), judged)


def _judge_folds(head: Head, settings: Sequence[Params], episode: Episode) -> Judged:
    m, n = episode.Y.shape
    P = np.empty((m, len(settings), n, episode.n_classes))
    for held, inner in episode.folds:
        P[:, :, held] = head.scores(inner, episode.Y[:, ~held], episode.n_classes, settings).P
    return judge(head, P, episode.Y, episode.fold, episode.support.shape)


def look_at_the_test(head: Head, settings: Sequence[Params], episode: Episode) -> Selected:
    """Take the best balanced accuracy on the test rows, as computed from what is stored; of equals the log loss.

    The temperature is fitted on the test rows as well; where items are means of rows, of which it changes the order,
    the temperatures of the other ways are tried beside it. losses: their mean over splits is 1 - balanced accuracy.
    """
    assert episode.truth is not None
    tested, share = episode.truth.tested, episode.truth.share
    scored = head.scores(episode.support, episode.Y, episode.n_classes, settings)
    (m, L, n, _), y = scored.P.shape, np.broadcast_to(tested.y[tested.item], (len(episode.Y), len(tested.item)))
    own, losses = fit_temperature(scored.P, y, np.ones((m, n), bool), episode.temperatures(head, L))
    tried = [own, *(_other_temperatures(head, settings, episode) if n > len(tested.y) else ())]
    wrong = np.empty((len(tried), m, L))
    for place, T in zip(wrong, tried, strict=True):
        right = tested.pool(as_stored(soften(scored.P, T))).argmax(-1) == tested.y  # (m, L, n_items)
        place[:] = 1 - (right * share).sum(-1)
    T = np.take_along_axis(np.stack(tried), wrong.argmin(0)[None], 0)[0]  # (m, L)
    at = np.lexsort((losses.mean(-1), wrong.min(0)), axis=1)[:, 0]
    return Selected(at, T[np.arange(m), at], wrong.min(0), scored)


def _other_temperatures(head: Head, settings: Sequence[Params], episode: Episode) -> list[np.ndarray]:
    """Return the temperatures (m, L) that the other ways would give every setting."""
    found = [episode.temperatures(head, len(settings))]
    if head.loo is not None:
        found.append(leave_groups_out(head, episode.support, episode.Y, episode.n_classes, settings).temperatures)
    if len(episode.groups) % episode.n_classes == 0 and episode.fewest_groups >= WAYS["inner-cv"].min_groups:
        found.append(_judge_folds(head, settings, episode).temperatures)
    return found


def _at(index: np.ndarray, judged: Judged) -> Selected:
    return Selected(index, judged.temperatures[np.arange(len(index)), index], judged.losses)


@dataclass(frozen=True, kw_only=True)
class SelectionKind:
    """A way in which settings are chosen. choose: the function that does.

    brief: how, in a few words, for help; says: the same for the reader of a leaderboard, who sees it where the table
    has such rows. {fixed} in it stands for where 'auto' took the published setting. min_groups: of every class, in
    every draw. needs_grid: whether only heads with a grid can; needs_left_out: and only those that can leave rows out.
    """

    choose: Way
    brief: str
    says: str
    min_groups: int = 0
    needs_grid: bool = False
    needs_left_out: bool = False


WAYS: Mapping[str, SelectionKind] = MappingProxyType(
    {
        "auto": SelectionKind(
            choose=leave_one_out_cautiously,
            brief="on the labelled examples, each predicted without its slide, and close to the published setting "
            "where examples are few; the published one where a class has one slide only",
            says="Settings and temperatures (`selection` auto) are chosen on the labelled examples: each is predicted "
            "without its group, and the setting with the least log loss is taken, close to the published one "
            "where labels are few. Column `chosen_by` says auto where this was done. It says fixed where the "
            "published setting was used, because a class has labels from one group only or the head cannot leave "
            "rows out: {fixed}.",
        ),
        "fixed": SelectionKind(
            choose=take_published,
            brief="published",
            says="*(fixed)*: the published setting for this number of labels, classes and dimensions.",
        ),
        "loo": SelectionKind(
            choose=leave_one_out,
            brief="on the examples only, each predicted without its slide",
            says="*(loo)*: the setting with the least log loss on the labelled examples, each predicted without its "
            "group.",
            min_groups=2,
            needs_grid=True,
            needs_left_out=True,
        ),
        "inner-cv": SelectionKind(
            choose=inner_folds,
            brief="on the examples only, by cross-validation over slides",
            says="*(inner-cv)*: the setting with the least log loss in folds of the labelled examples, by group.",
            min_groups=3,
            needs_grid=True,
        ),
        "transfer": SelectionKind(
            choose=take_published,
            brief="on other data, see --transfer",
            says="*(transfer)*: the setting with the best balanced accuracy on other data.",
            needs_grid=True,
        ),
        "tuned": SelectionKind(
            choose=take_published,
            brief="see --params",
            says="*(tuned)*: the setting that `bench tune` found on groups that no row here uses.",
        ),
        "oracle": SelectionKind(
            choose=look_at_the_test,
            brief="on the test; never ranked",
            says="*(oracle)*: in every draw, the setting with the best balanced accuracy on the test data themselves. "
            "This uses labels that nobody would have: it shows the most that choosing could reach, luck included, "
            "and is not ranked.",
            needs_grid=True,
        ),
    }
)


def choose(way: str, head: Head, settings: Sequence[Params], episode: Episode) -> Chosen:
    """Choose a setting for every label vector and score the test rows with it. way: see `way_of`, `way_by_draw`."""
    m, Y = len(episode.Y), episode.Y
    kind, _, share = way.partition(" ")
    found = WAYS["fixed" if share and not episode.can_leave_out else kind].choose(head, settings, episode)
    index = found.chosen
    P: np.ndarray | None = None
    gap, iterations = np.full(m, np.nan), np.full(m, -1)
    for i in np.unique(index):
        at = np.flatnonzero(index == i)
        if found.test is not None:
            scored, rows, column = found.test, at, i
        else:
            scored = head.scores(episode.support, Y[at], episode.n_classes, [settings[i]])
            rows, column = np.arange(len(at)), 0
        own = scored.P[rows, column]
        P = np.empty((m, *own.shape[1:]), own.dtype) if P is None else P
        P[at] = own
        if scored.gap is not None:
            gap[at] = scored.gap[rows, column]
        if scored.iterations is not None:
            iterations[at] = scored.iterations[rows, column]
    assert P is not None
    return Chosen(soften(P, found.temperature), index, found.losses, found.temperature, gap, iterations)
