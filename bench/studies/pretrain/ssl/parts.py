"""What methods add to a backbone: projectors, prototypes, and teachers that follow slowly."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

TEACHER = "teacher_"


def perceptron(d: int, widths: Sequence[int]) -> torch.nn.Module:
    """Return linear layers d -> widths; batch norm and ReLU after each but the last."""
    import torch

    layers: list[torch.nn.Module] = []
    for width in widths[:-1]:
        layers += [torch.nn.Linear(d, width, bias=False), torch.nn.BatchNorm1d(width), torch.nn.ReLU(inplace=True)]
        d = width
    return torch.nn.Sequential(*layers, torch.nn.Linear(d, widths[-1]))


def prototype_logits(prototypes: torch.nn.Module, z: torch.Tensor) -> torch.Tensor:
    """Return the cosines (B, K) of z (B, e) with the rows of a linear layer.

    Caron et al. (2021), appendix C: the last layer of DINO's head is weight-normalised, with lengths fixed at 1.
    """
    from torch.nn.functional import linear, normalize

    return linear(normalize(z, dim=1), normalize(prototypes.weight, dim=1))  # type: ignore[arg-type]


def add_teachers(parts: Any, taught: Iterable[str]) -> None:
    """Add a copy of each part that is not learned by gradients."""
    for name in taught:
        parts[TEACHER + name] = deepcopy(parts[name]).requires_grad_(False)


def in_training(parts: Any, still: bool) -> None:
    """Set all parts to training; still: batch norms of the backbone and its teacher keep the statistics that they have.

    What a network has learned holds for these. With those of few other images in their place it is another network
    before its first step.
    """
    import torch

    parts.train()
    for name in ("vectors", TEACHER + "vectors") if still else ():
        for module in parts[name].modules() if name in parts else ():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.eval()


def follow(parts: Any, taught: Iterable[str], momentum: float) -> None:
    """Move the weights of teachers towards their students': momentum of their own, the rest of the student's."""
    import torch

    with torch.no_grad():
        for name in taught:
            for old, new in zip(parts[TEACHER + name].parameters(), parts[name].parameters(), strict=True):
                old.lerp_(new, 1 - momentum)


def momentum_at(first: float, progress: float) -> float:
    """Return the teacher's momentum, from `first` to 1 along half a cosine (Grill et al. 2020, section 3.3)."""
    return 1 - (1 - first) * (math.cos(math.pi * progress) + 1) / 2
