"""Predictions as GeoJSON for QuPath (0.4 and newer; File > Import objects): one file for each image, as a stream.

A FeatureCollection of RFC 7946, whose coordinates are pixels of the full image, as QuPath has them. Every object has an
id that stays, its predicted class as its classification, and the probability of every class as a measurement.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from bench.errors import BenchError
from bench.interop.objects import PredictedObjects, object_ids
from bench.storage.atomic import replacing
from bench.text import plain

OBJECT_TYPE = "detection"  # what QuPath holds millions of
DIGITS = 6  # of a probability
PARTS = 3  # digits behind the point of a corner: thousandths of a pixel


def write_geojson(path: Path, parts: Iterable[PredictedObjects]) -> int:
    """Write the objects of one image, given in parts, whole or not at all; returns their number.

    A name that ends in .gz is packed, with no time in it: the same objects are the same bytes. Memory is that of a
    part, and of a short key for each object.
    """
    count = 0
    with replacing(path) as temporary, temporary.open("wb") as file:
        if path.suffix == ".gz":
            with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed:
                count = _write(cast("IO[bytes]", packed), parts)
        else:
            count = _write(file, parts)
    return count


def geojson_name(image: str, *, packed: bool = False) -> str:
    """Return the name of the file for an image: that of the image and an ending, so that --cells finds it again."""
    return f"{image}.geojson{'.gz' * packed}"


def features_of(objects: PredictedObjects, seen: Counter[str]) -> Iterator[dict[str, Any]]:
    """Yield a GeoJSON feature for each object. seen: see `object_ids`."""
    ids = object_ids(objects.digest, objects.boxes, seen)
    measured = [f"Probability: {plain(name)}" for name in objects.classes]
    rounded = np.round(np.asarray(objects.probabilities, float), DIGITS).tolist()
    for i, (name, P) in enumerate(zip(objects.names(), rounded, strict=True)):
        properties: dict[str, Any] = {"objectType": OBJECT_TYPE}
        if name is not None:
            properties["classification"] = {"name": plain(name), "color": class_color(name)}
        properties["measurements"] = dict(zip(measured, P, strict=True))
        yield {"type": "Feature", "id": ids[i], "geometry": _geometry(objects, i), "properties": properties}


def class_color(name: str) -> list[int]:
    """Return red, green and blue of a class, 0 to 255: always the same for a name, and never dark."""
    return [64 + byte * 3 // 4 for byte in hashlib.sha256(name.encode("utf-8", "backslashreplace")).digest()[:3]]


def _write(file: IO[bytes], parts: Iterable[PredictedObjects]) -> int:
    count = 0
    of_image: str | None = None
    seen: Counter[str] = Counter()
    file.write(b'{"type":"FeatureCollection","features":[')
    for objects in parts:
        if objects.digest != (of_image or objects.digest):
            raise BenchError(
                f"Got objects of {plain(objects.path)} beside those of another image; expected one image in a file."
            )
        of_image = objects.digest
        lines = []
        for feature in features_of(objects, seen):
            text = json.dumps(feature, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
            lines.append(f"{',' * (count > 0)}\n{text}")
            count += 1
        file.write("".join(lines).encode())
    file.write(b"\n]}\n")
    return count


def _geometry(objects: PredictedObjects, i: int) -> dict[str, Any]:
    """Return the outline of an object: a polygon, with holes, or several."""
    if objects.outlines is None:
        x0, y0, x1, y1 = (int(side) for side in objects.boxes[i])
        box = [[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]]
        return {"type": "Polygon", "coordinates": [box]}
    polygons = [
        [_ring(ring, objects.path, hole=number > 0) for number, ring in enumerate(polygon)]
        for polygon in objects.outlines[i]
    ]
    if not polygons or not all(polygons):
        raise BenchError(f"Got an outline of {plain(objects.path)} without a polygon; expected 1 or more.")
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}


def _ring(given: np.ndarray, path: str, *, hole: bool) -> list[list[float]]:
    """Return a closed ring, anticlockwise, and clockwise around a hole, as RFC 7946 asks for (section 3.1.6)."""
    ring = np.asarray(given)
    if ring.dtype.kind not in "iu":
        ring = np.round(np.asarray(given, float), PARTS)
    if ring.ndim != 2 or ring.shape[1] != 2 or not np.isfinite(ring).all():
        raise BenchError(f"Got an outline of {plain(path)} that is no polygon; expected finite numbers (m, 2).")
    points = ring[:-1] if len(ring) > 1 and (ring[0] == ring[-1]).all() else ring
    if len(points) < 3:
        raise BenchError(f"Got an outline of {len(points)} points in {plain(path)}; expected 3 or more.")
    x, y = points.astype(float).T
    area = float(x @ np.roll(y, -1) - y @ np.roll(x, -1))
    points = points[::-1] if (area < 0) != hole else points
    return [*points.tolist(), points[0].tolist()]
