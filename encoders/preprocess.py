"""From a decoded image to the uint8 input of an encoder: channels, windows, resizing, cropping."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .errors import EncoderError
from .in_blocks import blocks, percentiles_of, tiles
from .interventions import shuffle, zscore
from .options import read_window
from .resize import resize
from .spec import Preprocess

#: Beyond this ratio of sides only the centre is resized: a 1 x 10,000 px strip would else need gigabytes
#: of which the centre crop keeps almost nothing.
LONGEST_RATIO = 20


def looks_at_all(dtype: np.dtype, policy: Preprocess) -> bool:
    """Say whether the views of a part of an image depend on the rest of it: by percentiles, or by a mean."""
    by_percentiles = policy.window.startswith("percentile") and dtype != np.uint8
    return by_percentiles or policy.intervene == "zscore"


def as_views(
    image: np.ndarray, policy: Preprocess, names: Sequence[str] = (), whole: np.ndarray | None = None
) -> list[np.ndarray]:
    """Map a whole image (H, W, C) or (H, W) of any real dtype to its V views, uint8 (H, W, 3), before it is cropped.

    V is 1 unless `policy.channels` asks for each channel. names: what the file calls its channels, if it does. whole:
    where the image is a part of another, that one or every n-th pixel of it, by which percentiles and mean are taken.
    uint8 keeps its values unless the window is given in numbers. Non-finite pixels become black; so does a
    constant image that is not uint8 under percentiles. A replicated channel may be a read-only view.
    Raises EncoderError, whose text starts with "no channel" where the image lacks one that was asked for.
    """
    image = np.asarray(image)
    if image.ndim == 2:
        image = image[..., np.newaxis]
    if image.ndim != 3 or 0 in image.shape or image.dtype.kind not in "buif":
        raise EncoderError(
            f"Got an image of shape {image.shape} and dtype {image.dtype}; expected real numbers (H, W, C)."
        )
    count = image.shape[2]
    views = []
    for picked in pick_channels(policy.channels, count, names):
        part = image if picked == tuple(range(count)) else image[..., list(picked)]
        rest = part if whole is None else whole[..., list(picked)]
        pixels = _to_uint8(part, policy.window, rest)
        if policy.intervene == "zscore":  # before the luma, whose weights would mix stains
            levels = pixels if rest is part else _to_uint8(rest, policy.window, rest)
            pixels = zscore(pixels, levels[_known(rest)])
        views.append(_three_channels(pixels, policy.color))
    return views


def as_rgb(image: np.ndarray, policy: Preprocess, names: Sequence[str] = ()) -> np.ndarray:
    """Return the one view, uint8 (H, W, 3), of an image under a policy that has one; as `as_views`."""
    views = as_views(image, policy, names)
    if len(views) != 1:
        raise EncoderError(f"Got channels={policy.channels}, which makes {len(views)} views; use as_views.")
    return np.ascontiguousarray(views[0])


def pick_channels(channels: str, count: int, names: Sequence[str] = ()) -> list[tuple[int, ...]]:
    """Return, for each view, the positions of its one to three channels among `count`; see `Preprocess`.

    Channels are counted from 0: what Fiji calls channel 1 is 0. Names are matched without regard to case.
    """
    if channels == "auto":
        return [tuple(range(min(count, 3)))]
    if channels == "each":
        return [(c,) for c in range(count)]
    one_by_one = channels.startswith("each:")
    picked = tuple(_position(word, count, names) for word in channels.removeprefix("each:").split("+"))
    return [(c,) for c in picked] if one_by_one else [picked]


def _position(word: str, count: int, names: Sequence[str]) -> int:
    called = [name.strip().casefold() for name in names]
    found = [int(word)] if word.isdecimal() else [c for c, name in enumerate(called) if name == word.casefold()]
    if len(found) == 1 and found[0] < count:
        return found[0]
    listed = ", ".join(f"{c} {name}".strip() for c, name in enumerate(names)) or "0" + f" to {count - 1}" * (count > 1)
    raise EncoderError(
        f"no channel '{word}'{' without a second of that name' * (len(found) > 1)}; "
        f"it has {listed} (counted from 0: Fiji's channel 1 is 0{', and it names none' * (not any(called))})"
    )


def _three_channels(pixels: np.ndarray, color: str) -> np.ndarray:
    """Return uint8 (H, W, 3) of uint8 (H, W, 1 to 3)."""
    shape = (*pixels.shape[:2], 3)
    if pixels.shape[2] == 1:
        return np.broadcast_to(pixels, shape)  # which is its own luma
    if pixels.shape[2] == 2:
        pixels = np.concatenate([pixels, np.zeros_like(pixels[..., :1])], axis=2)
    return np.broadcast_to(luma(pixels)[..., np.newaxis], shape) if color == "grey" else pixels


def luma(pixels: np.ndarray) -> np.ndarray:
    """Return ITU-R 601 luma, uint8 (H, W), of uint8 (H, W, 3): the same integers as Pillow's mode "L"."""
    grey = np.empty(pixels.shape[:2], np.uint8)
    for y0, x0, y1, x1 in tiles(grey):
        r, g, b = (pixels[y0:y1, x0:x1, c].astype(np.uint32) for c in range(3))
        grey[y0:y1, x0:x1] = (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16
    return grey


def fit_input(crop: np.ndarray, policy: Preprocess) -> np.ndarray:
    """Resize and centre-crop uint8 (H, W, 3) to (S, S, 3), as the transforms of timm and open_clip do.

    With `policy.size` None the crop is returned as it is, but for an intervention that moves its patches.
    """
    fitted = crop if policy.size is None else _resized(crop, policy, policy.size)
    return shuffle(fitted) if policy.intervene == "shuffle" else fitted


def _resized(crop: np.ndarray, policy: Preprocess, size: int) -> np.ndarray:
    resized = math.floor(size / policy.crop_fraction)
    if policy.resize == "crop":
        crop = _cut_strip(crop)
    height, width = crop.shape[:2]
    if policy.resize == "squash":
        target = (resized, resized)
    elif width <= height:
        target = (resized, int(resized * height / width))
    else:
        target = (int(resized * width / height), resized)
    pixels = resize(crop, *target, policy.interpolation)
    left, top = (round((side - size) / 2) for side in target)
    return np.ascontiguousarray(pixels[top : top + size, left : left + size])


def _to_uint8(pixels: np.ndarray, window: str, whole: np.ndarray) -> np.ndarray:
    """Return uint8 of pixels (H, W, C). whole (h, w, C): what a window is taken of that is no pair of numbers."""
    if pixels.dtype == bool:
        pixels, whole = (one.astype(np.uint8) * np.uint8(255) for one in (pixels, whole))
    if pixels.dtype == np.uint8 and read_window(window) is None:
        return pixels
    if window == "percentile-each" and pixels.shape[2] > 1:
        one_by_one = [(pixels[..., c : c + 1], whole[..., c : c + 1]) for c in range(pixels.shape[2])]
        return np.concatenate([_to_uint8(channel, window, of) for channel, of in one_by_one], axis=2)
    low, high = _window_limits(whole, window)
    shown = np.zeros(pixels.shape, np.uint8)
    for y0, x0, y1, x1 in tiles(shown) if high > low else ():
        values, finite = _as_floats(pixels[y0:y1, x0:x1])
        # Halved before subtracting: the span of float64 data may itself overflow.
        share = (np.where(finite, values, low) / 2 - low / 2) / (high / 2 - low / 2)
        shown[y0:y1, x0:x1] = np.rint(np.clip(share, 0, 1) * 255)
    return shown


def _known(pixels: np.ndarray) -> np.ndarray:
    """Return where pixels (H, W, C) are finite in every channel, bool (H, W); everywhere if they are nowhere."""
    known = np.isfinite(pixels).all(axis=2)
    return known if known.any() else ~known


def _as_floats(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels as float32, or float64 where that loses digits, and where they are finite."""
    values = pixels.astype(np.float32 if pixels.dtype.itemsize <= 2 else np.float64)
    return values, np.isfinite(values)


def _window_limits(pixels: np.ndarray, window: str) -> tuple[float, float]:
    """Return what becomes black and white; twice the same where no pixel is finite, or all are equal."""
    flat = pixels.reshape(-1)

    def finite(lo: int, hi: int) -> np.ndarray:
        values, known = _as_floats(flat[lo:hi])
        return values if known.all() else values[known]

    sizes = [finite(lo, hi).size for lo, hi in blocks(flat.size)] if flat.dtype.kind == "f" else [flat.size]
    if not any(sizes):
        return 0.0, 0.0
    given = read_window(window)
    if given is not None:
        return given
    if window == "range":
        all_of = None if flat.dtype.kind == "f" else np.iinfo(flat.dtype)
        return (0.0, 1.0) if all_of is None else (float(all_of.min), float(all_of.max))
    low, high = (float(v) for v in percentiles_of(finite, flat.size, sum(sizes), (0.1, 99.9)))
    if high > low:
        return low, high
    # Fewer than one pixel in a thousand differs: the percentiles coincide, but there is something to see.
    parts = [part for part in (finite(lo, hi) for lo, hi in blocks(flat.size)) if part.size]
    return float(min(part.min() for part in parts)), float(max(part.max() for part in parts))


def _cut_strip(crop: np.ndarray) -> np.ndarray:
    height, width = crop.shape[:2]
    longest = LONGEST_RATIO * min(height, width)
    if max(height, width) <= longest:
        return crop
    top, left = max(0, (height - longest) // 2), max(0, (width - longest) // 2)
    return crop[top : top + longest, left : left + longest]
