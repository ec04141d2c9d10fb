"""From a source to the tables of `bench granularity`: embed, choose classes, draw, fit, write."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from bench.data.content import content_of
from bench.embeddings.embed import DataSpec, OnProgress, cached_encoders, embed, prepare
from bench.errors import BenchError, did_you_mean
from bench.fitting.views import Embedded
from bench.instances.blank import diagnostic_of
from bench.report.pages.page import page_bytes
from bench.runs.place import keep_tables, place_run
from bench.statistics.intervals import T_FROM
from bench.storage.tables import csv_bytes
from bench.storage.together import put_together
from bench.studies.granularity.design import (
    Design,
    Levels,
    design_images,
    structural_noise,
    usable_classes,
)
from bench.studies.granularity.exchange import Findings, measure
from bench.studies.granularity.heads import get_bag_heads
from bench.studies.granularity.report import PageContext, draw_curves, granularity_page
from bench.studies.granularity.simulate import Recipe, simulate_images
from encoders import EncoderSpec, check_aliases, resolve

DEFAULT_SIZE = 10  # cells of a simulated image


@dataclass(frozen=True)
class GranularityRequest:
    """What is asked. purities, size: of simulated images, none where images are as they are.

    minutes: a person's, for one label of 'image' and of 'cell'. classes: none means all that have labels enough.
    pure: the label of an image is that of each of its cells. none: the name of a class of cells that are none of these.
    """

    source: DataSpec
    encoders: Sequence[str]
    levels: Levels
    heads: tuple[str, ...]
    classes: tuple[str, ...]
    purities: tuple[float, ...]
    size: int | None
    minutes: dict[str, float]
    out: Path
    name: str | None
    pure: bool = False
    none: str = ""

    def __post_init__(self) -> None:
        if self.none and (self.pure or self.recipes):
            raise BenchError(
                f"Got --none-class {self.none} with {'--pure' if self.pure else 'simulated images'}, where every cell "
                "is of one of the classes; expected images with labelled cells of other types. Leave one of the two "
                "out."
            )

    @property
    def recipes(self) -> list[Recipe]:
        """How images are simulated; none where they are as they are."""
        if not self.purities and self.size is None:
            return []
        return [Recipe(purity, self.size or DEFAULT_SIZE) for purity in self.purities or (1.0,)]


@dataclass(frozen=True)
class Result:
    """folder: where the tables are. rates: of `exchange`. problems: path, reason of images that were skipped."""

    folder: Path
    rates: pd.DataFrame
    notes: tuple[str, ...]
    problems: pd.DataFrame


def run(request: GranularityRequest, device: str, command: str, on_progress: OnProgress) -> Result:
    """Do all of it. Raises BenchError for data that the question cannot be asked of, before anything is embedded."""
    heads = get_bag_heads(request.heads)
    specs = [resolve(text) for text in request.encoders]
    check_aliases(specs)
    prepared = prepare(request.source, request.out, on_progress)
    specs = specs or cached_encoders(prepared)
    if not specs:
        raise BenchError(
            "Got no --encoder, and no embeddings of this data are stored yet; expected at least one, e.g. --encoder "
            "dino,trivial."
        )
    wanted = _folder(request, prepared.dataset.name)
    _plan(prepared.instances, request)  # what cannot be asked is refused here
    specs = list({spec.name: spec for spec in specs}.values())
    prepared, _, X = embed(prepared, specs, device, on_progress)
    plan = _plan(prepared.instances, request)
    found = list(_findings(plan, [spec for spec in specs if spec.name in X], X, request, on_progress))
    notes = [*prepared.dataset.notes, *plan.notes]
    notes += [
        f"{spec.name} is a diagnostic ({spec.diagnostic}): it shows what scores rest on, and is no encoder to choose"
        for spec in specs if spec.diagnostic
    ]  # fmt: skip
    for own in found:
        notes += own.refused
        if own.curves["gap_low"].isna().any():
            notes.append(
                f"a class has fewer than {T_FROM} test groups, too few to be resampled: accuracies have exact limits, "
                "for which a group is one observation; the gap has none, and the exchange rate is not available"
            )
    design = next(iter(plan.designs.values()))
    notes += design.refused
    folder, elsewhere = place_run(wanted.parent, wanted.name, content_of(prepared.dataset.table))
    told = tuple(dict.fromkeys([*notes, *filter(None, [elsewhere])]))
    split = f"{design.plan.rule}, {design.plan.reason}"
    noise = None if request.recipes or request.pure else structural_noise(plan.table)
    about = {head.name: head.summary for head in heads}
    story = PageContext(
        prepared.dataset.name, command, design.classes, split, told, request.minutes, about, noise, request.none,
        diagnostic_of(request.source.instances), request.pure,
    )  # fmt: skip
    tables = {
        what: pd.concat([getattr(own, what) for own in found], ignore_index=True)
        for what in ("curves", "rates", "frontier")
    }
    kept = keep_tables(folder, "curves.csv", tables["curves"], ["encoder", "purity", "head", "images", "cells"])
    _write(folder, story, tables)
    return Result(folder, tables["rates"], (*told, *filter(None, [kept])), prepared.dataset.problems)


def _findings(
    plan: _Plan,
    specs: Sequence[EncoderSpec],
    X: Mapping[str, np.ndarray],
    request: GranularityRequest,
    on_progress: OnProgress,
) -> Iterator[Findings]:
    """Yield the tables of every purity and encoder, with columns that name them."""
    heads = get_bag_heads(request.heads)
    for purity, design in plan.designs.items():
        for spec in specs:
            view = Embedded(spec.name, spec.key, spec.scaling, X[spec.name][plan.rows])
            scaled = partial(_scaled, view, design.group)
            own = measure(design, heads, scaled, request.minutes, partial(on_progress, f"fit {spec.name}"))
            for one in (own.curves, own.rates, own.frontier):
                one.insert(0, "encoder", spec.name)
                one.insert(1, "purity", purity)
            yield own


def _scaled(view: Embedded, group: np.ndarray, train: np.ndarray) -> np.ndarray:
    return view.scaled(train, group)


def _folder(request: GranularityRequest, dataset: str) -> Path:
    name = request.name
    if name is not None and not re.fullmatch(r"\w[\w.-]*", name):
        raise BenchError(f"Got name '{name}'; expected letters, digits, '.', '_' or '-', as it names a folder.")
    cut = re.sub(r"[^a-zA-Z0-9.]", "", request.source.instances)
    default = "-".join([dataset, *[cut] * (cut != "whole"), *["simulated"] * bool(request.recipes)])
    return request.out / "granularity" / (name or default)


def _label_of_cell(table: pd.DataFrame) -> pd.Series:
    """Return the expert's label of the cell in each row, text or NA; where rows are whole, what was labelled."""
    own = table["cell_label"]
    return own if own.notna().any() else table["label"].where(table["level"] == "expert").astype("string")


