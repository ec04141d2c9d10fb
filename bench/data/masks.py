"""Cells told by masks: images of labels, 0 the background and each other value one cell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bench.data.cell_cache import cells_of, look_at
from bench.data.cells import CellSource, Found
from bench.data.datasets import BOX, Dataset
from bench.data.manifest import scan
from bench.errors import BenchError
from bench.images import IMAGE_SUFFIXES, ImageError, read_image
from bench.seeds import content_name

VERSION = 1
EXACT = 2**24  # integers up to here survive the float32 that 32-bit images are read as
LAYOUT = (
    "Expected a column mask in the CSV, or --masks FOLDER with a PNG or TIFF named as each image; 0 is the "
    "background and each other value one cell."
)


def masks_of(
    dataset: Dataset,
    source: CellSource,
    cache: Path | None,
    tell: Callable[[int, int], None] = lambda done, total: None,
    beside: Sequence[str] = (),
) -> Found:
    """Return a cell for each value of each mask; beside: as of `look_at`. Raises BenchError where no image has one."""
    images = dataset.table.drop_duplicates("path").set_index("path")
    root, of_image, reasons = mask_files(dataset, images, source.masks)
    files = scan(root, of_image.values(), cache).set_index("path")
    for path, mask in of_image.items():
        about, image = files.loc[mask], images.loc[path]
        if about["problem"] is not None and about["problem"] == about["problem"]:
            reasons[path] = f"its mask {mask}: {about['problem']}"
        elif about["format"] == "JPEG":
            reasons[path] = f"its mask {mask} is a JPEG, which changes values; expected PNG or TIFF"
        elif about["channels"] != 1:
            reasons[path] = f"its mask {mask} has {about['channels']} channels; expected one, a value for each cell"
        elif (about["height"], about["width"]) != (image["height"], image["width"]):
            size, other = (f"{one['width']} x {one['height']}" for one in (about, image))
            reasons[path] = f"its mask {mask} is {size} pixels, the image {other}"
    wanted = {path: mask for path, mask in of_image.items() if path not in reasons}
    names = {mask: content_name(["mask", VERSION, files.loc[mask, "digest"]]) for mask in wanted.values()}
    looked = dict(look_at(cache, names, ("box", "pieces", "torn"), lambda mask: _read(root / mask), tell, beside))
    parts, pieces = [], []
    torn: dict[str, int] = {}  # mask to its cells in several pieces
    for path, mask in wanted.items():
        found = looked[mask]
        if isinstance(found, str):
            reasons[path] = f"its mask {mask}: {found}"
        elif not len(found["box"]):
            reasons[path] = f"no cell: its mask {mask} is empty"
        else:
            parts.append((path, names[mask], found["box"]))
            pieces += [mask] * bool(len(found["box"]) == 1 and found["pieces"] > 1)
            torn |= {mask: int(found["torn"])} if found["torn"] and len(found["box"]) > 1 else {}
    alike = (
        f"{len(pieces)} masks hold one value in several pieces, taken for one cell, e.g. {''.join(pieces[:1])}: "
        "if it marks all cells alike, give each its own value"
    )
    covered = (
        f"{len(torn)} masks hold cells in several pieces, {sum(torn.values()):,} in all, e.g. {next(iter(torn), '')}, "
        "as where cells overlap: a mask holds one value a pixel, and what another cell covers of one is lost"
    )
    notes = (*[alike] * bool(pieces), *[covered] * bool(torn))
    return Found(table_of(parts, images), reasons, notes)


def table_of(parts: Iterable[tuple[str, str, np.ndarray]], images: pd.DataFrame) -> pd.DataFrame:
    """Return the table of `Found` of (path, name of what is kept, box (n, 4)); images: by path, with um_per_px."""
    parts = list(parts)
    box = np.concatenate([box for *_, box in parts]) if parts else np.zeros((0, 4), np.int32)
    paths = pd.Series(np.repeat([path for path, *_ in parts], [len(box) for *_, box in parts]), dtype="str")
    cell = [f"{name}:{value}" for _, name, box in parts for value in range(1, len(box) + 1)]
    cells = pd.DataFrame({name: pd.array(box[:, k].astype(np.int64), dtype="Int64") for k, name in enumerate(BOX)})
    scale = paths.map(images["um_per_px"]).astype("Float64")
    unknown = pd.Series(pd.NA, index=cells.index, dtype="string")
    return cells.assign(path=paths, cell_label=unknown, um_per_px=scale, cell=pd.Series(cell, dtype="str"))


def read_mask(path: Path) -> np.ndarray:
    """Return a mask file as int64 (H, W). Raises ImageError where its values are no whole numbers below 2^24."""
    pixels = read_image(path)
    if pixels.shape[2] != 1:
        raise ImageError(f"{pixels.shape[2]} channels; expected one, a value for each cell")
    values = pixels[..., 0]
    if values.dtype.kind == "f" and not (np.isfinite(values).all() and (values == np.rint(values)).all()):
        raise ImageError("values that are no whole numbers; expected 0 for the background and one for each cell")
    if values.min() < 0 or values.max() >= EXACT:
        raise ImageError(f"values from {values.min():g} to {values.max():g}; expected 0 to {EXACT - 1}")
    return values.astype(np.int64)


def _read(path: Path) -> dict[str, np.ndarray]:
    from skimage.measure import label

    labels = read_mask(path)
    found = cells_of(labels)
    piece = label(labels, background=0, connectivity=2)  # of equal values that touch
    value_of = labels.flat[np.unique(piece, return_index=True)[1]]
    values, count = np.unique(value_of[value_of > 0], return_counts=True)
    return {**found, "pieces": np.array(count.sum()), "torn": np.array((count > 1).sum())}


def mask_files(
    dataset: Dataset, images: pd.DataFrame, folder: Path | None
) -> tuple[Path, dict[str, str], dict[str, str]]:
    """Return (folder, image -> its mask below it, image -> why it has none)."""
    if folder is None:
        known = images["mask"].dropna()
        if known.empty:
            raise BenchError(f"Got --instances masks, and no image of {dataset.name} has a mask. {LAYOUT}")
        found = {str(path): str(mask) for path, mask in known.items()}
        root, why = dataset.root, "no cell: it has no mask in the CSV"
    else:
        if not folder.is_dir():
            raise BenchError(f"Got --masks {folder}, which is no folder. {LAYOUT}")
        root, why = folder, f"no cell: no mask in {folder.name} has its name"
        found = _by_stem(folder, images.index.tolist())
        if not found:
            first = images.index[0]
            raise BenchError(f"Got --masks {folder}, where no file is named as an image, e.g. as {first}. {LAYOUT}")
    return root, found, {path: why for path in images.index if path not in found}


def _by_stem(folder: Path, paths: list[str]) -> dict[str, str]:
    """Return image -> mask: the same place without its ending below the folder, else the same name, if only one has."""
    files = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file() and not path.name.startswith(".")
    )
    place = {file.rsplit(".", 1)[0]: file for file in files}
    names: dict[str, list[str]] = {}
    for file in files:
        names.setdefault(file.rsplit("/", 1)[-1].rsplit(".", 1)[0], []).append(file)
    found = {}
    twice = pd.Series(paths).str.rsplit("/", n=1).str[-1].str.rsplit(".", n=1).str[0].duplicated(keep=False)
    for path, shared in zip(paths, twice, strict=True):
        stem = path.rsplit(".", 1)[0]
        same = names.get(stem.rsplit("/", 1)[-1], [])
        if stem in place:
            found[path] = place[stem]
        elif len(same) == 1 and not shared:
            found[path] = same[0]
    return found
