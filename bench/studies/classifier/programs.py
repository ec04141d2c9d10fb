"""Answers for other programs: QuPath, CellProfiler Analyst and napari, image by image, beside the table of predictions.

    qupath         IMAGE.geojson for each image, under its own path
    cellprofiler   objects.csv and images.csv, which CellProfiler Analyst joins by ImageNumber
    napari         IMAGE.csv for each image, one line per label

Objects of one image are in memory at once, those of others are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from bench.errors import BenchError, did_you_mean
from bench.interop.objects import PredictedObjects
from bench.interop.qupath import geojson_name, write_geojson
from bench.interop.tables import analyst_images, analyst_objects, napari_features, write_parts
from bench.studies.classifier.predict import BOX, Answered
from bench.studies.classifier.table import writing

Take = Callable[[Sequence[PredictedObjects]], None]  # all objects of an image, in parts


@contextmanager
def writing_for(kinds: Sequence[str], beside: Path, classes: tuple[str, ...]) -> Iterator[Callable[[Answered], None]]:
    """Yield what blocks of answers are given to, which writes them for each of some programs.

    kinds: of `KINDS`. beside: the table of predictions; what is written lies in a folder named after it and the
    program. Raises BenchError for a program that is not known, and for answers to whole images, which have no outline.
    """
    for kind in kinds:
        if kind not in KINDS:
            near = did_you_mean(kind, KINDS) or "."
            raise BenchError(f"Got --also {kind}{near} Expected one of {', '.join(KINDS)}.")
    held: list[PredictedObjects] = []

    with ExitStack() as opened:
        takers = [
            opened.enter_context(KINDS[kind](beside.with_name(f"{beside.stem}-{kind}")))
            for kind in dict.fromkeys(kinds)
        ]

        def give() -> None:
            for take in takers if held else ():
                take(held)
            held.clear()

        def write(block: Answered) -> None:
            for part in _by_image(block, classes) if takers else ():
                if held and held[0].path != part.path:
                    give()
                seen = sum(map(len, held))
                held.append(replace(part, first=seen + 1))

        yield write
        give()


def _by_image(block: Answered, classes: tuple[str, ...]) -> Iterator[PredictedObjects]:
    instances = block.instances
    if instances["x0"].isna().any():
        path = instances.loc[instances["x0"].isna(), "path"].iloc[0]
        raise BenchError(
            f"Got --also for whole images, such as {path}; expected a classifier of cells or tiles, which have a place "
            "in their image."
        )
    predicted = np.where([not why for why in block.found.why], block.found.P.argmax(1), -1)
    paths = instances["path"].to_numpy(object)
    starts = np.flatnonzero(np.append(True, paths[1:] != paths[:-1]))
    for start, end in zip(starts, [*starts[1:], len(paths)], strict=True):
        own = slice(start, end)
        yield PredictedObjects(
            path=str(paths[start]), digest=str(instances["digest"].iloc[start]), classes=classes,
            boxes=instances[BOX].iloc[own].to_numpy(np.int64), probabilities=np.clip(block.found.P[own], 0, 1),
            predicted=predicted[own],
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


KINDS = {"qupath": _qupath, "cellprofiler": _cellprofiler, "napari": _napari}
