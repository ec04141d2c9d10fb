"""Files of microscopes (Zeiss CZI, Nikon ND2, Leica LIF), by bioio, which is an optional extra.

bioio gives every format as T, C, Z, Y, X and, of colour, S. ND2 and LIF need the extra `bioio`, CZI the extra
`czi`, which is apart because bioio-czi is under the GPL.
"""

from __future__ import annotations

from contextlib import ExitStack
from importlib import import_module
from typing import Any, BinaryIO

import numpy as np

from bench.images.picture import ImageError, ImageInfo, Picture, to_depth

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
    order = "YXCS" if samples > 1 else "YXC"

    def plane(z: int) -> np.ndarray:
        # Through dask, which reads this plane alone; in this thread, as not every reader can be shared.
        pixels = image.get_image_dask_data(order, T=0, Z=z).compute(scheduler="synchronous")
        return np.asarray(pixels).reshape(size["Y"], size["X"], -1)

    names = tuple(str(name) for name in image.channel_names or ())
    channels = size["C"] * samples
    info = ImageInfo(
        size["Y"], size["X"], channels, size["T"] * size["Z"] * len(image.scenes),
        str(to_depth(np.zeros(1, image.dtype)).dtype), kind, size["Z"], names if len(names) == channels else (),
    )  # fmt: skip
    return Picture(info, plane)
