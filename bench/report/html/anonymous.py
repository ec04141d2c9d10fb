"""A report without paths, names of files, names of slides and the name of the dataset: to be shown to others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath

import pandas as pd

from bench.report.html.context import Method, ReportContext
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


def called_of(encoders: Iterable[str], heads: Iterable[str]) -> dict[str, str]:
    """Return what encoders and heads that are called by a file are called instead, as encoder 1."""
    called = {name: f"encoder {i + 1}" for i, name in enumerate(dict.fromkeys(encoders)) if _PATHS.search(name)}
    return called | {name: f"head {i + 1}" for i, name in enumerate(dict.fromkeys(heads)) if _PATHS.search(name)}


def without_paths(context: ReportContext, called: Mapping[str, str] | None = None) -> ReportContext:
    """Return a report in which encoders and heads that are called by a file, such as my.py:NAME, have a number.

    called: what they are called, None: of `called_of`, for this report alone.
    """
    if called is None:
        called = called_of(context.encoders, (method.head for method in context.methods))
    names = dict(called)

    def renamed(table: pd.DataFrame) -> pd.DataFrame:
        texts = [name for name in table if str(name).partition("_")[0] in ("encoder", "head", "intact")]
        return table.assign(**{str(name): [names.get(x, x) for x in table[name]] for name in texts})

    def method(one: Method) -> Method:
        return one._replace(encoder=names.get(one.encoder, one.encoder), head=names.get(one.head, one.head))

    run, there = context.run, context.map
    facts = replace(run.facts, encoders={names.get(name, name): known for name, known in run.facts.encoders.items()})
    board = replace(run.board, table=renamed(run.board.table), pairs=renamed(run.board.pairs))
    if there is not None:
        there = replace(there, at={names.get(name, name): at for name, at in there.at.items()},
                        kept={names.get(name, name): kept for name, kept in there.kept.items()})  # fmt: skip
    return replace(
        context, map=there, methods=tuple(map(method, context.methods)), detailed=tuple(map(method, context.detailed)),
        run=replace(run, facts=facts, board=board, robustness=renamed(run.robustness),
                    efficiency=renamed(run.efficiency), finetuning=renamed(run.finetuning)),
        tables={name: renamed(table) for name, table in context.tables.items()},
        made_with=[(what, which) for what, which in context.made_with if not _PATHS.search(what.removesuffix(".csv"))],
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
