"""Views of cells: turned, mirrored, moved and brought nearer, with other light, blur and noise. In torch, by batches.

What a microscope does not fix is free: the angle, the side, a little of light, focus and noise. What tells cells
apart is kept: a crop has at least half of the area (`area`), since size is a signal, and the shape stays (no
stretching). Where a turned square leaves the image, the image is mirrored at its edge.

All of it depends on the seed and the step alone: not on threads, nor on what was drawn before.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.studies.pretrain.ssl.shares import ALONE, Share

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How far views may be from their instance.

    turns: "any" angle, or "eight" (quarter turns, mirrored or not), which loses no pixel. area: smallest share of the
    image's area that a view shows. light: brightness and contrast differ by so much at most, as a share. colour: each
    channel by so much. blur: largest share of an image blurred over 3 x 3 pixels. noise: largest deviation, 0 to 1.
    """

    turns: str = "any"
    area: float = 0.5
    light: float = 0.2
    colour: float = 0.0
    blur: float = 1.0
    noise: float = 0.03


def generator(*key: object) -> torch.Generator:
    """Return a source of random numbers on the CPU that depends on a key alone."""
    import torch

    digest = hashlib.sha256("|".join(map(str, key)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


@dataclass(frozen=True, kw_only=True)
class Draws:
    """Random numbers of a batch, of which a process takes its share."""

    generator: torch.Generator
    share: Share

    def uniform(self, *shape: int, axis: int) -> torch.Tensor:
        """Return numbers from 0 to 1 whose axis is that of the instances, which are not counted in the shape."""
        import torch

        whole = (*shape[:axis], self.share.of, *shape[axis:])
        return self.share.own(torch.rand(whole, generator=self.generator), axis)


def make_view(
    pixels: torch.Tensor, how: Augmentation, key: tuple[object, ...], share: Share | None = None
) -> torch.Tensor:
    """Return a view, float32 (B, 3, S, S) from 0 to 1, of each instance, uint8 (B, S, S, 3).

    share: which rows of a batch the instances are; None for all. Numbers are drawn for the whole batch, so that a view
    is the same whoever makes it.
    """
    draws = Draws(generator=generator("view", *key), share=share or ALONE.share(len(pixels)))
    x = pixels.permute(0, 3, 1, 2).float().div(255)  # (B, 3, S, S)
    return relit(turned(x, how, draws), how, draws)


def normalised(x: torch.Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> torch.Tensor:
    """Return x (B, 3, S, S), from 0 to 1, with mean and deviation of a network's input."""
    import torch

    m, s = (torch.tensor(values, device=x.device).view(1, 3, 1, 1) for values in (mean, std))
    return (x - m) / s


def turned(x: torch.Tensor, how: Augmentation, draws: Draws) -> torch.Tensor:
    """Return x (B, 3, S, S) turned, mirrored and cropped, each instance in its way."""
    import torch
    from torch.nn.functional import grid_sample

    S = x.shape[-1]
    u = draws.uniform(5, 1, 1, axis=1).to(x.device)
    angle = 2 * math.pi * u[0] if how.turns == "any" else math.pi / 2 * (4 * u[0]).floor()
    mirror = torch.where(u[1] < 0.5, -1.0, 1.0)
    side = (how.area + (1 - how.area) * u[2]).sqrt()
    x0, y0 = (1 - side) * (2 * u[3] - 1), (1 - side) * (2 * u[4] - 1)
    at = (torch.arange(S, device=x.device) * 2 + 1) / S - 1  # centres of pixels, from -1 to 1
    X, Y = at.view(1, 1, S) * mirror, at.view(1, S, 1)
    cos, sin = angle.cos(), angle.sin()
    # Products and sums one by one: a matrix product may be split among threads.
    grid = torch.stack([x0 + side * (cos * X - sin * Y), y0 + side * (sin * X + cos * Y)], -1)  # (B, S, S, 2)
    return grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def relit(x: torch.Tensor, how: Augmentation, draws: Draws) -> torch.Tensor:
    """Return x (B, 3, S, S) in another light, less sharp and with noise, from 0 to 1."""
    import torch
    from torch.nn.functional import conv2d, pad

    u = draws.uniform(4, 1, 1, 1, axis=1).to(x.device)
    gains = 1 + how.colour * (2 * draws.uniform(3, 1, 1, axis=0) - 1).to(x.device)
    contrast, brightness = (1 + how.light * (2 * u[i] - 1) for i in range(2))
    mean = x.mean((1, 2, 3), keepdim=True)
    x = ((x - mean) * contrast + mean) * brightness * gains
    if how.blur:
        kernel = torch.tensor([0.25, 0.5, 0.25], device=x.device)
        kernel = (kernel[:, None] * kernel).expand(3, 1, 3, 3).contiguous()
        x = torch.lerp(x, conv2d(pad(x, (1, 1, 1, 1), "reflect"), kernel, groups=3), how.blur * u[2])
    if how.noise:
        x = x + how.noise * u[3] * normal_like(x, draws)
    return x.clamp(0, 1)


def normal_like(x: torch.Tensor, draws: Draws) -> torch.Tensor:
    """Return normal numbers of the shape of x. A GPU draws its own, as it would wait for those of the CPU."""
    import torch

    source = draws.generator
    if x.device.type != "cpu":
        source = torch.Generator(x.device).manual_seed(source.initial_seed())
    return draws.share.own(torch.randn((draws.share.of, *x.shape[1:]), generator=source, device=x.device))
