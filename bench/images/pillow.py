"""JPEG, PNG and BMP, by Pillow; PNG of 16 bits by imagecodecs, as Pillow keeps the high byte alone of 16-bit RGB."""

from __future__ import annotations

import io
import warnings
from contextlib import ExitStack
from typing import Any, BinaryIO

import numpy as np

from bench.images.picture import COLORS, ImageInfo, Picture

GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "F")

warnings.filterwarnings("ignore", module=r"PIL\.")  # once, here: warnings.catch_warnings is not thread-safe


def open_pillow(file: BinaryIO, kind: str, opened: ExitStack) -> Picture:
    """Return a picture of one plane, grey or red, green and blue."""
    start = file.read(25)
    deep = kind == "PNG" and start[24] == 16  # the IHDR chunk: width, height, bit depth
    file.seek(0)
    image = _plugin(file, kind)
    (width, height), grey = image.size, image.mode in GREY_MODES
    info = ImageInfo(
        height, width, 1 if grey else 3, 1, "uint16" if deep else "uint8", kind, names=() if grey else COLORS
    )

    def plane(z: int) -> np.ndarray:
        file.seek(0)
        return _read_deep_png(file.read(), info.channels) if deep else _read_pillow(file.read(), kind)

    return Picture(info, plane)


def _plugin(source: BinaryIO, kind: str) -> Any:
    # The plug-ins and not Image.open, which warns of large images and tries other formats.
    from PIL import BmpImagePlugin, ImageFile, JpegImagePlugin, PngImagePlugin

    ImageFile.LOAD_TRUNCATED_IMAGES = False  # other packages set it, and half an image then passes for whole
    plugins: dict[str, Any] = {
        "PNG": PngImagePlugin.PngImageFile, "JPEG": JpegImagePlugin.JpegImageFile, "BMP": BmpImagePlugin.BmpImageFile,
    }  # fmt: skip
    return plugins[kind](source)


def _read_pillow(data: bytes, kind: str) -> np.ndarray:
    """Decode a whole file of 8 bits to uint8 (H, W, 1) or (H, W, 3)."""
    image = _plugin(io.BytesIO(data), kind)
    image.load()
    image.info.pop("transparency", None)  # alpha is dropped, so is a transparent colour
    pixels = np.asarray(image.convert("L" if image.mode in GREY_MODES else "RGB"))
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _read_deep_png(data: bytes, channels: int) -> np.ndarray:
    import imagecodecs

    pixels = imagecodecs.png_decode(data)
    return (pixels[..., None] if pixels.ndim == 2 else pixels)[..., :channels]