@dataclass(frozen=True)
class _Plan:
    """rows: positions in the instance table that take part. table: these; `label` is the cell's where simulated.

    designs: by purity, NaN where images are as they are.
    """

    rows: np.ndarray
    table: pd.DataFrame
    notes: tuple[str, ...]
    designs: Mapping[float, Design]


def _plan(instances: pd.DataFrame, request: GranularityRequest) -> _Plan:
    told: tuple[str, ...] = ()
    if request.pure:
        instances = instances.assign(cell_label=instances["label"].astype("string"))
        told = (
            "cell level takes every cell (or tile) to show its image's label (--pure); it means as much as that does",
        )
    rows, classes, notes = _choose(instances, request)
    notes = (*told, *notes)
    table = instances.iloc[rows].reset_index(drop=True)
    if not request.recipes:
        return _Plan(rows, table, notes, {np.nan: design_images(table, classes, request.levels, request.none)})
    table = table.assign(label=_label_of_cell(table))
    designs = {one.purity: simulate_images(table, classes, request.levels, one) for one in request.recipes}
    return _Plan(rows, table, notes, designs)


def _choose(table: pd.DataFrame, request: GranularityRequest) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
    """Return the rows that take part, their classes, and what should be known of it."""
    simulated = bool(request.recipes)
    labels = _label_of_cell(table)
    if (labels if simulated else table["cell_label"]).isna().all():
        raise BenchError(
            "Got instances of which none has a label of its own cell; expected some, which are what is tested at cell "
            "level: --instances boxes --cells FILE.csv --cell-column NAME, or --pure where every cell shows its "
            "image's label" + (
                "." if simulated else ", or --purity 1,0.8 for images simulated from labelled cells."
            )
        )  # fmt: skip
    if simulated:
        table = table.assign(label=labels, cell_label=labels, image=table["instance"])
    taken = table["label"].notna()
    if request.classes:
        known = set(table.loc[taken, "label"])
        for name in request.classes:
            if name not in known:
                hint = did_you_mean(name, known) or "."
                raise BenchError(f"Got class '{name}'{hint} Expected some of: {', '.join(sorted(known))}.")
        taken &= table["label"].isin(request.classes)
    classes, notes = usable_classes(table[taken], request.levels, request.classes)
    kept = np.flatnonzero(taken & table["label"].isin(classes))
    strange = table["cell_label"].iloc[kept].dropna()
    strange = strange[~strange.isin(classes)]
    if len(strange):
        most = ", ".join(f"{name} {count:,}" for name, count in strange.value_counts().head(4).items())
        notes += (
            f"{len(strange):,} cells have labels that are no class of images ({most}): they are among the cells of "
            f"their images, and {_scored_as(request.none)}",
        )
    if request.none:
        _check_none(request.none, set(table.loc[taken, "label"]), len(strange))
    return kept, classes, notes


def _scored_as(none: str) -> str:
    return f"are the class '{none}' at cell level" if none else "not scored at cell level (--none-class can name them)"


def _check_none(none: str, classes: set[str], cells: int) -> None:
    """Raise BenchError unless the name is free and there are cells of none of the classes."""
    if none in classes:
        raise BenchError(f"Got --none-class {none}, which is a class of images; expected another name, such as other.")
    if not cells:
        raise BenchError(
            f"Got --none-class {none}, and every labelled cell is of one of the classes; expected cells of other "
            "types. Leave the option out."
        )


def _write(folder: Path, story: PageContext, tables: dict[str, pd.DataFrame]) -> None:
    picture = draw_curves(tables["curves"], len(story.classes))
    page = granularity_page(story, tables["curves"], tables["rates"], tables["frontier"], bool(picture))
    places = {"curves": "curves.csv", "rates": "exchange.csv", "frontier": "frontier.csv"}
    files = {
        **{place: csv_bytes(tables[what]) for what, place in places.items()},
        "noise.csv": None if story.noise is None else csv_bytes(story.noise),
        "curves.png": picture,
        "granularity.md": page_bytes(page),
    }
    put_together(folder, files, {})
