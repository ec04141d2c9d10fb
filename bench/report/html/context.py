"""What a report is made of: plain data, from the stored tables and predictions of a run. Nothing is fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
from markupsafe import Markup

from bench.report.html.cells import ROW
from bench.report.html.words import is_long, text_html
from bench.report.pages.model import Row
from bench.report.pages.sections.context import RunPage
from bench.report.tables.flags import headline
from bench.report.tables.rows import head_label
from bench.runs.facts import RunFacts

METHOD = ["encoder", "head", "selection"]
PCA, UMAP = "pca", "umap"  # ways to draw a map
DETAILED = 8  # methods that are looked at item by item: the best head of every encoder


class Level(NamedTuple):
    """What methods are compared within: the same labels, wrong in the same way."""

    series: str
    shots: int
    noise_kind: str
    noise: float


class Method(NamedTuple):
    """An encoder with a head, and how the settings of the head were chosen."""

    encoder: str
    head: str
    selection: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Items:
    """What was tested, and what every detailed method answered at the headline level.

    rows (N,): the row of the instance table of an item, the first of an image that has several; item_of: row -> item,
    of all rows that were tested. y (N,): its class.
    named uint16 (M, N, K): in how many draws an item was given each class; draws: their number. confusion (M, K, K):
    items of a class (rows) that were given each class (columns), mean over draws. bins (M, BINS, 3): items, their mean
    probability and the share that is right, by probability; errors (M, 3): calibration error and its null band.
    """

    rows: np.ndarray
    item_of: Mapping[int, int]
    y: np.ndarray
    group: np.ndarray
    named: np.ndarray
    draws: int
    confusion: np.ndarray
    bins: np.ndarray
    errors: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class Map:
    """Embeddings in two dimensions: rows (n,) of the instance table; at: encoder -> (n, 2) in [0, 1]; way: how they
    were made; kept: encoder -> the share that they keep of the variance (PCA), or of nearest neighbours (UMAP)."""

    rows: np.ndarray
    at: Mapping[str, np.ndarray]
    kept: Mapping[str, float]
    way: str = PCA


@dataclass(frozen=True, kw_only=True, eq=False)
class Proposed:
    """A list of `bench next` of the images of a run. name: of its folder; lies_in: the folder of its images, as the run
    calls it. new: its rows that are to be labelled and have no label in the run, checks: those whose label is to be
    looked at again, with their number in the file as ROW. labelled: images of the list that have a label in the run;
    counts: images with a label that count as drawn at random. pictures: number in the file -> a data address."""

    name: str
    lies_in: str
    new: pd.DataFrame
    checks: pd.DataFrame
    labelled: int
    counts: int
    pictures: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class ReportContext:
    """A run as its report shows it.

    run: its stored tables. level: of the headline comparison, None where there is none. methods: all of the board, the
    best at that level first; encoders: in the same order. detailed: those with items. tables: see
    `bench.report.html.tables`. shown: rows of the instance table that are shown one by one. pictures: row of the
    instance table -> an image as a data address. labels (N,): the class of every row of the instance table; names: what
    it is called; groups: its group. audit: the labels that `bench audit` doubts in these images, with their row in the
    instance table. proposed: what `bench next` proposed on these images. why: what is missing -> the reason.
    """

    run: RunPage
    level: Level | None
    methods: tuple[Method, ...]
    detailed: tuple[Method, ...]
    items: Items | None
    tables: Mapping[str, pd.DataFrame]
    map: Map | None
    shown: Sequence[int]
    pictures: Mapping[int, str]
    labels: Sequence[str]
    names: Sequence[str]
    groups: Sequence[str]
    made_with: Sequence[tuple[str, str]] = ()
    audit: pd.DataFrame | None = None
    proposed: Proposed | None = None
    why: Mapping[str, str] = field(default_factory=dict)

    @property
    def board(self) -> pd.DataFrame:
        """The leaderboard, as its file has it."""
        return self.run.board.table

    @property
    def facts(self) -> RunFacts:
        """What holds for every row."""
        return self.run.facts

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes."""
        return self.run.facts.classes

    @property
    def encoders(self) -> tuple[str, ...]:
        """The encoders, best first."""
        return tuple(dict.fromkeys(method.encoder for method in self.methods))

    def at_level(self, level: Level | None = None) -> list[Row]:
        """Return the rows of the board at a level, the headline one if none is given, best first, those of the oracle
        last."""
        level = level or self.level
        if level is None:
            return []
        rows = rows_of(self.board)
        own = [row for row in rows if level_of_row(row) == level]
        return sorted(own, key=lambda row: (row["selection"] == "oracle", -row["balanced_accuracy"]))


