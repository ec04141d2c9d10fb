"""Networks pretrained on images of cells, organisms and the biomedical literature.

None can be compared with a library here: each row says where its claims are from. Weights of another architecture
are refused when they are loaded, and so is an open_clip repository whose own configuration says otherwise.
"""

from __future__ import annotations

import json

from .catalogue import enter
from .networks import Network, clip_input, declared_architecture, imagenet_input

DINOV2 = imagenet_input(224, 1.0)
OPEN_CLIP = "declared: refused when loaded unless the repository's open_clip_config.json says the same"
REDDINO = "declared: the authors' export to timm (github.com/Snarci/RedDino)"
DINOBLOOM = "declared: the authors' evaluation code (github.com/marrlab/DinoBloom)"
#: The authors' code is Apache-2.0, the configuration saved with the weights says CC-BY-NC-4.0.
REDDINO_LICENCE = "Apache-2.0 or CC-BY-NC-4.0"
ZENODO = "file:https://zenodo.org/records/10908163/files/DinoBloom-"
RED, BLOOD = "red blood cells, smears", "13 datasets of white cells, blood and marrow smears"
#: Without quick_gelu: which activation a fine-tuned OpenAI network needs is read from its repository.
VIT_B16 = {"image_size": 224, "layers": 12, "width": 768, "patch_size": 16}
TIMM_B16 = {
    "timm_model_name": "vit_base_patch16_224", "timm_model_pretrained": False, "timm_pool": "",
    "timm_proj": "linear", "image_size": 224,
}  # fmt: skip


def reddino(size: str, dim: int, params: float) -> Network:
    """Return the row of one size of RedDino."""
    return Network(
        f"reddino-{size}", f"hf-hub:Snarcy/RedDino-{size}", dim, params, DINOV2, REDDINO_LICENCE, RED,
        f"RedDino, DINOv2 ViT-{size[0].upper()}/14 on red blood cells (Zedda et al. 2025), class token", "vit", 14,
        architecture=declared_architecture(f"vit_{size}_patch14_dinov2"), checked=REDDINO,
    )  # fmt: skip


def dinobloom(letter: str, size: str, dim: int, params: float) -> Network:
    """Return the row of one size of DinoBloom."""
    return Network(
        f"dinobloom-{letter.lower()}", f"{ZENODO}{letter}.pth", dim, params, imagenet_input(224, 1.0, "bilinear"),
        "unknown", BLOOD,
        f"DinoBloom, DINOv2 ViT-{letter}/14 on blood and marrow (Koch et al. 2024), class token", "vit", 14,
        architecture=declared_architecture(f"vit_{size}_patch14_dinov2"), checked=DINOBLOOM,
    )  # fmt: skip


enter(
    "microscopy",
    Network("biomedclip", "open_clip-hub:microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224", 512, 86.2,
            clip_input(224), "MIT", "PMC-15M figures with captions",
            "BiomedCLIP ViT-B/16 (Zhang et al. 2025), figures of the biomedical literature", "fixed", 16,
            architecture=json.dumps({"embed_dim": 512, "vision_cfg": TIMM_B16}), checked=OPEN_CLIP),
    Network("bioclip", "open_clip-hub:imageomics/bioclip", 512, 86.2, clip_input(224), "MIT",
            "TreeOfLife-10M photographs with taxa", "BioCLIP ViT-B/16 (Stevens et al. 2024), plants, animals and fungi",
            "fixed", 16, architecture=json.dumps({"embed_dim": 512, "vision_cfg": VIT_B16}), checked=OPEN_CLIP),
    reddino("small", 384, 21.6), reddino("base", 768, 85.7), reddino("large", 1024, 303.2),
    dinobloom("S", "small", 384, 21.6), dinobloom("B", "base", 768, 85.7),
    dinobloom("L", "large", 1024, 303.2), dinobloom("G", "giant", 1536, 1134.8),
)  # fmt: skip
