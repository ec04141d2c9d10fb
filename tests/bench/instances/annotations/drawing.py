"""Features as QuPath writes them."""

from __future__ import annotations


def feature(kind: str, coordinates: object, label: str | None = None, **properties: object) -> dict:
    """Return a feature as QuPath 0.5 writes it."""
    classification = {"classification": {"name": label, "color": [200, 0, 0]}} if label else {}
    return {
        "type": "Feature", "id": "c3d1", "geometry": {"type": kind, "coordinates": coordinates},
        "properties": {"objectType": "annotation", **classification, **properties},
    }  # fmt: skip


def rectangle(x0: float, y0: float, x1: float, y1: float, label: str | None = None, **properties: object) -> dict:
    """Return the feature of a rectangle."""
    ring = [[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]]
    return feature("Polygon", [ring], label, **properties)
