"""Controls: what an architecture without learning, or the bare pixels, are worth.

The random networks have the input of their pretrained twins, so that only the weights differ.
"""

from __future__ import annotations

import numpy as np

from .networks import HALF, imagenet_input, timm_spec
from .registry import descriptor, register
from .spec import EncoderSpec, Preprocess


@register("random-resnet18")
def random_resnet18(**options: object) -> EncoderSpec:
    """ResNet-18 with random weights."""
    return timm_spec(
        "resnet18.tv_in1k", name="random-resnet18", family="control", dim=512, licence="none needed",
        preprocess=imagenet_input(224, 0.875, "bilinear"), pretraining="none", options=options, control=True,
    )  # fmt: skip


@register("random-resnet50")
def random_resnet50(**options: object) -> EncoderSpec:
    """ResNet-50 with random weights."""
    return timm_spec(
        "resnet50.tv_in1k", name="random-resnet50", family="control", dim=2048, licence="none needed",
        preprocess=imagenet_input(224, 0.875, "bilinear"), pretraining="none", options=options, control=True,
    )  # fmt: skip


@register("random-vit-small")
def random_vit_small(**options: object) -> EncoderSpec:
    """ViT-S/16 with random weights."""
    return timm_spec(
        "vit_small_patch16_224.augreg_in21k", name="random-vit-small", family="control", dim=384,
        preprocess=Preprocess(224, "crop", 0.9, "bicubic", HALF, HALF), licence="none needed",
        pretraining="none", options=options, kind="vit", patch=16, control=True,
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
