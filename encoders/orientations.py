"""A vector that does not hang on how the slide lay: the mean over the eight orientations of an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Encode = Callable[[Sequence[np.ndarray]], np.ndarray]
ORIENTED = 8
AT_ONCE = 16  # images that are turned at a time


def orientation(image: np.ndarray, k: int) -> np.ndarray:
    """Return an image (H, W, C) turned by k quarters; from 4 on, its mirror image by k - 4."""
    return np.ascontiguousarray(np.rot90(image if k < 4 else image[:, ::-1], k % 4))


def orientations(image: np.ndarray) -> list[np.ndarray]:
    """Return an image (H, W, C) in its eight orientations: turned by quarters, and the same of its mirror image."""
    return [orientation(image, k) for k in range(ORIENTED)]


def in_all_orientations(encode: Encode) -> Encode:
    """Return what maps n images to the means (n, d) of the vectors of their eight orientations, float32.

    Turned or mirrored by quarters an image has the same vector, but for the rounding of a sum in double precision. It
    takes eight times as long.
    """

    def encode_all(images: Sequence[np.ndarray]) -> np.ndarray:
        parts = []
        for start in range(0, len(images), AT_ONCE):
            turned = [one for image in images[start : start + AT_ONCE] for one in orientations(image)]
            vectors = encode(turned)
            parts.append(vectors.reshape(-1, ORIENTED, vectors.shape[1]).mean(1, dtype=np.float64))
        return np.concatenate(parts).astype(np.float32) if parts else encode(images)

    return encode_all
