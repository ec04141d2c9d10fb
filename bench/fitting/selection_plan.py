"""Which way of choosing settings a head takes, from which settings, and which heads and numbers of labels it is for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from bench.errors import BenchError, did_you_mean
from bench.fitting.episode import count_fewest_groups
from bench.fitting.selection import WAYS, SelectionKind
from bench.heads import Head, Params, all_heads
from bench.text import counted


def settings_of(kind: str, head: Head, given: Iterable[Params] = ()) -> tuple[Params, ...]:
    """Return what there is to choose from. given: settings that other kinds of the same sweep take, for 'oracle'."""
    published = head.grid or (head.default,)
    more = [setting for setting in given if setting not in published] if kind == "oracle" else []
    return (*published, *(setting for i, setting in enumerate(more) if setting not in more[:i]))


def way_of(kind: str, head: Head, has_groups: bool) -> str:
    """Return which of WAYS a kind is for a head. has_groups: whether a group of every class can be left out."""
    return "fixed" if kind == "auto" and not (has_groups and head.loo is not None and head.grid) else kind


def way_by_draw(way: str, able: int, draws: int) -> str:
    """Return a way as 'auto 7/10' where it is taken in so many of the draws alone, and 'fixed' in the others."""
    return f"{way} {able}/{draws}" if way == "auto" and able < draws else way


def check_selection(kind: str, heads: Sequence[Head]) -> None:
    """Raise BenchError for an unknown kind, or for heads that have nothing to choose from or no way to do so."""
    if kind not in WAYS:
        known = ", ".join(WAYS)
        raise BenchError(f"Got --select '{kind}'{did_you_mean(kind, WAYS) or '.'} Expected some of: {known}.")
    needs = WAYS[kind]
    unable = [head.name for head in heads if not _able(needs, head)]
    if unable:
        able = [head.name for head in all_heads().values() if _able(needs, head)]
        lacks = "that can leave rows out without learning again" if needs.needs_left_out else "with a grid of settings"
        raise BenchError(
            f"Got --select {kind} with --head {', '.join(unable)}; expected heads {lacks}: {', '.join(able) or 'none'}."
            + (" Or use --select inner-cv." if needs.needs_left_out else "")
        )


def _able(needs: SelectionKind, head: Head) -> bool:
    return not (needs.needs_grid and not head.grid) and not (needs.needs_left_out and head.loo is None)


def refuse_shots(
    kind: str, shots: int, supports: Iterable[tuple[np.ndarray, np.ndarray]], n_classes: int, series: str = "balanced"
) -> str:
    """Return why settings cannot be chosen this way at a level, or "". supports: groups and classes of every draw."""
    needed = WAYS[kind].min_groups
    if not needed:
        return ""  # without a look at the draws, which are made when asked for
    if series == "budget":
        return f"--budget {shots} with --select {kind}: a draw may have too few groups of a class to leave some out"
    fewest = min((count_fewest_groups(groups, y, n_classes) for groups, y in supports), default=0)
    if fewest >= needed:
        return ""
    return (
        f"shots={shots} with --select {kind}: a draw has a class from {counted(fewest, 'group')}, "
        f"and {needed} are needed to leave groups out"
    )
