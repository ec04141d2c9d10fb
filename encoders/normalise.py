"""The last step before a network: bytes to normalised numbers, on the device where the bytes are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .spec import Preprocess

if TYPE_CHECKING:
    import torch


def normalise(pixels: torch.Tensor, policy: Preprocess) -> torch.Tensor:
    """Return float32 (B, 3, S, S), channels last in memory, of uint8 (B, S, S, 3)."""
    import torch

    mean, std = (torch.tensor(values, device=pixels.device).view(1, 3, 1, 1) for values in (policy.mean, policy.std))
    return pixels.permute(0, 3, 1, 2).float().div_(255).sub_(mean).div_(std)
