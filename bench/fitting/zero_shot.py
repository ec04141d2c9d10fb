"""Zero-shot classification: images compared with class names in words, no labels (Radford et al. 2021, 3.1.4).

The image vectors are those in the store; a text tower gives the vectors of the prompts. Each encoder is one unit
of the ledger with 0 shots, scored on the same tested rows as every other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from bench.data.content import data_name
from bench.errors import BenchError
from bench.fitting.prompts import Prompts
from bench.fitting.sweep import Embedded, Sweep
from bench.heads.contract import softmax
from bench.runs.ledger import FitBlock, Predictions, read_unit, write_unit

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


def plan_zero_shot(sweep: Sweep, encoders: Mapping[str, str], prompts: Prompts) -> tuple[FitBlock, ...]:
    """Return one unit per encoder. encoders: name -> variant key."""
    identity = {
        "data": data_name(sweep.table, sweep.classes),
        "rule": sweep.plan.rule,
        "head": [HEAD, VERSION],
        "selection": "prompts",
        "prompts": [[name, list(texts)] for name, texts in prompts.items()],
    }
    return tuple(
        FitBlock(name, HEAD, 0, 1, (0.0,), "none", {**identity, "encoder": key}) for name, key in encoders.items()
    )


def run_zero_shot(
    sweep: Sweep,
    units: Sequence[FitBlock],
    embedded: Mapping[str, Embedded],
    prompts: Prompts,
    load: Callable[[str], TextTower],
    run: Path,
) -> tuple[int, int]:
    """Do the units that have no output yet; returns (reused, made). load: encoder name to its text tower."""
    todo = [unit for unit in units if read_unit(run, unit) is None]
    tested = sweep.plan.test_rows()
    for unit in todo:
        tower = load(unit.encoder)
        vectors = class_vectors([tower.encode(prompts[name]) for name in sweep.classes])
        X = embedded[unit.encoder].X[tested]
        P = zero_shot_scores(X, vectors, tower.logit_scale, tower.logit_bias).astype(np.float16)
        if not np.isfinite(P).all():
            raise BenchError(f"The text tower of '{unit.encoder}' gave scores that are not finite; check its weights.")
        right = np.zeros((1, 1, P.shape[-1]), np.float32)  # no label that could be wrong
        write_unit(run, unit, Predictions(P[None, None], right, np.zeros(1, np.float32)))
    return len(units) - len(todo), len(todo)


def _unit(X: np.ndarray) -> np.ndarray:
    norm = np.linalg.norm(X, axis=-1, keepdims=True)
    return X / np.where(norm > 0, norm, 1)
