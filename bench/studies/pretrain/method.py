"""What a way of learning an encoder is: settings, something ready to learn, and what was learned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.studies.pretrain.crops import Crops, Labelled
from encoders import Preprocess

OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What a method has learned.

    kind, settings, tensors: as `encoders.checkpoint` writes them. dim: numbers per instance. what: what the encoder is,
    as one sentence or a few of its model card. facts: lines of the card on how the learning went. figures: the same as
    numbers. made: what of the settings the encoder could not be made again without. notes: what went wrong, for the
    user and the card.
    """

    kind: str
    settings: Mapping[str, Any]
    tensors: Mapping[str, np.ndarray]
    dim: int
    what: str
    facts: tuple[str, ...]
    figures: Mapping[str, float]
    made: Mapping[str, Any]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What learning may use. workers: threads. device: as --device, several by commas. state: a folder for what a
    training that is killed goes on from; whoever writes the encoder removes it. data: digest of the images. labelled:
    to watch it with."""

    workers: int = 1
    device: str = "auto"
    state: Path = field(default_factory=lambda: Path("pretrain.training"))
    data: str = ""
    labelled: Labelled | None = None
    on_progress: OnProgress | None = None


@dataclass(frozen=True, kw_only=True)
class Ready:
    """Settings that have been checked. policy: how images become inputs. learn: what is done with them."""

    policy: Preprocess
    learn: Callable[[Crops, Tools], Learned]


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way of learning. settings: their class. prepare: settings, size and colour of the input to `Ready`; raises
    BenchError for what cannot be, before an image is read. network: whether it learns a network, on a GPU where there
    is one, which labelled images can be watched with."""  # fmt: skip

    settings: type
    prepare: Callable[[Any, int, str], Ready]
    network: bool = False
