"""What a network learned on from weights that are elsewhere: the differences alone, eight bits each, in a small file.

A tensor of more than one axis is w + s * q, with q int8 and s float32 for each entry of its first axis, so that the
error is at most 1/254 of the largest difference in a channel; norms and biases keep float32. Tensors that did not
change are left out. The file comes with this package and is checked by digest, as the weights are that it is added to.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import EncoderError
from .weights import file_sha256, mismatch

if TYPE_CHECKING:
    import torch

FOLDER = Path(__file__).parent / "learned"
SCALE = "#scale"  # after the name of a tensor: what its eight bits are multiplied by
STEPS = 127  # either side of 0


def write_delta(path: Path, before: Mapping[str, torch.Tensor], after: Mapping[str, torch.Tensor]) -> None:
    """Write what leads from some tensors to others of the same names and shapes."""
    from safetensors.torch import save

    made: dict[str, torch.Tensor] = {}
    for name in sorted(after):
        difference = after[name].float() - before[name].float()
        if not difference.any():
            continue
        if difference.ndim == 1:
            made[name] = difference
            continue
        scale = difference.flatten(1).abs().amax(1) / STEPS
        each = scale.view(-1, *[1] * (difference.ndim - 1))
        made[name] = (difference / each.clamp_min(1e-30)).round().clamp(-STEPS, STEPS).char()
        made[name + SCALE] = scale
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(save({name: tensor.contiguous() for name, tensor in made.items()}))


def with_delta(state: Mapping[str, torch.Tensor], delta: str, name: str) -> dict[str, torch.Tensor]:
    """Return tensors with the differences of a file added.

    delta: "NAME sha256:..." of a file in `FOLDER`. name: of the encoder, for messages. Raises EncoderError where the
    file is missing or another, or does not fit.
    """
    from safetensors.torch import load_file

    file, _, digest = delta.partition(" ")
    path = FOLDER / f"{file}.safetensors"
    if not path.is_file() or f"sha256:{file_sha256(path)}" != digest:
        raise EncoderError(
            f"Got {path}, which is missing or is not what encoder '{name}' was made with ({digest[:15]}...); install "
            "this program again."
        )
    learned = load_file(path)
    out = dict(state)
    wrong = [own for own in learned if own.removesuffix(SCALE) not in out]
    for own, difference in learned.items():
        if own.endswith(SCALE) or own in wrong:
            continue
        if difference.shape != out[own].shape:
            wrong.append(own)
            continue
        if own + SCALE in learned:
            difference = difference.float() * learned[own + SCALE].view(-1, *[1] * (difference.ndim - 1))
        out[own] = out[own] + difference
    if wrong:
        raise mismatch(name, wrong, str(path))
    return out
