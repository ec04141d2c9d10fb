"""Image towers trained against captions, from open_clip, after their projection.

Two rows of one network differ in their weights alone, so that an effect of the training images can be seen.
"""

from __future__ import annotations

from .catalogue import enter
from .networks import HALF, Network, clip_input
from .spec import Preprocess

USUAL = clip_input(224)
SIGLIP = Preprocess(224, "squash", 1.0, "bicubic", HALF, HALF)
MOBILE = Preprocess(256, "crop", 1.0, "bilinear")
LAION2B = "LAION-2B image-caption pairs"

enter(
    "clip",
    Network("clip-vit-b16", "open_clip:ViT-B-16-quickgelu/openai", 512, 86.2, USUAL, "MIT",
            "WIT-400M image-caption pairs", "CLIP ViT-B/16 (Radford et al. 2021) with the QuickGELU its weights need",
            "fixed", 16, "timm/vit_base_patch16_clip_224.openai"),
    Network("clip-vit-l14", "open_clip:ViT-L-14-quickgelu/openai", 768, 304.0, USUAL, "MIT",
            "WIT-400M image-caption pairs", "CLIP ViT-L/14 (Radford et al. 2021) with the QuickGELU its weights need",
            "fixed", 14, "timm/vit_large_patch14_clip_224.openai"),
    Network("clip-vit-b16-laion2b", "open_clip:ViT-B-16/laion2b_s34b_b88k", 512, 86.2, USUAL, "MIT", LAION2B,
            "OpenCLIP ViT-B/16 (Cherti et al. 2023)", "fixed", 16, "laion/CLIP-ViT-B-16-laion2B-s34B-b88K"),
    Network("clip-vit-b16-datacomp", "open_clip:ViT-B-16/datacomp_xl_s13b_b90k", 512, 86.2, USUAL, "MIT",
            "DataComp-1B image-caption pairs", "ViT-B/16 of DataComp (Gadre et al. 2023)", "fixed", 16,
            "laion/CLIP-ViT-B-16-DataComp.XL-s13B-b90K"),
    Network("clip-vit-b16-metaclip", "open_clip:ViT-B-16-quickgelu/metaclip_fullcc", 512, 86.2, USUAL, "CC-BY-NC-4.0",
            "MetaCLIP-2.5B image-caption pairs", "MetaCLIP ViT-B/16 (Xu et al. 2024)", "fixed", 16,
            "timm/vit_base_patch16_clip_224.metaclip_2pt5b"),
    Network("clip-vit-b16-dfn2b", "open_clip:ViT-B-16-quickgelu/dfn2b", 512, 86.2, USUAL, "apple-ascl",
            "DFN-2B image-caption pairs", "ViT-B/16 of Data Filtering Networks (Fang et al. 2024)", "fixed", 16,
            "apple/DFN2B-CLIP-ViT-B-16"),
    Network("clip-vit-h14-laion2b", "open_clip:ViT-H-14/laion2b_s32b_b79k", 1024, 632.1, USUAL, "MIT", LAION2B,
            "OpenCLIP ViT-H/14 (Cherti et al. 2023)", "fixed", 14, "laion/CLIP-ViT-H-14-laion2B-s32B-b79K"),
    Network("siglip2-b16", "open_clip:ViT-B-16-SigLIP2/webli", 768, 92.9, SIGLIP, "Apache-2.0",
            "WebLI image-caption pairs", "SigLIP 2 ViT-B/16 (Tschannen et al. 2025); the crop is squashed to a square",
            "fixed", 16, "timm/ViT-B-16-SigLIP2"),
    Network("siglip2-so400m", "open_clip:ViT-SO400M-14-SigLIP2/webli", 1152, 427.7, SIGLIP, "Apache-2.0",
            "WebLI image-caption pairs", "SigLIP 2 SO400M/14 (Tschannen et al. 2025); the crop is squashed to a square",
            "fixed", 14, "timm/ViT-SO400M-14-SigLIP2"),
    Network("mobileclip2-s0", "open_clip:MobileCLIP2-S0/dfndr2b", 512, 11.4, MOBILE, "apple-amlr",
            "DFNDR-2B image-caption pairs", "MobileCLIP2-S0 (Faghri et al. 2025), small and fast", "fixed", 32,
            "timm/MobileCLIP2-S0-OpenCLIP"),
    Network("mobileclip2-s2", "open_clip:MobileCLIP2-S2/dfndr2b", 512, 35.8, MOBILE, "apple-amlr",
            "DFNDR-2B image-caption pairs", "MobileCLIP2-S2 (Faghri et al. 2025), small and fast", "fixed", 32,
            "timm/MobileCLIP2-S2-OpenCLIP"),
    Network("pe-core-b16", "open_clip:PE-Core-B-16/meta", 1024, 93.7,
            Preprocess(224, "squash", 1.0, "bilinear", HALF, HALF), "Apache-2.0", "5.4B image-caption pairs and video",
            "Perception Encoder core B/16 (Bolya et al. 2025); the crop is squashed to a square", "fixed", 16,
            "timm/PE-Core-B-16"),
)  # fmt: skip
