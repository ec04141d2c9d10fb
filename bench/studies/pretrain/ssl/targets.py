"""What a network is to learn of every image, found before its first step: its own vectors, or those of an encoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bench.errors import BenchError, did_you_mean
from bench.studies.pretrain.method import OnProgress
from bench.studies.pretrain.ssl.views import normalised
from encoders import EncoderError, EncoderSpec, Placement, as_rgb, fit_input, names, resolve

if TYPE_CHECKING:
    import torch

AT_ONCE = 128  # images in one product
Foresee = Callable[["Ahead"], "torch.Tensor"]


@dataclass(frozen=True, kw_only=True)
class Ahead:
    """What is known before the first step.

    vectors: the network at the start, (B, 3, S, S) to (B, d). pixels: uint8 (N, S, S, 3), on the device. mean, std: of
    its input. teacher: the encoder that it learns from, None where it is itself.
    """

    vectors: torch.nn.Module
    pixels: torch.Tensor
    mean: tuple[float, ...]
    std: tuple[float, ...]
    teacher: EncoderSpec | None = None
    workers: int = 1
    on_progress: OnProgress | None = None

    def tell(self, done: int) -> None:
        """Say of how many images it is known what is to be learned."""
        if self.on_progress:
            self.on_progress("look ahead", done, len(self.pixels))


def mean_over_orientations(ahead: Ahead) -> torch.Tensor:
    """Return what the network at the start sees of every image in the mean over its eight orientations, (N, d)."""
    import torch

    found: list[torch.Tensor] = []
    ahead.vectors.eval()
    with torch.no_grad():
        for part in ahead.pixels.split(AT_ONCE):
            x = normalised(part.permute(0, 3, 1, 2).float().div(255), ahead.mean, ahead.std)
            turned = (torch.rot90(way, k, (2, 3)) for way in (x, x.flip(3)) for k in range(4))
            found.append(torch.stack([ahead.vectors(image).float() for image in turned]).mean(0))
            ahead.tell(sum(map(len, found)))
    return torch.cat(found)


def vectors_of_teacher(ahead: Ahead) -> torch.Tensor:
    """Return the vectors of the teacher, each dimension at mean 0 and deviation 1 over the images, (N, e).

    It is given the very pixels that are learned from, resized to its own input.
    """
    import torch

    assert ahead.teacher is not None
    try:
        encoder = ahead.teacher.load(Placement(ahead.pixels.device.type, ahead.workers))
        found: list[np.ndarray] = []
        for part in ahead.pixels.cpu().split(AT_ONCE):
            found.append(encoder.encode([input_of(image, ahead.teacher) for image in part.numpy()]))
            ahead.tell(sum(map(len, found)))
    except EncoderError as error:
        raise BenchError(f"Got --teacher {ahead.teacher.full_name}, which cannot be used. {error}") from error
    X = np.concatenate(found).astype(np.float64)
    X = (X - X.mean(0)) / np.maximum(X.std(0), 1e-6)
    return torch.from_numpy(X.astype(np.float32)).to(ahead.pixels.device)


def input_of(image: np.ndarray, teacher: EncoderSpec) -> np.ndarray:
    """Return what an encoder takes of an image, uint8 (S, S, 3)."""
    return fit_input(as_rgb(image, teacher.preprocess), teacher.preprocess)


def find_teacher(name: str) -> EncoderSpec:
    """Return the encoder that a network is to learn from; BenchError for one that makes several views, or none."""
    try:
        spec = resolve(name)
        as_rgb(np.zeros((8, 8, 3), np.uint8), spec.preprocess)
    except EncoderError as error:
        hint = did_you_mean(name, names()) or "."
        raise BenchError(
            f"Got --teacher {name}{hint} Expected an encoder that makes one view of an image, as efficientnet-lite0. "
            f"{error}"
        ) from error
    if spec.vectors:
        raise BenchError(f"Got --teacher {name}, a file of embeddings; expected an encoder, as efficientnet-lite0.")
    return spec
