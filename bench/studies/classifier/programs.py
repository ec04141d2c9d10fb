"""Answers for other programs: QuPath, CellProfiler Analyst, napari and AnnData, beside the table of predictions.

    qupath         IMAGE.geojson for each image, under its own path
    cellprofiler   objects.csv and images.csv, which CellProfiler Analyst joins by ImageNumber
    napari         IMAGE.csv for each image, one line per label
    anndata        cells.h5ad, all instances in one file, for scanpy and squidpy

Objects of one image are in memory at once, those of others are not; for anndata a block of instances is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from bench.errors import BenchError, did_you_mean
from bench.instances.cut import CELL_BOX
from bench.instances.polygons import KeptOutlines
from bench.interop.anndata import writing_h5ad
from bench.interop.objects import PredictedObjects
from bench.interop.qupath import geojson_name, write_geojson
from bench.interop.tables import analyst_images, analyst_objects, napari_features, write_parts
from bench.studies.classifier.predict import BOX, Answered
from bench.studies.classifier.table import writing

WINDOW = [f"window_{name}" for name in BOX]
NO_VALUE = 0  # of a cell whose mask has one value for all cells: the background's, and so no cell's
Take = Callable[[Sequence[PredictedObjects]], None]  # all objects of an image, in parts
TakeBlock = Callable[[Answered], None]


@contextmanager
def writing_for(kinds: Sequence[str], beside: Path, classes: tuple[str, ...]) -> Iterator[TakeBlock]:
    """Yield what blocks of answers are given to, which writes them for each of some programs.

    kinds: of `BY_IMAGE` and `BY_BLOCK`. beside: the table of predictions; what is written lies in a folder named after
    it and the program. Raises BenchError for a program that is not known, and where one that draws outlines is to get
    answers to whole images.
    """
    for kind in kinds:
        if kind not in (*BY_IMAGE, *BY_BLOCK):
            near = did_you_mean(kind, (*BY_IMAGE, *BY_BLOCK)) or "."
            raise BenchError(f"Got --also {kind}{near} Expected one of {', '.join((*BY_IMAGE, *BY_BLOCK))}.")
    held: list[PredictedObjects] = []
    outlining = [kind for kind in dict.fromkeys(kinds) if kind in BY_IMAGE]

    def folder(kind: str) -> Path:
        return beside.with_name(f"{beside.stem}-{kind}")

    with ExitStack() as opened:
        blocks = [
            opened.enter_context(BY_BLOCK[kind](folder(kind), classes))
            for kind in dict.fromkeys(kinds) if kind in BY_BLOCK
        ]  # fmt: skip
        takers = [opened.enter_context(BY_IMAGE[kind](folder(kind))) for kind in outlining]

        def give() -> None:
            for take in takers if held else ():
                take(held)
            held.clear()

        def write(block: Answered) -> None:
            for take in blocks:
                take(block)
            for part in _by_image(block, classes, outlining) if takers else ():
                if held and held[0].path != part.path:
                    give()
                seen = sum(map(len, held))
                held.append(replace(part, first=seen + 1))

        yield write
        give()


def _places(instances: pd.DataFrame) -> np.ndarray:
    """Return where each instance is, (n, 4) x0, y0, x1, y1: the cell itself and not the window around it, which is
    shifted at the border of an image; else the tile or region. NaN for a whole image."""
    own = instances[CELL_BOX].to_numpy(np.float64, na_value=np.nan)
    return np.where(np.isnan(own), instances[BOX].to_numpy(np.float64, na_value=np.nan), own)


def _by_image(block: Answered, classes: tuple[str, ...], kinds: Sequence[str]) -> Iterator[PredictedObjects]:
    instances, places = block.instances, _places(block.instances)
    if np.isnan(places).any():
        path = instances["path"].to_numpy(object)[np.isnan(places).any(1)][0]
        raise BenchError(
            f"Got --also {','.join(kinds)} for whole images, such as {path}; expected a classifier of cells or tiles, "
            "which have a place in their image."
        )
    answered = np.array([not why for why in block.found.why])
    if block.found.none is not None:
        answered &= ~block.found.none
    predicted = np.where(answered, block.found.P.argmax(1), -1)
    paths = instances["path"].to_numpy(object)
    starts = np.flatnonzero(np.append(True, paths[1:] != paths[:-1]))
    for start, end in zip(starts, [*starts[1:], len(paths)], strict=True):
        own = slice(start, end)
        values, cells, boxes = instances["value"].iloc[own], instances["cell"].iloc[own], places[own].astype(np.int64)
        images = block.label_images if "qupath" in kinds and not cells.isna().any() else None
        yield PredictedObjects(
            path=str(paths[start]), digest=str(instances["digest"].iloc[start]), classes=classes,
            boxes=boxes, values=None if values.isna().any() else values.to_numpy(np.int64),
            outlines=None if images is None else KeptOutlines(images, cells.tolist(), boxes),
            probabilities=np.clip(block.found.P[own], 0, 1), predicted=predicted[own],
        )  # fmt: skip


@contextmanager
def _qupath(folder: Path) -> Iterator[Take]:
    def take(parts: Sequence[PredictedObjects]) -> None:
        write_geojson(folder / geojson_name(parts[0].path), parts)

    yield take


@contextmanager
def _napari(folder: Path) -> Iterator[Take]:
    def take(parts: Sequence[PredictedObjects]) -> None:
        write_parts(folder / f"{parts[0].path}.csv", map(napari_features, parts))

    yield take


@contextmanager
def _cellprofiler(folder: Path) -> Iterator[Take]:
    images: list[str] = []

    with writing(folder / "objects.csv") as write:

        def take(parts: Sequence[PredictedObjects]) -> None:
            images.append(parts[0].path)
            for part in parts:
                write(analyst_objects(part, len(images)))

        yield take
    with writing(folder / "images.csv") as write:
        write(analyst_images(images) if images else pd.DataFrame())


@contextmanager
def _anndata(folder: Path, classes: tuple[str, ...]) -> Iterator[TakeBlock]:
    seen: tuple[str, Counter[str]] = ("", Counter())  # an image, and the names of its instances so far
    placed: list[str] | None = None  # columns of places, of the first block: all blocks have the same columns

    with writing_h5ad(
        folder / "cells.h5ad", categories={"class": classes, "answer": classes}, uns={"classes": classes}
    ) as write:

        def take(block: Answered) -> None:
            nonlocal seen, placed
            rows, names, places = block.rows, [], _places(block.instances)
            for path, box in zip(rows["path"], places.tolist(), strict=True):
                if path != seen[0]:
                    seen = path, Counter()
                name = path if np.isnan(box[0]) else f"{path} [{','.join(str(int(side)) for side in box)}]"
                seen[1][name] += 1
                names.append(name if seen[1][name] == 1 else f"{name} #{seen[1][name]}")
            obs = rows[["class", "probability", "set", "unlike_p", "answer", "why_no_answer"]]
            obs = obs.assign(image=rows["path"], um_per_px=block.um_per_px)
            if "cell" in rows:
                obs = obs.assign(cell=block.instances["value"].fillna(NO_VALUE).to_numpy(np.int64))
            arrays = {"X_embedding": block.X, "probabilities": block.found.P}
            if placed is None:
                placed = _placed(block)
            if placed:
                centres = (places[:, :2] + places[:, 2:]) / 2
                um = centres * block.um_per_px[:, None]
                windows = block.instances[BOX].to_numpy(np.float64, na_value=np.nan)
                sides = dict(zip((*BOX, *WINDOW), np.concatenate([places, windows], 1).T, strict=True))
                obs = obs.assign(**{name: sides[name] for name in placed}, x_um=um[:, 0], y_um=um[:, 1])
                arrays["spatial"] = centres
            write(names, obs, arrays)

        yield take


def _placed(block: Answered) -> list[str]:
    """Return the columns that say where instances are: the box, and of cells the window around it."""
    celled = bool(block.instances[CELL_BOX[0]].notna().any())
    return [*BOX, *WINDOW] if celled else BOX if BOX[0] in block.rows else []


#: What is given all objects of an image at a time, in their outlines, and what is given blocks as they come.
BY_IMAGE: dict[str, Callable[[Path], AbstractContextManager[Take]]] = {
    "qupath": _qupath, "cellprofiler": _cellprofiler, "napari": _napari,
}  # fmt: skip
BY_BLOCK: dict[str, Callable[[Path, tuple[str, ...]], AbstractContextManager[TakeBlock]]] = {"anndata": _anndata}
