"""The text towers of open_clip: class names in words instead of labels.

A text tower is built and given its weights together with the image tower of the same spec, so the two never come
from different files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .encode import check_finite
from .errors import EncoderError
from .open_clip_models import load_model
from .spec import EncoderSpec
from .weights import quiet, state_digest

BATCH = 64


@dataclass(frozen=True)
class TextEncoder:
    """A text tower ready to use.

    encode: n texts to float32 (n, d), not normalised, of the length of the image vectors.
    logit_scale, logit_bias: of a cosine between an image and a text; the bias is None but for SigLIP, whose
        scores are independent sigmoids instead of a softmax.
    weights_digest: of the image tower it was loaded with, as `LoadedEncoder` has it.
    """

    encode: Callable[[Sequence[str]], np.ndarray]
    logit_scale: float
    logit_bias: float | None
    weights_digest: str


def has_text_tower(spec: EncoderSpec) -> bool:
    """Return whether an encoder has a text tower whose vectors can be compared with its image vectors."""
    return spec.source.startswith("open_clip:") and not spec.preprocess.channels.startswith("each")


def text_encoder(spec: EncoderSpec) -> TextEncoder:
    """Load the text tower of a spec; EncoderError when it or its tokenizer cannot be had."""
    if not has_text_tower(spec):
        raise EncoderError(f"Got encoder '{spec.name}', which has no text tower; expected one of open_clip.")
    import torch

    tokenizer = _tokenizer(spec)
    model = load_model(spec).eval().requires_grad_(False)

    def encode(texts: Sequence[str]) -> np.ndarray:
        vectors = np.empty((len(texts), spec.dim), np.float32)
        for start in range(0, len(texts), BATCH):
            block = list(texts[start : start + BATCH])
            with torch.inference_mode():
                out = model.encode_text(_tokens(tokenizer, block)).float()  # (B, d)
            if out.shape[1] != spec.dim:
                raise EncoderError(
                    f"Encoder '{spec.name}' declares dim={spec.dim}; its text tower gave {out.shape[1]}."
                )
            vectors[start : start + len(block)] = out.numpy()
        check_finite(vectors, spec.name)
        return vectors

    bias = getattr(model, "logit_bias", None)
    return TextEncoder(
        encode,
        float(model.logit_scale.exp()),
        None if bias is None else float(bias),
        state_digest(model.visual.state_dict()),
    )


def _tokenizer(spec: EncoderSpec) -> Any:
    with quiet():
        import open_clip

        try:
            return open_clip.get_tokenizer(spec.source.removeprefix("open_clip:").partition("/")[0])
        except Exception as error:
            raise EncoderError(
                f"The tokenizer of the text tower of '{spec.name}' cannot be had ({type(error).__name__}: "
                f"{str(error).strip().splitlines()[0][:160]}). It comes from the Hugging Face hub and needs the "
                "package transformers; a CLIP with open_clip's own tokenizer, such as clip-vit-b16, needs neither."
            ) from None


def _tokens(tokenizer: Any, texts: list[str]) -> Any:
    """Return int64 (n, context length); a text that would be cut short is refused, as far as it can be told."""
    length = getattr(tokenizer, "context_length", None) or 0
    for text in texts if hasattr(tokenizer, "encode") and length else ():
        count = len(tokenizer.encode(text)) + 2  # its start and end
        if count > length:
            raise EncoderError(f"Got a prompt of {count} tokens, '{text[:60]}...'; expected at most {length}.")
    return tokenizer(texts)
