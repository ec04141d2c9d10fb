"""Images by the spectra of their fine detail, which are the same wherever in the image the detail lies."""

from __future__ import annotations

import numpy as np

WAVES = 16  # of the spectrum, in each direction
AT_ONCE = 2048  # images in one product


def spectra(images: np.ndarray) -> np.ndarray:
    """Return the sizes of the waves in the fine detail of images (n, H, W), square roots of them, float32 (n, d)."""
    made = []
    for i in range(0, len(images), AT_ONCE):
        waves = np.abs(np.fft.rfft2(detail(images[i : i + AT_ONCE])))
        low = np.concatenate([waves[:, :WAVES, :WAVES], waves[:, -WAVES:, :WAVES]], 1)
        made.append(np.sqrt(low).reshape(len(low), -1).astype(np.float32))
    return np.concatenate(made)


def centred(rows: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """Return rows (n, d) less the usual one, of length 1."""
    rows = rows - usual
    found: np.ndarray = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    return found


def detail(images: np.ndarray) -> np.ndarray:
    """Return what of images (n, H, W) is finer than 3 px, centred and of length 1."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)), "edge")
    H, W = images.shape[1:]
    around = sum(padded[:, i : i + H, j : j + W] for i in range(3) for j in range(3)) / 9
    fine = images - around
    fine = fine - fine.mean((1, 2), keepdims=True)
    found: np.ndarray = fine / np.maximum(np.linalg.norm(fine, axis=(1, 2), keepdims=True), 1e-6)
    return found
