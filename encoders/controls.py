"""Controls: what guessing, the size of an image, its bare pixels, or an architecture without learning are worth.

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


@descriptor("constant", dim=1, family="control")
def constant(image: np.ndarray) -> list[float]:
    """The same number for every image: every head on it shows what guessing by the labels' shares gives."""
    return [1.0]


@descriptor("image-size", dim=3, family="control")
def image_size(image: np.ndarray) -> np.ndarray:
    """Logarithms of width, height and width / height in pixels, of the instance: what its frame gives away.

    An encoder sees pixels and no file, so that bytes per pixel, the rest of a file's metadata, are out of its reach.
    """
    height, width = np.log(image.shape[:2])
    return np.array([width, height, width - height])


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
