"""Prepared images kept as bytes, so that further encoders, or a GPU, need not decode them again.

    <root>/<policy>/<chunk>.safetensors   pixels uint8 (n, V, S, S, 3), instance uint8 (n, 16), and their checksum

A policy is what happens before normalising, so encoders of one input size mostly share it. A chunk is named by
its instances; one that is absent or damaged is decoded again. 150 kB an instance at 224 px.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import load, save

from bench.embeddings.store import to_names, to_rows
from bench.seeds import content_name
from bench.storage.atomic import write_atomically
from bench.storage.shards import shard_name
from bench.storage.verified import EMPTY_SEAL, KEY, read_sealed, seal
from encoders import Preprocess

FORMAT = "cell-classifier pixels 2"  # raised when the same policy would give other bytes


class PixelCache:
    """Prepared images below one folder. Safe for several threads and processes."""

    def __init__(self, root: Path, *, keep: bool) -> None:
        self.root = root
        self.keep = keep  # whether what is decoded is kept; what is there is used in any case

    def read(self, policy: Preprocess, instances: Sequence[str]) -> dict[str, np.ndarray]:
        """Return instance -> uint8 (V, S, S, 3) of a chunk; empty where it is not kept, or not sound."""
        path = self._path(policy, instances)
        data = read_sealed(path, _name(path))
        if data is None:
            return {}
        tensors = load(data)
        return dict(zip(to_names(tensors["instance"]), tensors["pixels"], strict=True))

    def write(self, policy: Preprocess, instances: Sequence[str], prepared: dict[str, np.ndarray]) -> None:
        """Keep what was decoded of a chunk, if asked to and of one shape; native sizes are not kept."""
        if not self.keep or policy.size is None or len({views.shape for views in prepared.values()}) != 1:
            return
        tensors = {"pixels": np.stack(list(prepared.values())), "instance": to_rows(list(prepared))}
        path = self._path(policy, instances)
        write_atomically(path, seal(save(tensors, metadata={KEY: EMPTY_SEAL}), _name(path)))

    def _path(self, policy: Preprocess, instances: Sequence[str]) -> Path:
        what = {name: value for name, value in policy.identity().items() if name not in ("mean", "std")}
        return self.root / content_name([FORMAT, what]) / f"{shard_name(to_rows(instances))}.safetensors"


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"
