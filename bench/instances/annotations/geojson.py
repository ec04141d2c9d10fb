"""Annotations of QuPath: GeoJSON (RFC 7946) whose coordinates are pixels of the full image, and no degrees.

A feature is a cell: a polygon, an ellipse or a rectangle (its bounding box is taken), or a point. Several points of one
feature are several cells. Its class is what QuPath calls the classification. Lines, features without a geometry, and
annotations in which cells were detected, which are regions, are left out and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import BenchError
from bench.instances.annotations.json_stream import items_of, read_text
from bench.instances.annotations.marks import Mark, Marks, NoCell, collect, corners_of, text_of, without_marks
from bench.text import plain

EXPECTED = "expected GeoJSON as QuPath exports it, a FeatureCollection or a list of features"
TEXTS = ("classification", "name", "object_type")
PARTS = ": "  # between the parts of a derived class, as QuPath writes them
#: Types of objects that may be regions, and those that never are, as QuPath writes them, now and up to its version 0.2.
DRAWN = {"annotation", "tmaCore", "PathAnnotationObject", "TMACoreObject"}
DETECTED = {"detection", "cell", "tile", "PathDetectionObject", "PathCellObject", "PathTileObject"}
REGION_HOLDS = 2  # middles of detected cells that the box of a region holds at least
NO_GEOMETRY = "features without a geometry"
REGIONS = "annotations in which cells were detected (regions)"


def read_geojson(path: Path) -> Marks:
    """Return what a GeoJSON marks; columns TEXTS. BenchError, with the number of the feature, for what it is not."""
    found = (
        (f"feature {number}", _marks(feature, f"feature {number} of {path.name}"))
        for number, feature in items_of(read_text(path), path.name, "features")
    )
    marks = collect(path.name, found)
    return without_marks(marks, _regions(marks), REGIONS)


def _regions(marks: Marks) -> np.ndarray:
    """Return, bool (N,), which marks are regions: they were drawn, and hold the middles of several detected cells."""
    types = marks.columns.get("object_type", [])
    drawn = np.array([one in DRAWN for one in types], bool)
    detected = marks.boxes[np.array([one in DETECTED for one in types], bool)]
    regions = np.zeros(len(marks.boxes), bool)
    if not len(detected):
        return regions
    middle = (detected[:, :2] + detected[:, 2:]) / 2
    middle = middle[middle[:, 0].argsort()]
    for i in np.flatnonzero(drawn):
        x0, y0, x1, y1 = marks.boxes[i]
        first, last = np.searchsorted(middle[:, 0], (x0, x1))
        y = middle[first:last, 1]
        regions[i] = ((y0 <= y) & (y < y1)).sum() >= REGION_HOLDS
    return regions


def _marks(feature: Any, where: str) -> Iterator[Mark]:
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        kind = feature.get("type") if isinstance(feature, dict) else feature
        raise BenchError(f"Got {plain(str(kind))[:40]} as {where}, which is no feature; {EXPECTED}.")
    geometry, properties = feature.get("geometry"), feature.get("properties") or {}
    if geometry is None:
        raise NoCell(NO_GEOMETRY)
    if not isinstance(geometry, dict) or not isinstance(properties, dict):
        raise BenchError(f"Got a geometry or properties in {where} that are no objects; {EXPECTED}.")
    kind = geometry.get("type")
    if not isinstance(kind, str) or kind not in SHAPES:
        raise BenchError(
            f"Got a geometry of type {plain(str(kind))[:40]} in {where}; expected one of {', '.join(SHAPES)}."
        )
    object_type = properties.get("objectType") or properties.get("object_type") or _old_type(feature)
    texts = {
        "classification": _classification(properties.get("classification"), where),
        "name": text_of(properties.get("name"), where),
        "object_type": text_of(object_type, where),
    }
    for positions in SHAPES[kind](geometry.get("coordinates"), where):
        corners = corners_of([one[0] for one in positions], [one[1] for one in positions])
        yield Mark(corners, texts, point=kind in POINTS)


def _old_type(feature: dict[str, Any]) -> str | None:
    """Return the type of an object as QuPath wrote it up to its version 0.2: as the id of the feature."""
    known = [one for one in (*DRAWN, *DETECTED) if one.endswith("Object")]
    return feature["id"] if feature.get("id") in known else None


def _classification(value: Any, where: str) -> str | None:
    """Return the name of a class: a text, {"name": ...}, or {"names": [...]} of a derived one."""
    if not isinstance(value, dict):
        return text_of(value, where)
    names = value.get("names")
    if isinstance(names, list):
        return PARTS.join(filter(None, (text_of(name, where) for name in names))) or None
    return text_of(value.get("name"), where)


def _positions(value: Any, where: str, deep: int) -> list[list[float]]:
    """Return all positions [x, y, ...] of nested lists of coordinates; deep: lists around a position."""
    flat, lists = [value] if value != [] else [], True
    for _ in range(deep):
        lists = lists and all(isinstance(part, list) for part in flat)
        flat = [one for part in flat for one in part] if lists else flat
    if lists and not flat:
        raise NoCell(NO_GEOMETRY)
    if not lists or not all(_is_position(one) for one in flat):
        raise BenchError(f"Got coordinates in {where} that are not as its type has them; expected numbers x, y.")
    return flat


def _is_position(value: Any) -> bool:
    return isinstance(value, list) and len(value) >= 2 and type(value[0]) is float and type(value[1]) is float


def _each(value: Any, where: str) -> Iterator[list[list[float]]]:
    yield from ([position] for position in _positions(value, where, 1))


def _whole(value: Any, where: str, deep: int) -> Iterator[list[list[float]]]:
    yield _positions(value, where, deep)


def _no_cell(value: Any, where: str, what: str) -> Iterator[list[list[float]]]:
    raise NoCell(what)
    yield


POINTS = ("Point", "MultiPoint")
#: By the type of a geometry, from its coordinates to the positions of each cell in it.
SHAPES: dict[str, Callable[[Any, str], Iterator[list[list[float]]]]] = {
    "Polygon": partial(_whole, deep=2),
    "MultiPolygon": partial(_whole, deep=3),
    "Point": partial(_whole, deep=0),
    "MultiPoint": _each,
    "LineString": partial(_no_cell, what="lines"),
    "MultiLineString": partial(_no_cell, what="lines"),
    "GeometryCollection": partial(_no_cell, what="collections of geometries"),
}
