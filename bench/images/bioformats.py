"""Files of microscopes (Zeiss CZI, Nikon ND2, Leica LIF), by bioio, which is an optional extra.

bioio gives every format as T, C, Z, Y, X and, of colour, S. ND2 and LIF need the extra `bioio`, CZI the extra
`czi`, which is apart because bioio-czi is under the GPL.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from importlib import import_module
from typing import Any, BinaryIO

import numpy as np

from bench.images.picture import COLORS, ImageError, ImageInfo, Picture, to_depth

PLUGINS = {"CZI": ("bioio_czi", "czi"), "ND2": ("bioio_nd2", "bioio"), "LIF": ("bioio_lif", "bioio")}


def open_bioformat(file: BinaryIO, kind: str, opened: ExitStack) -> Picture:
    """Return the picture of the first scene. Raises ImageError where the plug-in is not installed."""
    module, extra = PLUGINS[kind]
    try:
        bioio, plugin = import_module("bioio"), import_module(module)
    except ImportError:
        raise ImageError(f"reading {kind} needs `pip install 'cell-classifier[{extra}]'`") from None
    # The reader is named, as bioio would else try all that are installed, of which some start Java.
    return picture_of(bioio.BioImage(file.name, reader=plugin.Reader), kind)


def picture_of(image: Any, kind: str) -> Picture:
    """Return the picture of a `bioio.BioImage`: its current scene, first time point, channels last."""
    size = dict(zip(image.dims.order, image.shape, strict=True))
    samples = size.get("S", 1)
    reverse = kind == "CZI" and samples == 3  # of colour, bioio-czi gives blue first, as it is stored

    def plane(z: int) -> np.ndarray:
        # Not through dask: bioio-czi 3.0 puts the wrong pixels there for colour.
        pixels = np.asarray(image.get_image_data("YXCS" if "S" in size else "YXC", T=0, Z=z))
        return (pixels[..., ::-1] if reverse else pixels).reshape(size["Y"], size["X"], -1)

    channels = size["C"] * samples
    info = ImageInfo(
        size["Y"], size["X"], channels, size["T"] * size["Z"] * len(image.scenes),
        str(to_depth(np.zeros(1, image.dtype)).dtype), kind, size["Z"],
        COLORS if (size["C"], samples) == (1, 3) else _names(image, channels),
    )  # fmt: skip
    return Picture(info, plane)


def _names(image: Any, channels: int) -> tuple[str, ...]:
    names = [str(name) for name in image.channel_names or ()]
    made_up = [re.fullmatch(r"Channel(:\d+)+", name) for name in names]  # by bioio, where the file has none
    return tuple(names) if len(names) == channels and not all(made_up) else ()
