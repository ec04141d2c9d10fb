"""Which rows of the instance table take part in `bench granularity`, of which classes, and the designs made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.errors import BenchError, did_you_mean
from bench.studies.granularity.design import Design, design_images, usable_classes
from bench.studies.granularity.request import GranularityRequest
from bench.studies.granularity.simulate import Recipe, simulate_images
from bench.text import counted

PURE = "cell level takes every cell (or tile) to show its image's label (--pure); it means as much as that does"


def _label_of_cell(table: pd.DataFrame) -> pd.Series:
    """Return the expert's label of the cell in each row, text or NA; where rows are whole, what was labelled."""
    own = table["cell_label"]
    return own if own.notna().any() else table["label"].where(table["level"] == "expert").astype("string")


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """rows: positions in the instance table that take part. table: these; `label` is the cell's where simulated.

    designs: by purity, NaN where images are as they are. recipes: of simulated images, by purity.
    """

    rows: np.ndarray
    table: pd.DataFrame
    notes: tuple[str, ...]
    designs: Mapping[float, Design]
    recipes: Mapping[float, Recipe]


def choose(instances: pd.DataFrame, request: GranularityRequest) -> Chosen:
    """Choose rows and classes, and draw. Raises BenchError for data that the question cannot be asked of."""
    if request.pure:
        instances = instances.assign(cell_label=instances["label"].astype("string"))
    rows, classes, notes = _choose_rows(instances, request)
    if request.pure:
        notes = (PURE, *notes)
    table = instances.iloc[rows].reset_index(drop=True)
    if not request.recipes:
        designs = {np.nan: design_images(table, classes, request.levels, request.none)}
        return Chosen(rows=rows, table=table, notes=notes, designs=designs, recipes={})
    table = table.assign(label=_label_of_cell(table))
    recipes = {recipe.purity: recipe for recipe in request.recipes}
    designs = {purity: simulate_images(table, classes, request.levels, recipe) for purity, recipe in recipes.items()}
    return Chosen(rows=rows, table=table, notes=notes, designs=designs, recipes=recipes)


def _choose_rows(
    table: pd.DataFrame, request: GranularityRequest
) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
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
        _check_classes(request.classes, set(table.loc[taken, "label"]))
        taken &= table["label"].isin(request.classes)
    classes, notes = usable_classes(table[taken], request.levels, request.classes)
    kept = np.flatnonzero(taken & table["label"].isin(classes))
    strange = table["cell_label"].iloc[kept].dropna()
    strange = strange[~strange.isin(classes)]
    if len(strange):
        most = ", ".join(f"{name} {count:,}" for name, count in strange.value_counts().head(4).items())
        notes += (
            f"{counted(len(strange), 'cell has a label', 'cells have labels')} of no class of images ({most}): they "
            f"are among the cells of their images, and {_scored_as(request.none)}",
        )
    if request.none:
        _check_none(request.none, set(table.loc[taken, "label"]), len(strange))
    return kept, classes, notes


def _check_classes(names: Sequence[str], known: set[str]) -> None:
    """Raise BenchError for a name that is no class."""
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or "."
            raise BenchError(f"Got class '{name}'{hint} Expected some of: {', '.join(sorted(known))}.")


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
