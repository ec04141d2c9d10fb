"""Copies that are told at full size only: small images saved again as JPEG, turned to grey, or in another light.

JPEG keeps little of a small and noisy image, and grey made of its colours may look like any other image. But what JPEG
makes of pixels is known. So of two images with like coarse parts one is saved again, in memory, as the other was: with
the tables of its file, or at the quality that fits best. A copy then differs by next to nothing; another image of the
same kind differs by as much as before. A grey image is a copy where the colours of the other add up to it, and an image
in another light where one curve of brightness makes it of the other.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from bench.studies.audit.coarse import FAINT, Neighbours

LARGEST, SMALLEST = 256 * 256, 16  # pixels of an image, as larger ones keep enough detail; pixels of its shorter side
BLOCK = 8  # pixels along each side that JPEG transforms together
FINE = 3  # waves along both sides of a block from which on they are fine
ZERO = 1.0  # size of a wave below which it is rounding
LEFT_OUT = 0.8  # share of fine waves below ZERO, from which on JPEG may have made an image: it leaves out most of them
ALIKE = 0.8  # correlation of the waves that are left, below which an image is not saved again in vain
PATCH = 40  # pixels along each side that a quality is looked for in
CLOSEST = 5  # neighbours that may be a JPEG copy or one in another light; a grey copy may be farther away
QUALITIES = range(95, 0, -1)
SAMPLINGS = (2, 0)  # of the colours: at half the size, or whole
EXPLAINED = 0.35  # of the difference may be left once one image was saved as the other was; of copies 0 to .2 is
UNEXPLAINED = 0.05  # standard deviations of an image that the other may leave unexplained; of copies .03 at most
NEARLY = 0.7  # correlation of pixels below which no curve of brightness is tried
ENOUGH = 4096  # pixels that colours are fitted to
CACHED = 256  # images
_FINE_ONES = np.add.outer(np.arange(BLOCK), np.arange(BLOCK)).ravel() >= FINE
AS_JPEG, WITHOUT_COLOURS = "the same view, saved again as JPEG", "the same view, without its colours"
ANOTHER_LIGHT = "the same view, in another light"


@dataclass(frozen=True, kw_only=True, eq=False)
class Full:
    """An image as it is. pixels uint8 (H, W, 3) or (H, W); saving: what its file says of how JPEG is to save another
    image, as Pillow takes it, None where it is no JPEG."""

    pixels: np.ndarray
    saving: dict[str, Any] | None = None

    @property
    def luma(self) -> np.ndarray:
        """The brightness that JPEG stores, uint8 (H, W)."""
        return np.asarray(Image.fromarray(self.pixels).convert("L"))


FullSize = Callable[[int], Full | None]  # None for what is no whole image of 8 bits, or larger than LARGEST


def saved_again(
    near: Neighbours, read: FullSize, known: Collection[tuple[int, int]] = ()
) -> list[tuple[int, int, str, float]]:
    """Return (first, second, how, correlation of pixels) of pairs of neighbours of which one was made of the other.

    read: gives the images, some of them twice. known: pairs that need no look.
    """
    kinds = {i: _kind_of(read(i)) for i in near.at.tolist()}
    out = []
    for i, j, close in _pairs(near):
        if (i, j) in known:
            continue
        ways = [(p, q, *way) for p, q in ((i, j), (j, i)) for way in _ways(kinds[p], kinds[q], close)]
        for a, b, how, made_of in ways:
            one, other = read(a), read(b)
            made = made_of(one, other) if one and other else None
            if other and made is not None:
                out.append((i, j, how, _correlation(made, other.luma)))
                break
    return out


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """size: (H, W); coloured; is_jpeg: whether its file is one; left_out: share of the fine waves that are nearly 0."""

    size: tuple[int, ...]
    coloured: bool
    is_jpeg: bool
    left_out: float


def _kind_of(image: Full | None) -> _Kind | None:
    if image is None or min(image.pixels.shape[:2]) < SMALLEST:
        return None
    pixels = image.pixels
    fine = np.abs(_waves(image.luma)[:, _FINE_ONES])
    return _Kind(
        size=pixels.shape[:2],
        coloured=pixels.ndim == 3 and bool((pixels != pixels[..., :1]).any()),
        is_jpeg=image.saving is not None,
        left_out=float((fine < ZERO).mean()),
    )


Way = tuple[str, Callable[[Full, Full], np.ndarray | None]]


def _ways(one: _Kind | None, other: _Kind | None, close: bool) -> list[Way]:
    """Return how the other may have been made of one: in words, and what makes it. close: of the CLOSEST neighbours."""
    if one is None or other is None or one.size != other.size:
        return []
    resaved = other.is_jpeg or other.left_out > max(LEFT_OUT, one.left_out)
    ways: list[Way] = [(AS_JPEG, _as_jpeg)] if resaved and close else []
    if one.coloured and not other.coloured:
        return [*ways, (WITHOUT_COLOURS, _without_colours)]
    return [*ways, (ANOTHER_LIGHT, _in_another_light)] if one.coloured == other.coloured and close else ways


def _pairs(near: Neighbours) -> Iterator[tuple[int, int, bool]]:
    """Yield every pair of neighbours once, the lower number first, and whether one is of the other's CLOSEST."""
    k = near.near.shape[1]
    pairs = np.sort(np.stack([np.repeat(near.at, k), near.at[near.near.ravel()]], 1), 1)
    pairs, pair = np.unique(pairs, axis=0, return_inverse=True)
    close = np.zeros(len(pairs), bool)
    np.logical_or.at(close, pair.ravel(), np.tile(np.arange(k) < CLOSEST, len(near.at)))
    yield from ((i, j, of_closest) for (i, j), of_closest in zip(pairs.tolist(), close.tolist(), strict=True))


