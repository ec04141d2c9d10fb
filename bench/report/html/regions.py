"""Regions of images on a page: what tells them apart, and their pictures as addresses that ask for nothing."""

from __future__ import annotations

import base64

import pandas as pd

from bench.data.label_boxes import BOX


def places_of(table: pd.DataFrame) -> list[tuple[str, ...]]:
    """Return what tells the regions of a table apart: path and box."""
    boxes = table[BOX].to_numpy(dtype=object)
    return [
        (str(path), *("" if pd.isna(x) else str(int(x)) for x in box))
        for path, box in zip(table["path"], boxes, strict=True)
    ]


def webp_address(data: bytes) -> str:
    """Return the bytes of a WebP as the address of an image within the page."""
    return f"data:image/webp;base64,{base64.b64encode(data).decode()}"