def rows_of(table: pd.DataFrame) -> list[dict]:
    """Return the rows of a table with their numbers, as ROW."""
    return [{**row, ROW: i} for i, row in enumerate(table.to_dict("records"))]


def level_of_row(row: Row) -> Level:
    """Return the level of a row of the board."""
    return Level(str(row["series"]), int(row["shots"]), str(row["noise_kind"]), float(row["noise"]))


def method_of(row: Row) -> Method:
    """Return the method of a row."""
    return Method(str(row["encoder"]), str(row["head"]), str(row["selection"]))


def headline_level(board: pd.DataFrame) -> Level | None:
    """Return the level of the headline comparison; of a board of diagnostics alone, the most labels of it, clean."""
    rows = headline(board)
    if rows.empty:
        rows = board.sort_values(["shots", "noise"], ascending=[False, True], kind="stable")
    return level_of_row(rows.iloc[0].to_dict()) if len(rows) else None


def methods_of(board: pd.DataFrame, level: Level | None) -> tuple[Method, ...]:
    """Return all methods of a board: those at a level first, best first."""
    rows = sorted(
        board.to_dict("records"),
        key=lambda row: (row["selection"] == "oracle", level_of_row(row) != level, -row["balanced_accuracy"]),
    )
    return tuple(dict.fromkeys(map(method_of, rows)))


def detailed_of(board: pd.DataFrame, level: Level | None) -> tuple[Method, ...]:
    """Return the best head of every encoder at a level, best first: encoders, then the best baselines."""
    rows = [row for row in board.to_dict("records") if level_of_row(row) == level and row["selection"] != "oracle"]
    rows.sort(key=lambda row: (row["role"] != "encoder", -row["balanced_accuracy"]))
    best: dict[str, Method] = {}
    for row in rows:
        best.setdefault(str(row["encoder"]), method_of(row))
    return tuple(best.values())[:DETAILED]


def encoder_html(context: ReportContext, name: str) -> Markup:
    """Return the name of an encoder, such that it can be renamed in all parts at once."""
    number = context.encoders.index(name) if name in context.encoders else -1
    kind = "enc long" if is_long(name) else "enc"
    return Markup('<span class="{}" data-name="{}">{}</span>').format(kind, number, text_html(name))


def method_html(context: ReportContext, method: Method) -> Markup:
    """Return encoder and head in words."""
    return Markup('{} <span class="head">{}</span>').format(encoder_html(context, method.encoder), head_of(method))


def head_of(method: Method) -> str:
    """Return the head, with how its settings were chosen where that is not the usual way."""
    return head_label({"head": method.head, "selection": method.selection})


def of_encoder(context: ReportContext, name: str) -> Markup:
    """Return the attribute by which an element can be hidden and highlighted with its encoder."""
    number = context.encoders.index(name) if name in context.encoders else -1
    return Markup(' data-encoder="{}"').format(number)


def labels_words(level: Level) -> str:
    """Return the labels of a level in words, e.g. '5 labels per class'."""
    word = "label" if level.shots == 1 else "labels"
    return f"{level.shots:,} {word} {'in all' if level.series == 'budget' else 'per class'}"


def noise_words(level: Level) -> str:
    """Return how many labels of a level are wrong, in words."""
    if not level.noise:
        return "no wrong labels"
    kind = "" if level.noise_kind in ("none", "symmetric") else f" ({level.noise_kind})"
    return f"{100 * level.noise:.0f}% wrong labels{kind}"
