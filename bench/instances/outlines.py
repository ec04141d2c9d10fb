"""What a segmentation looks like: outlines drawn over the images, and a table of what was found in each."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from bench.data.datasets import Dataset
from bench.errors import BenchError
from bench.images import ImageError, read_image
from bench.instances.cell_boxes import CellFiles
from bench.instances.mask_files import mask_files
from bench.instances.masks import read_cells
from bench.instances.overlap import agreement
from bench.instances.segment import Segmenter
from bench.instances.segmented import label_images
from bench.storage.atomic import refusal, write_atomically
from bench.storage.scratch import scratch
from bench.storage.tables import write_csv
from bench.text import counted

YELLOW = (255, 255, 0)
FOLDER, TABLE = "outlines", "cells.csv"


def draw_outlines(pixels: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return an image (H, W, C) of any real dtype as uint8 (H, W, 3) with the rim of every label (H, W) in yellow.

    Pixels that are not finite are black.
    """
    from skimage.segmentation import find_boundaries

    shown = pixels[..., :3] if pixels.shape[2] >= 3 else np.repeat(pixels[..., :1], 3, axis=2)
    if shown.dtype != np.uint8:
        values, known = shown.astype(np.float64), np.isfinite(shown)
        low, high = np.percentile(values[known], [0.1, 99.9]) if known.any() else (0.0, 0.0)
        half = max(float(high / 2 - low / 2), float(np.finfo(np.float64).tiny))  # halved, as the span may overflow
        share = (np.where(known, values, low) / 2 - low / 2) / half
        shown = np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)
    shown = np.ascontiguousarray(shown)
    drawn = shown.copy()
    drawn[find_boundaries(labels, mode="inner")] = YELLOW
    return drawn


def segment_images(
    dataset: Dataset,
    how: Segmenter,
    source: CellFiles,
    cache: Path | None,
    out: Path,
    tell: Callable[[int, int], None],
) -> pd.DataFrame:
    """Segment every image, write <out>/outlines/<path>.png and <out>/cells.csv, and return that table.

    One row an image: path, label, cells, median_area (pixels); where it has a mask also true_cells, matched (pairs
    with an IoU above .5), f1, count_error ((cells - true_cells) / true_cells). mask_problem: why it is not compared,
    where masks are given; without such images there is no such column. What lies there is written over, by all of it
    at once when every image is done; cells.csv goes first and comes last. Raises BenchError where no image can be
    decoded.
    """
    masks: dict[str, Path] = {}
    lacking: dict[str, str] = {}
    images = dataset.table.drop_duplicates("path").set_index("path")
    if source.masks is not None or images["mask"].notna().any():
        root, files, lacking = mask_files(dataset, images, source.masks, cache)
        masks = {path: root / file for path, file in files.items()}
    rows = []
    with scratch(out) as made:
        for path, labels in label_images(dataset, how, cache, tell):
            try:
                pixels = read_image(dataset.root / path, digest=str(images.loc[path, "digest"]))
            except ImageError:  # its labels were kept before, and it changed since
                continue
            area = np.bincount(labels.ravel())[1:]
            row = {"path": path, "label": images.loc[path, "label"], "cells": len(area)}
            row["median_area"] = float(np.median(area)) if len(area) else float("nan")
            compared = _compared(masks[path], labels) if path in masks else {}
            rows.append({**row, **compared, **({"mask_problem": lacking[path]} if path in lacking else {})})
            drawn = draw_outlines(pixels, labels)
            write_atomically(made / f"{path}.png", _png(drawn))
        if not rows:
            raise BenchError(
                f"Got {counted(len(images), 'image')}, none of which can be decoded (first: {images.index[0]}); "
                "expected images that other programs open. Say `bench data check`, which tells why."
            )
        try:
            (out / TABLE).unlink(missing_ok=True)
            for picture in made.rglob("*.png"):
                place = out / FOLDER / picture.relative_to(made)
                place.parent.mkdir(parents=True, exist_ok=True)
                os.replace(picture, place)
        except OSError as error:
            raise refusal(out / FOLDER, error) from error
    table = pd.DataFrame(rows)
    write_csv(out / TABLE, table)
    return table


def _compared(mask: Path, labels: np.ndarray) -> dict[str, float | str]:
    try:
        true = read_cells(mask)
    except ImageError as error:
        return {"mask_problem": f"its mask {mask.name}: {error}"}
    if true.shape != labels.shape:
        (height, width), (h, w) = true.shape, labels.shape
        return {"mask_problem": f"its mask {mask.name} is {width} x {height} pixels, the image {w} x {h}"}
    found = agreement(true, labels)
    return {
        "true_cells": found.truth, "matched": found.matched, "f1": found.f1, "count_error": found.count_error,
    }  # fmt: skip


def _png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()
