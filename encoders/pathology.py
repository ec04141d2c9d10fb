"""Networks pretrained on tiles of tissue slides, most of them behind a licence to be accepted on the hub.

None can be compared with a library here: architecture and input are those that published code gives timm to load
it, and `checked` says so. Weights that do not fit the architecture, key by key, are refused.
"""

from __future__ import annotations

import json

from .catalogue import enter
from .networks import HALF, Network, clip_input, declared_architecture, imagenet_input
from .spec import Preprocess

CARD = "declared: published code that loads it with timm (github.com/mahmoodlab/TRIDENT)"
PORT = "declared: published architecture and normalisation, the whole tile as input; a port to timm by 1aurent"
OPEN_CLIP = "declared: refused when loaded unless the repository's open_clip_config.json says the same"
WHOLE, BICUBIC = imagenet_input(224, 1.0, "bilinear"), imagenet_input(224, 1.0)
KAIKO = Preprocess(224, "crop", 1.0, "bilinear", HALF, HALF)
LUNIT = Preprocess(
    224, "crop", 1.0, "bilinear", (0.70322989, 0.53606487, 0.66096631), (0.21716536, 0.26081574, 0.20723464)
)
H_OPTIMUS = Preprocess(224, "crop", 1.0, "bilinear", (0.707223, 0.578729, 0.703617), (0.211883, 0.230117, 0.177517))
NC, ND = "CC-BY-NC-4.0", "CC-BY-NC-ND-4.0"
TCGA = "TCGA slides, no labels"

UNI = declared_architecture("vit_large_patch16_224", init_values=1e-5)
UNI2 = declared_architecture(
    "vit_giant_patch14_224", patch_size=14, depth=24, num_heads=24, init_values=1e-5, embed_dim=1536,
    mlp_ratio=2.66667 * 2, no_embed_class=True, mlp_layer="SwiGLUPacked", act_layer="silu", reg_tokens=8,
)  # fmt: skip
VIRCHOW = {"init_values": 1e-5, "mlp_ratio": 5.3375, "mlp_layer": "SwiGLUPacked", "act_layer": "silu"}
GIGAPATH = declared_architecture("vit_giant_patch14_dinov2", patch_size=16, mlp_ratio=5.33334)
QUILTNET = {"embed_dim": 512, "vision_cfg": {"image_size": 224, "layers": 12, "width": 768, "patch_size": 32}}


def kaiko(name: str, letter: str, patch: int, dim: int, params: float) -> Network:
    """Return the row of one of the vision transformers of kaiko; name: its architecture in timm."""
    return Network(
        f"kaiko-vit{letter}{patch}", f"hf-hub:1aurent/{name}.kaiko_ai_towards_large_pathology_fms", dim, params, KAIKO,
        "kaiko-non-commercial", TCGA, f"kaiko ViT-{letter.upper()}/{patch} (Aben et al. 2024), class token", "vit",
        patch, architecture=declared_architecture(name), checked=PORT,
    )  # fmt: skip


enter(
    "pathology",
    Network("uni", "hf-hub:MahmoodLab/UNI", 1024, 303.4, WHOLE, ND, "Mass-100K slides, no labels",
            "UNI ViT-L/16 (Chen et al. 2024), class token", "vit", 16, gated=True, architecture=UNI, checked=CARD),
    Network("uni2-h", "hf-hub:MahmoodLab/UNI2-h", 1536, 681.4, WHOLE, ND, "350,000 H&E and IHC slides, no labels",
            "UNI 2 ViT-H/14 with registers (Chen et al. 2024), class token", "vit", 14, gated=True, architecture=UNI2,
            checked=CARD),
    Network("virchow", "hf-hub:paige-ai/Virchow", 2560, 631.2, BICUBIC, "Apache-2.0", "1.5 million slides, no labels",
            "Virchow ViT-H/14 (Vorontsov et al. 2024), class token and mean of the patches", "vit-both", 14,
            gated=True, architecture=declared_architecture("vit_huge_patch14_224", **VIRCHOW), checked=CARD),
    Network("virchow2", "hf-hub:paige-ai/Virchow2", 2560, 631.2, BICUBIC, ND, "3.1 million slides, no labels",
            "Virchow2 ViT-H/14 with registers (Zimmermann et al. 2024), class token and mean of the patches",
            "vit-both", 14, gated=True,
            architecture=declared_architecture("vit_huge_patch14_224", reg_tokens=4, **VIRCHOW), checked=CARD),
    Network("h-optimus-0", "hf-hub:bioptimus/H-optimus-0", 1536, 1134.8, H_OPTIMUS, "Apache-2.0",
            "500,000 H&E slides, no labels", "H-optimus-0 ViT-g/14 with registers (Saillard et al. 2024), class token",
            "vit", 14, gated=True, architecture=declared_architecture("vit_giant_patch14_reg4_dinov2"), checked=CARD),
    Network("h-optimus-1", "hf-hub:bioptimus/H-optimus-1", 1536, 1134.8, H_OPTIMUS, ND,
            "1 million H&E slides, no labels", "H-optimus-1 ViT-g/14 with registers (Bioptimus 2025), class token",
            "vit", 14, gated=True, architecture=declared_architecture("vit_giant_patch14_reg4_dinov2"), checked=CARD),
    Network("gigapath", "hf-hub:prov-gigapath/prov-gigapath", 1536, 1135.0, imagenet_input(224, 0.875), "Apache-2.0",
            "171,000 slides, no labels", "Tile encoder of Prov-GigaPath, ViT-g/16 (Xu et al. 2024), class token",
            "vit", 16, gated=True, architecture=GIGAPATH, checked=CARD),
    Network("phikon", "hf-hub:1aurent/vit_base_patch16_224.owkin_pancancer", 768, 85.8, WHOLE, "owkin-non-commercial",
            TCGA, "Phikon ViT-B/16, iBOT on 16 cancers (Filiot et al. 2023), class token", "vit", 16,
            architecture=declared_architecture("vit_base_patch16_224"), checked=PORT),
    kaiko("vit_small_patch16_224", "s", 16, 384, 21.7), kaiko("vit_small_patch8_224", "s", 8, 384, 21.7),
    kaiko("vit_base_patch16_224", "b", 16, 768, 85.8), kaiko("vit_base_patch8_224", "b", 8, 768, 85.8),
    kaiko("vit_large_patch14_reg4_dinov2", "l", 14, 1024, 303.2),
    Network("lunit-dino-s16", "hf-hub:1aurent/vit_small_patch16_224.lunit_dino", 384, 21.7, LUNIT,
            "lunit-non-commercial", TCGA, "DINO ViT-S/16 on tissue (Kang et al. 2023), class token", "vit", 16,
            architecture=declared_architecture("vit_small_patch16_224"), checked=PORT),
    Network("lunit-dino-s8", "hf-hub:1aurent/vit_small_patch8_224.lunit_dino", 384, 21.7, LUNIT,
            "lunit-non-commercial", TCGA, "DINO ViT-S/8 on tissue (Kang et al. 2023), class token", "vit", 8,
            architecture=declared_architecture("vit_small_patch8_224"), checked=PORT),
    Network("quiltnet-b32", "open_clip-hub:wisdomik/QuiltNet-B-32", 512, 87.8, clip_input(224), "unknown",
            "Quilt-1M tissue images with captions", "QuiltNet ViT-B/32 (Ikezogwo et al. 2023)", "fixed", 32,
            architecture=json.dumps(QUILTNET), checked=OPEN_CLIP),
)  # fmt: skip
