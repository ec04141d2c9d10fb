"""A picture of labels as the numbers that are stored: 0 the background, each other number one cell.

For looking at, a file turns numbers into colours: a palette, an inverting table, white for 0, gamma. None of it is
applied here, and no number is changed; what may have changed them already, as JPEG does, is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from bench.images.formats import header_of
from bench.images.in_time import Deadline
from bench.images.limits import claims_too_much
from bench.images.netpbm import read_netpbm, stored_values
from bench.images.numpy_file import read_labels
from bench.images.orientation import turn
from bench.images.picture import ImageError, plain_errors, plain_sentences
from bench.images.pillow import open_pillow, stored_by_pillow
from bench.images.png import GREY_ALPHA, INDEXED, RGB_ALPHA, read_png, stored_pixels
from bench.images.signatures import START, format_of
from bench.images.tiff import open_tiff
from bench.images.unchanged import hold, refuse_another

NUMPY = b"\x93NUMPY"
CHANGE = ("JPEG", "JPEG 2000", "WebP", "AVIF")  # formats that may store other values than those given
CHANGING = ("JPEG", "OJPEG", "JPEG_LOSSY", "WEBP", "JPEGXR", "JPEGXR_NDPI", "APERIO_JP2000_YCBC", "APERIO_JP2000_RGB")
VOID = 255
#: Some of the colours that VOC, and labelme after it, give to labels.
VOC = {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 3: (128, 128, 0), VOID: (224, 224, 192)}
LABEL_SUFFIXES = frozenset({".npy"})  # that masks may have beside those of images


@dataclass(frozen=True)
class Labels:
    """values: int64 (H, W), 0 or more. voc: the file is an indexed PNG in the colours of VOC, in which the index VOID
    marks borders of objects.
    """

    values: np.ndarray
    voc: bool


def read_label_values(path: Path | str, digest: str | None = None) -> np.ndarray:
    """Return labels as int64 (H, W), upright, 0 or more. Raises ImageError.

    One plane of whole numbers is expected: integers, floats that are whole, bits, indices of a palette, or greys
    stored as three equal colours. A volume is refused: which of its slices, or what of them, belongs to the picture
    that is made of the image's slices, no file says. digest: of the content that is expected, as of
    `bench.images.open_image`.
    """
    return read_label_image(path, digest).values


def read_label_image(path: Path | str, digest: str | None = None) -> Labels:
    """Return what `read_label_values` does, and whether its colours are those of VOC. Raises ImageError."""
    deadline = Deadline()
    with ExitStack() as opened, plain_errors():
        try:
            file: BinaryIO = opened.enter_context(Path(path).open("rb"))
            start = file.read(START)
            kind = "NumPy" if start.startswith(NUMPY) else format_of(start, Path(path).suffix)
            if kind not in READERS:
                article = "an" if kind[0] in "AEIO" else "a"
                why = "which may change values" if kind in CHANGE else "which is not read as a mask"
                raise ImageError(f"{article} {kind}, {why}; expected PNG or TIFF")
            file.seek(0)
            content = None if digest is None else hold(file)
            source = content.file if content else file
            info = deadline.run(lambda: header_of(source, kind, opened))
            if content and digest is not None:
                refuse_another(content, info.reading if info else "", digest)
            labels = deadline.run(lambda: _labels(source, kind, opened), info)
            if content:
                content.check()
            return labels
        finally:
            deadline.leave(opened)


def _labels(file: BinaryIO, kind: str, opened: ExitStack) -> Labels:
    file.seek(0)
    values = _checked(READERS[kind](file, kind, opened))
    return Labels(values, kind == "PNG" and _has_colors_of_voc(file))


def _has_colors_of_voc(file: BinaryIO) -> bool:
    palette = read_png(file).palette
    if palette is None or len(palette) <= VOID:
        return False
    return all(tuple(palette[i].tolist()) == color for i, color in VOC.items())


def _checked(values: np.ndarray) -> np.ndarray:
    """Return (H, W) or (H, W, samples) as int64 (H, W); ImageError where these are no labels."""
    if values.ndim == 3:
        if values.shape[2] > 1 and (values != values[..., :1]).any():
            raise ImageError(f"{values.shape[2]} channels that differ; expected one, a value for each cell")
        values = values[..., 0]
    if values.dtype.kind == "f":
        if not np.isfinite(values).all() or (values != np.rint(values)).any():
            raise ImageError("values that are no whole numbers; expected 0 for the background and one for each cell")
        exact = 2 ** (np.finfo(values.dtype).nmant + 1)  # beyond, a float cannot hold every whole number
        if (np.abs(values) >= exact).any():
            raise ImageError(f"values up to {values.max():g} as {values.dtype}; expected 0 to {exact - 1}")
    elif values.dtype.kind not in "biu":
        raise ImageError(f"values of type {values.dtype}; expected whole numbers")
    if values.min() < 0 or (values.dtype.kind == "u" and values.max() > np.iinfo(np.int64).max):
        raise ImageError(f"values from {values.min():.0f} to {values.max():.0f}; expected 0 (background) and above")
    return np.ascontiguousarray(values).astype(np.int64)


def _refuse_size(shape: tuple[int, ...], channels: int) -> None:
    refusal = claims_too_much(shape[0], shape[1], channels, False)
    if refusal:
        raise ImageError(refusal)


def _png(file: BinaryIO, kind: str, opened: ExitStack) -> np.ndarray:
    png = read_png(file)
    _one_plane(png.frames)
    _refuse_size((png.height, png.width), 4)
    values = stored_pixels(file, png)
    if png.color == INDEXED and png.palette is not None:
        values = _unsorted_greys(values, png.palette)
    return turn(values[..., :-1] if png.color in (GREY_ALPHA, RGB_ALPHA) else values, png.orientation)


def _pillow(file: BinaryIO, kind: str, opened: ExitStack) -> np.ndarray:
    info = open_pillow(file, kind, opened).info
    _one_plane(info.pages)
    _refuse_size((info.height, info.width), info.channels)
    values, palette = stored_by_pillow(file, kind)
    return values if palette is None else _unsorted_greys(values, palette)


def _unsorted_greys(values: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Return indices as they are, unless a program that makes files small chose them for greys: the labels then.

    palette: uint8 (n, 3). Such a palette holds greys alone, each once. One that falls is an inverting table.
    """
    used = np.unique(values)
    if used[-1] >= len(palette):
        return values
    colors = palette[used].astype(int)
    steps = np.diff(colors[:, 0])
    once = len(np.unique(colors[:, 0])) == len(used)
    chosen = once and (palette == palette[:, :1]).all() and not (len(steps) > 0 and (steps < 0).all())
    return palette[values, 0] if chosen else values


