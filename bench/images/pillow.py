"""BMP, GIF, WebP and AVIF, by Pillow; AVIF of more than 8 bits by imagecodecs, as Pillow keeps 8.

Of several pictures in a file the first is meant. What a header claims is checked before Pillow sees it.
"""

from __future__ import annotations

import io
import re
import struct
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module
from typing import Any, BinaryIO

import numpy as np

from bench.images.limits import claims_too_much, read_coded
from bench.images.orientation import exif_orientation, first_of, upright
from bench.images.picture import ALPHA, COLORS, ImageError, ImageInfo, Picture, plain_sentences

GREY_MODES = ("1", "L", "LA", "La")
#: The plug-ins, and not Image.open, which warns of large images and tries other formats.
PLUGINS = {
    "BMP": ("BmpImagePlugin", "BmpImageFile"),
    "GIF": ("GifImagePlugin", "GifImageFile"),
    "WebP": ("WebPImagePlugin", "WebPImageFile"),
    "AVIF": ("AvifImagePlugin", "AvifImageFile"),
}
READ_WHOLE = ("WebP", "AVIF")  # by Pillow, however long the file is

warnings.filterwarnings("ignore", module=r"PIL\.")  # once, here: warnings.catch_warnings is not thread-safe


def open_pillow(file: BinaryIO, kind: str, opened: ExitStack) -> Picture:
    """Return a picture of one plane, grey or red, green and blue."""
    CLAIMS.get(kind, _claims_nothing)(file)
    image = _plugin(file, kind)
    (width, height), grey = image.size, _is_grey(image, kind)
    bits = _avif_bits(file) if kind == "AVIF" else 8
    with plain_sentences(f"the header of the {kind} cannot be followed"):
        frames = 1 if kind == "BMP" else int(image.n_frames)
    exif = image.info.get("exif", b"") if kind in ("WebP", "AVIF") else b""  # of AVIF, Pillow writes its own turns here
    alpha = (ALPHA,) * image.mode.endswith("A")  # RGBA
    info = ImageInfo(
        height, width, 1 if grey else 3, frames, "uint16" if bits > 8 else "uint8", kind,
        names=() if grey else COLORS, remarks=(*first_of(frames), *alpha),
    )  # fmt: skip

    def plane(z: int) -> np.ndarray:
        pixels = _read_avif(file) if bits > 8 else _read(file, kind, grey)
        return pixels.reshape(height, width, -1)[..., : info.channels]

    return upright(Picture(info, plane), exif_orientation(exif))


def _plugin(file: BinaryIO, kind: str) -> Any:
    from PIL import GifImagePlugin, ImageFile

    # Both are settings that other packages change for the whole program: with the first half an image passes for whole.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    GifImagePlugin.LOADING_STRATEGY = GifImagePlugin.LoadingStrategy.RGB_AFTER_FIRST
    module, name = PLUGINS[kind]
    file.seek(0)
    if kind in READ_WHOLE:
        file = io.BytesIO(read_coded(file))
    try:
        plugin = getattr(import_module(f"PIL.{module}"), name)
    except ImportError:
        raise ImageError(f"reading {kind} needs a newer Pillow: pip install -U pillow") from None
    with plain_sentences(f"the header of the {kind} cannot be followed"):
        return plugin(file)


def _read(file: BinaryIO, kind: str, grey: bool) -> np.ndarray:
    """Decode a whole file to uint8 (H, W), where it is grey, or (H, W, 3)."""
    image = _plugin(file, kind)
    if _is_small_grey(image, kind):
        return _read_small_grey(file)
    _load(image, kind)
    image.info.pop("transparency", None)  # alpha is dropped, so is a transparent colour
    return np.asarray(image.convert("L" if grey else "RGB"))


def _load(image: Any, kind: str) -> None:
    with plain_sentences(f"the pixels of the {kind} cannot be decoded"):
        try:
            image.load()
        except OSError as error:
            if "truncated" in str(error).lower():
                raise ImageError(f"truncated: the end of the {kind} is missing") from None
            raise


