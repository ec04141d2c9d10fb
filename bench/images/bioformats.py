"""Files of microscopes (Zeiss CZI, Nikon ND2, Leica LIF), by bioio, which is an optional extra.

bioio gives every format as T, C, Z, Y, X and, of colour, S. ND2 and LIF need the extra `bioio`, CZI the extra
`czi`, which is apart because bioio-czi is under the GPL.
"""

from __future__ import annotations

import logging
import math
import re
import warnings
from contextlib import ExitStack, suppress
from importlib import import_module
from typing import Any, BinaryIO

import numpy as np

from bench.images.picture import COLORS, ImageError, ImageInfo, Picture, plain_sentences, to_depth
from bench.images.scale import square
from bench.images.series import choose_series, first_of_each

PLUGINS = {"CZI": ("bioio_czi", "czi"), "ND2": ("bioio_nd2", "bioio"), "LIF": ("bioio_lif", "bioio")}
#: Libraries that log or warn of what they then raise, or of what does not concern a user.
TALKERS = ("bioio", "bioio_base", *(module for module, _ in PLUGINS.values()), "nd2", "readlif", "liffile", "ome_types",
           "aicspylibczi", "pylibCZIrw", "xsdata", "xmlschema", "lxml", "fsspec", "tifffile")  # fmt: skip


def open_bioformat(file: BinaryIO, kind: str, opened: ExitStack, series: int | None = None) -> Picture:
    """Return the picture of one scene; series: which, counted from 1, None is the largest.

    Raises ImageError where the plug-in is not installed.
    """
    quiet()
    module, extra = PLUGINS[kind]
    try:
        bioio, plugin = import_module("bioio"), import_module(module)
    except ImportError:
        raise ImageError(f"reading {kind} needs `pip install 'cell-classifier[{extra}]'`") from None
    # The reader is named, as bioio would else try all that are installed, of which some start Java.
    with plain_sentences(f"bioio does not understand it as {kind}"):
        return picture_of(bioio.BioImage(file.name, reader=plugin.Reader), kind, series)


def quiet() -> None:
    """Let the libraries neither log nor warn on the console; what goes wrong is raised all the same."""
    for name in TALKERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
        warnings.filterwarnings("ignore", module=rf"{name}(\.|$)")


def picture_of(image: Any, kind: str, series: int | None = None) -> Picture:
    """Return the picture of a `bioio.BioImage`: one of its scenes, first time point, channels last."""
    scenes = [str(scene) for scene in image.scenes]
    areas = [_area(image, scene) for scene in image.scenes] if len(scenes) > 1 else [1]
    at, remarks = choose_series(areas, scenes, series)
    if len(scenes) > 1:
        image.set_scene(image.scenes[at])
    size = dict(zip(image.dims.order, image.shape, strict=True))
    samples = size.get("S", 1)
    reverse = kind == "CZI" and samples == 3  # of colour, bioio-czi gives blue first, as it is stored

    def plane(z: int) -> np.ndarray:
        # Not through dask: bioio-czi 3.0 puts the wrong pixels there for colour.
        with plain_sentences("its pixels cannot be decoded"):
            pixels = np.asarray(image.get_image_data("YXCS" if "S" in size else "YXC", T=0, Z=z))
        return (pixels[..., ::-1] if reverse else pixels).reshape(size["Y"], size["X"], -1)

    channels = size["C"] * samples
    names = COLORS if (size["C"], samples) == (1, 3) else _names(image, channels)
    others = {axis: number for axis, number in size.items() if axis not in "ZCYXS"}
    dtype = str(to_depth(np.zeros(1, image.dtype)).dtype)
    info = ImageInfo(
        size["Y"], size["X"], channels, math.prod(others.values()) * size["Z"], dtype, kind, size["Z"], names,
        _um_per_px(image), len(scenes), (*remarks, *first_of_each(others)),
        f"series {at + 1}" if at else "",
    )  # fmt: skip
    return Picture(info, plane)


def _area(image: Any, scene: Any) -> int:
    image.set_scene(scene)
    size = dict(zip(image.dims.order, image.shape, strict=True))
    return int(size["Y"]) * int(size["X"])


def _um_per_px(image: Any) -> float | None:
    """Return micrometres per pixel of the current scene; bioio gives them in micrometres whatever the format."""
    with suppress(Exception):  # metadata that a reader cannot understand say nothing
        sizes = image.physical_pixel_sizes
        return square(sizes.X, sizes.Y)
    return None


def _names(image: Any, channels: int) -> tuple[str, ...]:
    names = [str(name) for name in image.channel_names or ()]
    made_up = [re.fullmatch(r"Channel(:\d+)+", name) for name in names]  # by bioio, where the file has none
    return tuple(names) if len(names) == channels and not all(made_up) else ()