def _netpbm(file: BinaryIO, kind: str, opened: ExitStack) -> np.ndarray:
    head = read_netpbm(file)
    values = stored_values(file, head)[..., : head.channels]
    return 1 - values if head.kind in (b"P1", b"P4") else values  # of bits, 1 is black, and programs write 0 so


def _tiff(file: BinaryIO, kind: str, opened: ExitStack) -> np.ndarray:
    import tifffile

    with plain_sentences("its tags cannot be understood"):
        page = opened.enter_context(tifffile.TiffFile(file, _multifile=False)).pages.first
        coding = tifffile.COMPRESSION(page.compression).name
        if coding in CHANGING:
            raise ImageError(f"compressed as {coding}, which may change values; save it with LZW, or not compressed")
        if page.photometric == tifffile.PHOTOMETRIC.YCBCR and page.samplesperpixel > 1:
            raise ImageError("colours stored as YCBCR, which may change values; save it as grey")
    file.seek(0)
    picture = open_tiff(file, kind, opened)
    info = picture.info
    if info.series > 1:
        raise ImageError(f"{info.series} pictures (series), and which is the mask is not told; save it alone")
    _one_plane(info.pages)
    _refuse_size((info.height, info.width), info.channels)
    values = (picture.stored or picture.plane)(0)
    return values[..., :-1] if values.shape[2] == info.channels + 1 else values  # without alpha


def _numpy(file: BinaryIO, kind: str, opened: ExitStack) -> np.ndarray:
    values = read_labels(file)
    return values.reshape(_sides(values.shape))


def _sides(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the height and width of an array that is one plane, its axes of length 1 left out. Raises ImageError."""
    if len(shape) > 1 and math.prod(shape[:-2]) == 1:
        return shape[-2], shape[-1]
    longer = [side for side in shape if side > 1]
    if len(longer) < 2:
        raise ImageError(f"an array of {' x '.join(map(str, shape))} values; expected height x width")
    _one_plane(math.prod(longer[:-2]), shape)
    return longer[0], longer[1]


def _one_plane(planes: int, shape: tuple[int, ...] = ()) -> None:
    if planes != 1:
        said = f" ({' x '.join(map(str, shape))})" if shape else ""
        raise ImageError(
            f"{planes} planes{said}, and which belongs to the image is not told; expected one: save the labels of the "
            "slice that the encoder sees (@stack=), as labels of several slices would hide each other in one plane"
        )


#: From an open file, its format and what closes with it to the stored values (H, W) or (H, W, samples).
READERS: dict[str, Callable[[BinaryIO, str, ExitStack], np.ndarray]] = {
    "PNG": _png,
    "TIFF": _tiff,
    "BMP": _pillow,
    "GIF": _pillow,
    "PNM": _netpbm,
    "NumPy": _numpy,
}
