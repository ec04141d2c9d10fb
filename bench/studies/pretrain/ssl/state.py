"""What a training that is killed goes on from: one sealed file in a folder beside the encoder's, whole or absent.

It is safetensors, so that nothing in it can be executed; what JSON has of it stands in its header. The folder goes
when the training is done.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError
from bench.storage.atomic import write_atomically
from bench.storage.verified import EMPTY_SEAL, KEY, read_sealed, seal
from bench.studies.pretrain.ssl.watch import Watched, read_watched

if TYPE_CHECKING:
    import torch

NAME = "state.safetensors"
PARTS, OPTIMISER = "parts.", "optimiser."  # what names of tensors begin with

#: What differs and is too long to be shown.
IN_WORDS = {
    "images": "other images", "method": "another method", "architecture": "another network",
    "weights": "other weights at first", "distils": "another encoder to learn from",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class State:
    """A training after a number of steps. losses: of those since the last row of history."""

    step: int
    history: tuple[Watched, ...]
    losses: tuple[float, ...]


def write_state(folder: Path, wanted: Mapping[str, Any], state: State, parts: Any, optimiser: Any) -> None:
    """Write how far a training is. wanted: what was asked for, which has to be the same to go on from here."""
    from safetensors.torch import save

    about = {
        "wanted": dict(wanted), "step": state.step, "losses": list(state.losses),
        "history": [row.as_json() for row in state.history], KEY: EMPTY_SEAL,
    }  # fmt: skip
    tensors = {PARTS + name: tensor for name, tensor in parts.state_dict().items()}
    for index, own in optimiser.state_dict()["state"].items():
        tensors |= {f"{OPTIMISER}{index}.{name}": tensor for name, tensor in own.items()}
    # Copies: parts may share a tensor, which safetensors would refuse.
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    data = save(plain, metadata={"about": json.dumps(about, sort_keys=True)})
    write_atomically(folder / NAME, seal(data, NAME))


def read_state(folder: Path, wanted: Mapping[str, Any], parts: Any, optimiser: Any) -> State | None:
    """Fill parts and optimiser with what was written and return it; None where nothing was, or it is damaged.

    Raises BenchError where the training is of other settings or images.
    """
    from safetensors.torch import load

    data = read_sealed(folder / NAME, NAME)
    if data is None:
        return None
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    about = json.loads(header["__metadata__"]["about"])
    other = differing(about["wanted"], wanted)
    if other:
        raise BenchError(
            f"Got {folder}, a training that was cut off after step {about['step']:,}, of {'; '.join(other)}; "
            "expected what it began with. Give the command of that time to go on from there, or remove the "
            "folder to start again."
        )
    tensors = load(data)
    parts.load_state_dict(of(PARTS, tensors))
    fill_optimiser(optimiser, of(OPTIMISER, tensors))
    return State(step=about["step"], history=tuple(map(read_watched, about["history"])), losses=tuple(about["losses"]))


def differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return "other images" or "steps 300, now 200" for each thing that is not as it was."""
    names = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    return [IN_WORDS.get(name) or f"{name} {before.get(name)}, now {now.get(name)}" for name in names]


def of(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors whose names begin so, without that."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def fill_optimiser(optimiser: Any, tensors: Mapping[str, torch.Tensor]) -> None:
    """Give an optimiser the state of its parameters, named "INDEX.WHAT"."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        index, _, what = name.partition(".")
        state.setdefault(int(index), {})[what] = tensor
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def remove_state(folder: Path) -> None:
    """Remove the folder of a training that is done, and what killed writers left in it."""
    shutil.rmtree(folder, ignore_errors=True)
