"""Networks pretrained without labels, from timm."""

from __future__ import annotations

from .networks import imagenet_input, timm_spec
from .registry import register
from .spec import EncoderSpec


@register("dino")
def dino(**options: object) -> EncoderSpec:
    """DINO ViT-S/16 (Caron et al. 2021), class token."""
    return timm_spec(
        "vit_small_patch16_224.dino", name="dino", family="self-supervised", dim=384,
        preprocess=imagenet_input(224, 0.9), licence="Apache-2.0",
        pretraining="ImageNet-1k images, no labels", options=options, kind="vit", patch=16,
    )  # fmt: skip


@register("dinov2-small")
def dinov2_small(**options: object) -> EncoderSpec:
    """DINOv2 ViT-S/14 with registers (Darcet et al. 2024), class token; 224 px (timm: 518)."""
    return timm_spec(
        "vit_small_patch14_reg4_dinov2.lvd142m", name="dinov2-small", family="self-supervised", dim=384,
        preprocess=imagenet_input(224, 1.0), licence="Apache-2.0", pretraining="LVD-142M images, no labels",
        options=options, kind="vit", patch=14,
    )  # fmt: skip
