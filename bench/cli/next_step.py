"""What to do next, in words: what the data can tell by now, what would tell more, and the command that fits.

Pure functions of a dataset table and of what the user typed.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.data.walk import LINKED
from bench.statistics.comparison import RANK_FROM
from bench.statistics.intervals import T_FROM
from bench.storage.buckets.address import is_address, spelled
from encoders.options import split_alias, split_names

if TYPE_CHECKING:
    import pandas as pd

LEVELS = (1, 2, 5, 10, 20, 50)  # labelled examples per class that are proposed
PROPOSED = 3  # how many of them
NAMED = 3  # classes that are named
LEARNED = 2 / 3  # share of a class that is learned from where splits are folds

Typed = Mapping[str, Sequence[str]]  # option, such as --data -> its values as typed, none for a switch


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What there is to test on. groups: class -> groups; items: class -> rows. sided: an official test side is given,
    and groups are those of it. grouped: a group may be more than an image.
    """

    images: int
    groups: Mapping[str, int]
    items: Mapping[str, int]
    n_groups: int
    sided: bool
    grouped: bool

    @property
    def fewest(self) -> int:
        """Groups of the class that has the fewest."""
        return min(self.groups.values())


def evidence_of(table: pd.DataFrame, classes: Sequence[str]) -> Evidence:
    """Return what a dataset table (columns path, label, group, split) has to test on. Raises nothing.

    A class that has no item on the test side has 0 groups.
    """
    from bench.data.chosen_by import LEARN

    table = table[table["label"].isin(classes)]
    split = table["split"].fillna("").astype(str).str.lower()
    test = split == "test"
    tested = table[test] if test.any() else table[split != LEARN]
    groups = tested.groupby("label")["group"].nunique().to_dict()
    items = table[~test].groupby("label").size().to_dict() if test.any() else table.groupby("label").size().to_dict()
    images, n_groups = tested["path"].nunique(), tested["group"].nunique()
    return Evidence(
        images=images, groups={name: int(groups.get(name, 0)) for name in classes},
        items={name: int(items.get(name, 0)) for name in classes}, n_groups=n_groups, sided=bool(test.any()),
        grouped=n_groups != images,
    )  # fmt: skip


def verdict(evidence: Evidence, board: pd.DataFrame | None = None) -> str:
    """Return a sentence or two: what these images can tell, and how many more would tell encoders apart.

    board: of a run of them, which may have told none apart.
    """
    side = " of the test side" if evidence.sided else ""
    what = f"{evidence.images:,} {_plural('image', evidence.images)}{side}"
    if evidence.grouped:
        what += f" of {evidence.n_groups:,} {_plural('group', evidence.n_groups)}"
    if evidence.fewest >= RANK_FROM:
        alike = 0 if board is None else as_good_as_best(board)
        if alike:
            others = "the other method is not" if alike == 1 else f"none of the {alike} other methods is"
            return f"{what} are enough to compare encoders, but here {others} told apart from the best one."
        enough = f"every class has {RANK_FROM} or more {'groups' if evidence.grouped else 'images'}"
        return f"{what} are enough to tell apart encoders whose scores differ clearly: {enough}."
    can = "cannot tell encoders apart" if evidence.fewest < T_FROM else "give a score, but cannot tell encoders apart"
    return f"{what} {can}; about {_more(evidence)} would be enough."


def as_good_as_best(board: pd.DataFrame) -> int:
    """Return from how many methods the best one of a leaderboard cannot be told apart; 0 where it can from some."""
    from bench.report.tables.flags import headline

    ranks = headline(board)["rank_low"].dropna()
    return max(len(ranks) - 1, 0) if (ranks == 1).all() else 0


def obstacle(table: pd.DataFrame, classes: Sequence[str]) -> str:
    """Return why a dataset table has no part to learn from and part to test on, "" where it has."""
    from bench.errors import BenchError
    from bench.protocol.splits import plan_splits

    evidence = evidence_of(table, classes)
    lacking = [name for name, items in evidence.items.items() if not items]
    if evidence.sided and lacking:
        return (
            f"Class '{lacking[0]}' has no image to learn from on the training side of the official split. Add some, or "
            f"leave it out: --leave-out {shlex.quote(lacking[0])}."
        )
    try:
        plan_splits(table, classes)
    except BenchError as error:
        return str(error)
    return ""


def levels(evidence: Evidence) -> list[int]:
    """Return up to PROPOSED numbers of labelled examples per class that the smallest class has to learn from."""
    most = min(evidence.items.values())
    able = [n for n in LEVELS if n <= (most if evidence.sided else int(most * LEARNED))]
    return able[-PROPOSED:] or [1]


