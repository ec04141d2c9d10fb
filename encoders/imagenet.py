"""Networks pretrained with the labels of ImageNet, from timm."""

from __future__ import annotations

from .networks import HALF, imagenet_input, timm_spec
from .registry import register
from .spec import EncoderSpec, Preprocess


@register("resnet18")
def resnet18(**options: object) -> EncoderSpec:
    """ResNet-18 (He et al. 2016), torchvision's first weights."""
    return timm_spec(
        "resnet18.tv_in1k", name="resnet18", family="imagenet", dim=512,
        preprocess=imagenet_input(224, 0.875, "bilinear"), licence="BSD-3-Clause", pretraining="ImageNet-1k",
        options=options,
    )  # fmt: skip


@register("resnet50")
def resnet50(**options: object) -> EncoderSpec:
    """ResNet-50 (He et al. 2016), torchvision's first weights."""
    return timm_spec(
        "resnet50.tv_in1k", name="resnet50", family="imagenet", dim=2048,
        preprocess=imagenet_input(224, 0.875, "bilinear"), licence="BSD-3-Clause", pretraining="ImageNet-1k",
        options=options,
    )  # fmt: skip


@register("convnext-tiny")
def convnext_tiny(**options: object) -> EncoderSpec:
    """ConvNeXt-T (Liu et al. 2022)."""
    return timm_spec(
        "convnext_tiny.fb_in22k", name="convnext-tiny", family="imagenet", dim=768,
        preprocess=imagenet_input(224, 0.875), licence="Apache-2.0", pretraining="ImageNet-22k",
        options=options,
    )  # fmt: skip


@register("vit-small")
def vit_small(**options: object) -> EncoderSpec:
    """ViT-S/16 with strong augmentation (Steiner et al. 2022)."""
    return timm_spec(
        "vit_small_patch16_224.augreg_in21k", name="vit-small", family="imagenet", dim=384,
        preprocess=Preprocess(224, "crop", 0.9, "bicubic", HALF, HALF), licence="Apache-2.0",
        pretraining="ImageNet-21k", options=options, kind="vit", patch=16,
    )  # fmt: skip


@register("mobilenetv2")
def mobilenetv2(**options: object) -> EncoderSpec:
    """MobileNetV2 (Sandler et al. 2018), small and fast."""
    return timm_spec(
        "mobilenetv2_100.ra_in1k", name="mobilenetv2", family="imagenet", dim=1280,
        preprocess=imagenet_input(224, 0.875), licence="Apache-2.0", pretraining="ImageNet-1k",
        options=options,
    )  # fmt: skip
