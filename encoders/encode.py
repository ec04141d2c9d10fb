"""From uint8 images to vectors through a torch model, with bits that depend on the image alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .errors import EncoderError
from .spec import EncoderSpec

if TYPE_CHECKING:
    import torch

#: Every forward pass has this many images, the last one filled up with black. Kernels are chosen by shape,
#: so a fixed shape is what makes a vector independent of the batching. Measured with oneDNN on a 2-core
#: AVX-512 CPU (fp32, 224 px): 32 and 16 give the same bits for 1 and 2 threads with mobilenetv2, resnet18,
#: resnet50, ViT-S and ConvNeXt-T; 8 and 1 do not with mobilenetv2 (up to 3e-6 apart).
BATCH = 32


def batched_encode(
    spec: EncoderSpec, forward: Callable[[torch.Tensor], torch.Tensor]
) -> Callable[[Sequence[np.ndarray]], np.ndarray]:
    """Return the `encode` of a network: n uint8 images (S, S, 3) to float32 (n, dim), finite.

    forward: normalised float32 (BATCH, 3, S, S) to (BATCH, dim), already in evaluation mode, in float32.
    """
    import torch

    size = spec.preprocess.size or 0
    mean = torch.tensor(spec.preprocess.mean).view(1, 3, 1, 1)
    std = torch.tensor(spec.preprocess.std).view(1, 3, 1, 1)

    def encode(images: Sequence[np.ndarray]) -> np.ndarray:
        vectors = np.empty((len(images), spec.dim), np.float32)
        for start in range(0, len(images), BATCH):
            block = images[start : start + BATCH]
            pixels = np.zeros((BATCH, size, size, 3), np.uint8)
            for row, image in enumerate(block):
                pixels[row] = _checked(image, size, spec.name)
            with torch.inference_mode():
                x = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous().float()  # (B, 3, S, S)
                out = forward(x.div_(255).sub_(mean).div_(std)).float()  # (B, d)
            if out.shape != (BATCH, spec.dim):
                raise EncoderError(f"Encoder '{spec.name}' declares dim={spec.dim} and gave {tuple(out.shape)}.")
            vectors[start : start + len(block)] = out[: len(block)].numpy()
        check_finite(vectors, spec.name)
        return vectors

    return encode


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
