"""A report without paths, names of files, names of slides and the name of the dataset: to be shown to others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath

import pandas as pd

from bench.report.pages.sections.context import RunPage
from bench.runs.facts import RunFacts

DATASET = "this dataset"
FEWEST = 3  # letters of a name that is looked for within sentences
# A path, or a name of a file, in a sentence.
_PATHS = re.compile(r"(?:[A-Za-z]:)?[\w.~-]*(?:[/\\][^\s'\"(),;:]+)+|\b[\w-]+\.[A-Za-z]\w{1,5}(?::\w+)?\b(?!\()")


def without_names(run: RunPage, table: pd.DataFrame) -> RunPage:
    """Return a run in which no text says a path, a file, a group or the dataset. table: its instances."""
    facts = run.facts
    secret = [facts.dataset, facts.place, *table["path"].astype(str), *table["group"].astype(str)]
    secret += [PurePosixPath(path).stem for path in table["path"].astype(str)]
    secret += table["source"].dropna().astype(str).tolist()
    hide = hidden(secret, keep={*facts.classes, *facts.encoders, *run.board.table["head"]})
    board = run.board.table.assign(dataset=DATASET)
    return replace(
        run, command="", refused=tuple(map(hide, run.refused)), facts=_hidden_facts(facts, hide),
        board=replace(run.board, table=board, flags=_hidden_values(run.board.flags, hide),
                      no_pairs=hide(run.board.no_pairs)),
    )  # fmt: skip


def hidden(secret: Iterable[str], keep: Iterable[str]) -> Callable[[str], str]:
    """Return a function that takes names and whatever looks like a path out of a text."""
    kept = set(keep)
    names = sorted({name for name in secret if len(name) >= FEWEST and name not in kept}, key=len, reverse=True)
    known = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in names)) if names else None

    def hide(text: str) -> str:
        text = known.sub("(name)", text) if known else text
        return _PATHS.sub("(name)", text)

    return hide


def _hidden_facts(facts: RunFacts, hide: Callable[[str], str]) -> RunFacts:
    return replace(
        facts, dataset=DATASET, place="", tier_reason=hide(facts.tier_reason), split_reason=hide(facts.split_reason),
        warnings=tuple(map(hide, facts.warnings)), noise=_hidden_values(facts.noise, hide),
    )  # fmt: skip


def _hidden_values(texts: Mapping[str, str], hide: Callable[[str], str]) -> dict[str, str]:
    return {name: hide(text) for name, text in texts.items()}