def _as_jpeg(one: Full, other: Full) -> np.ndarray | None:
    """Return the brightness of `one` saved as `other` was, None where that does not explain how they differ."""
    luma = one.luma, other.luma
    apart = _difference(*luma)
    if not apart or _correlation(*_waves_left(*luma)) < ALIKE:
        return None
    savings: Sequence[dict[str, Any]] = [other.saving] if other.saving else []
    if not savings:
        small = [_patch(grey) for grey in luma]
        best = min(QUALITIES, key=lambda quality: _difference(_saved(small[0], quality=quality), small[1]))
        savings = [{"quality": best, "subsampling": sampling} for sampling in SAMPLINGS]
    pixels = luma[0] if other.pixels.ndim == 2 else one.pixels
    for saving in savings:
        made = Full(pixels=_saved(pixels, **saving)).luma
        if _difference(made, luma[1]) <= EXPLAINED * apart:
            return made
    return None


def _without_colours(one: Full, other: Full) -> np.ndarray | None:
    """Return the grey image that the colours of `one` add up to, None where that is not `other`."""
    step = max(1, other.luma.size // ENOUGH)
    grey = other.luma.ravel()[::step].astype(float)
    colours = np.column_stack([one.pixels.reshape(-1, 3)[::step], np.ones(len(grey))]).astype(float)
    weights = np.linalg.lstsq(colours, grey)[0]
    left = grey - colours @ weights
    if grey.std() < FAINT or left.std() > UNEXPLAINED * grey.std():
        return None
    return np.asarray(one.pixels @ weights[:3] + weights[3])


def _in_another_light(one: Full, other: Full) -> np.ndarray | None:
    """Return the brightness of `one` after a curve that makes it the other's, None where none does."""
    a, b = one.luma.ravel(), other.luma.ravel().astype(float)
    if b.std() < FAINT or _correlation(a[:: max(1, a.size // ENOUGH)], b[:: max(1, a.size // ENOUGH)]) < NEARLY:
        return None
    curve = np.bincount(a, b, 256) / np.maximum(np.bincount(a, minlength=256), 1)
    made = curve[a]
    return made.reshape(one.luma.shape) if _difference(made, b) <= UNEXPLAINED * b.std() else None


def _patch(grey: np.ndarray) -> np.ndarray:
    """Return the middle of a grey image, PATCH pixels a side or less, which JPEG cuts into the same blocks."""
    top, left = ((max(side - PATCH, 0) // 2) // BLOCK * BLOCK for side in grey.shape)
    return grey[top : top + PATCH, left : left + PATCH]


def _saved(pixels: np.ndarray, **saving: Any) -> np.ndarray:
    """Return pixels after JPEG, uint8 of the same shape."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", **saving)
    return np.asarray(Image.open(file))


def _waves(grey: np.ndarray) -> np.ndarray:
    """Return the waves of the whole blocks of a grey image (H, W), as JPEG sees them, (blocks, BLOCK * BLOCK)."""
    from scipy.fft import dctn

    rows, columns = (side // BLOCK for side in grey.shape)
    blocks = grey[: rows * BLOCK, : columns * BLOCK].astype(np.float32).reshape(rows, BLOCK, columns, BLOCK)
    waves: np.ndarray = dctn(blocks.transpose(0, 2, 1, 3), axes=(2, 3), norm="ortho")
    return waves.reshape(rows * columns, BLOCK * BLOCK)


def _waves_left(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the waves of two grey images that are left in the other, but for the mean of blocks."""
    a, b = (_waves(grey)[:, 1:] for grey in (one, other))
    left = np.abs(b) > ZERO
    return a[left], b[left]


def _difference(a: np.ndarray, b: np.ndarray) -> float:
    """Return the root of the mean squared difference of two images of one shape, in grey levels."""
    return float(np.sqrt(np.square(a.astype(np.float32) - b).mean()))


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    if a.size < 2 or not a.std() or not b.std():
        return 0.0
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])
