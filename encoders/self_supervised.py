"""Networks pretrained without labels, from timm."""

from __future__ import annotations

from .catalogue import enter
from .networks import Network, imagenet_input
from .open_clip_models import CLIP_MEAN, CLIP_STD
from .spec import Preprocess

DINO, DINOV2, DINOV3 = imagenet_input(224, 0.9), imagenet_input(224, 1.0), imagenet_input(256, 1.0)
IN1K, LVD142M, LVD1689M = (f"{images} images, no labels" for images in ("ImageNet-1k", "LVD-142M", "LVD-1689M"))
REGISTERS = "with registers (Darcet et al. 2024), class token; 224 px (timm: 518)"

enter(
    "self-supervised",
    Network("dino", "timm:vit_small_patch16_224.dino", 384, 21.7, DINO, "Apache-2.0", IN1K,
            "DINO ViT-S/16 (Caron et al. 2021), class token", "vit", 16),
    Network("dino-base", "timm:vit_base_patch16_224.dino", 768, 85.8, DINO, "Apache-2.0", IN1K,
            "DINO ViT-B/16 (Caron et al. 2021), class token", "vit", 16),
    Network("dinov2-small", "timm:vit_small_patch14_reg4_dinov2.lvd142m", 384, 21.6, DINOV2, "Apache-2.0", LVD142M,
            f"DINOv2 ViT-S/14 {REGISTERS}", "vit", 14),
    Network("dinov2-base", "timm:vit_base_patch14_reg4_dinov2.lvd142m", 768, 85.7, DINOV2, "Apache-2.0", LVD142M,
            f"DINOv2 ViT-B/14 {REGISTERS}", "vit", 14),
    Network("dinov2-large", "timm:vit_large_patch14_reg4_dinov2.lvd142m", 1024, 303.2, DINOV2, "Apache-2.0", LVD142M,
            f"DINOv2 ViT-L/14 {REGISTERS}", "vit", 14),
    Network("dinov2-giant", "timm:vit_giant_patch14_reg4_dinov2.lvd142m", 1536, 1134.8, DINOV2, "Apache-2.0",
            LVD142M, f"DINOv2 ViT-g/14 {REGISTERS}", "vit", 14),
    Network("dinov3-small", "timm:vit_small_patch16_dinov3.lvd1689m", 384, 21.6, DINOV3, "dinov3-license", LVD1689M,
            "DINOv3 ViT-S/16 (Simeoni et al. 2025), mean of the patches; the class token: pool=cls", "vit", 16),
    Network("dinov3-base", "timm:vit_base_patch16_dinov3.lvd1689m", 768, 85.6, DINOV3, "dinov3-license", LVD1689M,
            "DINOv3 ViT-B/16 (Simeoni et al. 2025), mean of the patches; the class token: pool=cls", "vit", 16),
    Network("dinov3-large", "timm:vit_large_patch16_dinov3.lvd1689m", 1024, 303.1, DINOV3, "dinov3-license", LVD1689M,
            "DINOv3 ViT-L/16 (Simeoni et al. 2025), mean of the patches; the class token: pool=cls", "vit", 16),
    Network("dinov3-convnext-tiny", "timm:convnext_tiny.dinov3_lvd1689m", 768, 27.8, DINOV2, "dinov3-license",
            LVD1689M, "ConvNeXt-T distilled from DINOv3 (Simeoni et al. 2025)"),
    Network("dinov3-convnext-base", "timm:convnext_base.dinov3_lvd1689m", 1024, 87.6, DINOV2, "dinov3-license",
            LVD1689M, "ConvNeXt-B distilled from DINOv3 (Simeoni et al. 2025)"),
    Network("mae-base", "timm:vit_base_patch16_224.mae", 768, 85.8, DINO, "CC-BY-NC-4.0", IN1K,
            "Masked autoencoder ViT-B/16 (He et al. 2022), class token", "vit", 16),
    Network("mae-large", "timm:vit_large_patch16_224.mae", 1024, 303.3, DINO, "CC-BY-NC-4.0", IN1K,
            "Masked autoencoder ViT-L/16 (He et al. 2022), class token", "vit", 16),
    Network("hiera-base", "timm:hiera_base_224.mae", 768, 50.8, DINO, "CC-BY-NC-4.0", IN1K,
            "Hiera-B, a hierarchical masked autoencoder (Ryali et al. 2023)", "fixed", 32),
    Network("convnextv2-tiny", "timm:convnextv2_tiny.fcmae", 768, 27.9, imagenet_input(224, 0.875), "CC-BY-NC-4.0",
            IN1K, "ConvNeXt V2-T, a convolutional masked autoencoder (Woo et al. 2023)"),
    Network("eva02-base", "timm:eva02_base_patch14_224.mim_in22k", 768, 85.8,
            Preprocess(224, "crop", 0.9, "bicubic", CLIP_MEAN, CLIP_STD), "MIT", "ImageNet-22k images, no labels",
            "EVA-02 ViT-B/14, taught by a CLIP model (Fang et al. 2024), mean of the patches", "vit", 14),
    Network("aimv2-large", "timm:aimv2_large_patch14_224.apple_pt", 1024, 309.2,
            Preprocess(224, "crop", 1.0, "bicubic", CLIP_MEAN, CLIP_STD), "apple-ascl",
            "DFN-2B and other image-caption pairs", "AIMv2 ViT-L/14 (Fini et al. 2025), mean of the patches",
            "tokens", 14),
    Network("sam-base", "timm:samvit_base_patch16.sa1b", 256, 89.7, imagenet_input(1024, 1.0), "Apache-2.0",
            "SA-1B images with masks", "Image encoder of Segment Anything ViT-B (Kirillov et al. 2023), 1024 px: slow",
            "fixed", 16),
)  # fmt: skip
