"""Controls: what an architecture without learning, or the bare pixels, are worth.

The random networks have the input of their pretrained twins, so that only the weights differ.
"""

from __future__ import annotations

import numpy as np

from .catalogue import enter
from .networks import HALF, Network, imagenet_input
from .registry import descriptor
from .spec import Preprocess

TORCHVISION = imagenet_input(224, 0.875, "bilinear")

enter(
    "control",
    Network("random-resnet18", "timm:resnet18.tv_in1k", 512, 11.2, TORCHVISION, "none needed", "none",
            "ResNet-18 with random weights", control=True),
    Network("random-resnet50", "timm:resnet50.tv_in1k", 2048, 23.5, TORCHVISION, "none needed", "none",
            "ResNet-50 with random weights", control=True),
    Network("random-vit-small", "timm:vit_small_patch16_224.augreg_in21k", 384, 21.7,
            Preprocess(224, "crop", 0.9, "bicubic", HALF, HALF), "none needed", "none",
            "ViT-S/16 with random weights", "vit", 16, control=True),
)  # fmt: skip


@descriptor("thumbnail", dim=192, family="control", preprocess=Preprocess(8, "squash"), scaling="unit")
def thumbnail(image: np.ndarray) -> np.ndarray:
    """The image at 8 x 8 px in colour, 0..1."""
    return image.ravel() / 255


@descriptor(
    "raw-pixels",
    dim=1024,
    family="control",
    preprocess=Preprocess(32, "squash", color="grey"),
    scaling="unit",
)
def raw_pixels(image: np.ndarray) -> np.ndarray:
    """The image at 32 x 32 px in grey, 0..1."""
    return image[..., 0].ravel() / 255
