"""Small images of a set as they are, for what can be told at full size only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image, JpegImagePlugin

from bench.data.label_boxes import BOX
from bench.images import COLORS, ImageError, file_of, open_image
from bench.studies.audit.saved_again import LARGEST, Full


def full_size(table: pd.DataFrame, root: Path, row: int) -> Full | None:
    """Return the image of a row of an instance table as it is, None for what is no small image of 8 bits by itself.

    root: of the paths. A part of an image, or a file that changed, is None too.
    """
    one = table.iloc[row]
    if one[BOX].notna().any() or pd.notna(one["blank"]):
        return None
    try:
        with open_image(root / one["path"], one["digest"]) as picture:
            info = picture.info
            small = info.height * info.width <= LARGEST and info.dtype == "uint8" and info.channels in (1, len(COLORS))
            if not small:
                return None
            pixels = picture.project()
        saving = _saving(root / one["path"]) if info.format == "JPEG" else None
    except (ImageError, OSError, MemoryError):
        return None
    return Full(pixels=pixels[..., 0] if info.channels == 1 else pixels, saving=saving)


def _saving(path: Path) -> dict[str, Any] | None:
    """Return with which tables and size of colours a JPEG was saved, as Pillow takes them.

    None where it has no tables that Pillow can save with: a lossless one has none, and some have steps above 255.
    """
    with Image.open(file_of(path)[0]) as image:
        if not isinstance(image, JpegImagePlugin.JpegImageFile):
            return None
        sampling, steps = JpegImagePlugin.get_sampling(image), list(image.quantization.values())
        if not steps or max(map(max, steps)) > 255:
            return None
        tables = {"qtables": steps}
        return tables if sampling < 0 else {**tables, "subsampling": sampling}
