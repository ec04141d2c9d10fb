"""From a source to the tables of `bench granularity`: embed, choose classes, draw, fit, write."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from bench.atomic import write_atomically
from bench.bag_design import (
    Design,
    Levels,
    Recipe,
    design_images,
    simulate_images,
    structural_noise,
    usable_classes,
)
from bench.bag_heads import get_bag_heads
from bench.embed import OnProgress, Source, cached_encoders, embed, prepare
from bench.errors import BenchError, did_you_mean
from bench.exchange import ENOUGH_GROUPS, Findings, measure
from bench.granularity_report import Story, draw_curves, render
from bench.sweep import Embedded
from encoders import resolve

DEFAULT_SIZE = 10  # cells of a simulated image


@dataclass(frozen=True)
class Request:
    """What is asked. purities, size: of simulated images, none where images are as they are.

    minutes: a person's, for one label of 'image' and of 'cell'. classes: none means all that have labels enough.
    """

    source: Source
    encoders: Sequence[str]
    levels: Levels
    heads: tuple[str, ...]
    classes: tuple[str, ...]
    purities: tuple[float, ...]
    size: int | None
    minutes: dict[str, float]
    out: Path
    name: str | None

    @property
    def recipes(self) -> list[Recipe]:
        """How images are simulated; none where they are as they are."""
        if not self.purities and self.size is None:
            return []
        return [Recipe(purity, self.size or DEFAULT_SIZE) for purity in self.purities or (1.0,)]


@dataclass(frozen=True)
class Result:
    """folder: where the tables are. rates: of `bench.exchange`. problems: path, reason of images that were skipped."""

    folder: Path
    rates: pd.DataFrame
    notes: tuple[str, ...]
    problems: pd.DataFrame


def run(request: Request, device: str, command: str, on_progress: OnProgress) -> Result:
    """Do all of it. Raises BenchError for data that the question cannot be asked of, before anything is embedded."""
    heads, recipes = get_bag_heads(request.heads), request.recipes
    prepared = prepare(request.source, request.out, on_progress)
    specs = [resolve(text) for text in request.encoders] or cached_encoders(prepared)
    if not specs:
        raise BenchError(
            "Got no --encoder, and no embeddings of this data are stored yet; expected at least one, e.g. --encoder "
            "dino,trivial."
        )
    folder = _folder(request, prepared.dataset.name)
    _choose(prepared.instances, request)
    specs = list({spec.name: spec for spec in specs}.values())
    prepared, extracted, X = embed(prepared, specs, device, on_progress)
    if not X:
        raise BenchError("No encoder could be loaded.\n" + "\n".join(extracted.failed.values()))
    rows, classes, why = _choose(prepared.instances, request)
    table = prepared.instances.iloc[rows].reset_index(drop=True)
    if recipes:
        table = table.assign(label=_label_of_cell(table))
    notes = [*prepared.dataset.notes, *why]
    found: list[Findings] = []
    for recipe, design in _designs(table, classes, request.levels, recipes):
        for spec in (spec for spec in specs if spec.name in X):
            view = Embedded(spec.name, spec.key, spec.scaling, X[spec.name][rows])
            scaled = partial(_scaled, view, design.group)
            own = measure(design, heads, scaled, request.minutes, partial(on_progress, f"fit {spec.name}"))
            for one in (own.curves, own.rates, own.frontier):
                one.insert(0, "encoder", spec.name)
                one.insert(1, "purity", recipe.purity if recipe else np.nan)
            found.append(own)
            notes += [*own.refused, *design.refused]
            if own.curves["cell_low"].isna().any():
                notes.append(
                    f"no intervals: a class has fewer than {ENOUGH_GROUPS} test groups, too few to be resampled"
                )
    told = tuple(dict.fromkeys([*notes, *extracted.failed.values()]))
    split = f"{design.plan.rule}, {design.plan.reason}"
    noise = None if recipes else structural_noise(table)
    about = {head.name: head.summary for head in heads}
    story = Story(prepared.dataset.name, command, classes, split, told, request.minutes, about, noise)
    tables = {
        what: pd.concat([getattr(own, what) for own in found], ignore_index=True)
        for what in ("curves", "rates", "frontier")
    }
    _write(folder, story, tables)
    return Result(folder, tables["rates"], told, prepared.dataset.problems)


def _scaled(view: Embedded, group: np.ndarray, train: np.ndarray) -> np.ndarray:
    return view.scaled(train, group)


def _folder(request: Request, dataset: str) -> Path:
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


def _choose(table: pd.DataFrame, request: Request) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
    """Return the rows that take part, their classes, and what should be known of it."""
    simulated = bool(request.recipes)
    labels = _label_of_cell(table)
    if (labels if simulated else table["cell_label"]).isna().all():
        raise BenchError(
            "Got instances of which none has a label of its own cell; expected some, which are what is tested at cell "
            "level: --instances boxes --cells FILE.csv --cell-column NAME" + (
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
            "their images, and not scored at cell level",
        )
    return kept, classes, notes


def _designs(
    table: pd.DataFrame, classes: Sequence[str], levels: Levels, recipes: Sequence[Recipe]
) -> Iterator[tuple[Recipe | None, Design]]:
    if not recipes:
        yield None, design_images(table, classes, levels)
    for recipe in recipes:
        yield recipe, simulate_images(table, classes, levels, recipe)


def _write(folder: Path, story: Story, tables: dict[str, pd.DataFrame]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    places = {"curves": "curves.csv", "rates": "exchange.csv", "frontier": "frontier.csv"}
    files = {place: tables[what].to_csv(index=False, float_format="%.6g").encode() for what, place in places.items()}
    if story.noise is not None:
        files["noise.csv"] = story.noise.to_csv(index=False, float_format="%.6g").encode()
    picture = draw_curves(tables["curves"], len(story.classes))
    if picture:
        files["curves.png"] = picture
    text = render(story, tables["curves"], tables["rates"], tables["frontier"])
    if picture:
        text = text.replace("\n## ", "\n![Cell level over cell labels](curves.png)\n\n## ", 1)
    for name, content in {**files, "granularity.md": text.encode()}.items():
        write_atomically(folder / name, content)