def proposal(verb: str, typed: Typed, known: Sequence[str], changes: Mapping[str, str | None]) -> str:
    """Return a command line: the verb, what was typed of the options that it knows, and what changes.

    changes: option -> value, "" for a switch, None to leave the option out.
    """
    taken = {name: list(values) for name, values in typed.items() if name in known and name not in changes}
    taken |= {name: [value] if value else [] for name, value in changes.items() if value is not None}
    words = ["bench", *verb.split()]
    for name, values in taken.items():
        words += [word for value in values for word in (name, value)] if values else [name]
    return shlex.join(words)


def with_lost(lost: Mapping[str, str], typed: Typed) -> dict[str, str]:
    """Return the options that run without the classes of which nothing can be used; links are followed first.

    lost: class -> why none of its images can be used.
    """
    linked = [name for name, why in lost.items() if why.endswith(LINKED)]
    out = [*typed.get("--leave-out", ()), *(name for name in lost if name not in linked)]
    return ({"--follow-links": ""} if linked else {}) | ({"--leave-out": ",".join(out)} if out else {})


def after_run(evidence: Evidence, typed: Typed, known: Sequence[str]) -> str:
    """Return the command that fits after a run: with more images, with wrong labels, the leak, or all runs as one."""
    if evidence.fewest < RANK_FROM:
        return (
            "Add images and run the same command again; it computes only what is new: "
            f"{proposal('run', typed, known, {})}"
        )
    if "--noise" not in typed:
        return f"Next, see what wrong labels cost: {proposal('run', typed, known, {'--noise': '0,0.2,0.4'})}"
    if evidence.grouped and "--leak" not in typed:
        return (
            "Next, see how much a score rises if slides are in both training and test: "
            f"{proposal('run', typed, known, {'--leak': ''})}"
        )
    return f"Next, join all runs into one leaderboard: {proposal('leaderboard', typed, ['--out'], {})}"


def take_home(typed: Typed, known: Sequence[str], run: str, diagnostic: Collection[str] = ()) -> str:
    """Return the command that makes a classifier of the same images and encoders; it has heads of its own.

    run: the name of the run, which knows in what precision encoders ran where that was measured. diagnostic: encoders,
    as tables call them, that say what a score rests on; nobody wants to classify by them, so they are left out.
    """
    changes: dict[str, str | None] = {"--save": "cells.model", "--head": None, "--name": None}
    if typed.get("--precision") == ["auto"]:
        changes |= {"--encoder": None, "--from": run}
    elif "--encoder" in typed:
        names = [name for value in typed["--encoder"] for name in split_names(value)]
        kept = [name for name in names if not {name, split_alias(name)[0]} & set(diagnostic)]
        changes |= {"--encoder": ",".join(kept) or None} if kept != names else {}
    return proposal("fit", typed, known, changes)


def typed_options(context: Any) -> dict[str, list[str]]:
    """Return the options that were typed, or came of --config, with their values; see `Typed`."""
    found: dict[str, list[str]] = {}
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name)
        if getattr(source, "name", "") not in ("COMMANDLINE", "DEFAULT_MAP"):
            continue
        value, names = context.params.get(parameter.name), parameter.opts
        if parameter.param_type_name != "option":
            continue
        if getattr(parameter, "is_flag", False):
            names = names if value else parameter.secondary_opts
            found |= {_long(names): []} if names else {}
        else:
            several = value if isinstance(value, list | tuple) else [value]
            found[_long(names)] = [spelled(one) if isinstance(one, Path) else str(one) for one in several]
    return found


def names_address(typed: Typed) -> bool:
    """Return whether data or results are in an object store, which few commands take."""
    return any(is_address(one) for name in ("--data", "--out") for one in typed.get(name, ()))


def options_of(context: Any, verb: str) -> list[str]:
    """Return the options of a command, such as "run" or "data check", that say what is done and not how it is said."""
    command = context.find_root().command
    for word in verb.split():
        command = command.commands[word]
    return [
        name
        for parameter in command.params
        if parameter.name not in ("quiet", "verbose", "config", "as_json")
        for name in (*parameter.opts, *parameter.secondary_opts)
    ]


def _long(names: Sequence[str]) -> str:
    return max(names, key=len)


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"


def _more(evidence: Evidence) -> str:
    lacking = {name: RANK_FROM - count for name, count in evidence.groups.items() if count < RANK_FROM}
    most = max(lacking.values())
    if len(lacking) == len(evidence.groups):
        return f"{_counted(most, evidence)} per class"
    if len(lacking) <= NAMED:
        return " and ".join(f"{_counted(n, evidence)} of class '{name}'" for name, n in sorted(lacking.items()))
    return f"{_counted(most, evidence)} of each of {len(lacking)} classes, such as '{min(lacking)}',"


def _counted(count: int, evidence: Evidence) -> str:
    """Return how many more are lacking, as "1 more group"; images go without saying."""
    return f"{count} more {_plural('group', count)}" if evidence.grouped else f"{count} more"
