"""From uint8 images to vectors through a network, with bits that depend on the image alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .backends import make_runner
from .errors import EncoderError
from .spec import EncoderSpec, LoadedEncoder, Placement


def network_encoder(spec: EncoderSpec, module: Any, weights_digest: str, placement: Placement) -> LoadedEncoder:
    """Return the encoder of a network in evaluation mode: normalised float32 (B, 3, S, S) to (B, dim)."""
    size = spec.preprocess.size or 0
    runner = make_runner(module, spec, placement)

    def batches(images: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
        for start in range(0, len(images), runner.batch):
            pixels = np.zeros((runner.batch, size, size, 3), np.uint8)
            for row, image in enumerate(images[start : start + runner.batch]):
                pixels[row] = _checked(image, size, spec.name)
            yield pixels

    def encode(images: Sequence[np.ndarray]) -> np.ndarray:
        vectors = np.empty((len(images), spec.dim), np.float32)
        for start, out in zip(range(0, len(images), runner.batch), runner.run(batches(images)), strict=True):
            if out.shape != (runner.batch, spec.dim):
                raise EncoderError(f"Encoder '{spec.name}' declares dim={spec.dim} and gave {tuple(out.shape)}.")
            vectors[start : start + runner.batch] = out[: len(images) - start]
        check_finite(vectors, spec.name)
        return vectors

    return LoadedEncoder(spec, encode, weights_digest, runner.parallel)


def real_numbers(values: Any) -> np.ndarray:
    """Return values as float32; TypeError for complex ones, of which only a part would be kept.

    What float32 does not hold becomes infinite, which `check_finite` refuses.
    """
    array = np.asarray(values)
    if array.dtype.kind == "c":
        raise TypeError(f"got complex numbers ({array.dtype}); expected real ones, as np.abs gives")
    with np.errstate(over="ignore"):
        return array.astype(np.float32, copy=False)


def check_finite(vectors: np.ndarray, name: str) -> None:
    """Refuse vectors (n, d) with NaN or infinity, saying how many of the images gave one."""
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if bad.size:
        raise EncoderError(
            f"Encoder '{name}' gave non-finite values for {bad.size} of {len(vectors)} images (the first at "
            f"position {bad[0]}); check its weights."
        )


def _checked(image: np.ndarray, size: int, name: str) -> np.ndarray:
    if image.shape != (size, size, 3) or image.dtype != np.uint8:
        raise EncoderError(
            f"Got an input of shape {image.shape} and dtype {image.dtype} for encoder '{name}'; expected "
            f"uint8 ({size}, {size}, 3), as fit_input gives."
        )
    return image
