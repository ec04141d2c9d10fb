"""JPEG, PNG and BMP: opened by Pillow, the common kinds decoded by imagecodecs, the others by Pillow.

imagecodecs gives the same bytes in about 60% of the time for PNG and for large JPEG, and it reads 16-bit RGB,
of which Pillow keeps the high byte alone. It fills up a JPEG that was cut, so only one that ends is given to it.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, BinaryIO

import numpy as np

from bench.images.picture import COLORS, ImageInfo, Picture

PALETTE = 3
END_OF_JPEG = b"\xff\xd9"
GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "F")

warnings.filterwarnings("ignore", module=r"PIL\.")  # once, here: warnings.catch_warnings is not thread-safe


def open_pillow(file: BinaryIO, kind: str, opened: ExitStack) -> Picture:
    """Return a picture of one plane, grey or red, green and blue."""
    import imagecodecs

    start = file.read(26)
    bits, color = (start[24], start[25]) if kind == "PNG" else (8, 0)  # the IHDR chunk: width, height, bits, colour
    file.seek(0)
    image = _plugin(file, kind)
    (width, height), grey = image.size, image.mode in GREY_MODES
    info = ImageInfo(
        height, width, 1 if grey else 3, 1, "uint16" if bits == 16 else "uint8", kind, names=() if grey else COLORS
    )

    def plane(z: int) -> np.ndarray:
        file.seek(0)
        data = file.read()
        if kind == "PNG" and bits >= 8 and color != PALETTE:
            return _read_codec(imagecodecs.png_decode, data, info.channels)
        if kind == "JPEG" and image.mode in ("L", "RGB") and data.endswith(END_OF_JPEG):
            return _read_codec(imagecodecs.jpeg8_decode, data, info.channels)
        return _read_pillow(data, kind)

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


def _read_codec(decode: Callable[[bytes], np.ndarray], data: bytes, channels: int) -> np.ndarray:
    """Decode to (H, W, channels), dropping what comes after: alpha."""
    pixels = decode(data)
    return (pixels[..., None] if pixels.ndim == 2 else pixels)[..., :channels]
