"""Predictions as CSV: for CellProfiler Analyst (one line an object, and one an image), and for napari (keyed by label).

CellProfiler counts places from the centre of the first pixel. A box of the pixels 10 to 19 has its centre at 14.5.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from bench.interop.objects import PredictedObjects
from bench.storage.tables import csv_parts

UNSURE = ""  # the class of an object for which the classifier abstains


def analyst_objects(objects: PredictedObjects, image_number: int) -> pd.DataFrame:
    """Return the lines of CellProfiler Analyst's table of objects. image_number: of the image, from 1 on."""
    boxes = np.asarray(objects.boxes, np.int64)
    numbers = np.arange(objects.first, objects.first + len(objects))
    place = {
        "Cell_Location_Center_X": (boxes[:, 0] + boxes[:, 2] - 1) / 2,
        "Cell_Location_Center_Y": (boxes[:, 1] + boxes[:, 3] - 1) / 2,
        **{f"Cell_AreaShape_BoundingBox{corner}": boxes[:, k] for k, corner in enumerate(CORNERS)},
    }
    table = pd.DataFrame({"ImageNumber": image_number, "ObjectNumber": numbers, **place})
    return table.assign(Cell_Predicted_Class=_classes(objects), **_probabilities(objects, "Cell_Probability_"))


def analyst_images(paths: Iterable[str]) -> pd.DataFrame:
    """Return CellProfiler Analyst's table of images, numbered from 1 in the order given."""
    split = [PurePosixPath(path) for path in paths]
    return pd.DataFrame(
        {
            "ImageNumber": range(1, len(split) + 1),
            "Image_FileName_Cells": [path.name for path in split],
            "Image_PathName_Cells": ["" if str(path.parent) == "." else str(path.parent) for path in split],
        }
    )


def napari_features(objects: PredictedObjects) -> pd.DataFrame:
    """Return the lines of a table of features for a layer of labels: index, label, class, and probabilities.

    index and label: the value of the object in its label image; where that is not known, its number. napari finds the
    line of a label by the column index, and without one takes the first line for the background.
    """
    numbers = np.arange(objects.first, objects.first + len(objects))
    label = numbers if objects.values is None else np.asarray(objects.values, np.int64)
    table = pd.DataFrame({"index": label, "label": label, "class": _classes(objects)})
    return table.assign(**_probabilities(objects, "p_"))


def write_parts(path: Path, parts: Iterable[pd.DataFrame]) -> int:
    """Write tables of the same columns as one CSV, whole or not at all; returns the number of lines below the header.

    No cell is one that a spreadsheet would run, see `bench.storage.tables`. Memory is that of a part.
    """
    count = 0
    with csv_parts(path) as write:
        for part in parts:
            write(part)
            count += len(part)
    return count


CORNERS = ("Minimum_X", "Minimum_Y", "Maximum_X", "Maximum_Y")


def _classes(objects: PredictedObjects) -> list[str]:
    return [UNSURE if name is None else name for name in objects.names()]


def _probabilities(objects: PredictedObjects, prefix: str) -> dict[str, np.ndarray]:
    P = np.asarray(objects.probabilities, float)
    return {f"{prefix}{name}": P[:, k] for k, name in enumerate(objects.classes)}
