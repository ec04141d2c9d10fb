"""The one schedule by which every network is fine-tuned, and the names that it goes by among the heads.

    finetune        all layers
    finetune-last   the last quarter of the layers; those before stay as they are

It is fixed: nothing is chosen on the labels, nothing stops early, and nothing was tuned on the data of this project.

- A linear head comes first, fitted by logistic regression on the frozen vectors of the draw, and the network is trained
  from there (LP-FT, Kumar et al. 2022, https://arxiv.org/abs/2202.10054). A head that starts from nothing sends large
  and random gradients into the network before it has learned anything, and with few images the network does not recover
  what these distort. So a training that changes nothing is the linear probe, and the two differ by the training alone.
- AdamW; the rate rises over the first tenth of the steps and falls to 0 along a cosine.
- The number of steps grows with the root of the number of labelled images n.
- Every image is seen in one of its eight orientations, drawn anew in each pass. That is all augmentation there is:
  under a microscope no side is up, while scale and colour are signal.
- Batch normalisation keeps the statistics of the pretrained network, and dropout is off: a mean and a variance of few
  and alike images are noise, and they would be others in training than in testing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

#: Head name -> whether only the last layers are trained.
KINDS = {"finetune": False, "finetune-last": True}
VERSION = 4  # raised when the same schedule would give other numbers


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is fixed of a training. rate, head_rate: the highest learning rates of the network and of its head.

    decay: weight decay of the network. clip: the largest norm of a gradient. batch: images of a step at most. per_root:
    steps for every root of an image, at least `fewest` and at most `most`. warmup: the share of steps in which the rate
    rises.
    """

    rate: float = 1e-4
    head_rate: float = 1e-3
    decay: float = 0.01
    clip: float = 1.0
    batch: int = 16
    per_root: int = 10
    fewest: int = 20
    most: int = 200
    warmup: float = 0.1

    def steps(self, n: int) -> int:
        """Return how many steps are made on n images.

        >>> [Recipe().steps(n) for n in (2, 20, 100, 1000)]
        [20, 45, 100, 200]
        """
        return min(self.most, max(self.fewest, round(self.per_root * math.sqrt(n))))


RECIPE = Recipe()


def identity_of(kind: str) -> list[Any]:
    """Return what names the training in the name of a unit, as the name, version and settings of a head do."""
    return [kind, VERSION, [asdict(RECIPE)]]


def split_heads(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return (heads on frozen vectors, kinds of fine-tuning) of what was asked for as heads, each once."""
    distinct = tuple(dict.fromkeys(names))
    return tuple(name for name in distinct if name not in KINDS), tuple(name for name in distinct if name in KINDS)
