"""Cells told by masks: images of labels, 0 the background and each other value one cell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bench.data.datasets import BOX, Dataset
from bench.data.manifest import scan
from bench.images.label_values import VOID, read_label_image
from bench.instances.cell_boxes import CellFiles, FoundCells, of_turned, turned_images
from bench.instances.cell_cache import cells_of, look_at
from bench.instances.mask_doubts import doubts_of
from bench.instances.mask_files import mask_files
from bench.seeds import content_name
from bench.text import counted

VERSION = 2  # raised when the same mask would give other cells
SCALARS = ("size", "pieces", "torn", "small", "wide", "split", "values", "full", "void")


def masks_of(
    dataset: Dataset,
    source: CellFiles,
    cache: Path | None,
    tell: Callable[[int, int], None] = lambda done, total: None,
    beside: Sequence[str] = (),
) -> FoundCells:
    """Return a cell for each value of each mask; beside: as of `look_at`. Raises BenchError where no image has one."""
    images = dataset.table.drop_duplicates("path").set_index("path")
    root, of_image, reasons = mask_files(dataset, images, source.masks, cache)
    files = scan(root, of_image.values(), cache).set_index("path")
    digests = files["digest"].to_dict()
    names = {mask: content_name(["mask", VERSION, digests[mask]]) for mask in of_image.values()}
    make = lambda mask: _read(root / mask, digests[mask])  # noqa: E731
    looked = dict(look_at(cache, names, ("box", "value", *SCALARS), make, tell, beside))
    sizes = dict(zip(images.index, zip(images["height"].tolist(), images["width"].tolist(), strict=True), strict=True))
    about = dataset.files
    turned = set(turned_images(dataset, images.index))
    parts, values, facts = [], [], {}
    for path, mask in of_image.items():
        found = looked[mask]
        if isinstance(found, str):
            reasons[path] = f"its mask {mask}: {found}"
        elif (why := _another_size(found["size"], sizes[path], path in turned)) is not None:
            reasons[path] = f"its mask {mask} is {why}"
        elif not len(found["box"]):
            reasons[path] = f"no cell: its mask {mask} is empty"
        else:
            parts.append((path, names[mask], found["box"]))
            values.append(found["value"])
            facts[mask] = {name: int(found[name]) for name in SCALARS if name != "size"}
    slices = _of_slices(about[about["path"].isin(images.index)])
    notes = (*doubts_of(facts), *slices, *of_turned([path for path, *_ in parts if path in turned], "masks"))
    cells = table_of(parts, images)
    told = pd.Series(np.concatenate([*values, np.zeros(0, np.int64)]), index=cells.index, dtype="Int64")
    return FoundCells(cells.assign(value=told.where(told > 0)), reasons, notes)


def table_of(parts: Iterable[tuple[str, str, np.ndarray]], images: pd.DataFrame) -> pd.DataFrame:
    """Return the table of `FoundCells` of (path, name of what is kept, box (n, 4)); images: by path, with um_per_px."""
    parts = list(parts)
    box = np.concatenate([box for *_, box in parts]) if parts else np.zeros((0, 4), np.int32)
    paths = pd.Series(np.repeat([path for path, *_ in parts], [len(box) for *_, box in parts]), dtype="str")
    cell = [f"{name}:{value}" for _, name, box in parts for value in range(1, len(box) + 1)]
    cells = pd.DataFrame({name: pd.array(box[:, k].astype(np.int64), dtype="Int64") for k, name in enumerate(BOX)})
    scale = paths.map(images["um_per_px"]).astype("Float64")
    unknown = pd.Series(pd.NA, index=cells.index, dtype="string")
    return cells.assign(path=paths, cell_label=unknown, um_per_px=scale, cell=pd.Series(cell, dtype="str"))


def _read(path: Path, digest: str) -> dict[str, np.ndarray]:
    """Return what `cells_of` does, and the SCALARS that tell whether the values can be labels of cells.

    A mask of one value that lies in several pieces marks where cells are and not which: each piece is then a cell.
    size: height and width. pieces: of equal values that touch, corners included. torn: values in several pieces.
    small: values of less than 5 pixels. wide: a value that covers more than half of the mask and reaches all its four
    sides, 0 where there is none. split: pieces that were taken for cells. values: above 0. full: no pixel is 0.
    void: pixels of borders, see `_labels`. value: of each cell in the mask, 0 where cells are pieces of one value.
    """
    labels, void = _labels(path, digest)
    piece, values, count = _pieces(labels)
    split = int(count[0]) if len(values) == 1 and count[0] > 1 else 0
    found = cells_of(piece if split else labels)
    found["value"] = found["value"] * int(not split)
    sides = [set(np.unique(side).tolist()) for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1])]
    reaching = set.intersection(*sides) - {0}
    wide = next((value for value in sorted(reaching) if 2 * int((labels == value).sum()) > labels.size), 0)
    scalars = (count.sum(), 0 if split else (count > 1).sum(), (found["area"] < 5).sum(), wide, split, len(values),
               (labels != 0).all(), void)  # fmt: skip
    return {**found, **dict(zip(SCALARS, (labels.shape, *scalars), strict=True))}


def read_cells(path: Path) -> np.ndarray:
    """Return a mask as int64 (H, W), 0 the background and each other value one cell, as `masks_of` takes it.

    Raises ImageError where the file is no mask.
    """
    labels, _ = _labels(path)
    piece, values, _ = _pieces(labels)
    return piece if len(values) == 1 else labels


def _labels(path: Path, digest: str | None = None) -> tuple[np.ndarray, int]:
    """Return the labels of a mask, int64 (H, W), and how many pixels in it were a border that counts as nothing."""
    found = read_label_image(path, digest)
    labels, border = found.values, found.values == VOID
    if not border.any() or (labels == VOID - 1).any() or not found.voc:  # else it is one of many cells
        return labels, 0
    return np.where(border, 0, labels), int(border.sum())


def _pieces(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return pieces of equal values that touch, numbered (H, W); the values above 0, and of how many pieces each is."""
    from skimage.measure import label

    piece = label(labels, background=0, connectivity=2)
    value_of = labels.flat[np.unique(piece, return_index=True)[1]]
    return piece, *np.unique(value_of[value_of > 0], return_counts=True)


def _another_size(size: np.ndarray, image: tuple[int, int], turned: bool) -> str | None:
    """Return what is to be said of a mask (height, width) that has not the size of its image, None where it has."""
    height, width = (int(side) for side in size)
    if (height, width) == image:
        return None
    said = f"{width} x {height} pixels, the image {image[1]} x {image[0]}"
    if (width, height) == image and turned:
        said += " once turned upright, as the orientation in its file (EXIF) says: turn the mask, too"
    return said


def _of_slices(files: pd.DataFrame) -> list[str]:
    count = int((files["slices"] > 1).sum())
    if not count:
        return []
    have = counted(count, "image has", "images have")
    return [
        f"{have} several pages, and a mask has one: it must be drawn on what the encoder sees, which is the first "
        "slice, or what its option @stack= makes of them"
    ]
