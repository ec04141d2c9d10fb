"""From a decoded image to the uint8 input of an encoder, with numpy and Pillow only: no torch."""

from __future__ import annotations

import math

import numpy as np

from .errors import EncoderError
from .spec import Preprocess

#: Beyond this ratio of sides only the centre is resized: a 1 x 10,000 px strip would else need gigabytes
#: of which the centre crop keeps almost nothing.
LONGEST_RATIO = 20


def as_rgb(image: np.ndarray, policy: Preprocess) -> np.ndarray:
    """Map a whole image (H, W, C) or (H, W) of any real dtype to uint8 (H, W, 3), before it is cropped.

    uint8 keeps its values; other dtypes go through `policy.window`, jointly for the channels used, so that
    the instances of one image stay comparable. Non-finite pixels become black. A constant image that is
    not uint8 becomes black under "percentile".
    """
    image = np.asarray(image)
    if image.ndim == 2:
        image = image[..., np.newaxis]
    if image.ndim != 3 or 0 in image.shape or image.dtype.kind not in "buif":
        raise EncoderError(
            f"Got an image of shape {image.shape} and dtype {image.dtype}; expected real numbers (H, W, C)."
        )
    pixels = _to_uint8(image[..., :3], policy.window)
    if pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    elif pixels.shape[2] == 2:
        pixels = np.concatenate([pixels, np.zeros_like(pixels[..., :1])], axis=2)
    if policy.color == "grey":
        pixels = np.repeat(luma(pixels)[..., np.newaxis], 3, axis=2)
    return np.ascontiguousarray(pixels)


def luma(pixels: np.ndarray) -> np.ndarray:
    """Return ITU-R 601 luma, uint8 (H, W), of uint8 (H, W, 3): the same integers as Pillow's mode "L"."""
    r, g, b = (pixels[..., c].astype(np.uint32) for c in range(3))
    return ((r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16).astype(np.uint8)


def fit_input(crop: np.ndarray, policy: Preprocess) -> np.ndarray:
    """Resize and centre-crop uint8 (H, W, 3) to (S, S, 3), as the transforms of timm and open_clip do.

    With `policy.size` None the crop is returned as it is.
    """
    if policy.size is None:
        return crop
    from PIL import Image

    size, resized = policy.size, math.floor(policy.size / policy.crop_fraction)
    if policy.resize == "crop":
        crop = _cut_strip(crop)
    height, width = crop.shape[:2]
    if policy.resize == "squash":
        target = (resized, resized)
    elif width <= height:
        target = (resized, int(resized * height / width))
    else:
        target = (int(resized * width / height), resized)
    picture = Image.fromarray(np.ascontiguousarray(crop))
    if picture.size != target:
        method = Image.Resampling.BICUBIC if policy.interpolation == "bicubic" else Image.Resampling.BILINEAR
        picture = picture.resize(target, method)
    left, top = (round((side - size) / 2) for side in target)
    return np.asarray(picture.crop((left, top, left + size, top + size)))


def _to_uint8(pixels: np.ndarray, window: str) -> np.ndarray:
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == bool:
        return pixels.astype(np.uint8) * 255
    values = pixels.astype(np.float32 if pixels.dtype.itemsize <= 2 else np.float64)
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(pixels.shape, np.uint8)
    low, high = _window_limits(values if finite.all() else values[finite], pixels.dtype, window)
    if not high > low:
        return np.zeros(pixels.shape, np.uint8)
    # Halved before subtracting: the span of float64 data may itself overflow.
    share = (np.where(finite, values, low) / 2 - low / 2) / (high / 2 - low / 2)
    return np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)


def _window_limits(values: np.ndarray, dtype: np.dtype, window: str) -> tuple[float, float]:
    if window == "range":
        return (0.0, 1.0) if dtype.kind == "f" else (float(np.iinfo(dtype).min), float(np.iinfo(dtype).max))
    low, high = (float(v) for v in np.percentile(values, [0.1, 99.9]))
    if high > low:
        return low, high
    # Fewer than one pixel in a thousand differs: the percentiles coincide, but there is something to see.
    return float(values.min()), float(values.max())


def _cut_strip(crop: np.ndarray) -> np.ndarray:
    height, width = crop.shape[:2]
    longest = LONGEST_RATIO * min(height, width)
    if max(height, width) <= longest:
        return crop
    top, left = max(0, (height - longest) // 2), max(0, (width - longest) // 2)
    return crop[top : top + longest, left : left + longest]
