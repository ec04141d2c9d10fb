"""Where the mask of each image lies: in the CSV, in a folder of masks, or beside the image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bench.data.datasets import Dataset
from bench.data.manifest import scan
from bench.data.mask_names import SUFFIXES, candidates_of
from bench.errors import BenchError
from bench.images import ImageError
from bench.images.label_values import read_label_values
from bench.images.picture import CHANGED

SHOWN = 3  # masks of one image that are named
LAYOUT = (
    "Expected a column mask in the CSV, or --masks FOLDER with a PNG or TIFF named as each image, or masks beside the "
    "images, as x_masks.tif beside x.tif; 0 is the background and each other value one cell."
)


def mask_files(
    dataset: Dataset, images: pd.DataFrame, folder: Path | None, cache: Path | None = None
) -> tuple[Path, dict[str, str], dict[str, str]]:
    """Return (folder, image -> its mask below it, image -> why it has none).

    images: by path. Of several files that are the mask of one image by their names all must hold the same labels, else
    the image has none. Raises BenchError where no image has a mask.
    """
    if folder is None and images["mask"].notna().any():
        known = images["mask"].dropna()
        found = {str(path): str(mask) for path, mask in known.items()}
        reasons = {path: "no cell: it has no mask in the CSV" for path in images.index if path not in found}
        return dataset.root, found, reasons
    if folder is not None and not folder.is_dir():
        raise BenchError(f"Got --masks {folder}, which is no folder. {LAYOUT}")
    root = dataset.root if folder is None else folder
    beside = root.resolve() == dataset.root.resolve()
    candidates = candidates_of(images.index.tolist(), _files(root), beside=beside)
    if not candidates:
        where = f"--masks {folder}, where no file is named as an image, e.g. as {images.index[0]}"
        raise BenchError(
            f"Got {where}. {LAYOUT}" if folder is not None else
            f"Got --instances masks, and no image of {dataset.name} has a mask. {LAYOUT}"
        )  # fmt: skip
    found, reasons = _one_each(root, candidates, images, cache)
    why = f"no cell: no mask in {folder.name} has its name" if folder else "no cell: no mask lies beside it"
    return root, found, {**{path: why for path in images.index if path not in candidates}, **reasons}


def _files(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")
    )


def _one_each(
    root: Path, candidates: dict[str, list[str]], images: pd.DataFrame, cache: Path | None
) -> tuple[dict[str, str], dict[str, str]]:
    """Return (image -> mask, image -> why it has none) of images and the files that are their masks by name."""
    found, reasons = {}, {}
    several = {path: files for path, files in candidates.items() if len(files) > 1}
    hashed = scan(root, {file for files in several.values() for file in files}, cache)
    digest = dict(zip(hashed["path"].tolist(), hashed["digest"].tolist(), strict=True))
    for path, files in candidates.items():
        if len(files) > 1:  # one may be the image itself, copied into the folder of its mask
            files = [file for file in files if digest[file] != images.loc[path, "digest"]] or files
        try:
            alike = len(files) == 1 or _alike(root, files, digest)
        except ImageError as error:
            reasons[path] = f"its masks: {error}"
            continue
        if alike:
            found[path] = files[0]
        else:
            more = [f"{len(files) - SHOWN:,} more"] if len(files) > SHOWN else []
            named = " and ".join([*files[:SHOWN], *more])
            reasons[path] = f"several masks have its name, {named}, and which is meant is not told; keep one of them"
    return found, reasons


def _alike(root: Path, files: Sequence[str], digest: Mapping[str, str]) -> bool:
    """Say whether all files hold the same labels. Raises ImageError where one is no longer what was hashed."""
    try:
        first, *others = (read_label_values(root / file, digest[file]) for file in files)
    except ImageError as error:
        if str(error).startswith(CHANGED):
            raise
        return False
    return all(np.array_equal(first, other) for other in others)