def stored_by_pillow(file: BinaryIO, kind: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Return what a file stores: indices (H, W) and their palette uint8 (n, 3); else greys, or colours (H, W, 3).

    Bits are 0 and 1. The palette is None where there is none.
    """
    image = _plugin(file, kind)
    if _is_small_grey(image, kind):
        return _read_small_grey(file), None
    _load(image, kind)
    if image.mode == "P":
        return np.asarray(image), np.array(image.getpalette(), np.uint8).reshape(-1, 3)
    if image.mode == "1":
        return np.asarray(image).astype(np.uint8), None
    return np.asarray(image if image.mode in ("L", "RGB") else image.convert("RGB")), None


def _is_small_grey(image: Any, kind: str) -> bool:
    """Say whether a BMP has 4 bits a pixel and the greys 0 to 15 as its palette, which Pillow takes for 8 bits."""
    return kind == "BMP" and image.mode == "L" and image.tile[0].codec_name == "raw" and _bmp_bits(image.fp) == 4


def _bmp_bits(file: BinaryIO) -> int:
    file.seek(14)
    (header,) = struct.unpack("<I", _exactly(file, 4))
    file.seek(24 if header == 12 else 28)  # that of OS/2 is shorter
    return int(struct.unpack("<H", _exactly(file, 2))[0])


def _read_small_grey(file: BinaryIO) -> np.ndarray:
    import imagecodecs

    file.seek(0)
    try:
        return imagecodecs.bmp_decode(read_coded(file), asrgb=False)
    except imagecodecs.BmpError:
        raise ImageError("damaged or truncated: the pixels of the BMP cannot be decoded") from None


def _is_grey(image: Any, kind: str) -> bool:
    """Say whether a picture has one channel. A GIF has only palettes: one of greys alone makes a grey picture."""
    if kind != "GIF" or image.mode != "P":
        return image.mode in GREY_MODES
    palette = np.frombuffer(bytes(image.palette.palette), np.uint8).reshape(-1, 3)  # getpalette would decode the pixels
    return bool((palette == palette[:, :1]).all())


def _read_avif(file: BinaryIO) -> np.ndarray:
    """Decode to uint16 (H, W) or (H, W, C)."""
    import imagecodecs

    file.seek(0)
    try:
        return imagecodecs.avif_decode(read_coded(file), index=0)
    except imagecodecs.AvifError:
        raise ImageError("damaged or truncated: the pixels of the AVIF cannot be decoded") from None


def _avif_bits(file: BinaryIO) -> int:
    """Return the depth of the pixels, 8, 10 or 12, by the configurations of AV1 in the header."""
    file.seek(0)
    found = re.findall(rb"av1C.(?s:.)(?s:.)", file.read(65_536))
    return max((12 if code[6] & 0x20 else 10 if code[6] & 0x40 else 8 for code in found), default=8)


def _claims_nothing(file: BinaryIO) -> None:
    """Check nothing: what Pillow opens without allocating is checked afterwards, as all formats are."""


def _gif_claims(file: BinaryIO) -> None:
    file.seek(6)
    width, height = struct.unpack("<HH", _exactly(file, 4))
    _check(width, height, "GIF")


def _webp_claims(file: BinaryIO) -> None:
    file.seek(0)
    start = _exactly(file, 30)
    (length,) = struct.unpack_from("<I", start, 4)
    if file.seek(0, 2) < length + 8:
        raise ImageError("truncated: the end of the WebP is missing")
    if start[12:16] == b"VP8X":
        width, height = (1 + int.from_bytes(start[at : at + 3], "little") for at in (24, 27))
    elif start[12:16] == b"VP8L":
        packed = int.from_bytes(start[21:25], "little")
        width, height = 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)
    else:
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", start, 26))
    _check(width, height, "WebP")


def _check(width: int, height: int, kind: str) -> None:
    if not width or not height:
        raise ImageError(f"damaged: a {kind} of {width} x {height} pixels")
    refusal = claims_too_much(height, width, 3, False)
    if refusal:
        raise ImageError(refusal)


def _exactly(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise ImageError("truncated: the file ends within its header")
    return data


#: What allocates when it is opened, and what its header claims.
CLAIMS: dict[str, Callable[[BinaryIO], None]] = {"GIF": _gif_claims, "WebP": _webp_claims}
