"""Zero-shot classification: images compared with class names in words, no labels (Radford et al. 2021, 3.1.4).

The image vectors are those in the store; a text tower gives the vectors of the prompts. Each encoder is one unit
of the ledger with 0 shots, scored on the same tested rows as every other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from bench.errors import BenchError
from bench.fitting.plan import Sweep
from bench.fitting.prompts import Prompts
from bench.fitting.views import Embedded
from bench.heads.contract import softmax
from bench.runs.blocks import FitBlock
from bench.runs.predictions import Predictions, read_unit, write_unit

HEAD = "zero-shot"
VERSION = 1  # raised when the same prompts would give other numbers


class TextTower(Protocol):
    """What turns prompts into vectors that image vectors can be compared with."""

    @property
    def encode(self) -> Callable[[Sequence[str]], np.ndarray]:
        """n texts to float32 (n, d)."""

    @property
    def logit_scale(self) -> float:
        """What a cosine is multiplied with."""

    @property
    def logit_bias(self) -> float | None:
        """What is added then, of towers trained with independent sigmoids (SigLIP); else None."""


def class_vectors(texts: Sequence[np.ndarray]) -> np.ndarray:
    """Return (K, d), rows of length 1: per class the mean of its prompts (P_k, d), each first made of length 1."""
    return _unit(np.stack([_unit(rows.astype(np.float64)).mean(0) for rows in texts]))


def zero_shot_scores(X: np.ndarray, classes: np.ndarray, scale: float, bias: float | None) -> np.ndarray:
    """Return probabilities (N, K) of image vectors X (N, d) for class vectors (K, d) of length 1.

    Softmax of scale x cosine. With a bias, of a tower trained on independent yes-or-no questions (SigLIP):
    sigmoid(scale x cosine + bias) divided by its sum over the classes, as one of them is right.
    """
    logits = scale * (_unit(X.astype(np.float64)) @ classes.T)
    # In logarithms, as the sigmoids may all be too small for their sum.
    return softmax(logits if bias is None else -np.logaddexp(0, -(logits + bias)))


@dataclass(frozen=True, kw_only=True)
class ZeroShot:
    """Makes one block per encoder that reads words, from its stored vectors and the words for the classes.

    keys: encoder -> variant key. embedded: its vectors. load: its name to its text tower.
    """

    keys: Mapping[str, str]
    embedded: Mapping[str, Embedded]
    prompts: Prompts
    load: Callable[[str], TextTower]

    def plan(self, sweep: Sweep) -> tuple[FitBlock, ...]:
        """Return one block per encoder."""
        return plan_zero_shot(sweep, self.keys, self.prompts)

    def make(self, sweep: Sweep, blocks: Sequence[FitBlock], run: Path) -> tuple[int, int]:
        """Make the blocks that have no output yet; returns (reused, made)."""
        todo = [block for block in blocks if read_unit(run, block) is None]
        for block in todo:
            write_unit(run, block, self._scores(sweep, block.encoder))
        return len(blocks) - len(todo), len(todo)

    def _scores(self, sweep: Sweep, encoder: str) -> Predictions:
        tower = self.load(encoder)
        vectors = class_vectors([tower.encode(self.prompts[name]) for name in sweep.classes])
        X = self.embedded[encoder].X[sweep.plan.test_rows()]
        P = zero_shot_scores(X, vectors, tower.logit_scale, tower.logit_bias).astype(np.float16)
        if not np.isfinite(P).all():
            raise BenchError(f"The text tower of '{encoder}' gave scores that are not finite; check its weights.")
        wrong = np.zeros((1, 1, P.shape[-1]), np.float32)  # no label that could be wrong
        return Predictions(P[None, None], wrong, np.zeros(1, np.float32))


def plan_zero_shot(sweep: Sweep, keys: Mapping[str, str], prompts: Prompts) -> tuple[FitBlock, ...]:
    """Return one block per encoder. keys: encoder -> variant key."""
    made_of = {
        "data": sweep.data, "rule": sweep.plan.rule, "head": [HEAD, VERSION],
        "prompts": [[name, list(texts)] for name, texts in prompts.items()],
    }  # fmt: skip
    return tuple(
        FitBlock(
            encoder=name, head=HEAD, level=None, draws=1, rates=(0.0,), noise_kind="none", selection="prompts",
            made_of={**made_of, "encoder": key},
        )
        for name, key in keys.items()
    )  # fmt: skip


def _unit(X: np.ndarray) -> np.ndarray:
    norm = np.linalg.norm(X, axis=-1, keepdims=True)
    return X / np.where(norm > 0, norm, 1)
