"""Hidden patches, filled in: a masked autoencoder of a transformer, and its like for a CNN.

A transformer sees the patches that are not hidden and nothing else, and a small decoder fills in the others (He et
al. 2022, "Masked autoencoders are scalable vision learners"; 75% hidden). A CNN cannot leave patches out. It sees a
learned colour in their place, and one linear layer on its map of features fills them in (Xie et al. 2022, "SimMIM";
60% hidden).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.errors import BenchError
from bench.studies.pretrain.ssl import losses
from bench.studies.pretrain.ssl.backbones import Backbone
from bench.studies.pretrain.ssl.shares import Share

if TYPE_CHECKING:
    import torch

HIDDEN = {"transformer": 0.75, "cnn": 0.6}  # shares of the patches
WIDTH, DEPTH, HEADS = 128, 2, 4  # of a transformer's decoder
ACROSS = 8  # hidden squares along a side, for a CNN


def pool_for_masks(backbone: Backbone) -> str:
    """Return what a vector is made of: what fills in is not the class token, nor layers after the map of features."""
    return "mean" if backbone.is_transformer else "map"


def add_decoder(parts: Any, backbone: Backbone, size: int) -> None:
    """Add what fills in: "decoder", and for a transformer its place in "keep"."""
    (_add_for_transformer if backbone.is_transformer else _add_for_cnn)(parts, backbone.model, size)


def masked_loss(parts: Any, x: torch.Tensor, draws: torch.Generator, share: Share) -> torch.Tensor:
    """Return the error of what is filled in for hidden patches of a batch, of which this process has x (b, 3, S, S).

    Of every image as many patches are hidden, so that the mean over the batch is that of the means over its shares.
    """
    return share.mean((_transformer_loss if "tokens" in parts else _cnn_loss)(parts, x, draws, share))


def hidden_ranks(N: int, draws: torch.Generator, share: Share) -> torch.Tensor:
    """Return a random order of N patches for each of the B images of a share, (B, N): the first ones are seen."""
    import torch

    return share.own(torch.rand(share.of, N, generator=draws)).argsort(1)


def to_patches(x: torch.Tensor, P: int) -> torch.Tensor:
    """Return x (B, 3, S, S) as patches (B, N, 3 P^2), row by row."""
    B, C, S, _ = x.shape
    cut = x.reshape(B, C, S // P, P, S // P, P).permute(0, 2, 4, 1, 3, 5)
    return cut.reshape(B, (S // P) ** 2, C * P * P)


# --- a transformer -------------------------------------------------------------------------------------------------


def _add_for_transformer(parts: Any, model: Any, size: int) -> None:
    import torch
    from timm.models.vision_transformer import Block

    P, d = model.patch_embed.patch_size[0], model.embed_dim
    N = (size // P) ** 2
    parts["tokens"] = torch.nn.ParameterDict(
        {"hidden": torch.zeros(1, 1, WIDTH), "places": 0.02 * torch.randn(1, N, WIDTH)}
    )
    parts["inward"] = torch.nn.Linear(d, WIDTH)
    parts["decoder"] = torch.nn.Sequential(
        *(Block(WIDTH, HEADS) for _ in range(DEPTH)), torch.nn.LayerNorm(WIDTH), torch.nn.Linear(WIDTH, 3 * P * P)
    )


def _transformer_loss(parts: Any, x: torch.Tensor, draws: torch.Generator, share: Share) -> torch.Tensor:
    import torch

    model = getattr(parts["vectors"], "model", parts["vectors"])
    P, prefix = model.patch_embed.patch_size[0], model.num_prefix_tokens
    B, N = len(x), parts["tokens"]["places"].shape[1]
    seen = max(1, round(N * (1 - HIDDEN["transformer"])))
    order = hidden_ranks(N, draws, share).to(x.device)
    z = parts["inward"](_only(model, x, order[:, :seen], prefix)[:, prefix:])  # (B, seen, WIDTH)
    back = order.argsort(1)  # (B, N): where each patch is in the order
    every = torch.cat([z, parts["tokens"]["hidden"].to(z.dtype).expand(B, N - seen, WIDTH)], 1)
    every = every.gather(1, back[:, :, None].expand(B, N, WIDTH)) + parts["tokens"]["places"]
    return losses.masked_patches(parts["decoder"](every), to_patches(x, P), (back >= seen).float())


def _only(model: Any, x: torch.Tensor, seen: torch.Tensor, prefix: int) -> torch.Tensor:
    """Return the tokens of a transformer that is shown these patches alone. seen: (B, n), places of patches.

    timm's networks have a layer `patch_drop` behind the positions, which is empty unless patches are dropped by chance.
    A hook in its place keeps the chosen ones, so that every other part is timm's own.
    """
    import torch

    def keep(layer: Any, given: tuple[torch.Tensor, ...], out: torch.Tensor) -> torch.Tensor:
        tokens = given[0]
        index = (seen + prefix)[:, :, None].expand(-1, -1, tokens.shape[2])
        return torch.cat([tokens[:, :prefix], tokens.gather(1, index)], 1)

    handle = model.patch_drop.register_forward_hook(keep)
    try:
        found: torch.Tensor = model.forward_features(x)
        return found
    finally:
        handle.remove()


# --- a CNN ---------------------------------------------------------------------------------------------------------


def _add_for_cnn(parts: Any, model: Any, size: int) -> None:
    import torch

    with torch.inference_mode():
        features = model.eval().forward_features(torch.zeros(2, 3, size, size))
    if features.ndim != 4 or features.shape[1] != model.num_features:
        raise BenchError(
            f"Got --method mae with a {type(model).__name__}; expected a vision transformer of timm's, as "
            "timm:vit_tiny_patch16_224, or a CNN. Give another --backbone."
        )
    stride = -(-size // features.shape[-1])
    parts["paint"] = torch.nn.ParameterDict({"hidden": torch.zeros(1, 3, 1, 1)})
    parts["decoder"] = torch.nn.Sequential(
        torch.nn.Conv2d(features.shape[1], 3 * stride**2, 1), torch.nn.PixelShuffle(stride)
    )


def _cnn_loss(parts: Any, x: torch.Tensor, draws: torch.Generator, share: Share) -> torch.Tensor:
    from torch.nn.functional import interpolate

    B, S = len(x), x.shape[-1]
    order = hidden_ranks(ACROSS**2, draws, share).argsort(1)
    hidden = (order >= round(ACROSS**2 * (1 - HIDDEN["cnn"]))).float().reshape(B, 1, ACROSS, ACROSS).to(x.device)
    hidden = interpolate(hidden, size=(S, S), mode="nearest")  # (B, 1, S, S)
    model = parts["vectors"].model
    shown = x * (1 - hidden) + parts["paint"]["hidden"] * hidden
    return losses.masked_pixels(parts["decoder"](model.forward_features(shown))[:, :, :S, :S], x, hidden)
