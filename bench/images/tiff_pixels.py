"""What the stored numbers of a TIFF mean: grey, inverted, colours of a table, alpha, few bits, which side is up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench.images.orientation import ORIENTATION, TURNS
from bench.images.picture import ALPHA, ImageError, to_depth

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, YCBCR = 0, 1, 2, 3, 4, 6
READ = {WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, YCBCR}
JPEGS = (6, 7, 33007)  # what decodes luma and chroma to red, green and blue itself
YCBCR_JPEG2000 = 33003
WITHOUT_PREDICTOR = (1, 32773)  # not compressed, PackBits: libtiff then ignores a predictor, others follow it
ASSOCIATED, UNASSOCIATED = 1, 2  # alpha: colours are multiplied by it, or not
PLAIN_KINDS = ("generic", "uniform", "shaped", "")  # of files whose writer is no program of microscopes
Steps = tuple[Callable[[np.ndarray], np.ndarray], ...]


@dataclass(frozen=True)
class Meaning:
    """How stored pixels (H, W, C) become those of the picture, as the file says.

    channels: how many come out. dtype: of what comes out. color: they are red, green and blue. steps: done in order.
    remarks: what was decided. reading: as of `ImageInfo`.
    """

    channels: int
    dtype: np.dtype
    color: bool
    steps: Steps
    remarks: tuple[str, ...]
    reading: str = ""

    def finish(self, pixels: np.ndarray) -> np.ndarray:
        """Return stored pixels (h, w, C) as the picture has them."""
        for step in self.steps:
            pixels = step(pixels)
        return pixels


def meaning_of(page: Any, dtype: np.dtype, channels: int, planes: int, kind: str, unsaid: bool = False) -> Meaning:
    """Return what pixels of a series mean. Raises ImageError for colours that are not read.

    page: its first page. dtype, channels: what is stored. planes: of the series, beside its channels. kind: of the
    series, as the library calls it. unsaid: the file lacks its photometric interpretation.
    """
    photometric = _photometric(page)
    _refuse_unread(page, photometric, dtype)
    remarks = ["it does not say whether 0 is black: taken for so"] * unsaid
    by_imagej = bool(page.parent.is_imagej)
    bits = int(page.bitspersample)
    whole = dtype.kind in "ub"
    alpha = _alpha(page, channels)
    steps: list[Callable[[np.ndarray], np.ndarray]] = [_as_bytes] if dtype.kind == "b" else []
    dtype = np.dtype(np.uint8) if dtype.kind == "b" else dtype
    if photometric == PALETTE:
        color_channels = channels - len(alpha)
        why = _why_display(page, kind, by_imagej, planes, color_channels, whole)
        if not why:
            table = _table(page)
            steps.append(lambda pixels: _colors(table, pixels))
            remarks.append(f"colours are those of its table of {table.shape[1]} (indexed colours)")
            reading = "colours of 8 bits" if _has_8_bits(page.colormap) or bits == 1 else ""
            return Meaning(3, np.dtype(np.uint8), True, tuple(steps), tuple(remarks), reading)
        remarks.append(f"its colour table (LUT) is for display, as {why}: values are read as stored")
        return replace(_dropping(channels, dtype, alpha, page, steps, False, remarks), reading="as stored")
    reading = ""
    if photometric == WHITE_IS_ZERO and by_imagej:
        remarks.append("its inverting LUT is for display, as ImageJ wrote the file: values are read as stored")
        reading = "as stored" if whole else ""
    elif photometric == WHITE_IS_ZERO and (not whole or bits > 16):
        remarks.append(f"0 is shown white, but its numbers are measurements ({dtype}): values are read as stored")
        reading = "as stored" if whole else ""
    elif photometric == WHITE_IS_ZERO:
        steps.append(lambda pixels: _inverted(pixels, 2**bits - 1, alpha))
        remarks.append("0 is white in the file: inverted, so that 0 is black")
        reading = "inverted" if bits == 1 else ""
    if whole and bits < 8:
        steps.append(lambda pixels: _stretched(pixels, bits))
        reading = f"{reading} stretched".strip() if bits > 1 else reading
    meaning = _dropping(channels, dtype, alpha, page, steps, photometric in (RGB, YCBCR), remarks)
    return replace(meaning, reading=f"{reading} {meaning.reading}".strip())


def orientation_of(page: Any) -> int:
    """Return which way the picture lies, 1 to 8; 1 is upright."""
    tag = page.tags.get(ORIENTATION)
    return tag.value if tag is not None and tag.value in TURNS else 1


def _photometric(page: Any) -> int:
    if 262 in page.tags:
        return int(page.photometric)
    return RGB if page.samplesperpixel >= 3 and page.dtype in (np.uint8, np.uint16) else BLACK_IS_ZERO


def _refuse_unread(page: Any, photometric: int, dtype: np.dtype) -> None:
    name = getattr(page.photometric, "name", f"photometric interpretation {photometric}")
    if not isinstance(page.bitspersample, int):
        raise ImageError(f"samples of different depths ({page.bitspersample} bits), which are not read")
    if photometric not in READ or page.compression == YCBCR_JPEG2000:
        raise ImageError(f"colours stored as {name}, which is not read; save it as RGB")
    # One sample of luma alone is grey, whatever it is called.
    if photometric == YCBCR and page.samplesperpixel > 1 and page.compression not in JPEGS:
        raise ImageError("colours stored as YCBCR, which is not read; save it as RGB")
    if page.predictor != 1 and page.compression in WITHOUT_PREDICTOR:
        raise ImageError("a predictor without LZW or Deflate, which programs read in two ways; save it without")
    if dtype.kind == "c":
        raise ImageError(f"pixels that are complex numbers ({dtype}); save their magnitude or one part of them")
    to_depth(np.zeros(1, dtype))


def _why_display(page: Any, kind: str, by_imagej: bool, planes: int, channels: int, whole: bool) -> str:
    """Return why a colour table is for display and no part of the data, "" where the picture is indexed colours."""
    if by_imagej:
        return "ImageJ wrote the file"
    if kind not in PLAIN_KINDS:
        return f"the file is of a microscope ({kind})"
    if planes > 1 or channels > 1:
        return f"there are {max(planes, channels)} {'planes' if planes > 1 else 'channels'}"
    return "" if whole else "its numbers are not whole"


def _table(page: Any) -> np.ndarray:
    """Return the colours as uint8 (3, entries)."""
    if page.colormap is None:
        raise ImageError("damaged: a TIFF of indexed colours without its table of colours (ColorMap)")
    table = np.asarray(page.colormap, np.uint16)
    if table.ndim != 2 or len(table) != 3 or table.shape[1] < 2 ** int(page.bitspersample):
        raise ImageError(
            f"damaged: a table of {table.size // 3} colours for pixels of {page.bitspersample} bits; expected "
            f"{2 ** int(page.bitspersample)}"
        )
    return (table if _has_8_bits(table) else table >> 8).astype(np.uint8)


def _has_8_bits(table: np.ndarray) -> bool:
    """Say whether a colour table, whose entries have 16 bits, was written as if they had 8: none is above 255."""
    return int(np.max(table)) < 256


def _colors(table: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    return np.moveaxis(table[:, pixels[..., 0]], 0, -1)


def _as_bytes(pixels: np.ndarray) -> np.ndarray:
    return pixels.view(np.uint8)


def _inverted(pixels: np.ndarray, largest: int, alpha: tuple[int, ...]) -> np.ndarray:
    out = pixels.dtype.type(largest) - pixels
    out[..., list(alpha)] = pixels[..., list(alpha)]
    return out


def _stretched(pixels: np.ndarray, bits: int) -> np.ndarray:
    """Return values of fewer than 8 bits as bytes from 0 to 255."""
    steps = np.rint(np.arange(2**bits) * (255 / (2**bits - 1))).astype(np.uint8)
    return steps[pixels]


def _alpha(page: Any, channels: int) -> tuple[int, ...]:
    """Return which channels are marked as alpha; none where samples are not the only channels, or all are marked."""
    samples = int(page.samplesperpixel)
    extra = [int(kind) for kind in page.extrasamples][-samples:]
    marked = tuple(samples - len(extra) + i for i, kind in enumerate(extra) if kind in (ASSOCIATED, UNASSOCIATED))
    return marked if channels == samples and 0 < len(marked) < samples else ()


def _dropping(
    channels: int, dtype: np.dtype, alpha: tuple[int, ...], page: Any,
    steps: list[Callable[[np.ndarray], np.ndarray]], color: bool, remarks: list[str],
) -> Meaning:  # fmt: skip
    """Return the meaning whose last step takes alpha away, and out of the colours that were multiplied by it."""
    out, reading = to_depth(np.zeros(1, dtype)).dtype, ""
    if alpha:
        extra = [int(kind) for kind in page.extrasamples]
        first = extra[alpha[0] - int(page.samplesperpixel) + len(extra)]
        if first == ASSOCIATED:
            top = 2.0 ** min(int(page.bitspersample), 8 * out.itemsize) - 1 if dtype.kind == "u" else 1.0
            top = 255.0 if dtype == np.uint8 else top
            steps.append(lambda pixels: _divided(pixels, alpha[0], top))
            remarks.append("colours were multiplied by alpha in the file: divided by it, and alpha dropped")
            reading = "divided by alpha"
        else:
            remarks.append(ALPHA)
        steps.append(lambda pixels: np.delete(pixels, alpha, axis=2))
    left = channels - len(alpha)
    return Meaning(left, out, color and left == 3, tuple(steps), tuple(remarks), reading)


def _divided(pixels: np.ndarray, alpha: int, top: float) -> np.ndarray:
    """Return pixels with colours divided by alpha / top; integers are rounded down, as other readers do."""
    share = pixels[..., alpha : alpha + 1].astype(np.float64)
    out = np.divide(pixels * top, share, out=np.zeros(pixels.shape), where=share > 0)
    if pixels.dtype.kind == "u":
        out = np.minimum(np.floor(out), top)
    return out.astype(pixels.dtype)
