"""Image towers trained against captions, from open_clip, after their projection."""

from __future__ import annotations

from .networks import CLIP_MEAN, CLIP_STD, open_clip_spec
from .registry import register
from .spec import EncoderSpec, Preprocess


@register("clip-vit-b16")
def clip_vit_b16(**options: object) -> EncoderSpec:
    """CLIP ViT-B/16 (Radford et al. 2021) with the QuickGELU its weights need."""
    return open_clip_spec(
        "ViT-B-16-quickgelu/openai", name="clip-vit-b16", dim=512,
        preprocess=Preprocess(224, "crop", 1.0, "bicubic", CLIP_MEAN, CLIP_STD), licence="MIT",
        pretraining="WIT-400M image-caption pairs", hub="timm/vit_base_patch16_clip_224.openai",
        options=options, patch=16,
    )  # fmt: skip
