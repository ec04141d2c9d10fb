"""An opened image, whatever its format: its header, its planes, and one array out of a stack of them."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce

import numpy as np

from bench.errors import BenchError
from bench.images.limits import MAX_CLAIMED, TOO_LARGE_AT_ONCE, fits, too_large_at_once

# Reasons that lie in the machine or in what was asked, not in the file: tomorrow they may be gone, so they
# are not remembered.
NO_SERIES = "no series"
CHANGED = "changed"
LATE = "took longer than"
NO_MEMORY = "not enough memory for it; free some, or use a machine with more"
PASSING = ("cannot be opened", "missing codec", "no channel", "reading ", TOO_LARGE_AT_ONCE, NO_SERIES, CHANGED, LATE,
           NO_MEMORY)  # fmt: skip
ALPHA = "its transparency (alpha) is not read: transparent pixels show the colours that are stored for them"  # a remark
COLORS = ("red", "green", "blue")  # what the channels of a colour image are called
EXACT = 2**24  # integers up to here are the same in float32
STEPS = 256  # levels of the range of values that have to be told apart
QUIET = tuple(map(logging.getLogger, ("tifffile", "bioio")))  # they log what they then raise
Plane = Callable[[int], np.ndarray]
Region = tuple[int, int, int, int]  # y0, x0, y1, x1 in pixels of the picture, the ends excluded
Window = Callable[[int, Region], np.ndarray]


class ImageError(BenchError):
    """An image that cannot be read; the text is the reason, one line."""


@dataclass(frozen=True)
class ImageInfo:
    """What the header says of the array that `Picture.project` returns.

    pages: planes, time points and the like of which one array is made; slices: those of them along z, which
    are what is projected (pages without a meaning count as z; of all else the first is taken). dtype:
    'uint8', 'uint16' or 'float32'. format: a name of `bench.images.signatures`, as 'PNG'. names: what
    the file calls its channels, in order; empty where it does not say. um_per_px: micrometres per pixel; None where the
    file does not say, or pixels are not square. series: how many pictures (series, scenes) the file holds, of which
    this is one. remarks: what was decided by rule, a sentence each, as which series, or that a LUT was not applied.
    reading: what the pixels depend on beside the bytes of the file, in a word that stays, as "upright 6"; "" for what
    was read so from the start. It is part of the name of the image's content, so that nothing is reused that was made
    of other pixels.
    """

    height: int
    width: int
    channels: int
    pages: int
    dtype: str
    format: str
    slices: int = 1
    names: tuple[str, ...] = ()
    um_per_px: float | None = None
    series: int = 1
    remarks: tuple[str, ...] = ()
    reading: str = ""


@dataclass(frozen=True)
class Picture:
    """An image that is open. plane: z to the pixels (H, W, C) of that slice, at the first time point.

    window: z and a region to the pixels (h, w, C) of that part alone, offered by an opener that need not decode the
    whole plane for it. Only such a picture may have more pixels than are decoded at once.

    stored: z to the numbers (H, W, C) as they are stored, for images of labels: no colour table is applied, nothing is
    inverted, and few bits are not stretched. None where that is `plane`.
    """

    info: ImageInfo
    plane: Plane
    window: Window | None = None
    stored: Plane | None = None

    @property
    def fits(self) -> bool:
        """Whether the whole picture may be decoded at once."""
        return fits(self.info.height, self.info.width, self.info.channels)

    def project(self, stack: str = "first", region: Region | None = None) -> np.ndarray:
        """Return the pixels (H, W, C), C >= 1, C-contiguous; uint8, uint16 or float32. Raises ImageError.

        stack: 'first', 'middle' (slice n // 2 of n, counted from 0), 'max' or 'mean' over the slices; a mean
        of integers is rounded, and a pixel that is not finite in some slices is made of the others; a picture of one
        slice without any finite pixel is an ImageError. region: the part
        (y1 - y0, x1 - x0, C) that is wanted, inside the picture; None is all.
        """
        if stack not in PROJECTIONS:
            raise ImageError(f"projection '{stack}' asked for; expected one of {', '.join(PROJECTIONS)}")
        height, width, channels = self.info.height, self.info.width, self.info.channels
        y0, x0, y1, x1 = region or (0, 0, height, width)
        if not (0 <= y0 < y1 <= height and 0 <= x0 < x1 <= width):
            raise ImageError(f"region y {y0} to {y1}, x {x0} to {x1} asked for; the picture is {width} x {height}")
        decoded = (height, width) if self.window is None else (y1 - y0, x1 - x0)
        refusal = too_large_at_once(*decoded, channels)
        if refusal:
            raise ImageError(refusal)

        def read(z: int) -> np.ndarray:
            if region is None:
                return to_depth(self.plane(z))
            return to_depth(self.plane(z)[y0:y1, x0:x1] if self.window is None else self.window(z, region))

        with plain_errors():
            pixels = np.ascontiguousarray(PROJECTIONS[stack](read, self.info.slices))
        whole = region is None and self.info.slices == 1  # a part may be empty, as the corners of a mosaic are
        if whole and pixels.dtype.kind == "f" and not np.isfinite(pixels).any():
            raise ImageError("no pixel of it is a number: all are NaN or infinite; export it again")
        return pixels


def _max(plane: Plane, slices: int) -> np.ndarray:
    return reduce(np.fmax, (_known(plane(z)) for z in range(slices)))  # fmax leaves NaN out


def _mean(plane: Plane, slices: int) -> np.ndarray:
    first = plane(0)
    total, count = np.zeros(first.shape), np.zeros(first.shape, np.uint32)
    for z in range(slices):
        pixels = _known(plane(z) if z else first)
        known = ~np.isnan(pixels)
        np.add(total, pixels, out=total, where=known)
        count += known
    mean = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    return (np.rint(mean) if first.dtype.kind == "u" else mean).astype(first.dtype)


def _known(pixels: np.ndarray) -> np.ndarray:
    """Return pixels with NaN for whatever is not finite, so that it counts in no slice."""
    if pixels.dtype.kind != "f":
        return pixels
    return np.where(np.isfinite(pixels), pixels, pixels.dtype.type(np.nan))


PROJECTIONS: dict[str, Callable[[Plane, int], np.ndarray]] = {
    "first": lambda plane, slices: plane(0),
    "middle": lambda plane, slices: plane(slices // 2),
    "max": _max,
    "mean": _mean,
}


def to_depth(pixels: np.ndarray) -> np.ndarray:
    """Return pixels as uint8, uint16 or float32, keeping every value that fits.

    Raises ImageError where float32 would take the picture away: where it cannot tell a STEPS-th of the range of the
    values apart, as of integers that all lie near 2^31.
    """
    if pixels.dtype == bool:
        return pixels.astype(np.uint8) * np.uint8(255)
    if pixels.dtype in (np.uint8, np.uint16):
        return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    if pixels.dtype.kind in "iuf":
        if pixels.dtype.itemsize >= 4 and pixels.dtype != np.float32:
            _check_steps(pixels)
        with np.errstate(over="ignore"):
            return pixels.astype(np.float32)
    raise ImageError(f"pixels of type {pixels.dtype}; expected integers or floats")


def _check_steps(pixels: np.ndarray) -> None:
    finite = pixels[np.isfinite(pixels)] if pixels.dtype.kind == "f" else pixels
    if not finite.size:
        return
    low, high = float(finite.min()), float(finite.max())
    largest = max(abs(low), abs(high))
    if largest <= EXACT and pixels.dtype.kind != "f":
        return
    if largest > float(np.finfo(np.float32).max) or np.spacing(np.float32(largest)) * STEPS > high - low > 0:
        raise ImageError(
            f"{pixels.dtype} values from {low:.10g} to {high:.10g}, whose differences are lost in the float32 that is "
            "computed with; subtract what they share, or scale them"
        )


@contextmanager
def plain_sentences(what: str) -> Iterator[None]:
    """Turn whatever a library raises on a damaged file into an ImageError that says what is wrong with the file.

    what: what cannot be done with it, the end of the sentence.
    """
    try:
        yield
    except (ImageError, MemoryError):
        raise
    except OSError as error:
        if error.errno is not None:
            raise
        raise ImageError(f"damaged or not supported: {what}") from None
    except Exception as error:  # arbitrary bytes make codecs raise nearly every type there is
        if "requires the 'imagecodecs'" in str(error) or type(error).__name__ == "DelayedImportError":
            raise ImageError(f"missing codec: {what}; pip install imagecodecs") from None
        raise ImageError(f"damaged or not supported: {what}") from None


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn whatever a codec raises on a damaged file into an ImageError of one line."""
    for logger in QUIET:
        if logger.level != logging.CRITICAL:  # asked first, as setting it empties what all loggers remember
            logger.setLevel(logging.CRITICAL)
    try:
        yield
    except ImageError:
        raise
    except MemoryError as error:
        claimed = math.prod(getattr(error, "shape", ()))  # numpy says what was asked of it
        if claimed <= MAX_CLAIMED:
            raise ImageError(NO_MEMORY) from None
        raise ImageError(f"damaged: a part of it claims {claimed:,} values") from None
    except Exception as error:  # arbitrary bytes make codecs raise nearly every type there is
        if isinstance(error, OSError) and error.errno is not None:
            raise ImageError(f"cannot be opened: {error.strerror}") from None
        text = " ".join((str(error) or type(error).__name__).split())[:160]
        if "requires the 'imagecodecs'" in text or type(error).__name__ == "DelayedImportError":
            raise ImageError(f"missing codec: {text}") from None
        cut = ("truncated", "too small", "failed to read", "unexpected end", "not enough data", "eof")
        what = "truncated" if any(sign in text.lower() for sign in cut) else "damaged or not supported"
        raise ImageError(f"{what}: {text}") from None
