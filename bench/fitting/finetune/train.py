"""One training: a copy of a network learns from some labelled images and answers for others.

    z_i = (f(x_i) - mean) / scale          mean and scale of the frozen vectors of the n labelled images, then fixed
    minimise over f, W, b                  (1/B) sum_i -log softmax(W z_i + b)[y_i]      over batches of B images

W and b start as the logistic regression on the frozen z_i, see `bench.fitting.finetune.recipe`. The bits depend on the
arguments and the machine alone: one thread, deterministic kernels, and random numbers keyed by names.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from bench.fitting.finetune.recipe import Recipe
from bench.heads.logreg import fit_linear, rule
from bench.heads.support import Support
from bench.seeds import keyed_uniform
from bench.solvers.learning_rate import rate_at
from bench.work.threads import torch_threads

if TYPE_CHECKING:
    import torch

ORIENTATIONS = 8
AT_ONCE = 64  # images that pass through the network without a gradient


class Network(Protocol):
    """What is trained; see `encoders.trainable.Trainable`."""

    @property
    def module(self) -> Any:
        """Float32 (B, 3, S, S) to (B, d), in evaluation mode; it is copied and stays as it is."""

    @property
    def prepare(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """Pixels uint8 (B, S, S, 3) to the input of the module."""

    @property
    def last(self) -> frozenset[str]:
        """The names of the parameters of the last layers."""


def fine_tune(
    network: Network,
    pixels: np.ndarray,
    y: np.ndarray,
    n_classes: int,
    *,
    recipe: Recipe,
    last: bool,
    key: Sequence[object],
    names: Sequence[str],
    device: str = "cpu",
) -> Callable[[np.ndarray], np.ndarray]:
    """Train a copy of a network on pixels uint8 (n, S, S, 3) with labels y (n,) in [0, K).

    last: whether only the last layers learn. key, names (n,): what the random numbers of the images are keyed by.
    Returns what maps pixels (N, S, S, 3) to probabilities float64 (N, K); those of a class without labels are 0.
    """
    import torch

    with _one_way(device):
        module = copy.deepcopy(network.module).to(device)
        trained = [own for name, own in module.named_parameters() if not last or name in network.last]
        for own in trained:
            own.requires_grad_(True)

        def vectors(some: np.ndarray) -> torch.Tensor:
            return module(network.prepare(torch.from_numpy(some).to(device)))

        frozen = _in_parts(vectors, pixels)
        mean = frozen.mean(0)
        scale = float(np.sqrt(np.square(frozen - mean).sum(1).mean())) or 1.0
        probe = _probe((frozen - mean) / scale, y, n_classes)
        W, b, centre, missing = (torch.from_numpy(part).to(device) for part in (*probe, mean.astype(np.float32),
                                                                                 _missing(y, n_classes)))  # fmt: skip
        for own in (W, b):
            own.requires_grad_(True)

        def scores(some: np.ndarray) -> torch.Tensor:
            S = ((vectors(some) - centre) / scale) @ W.T + b  # (B, K)
            return S.masked_fill(missing, -torch.inf)

        steps, target = recipe.steps(len(y)), torch.from_numpy(y.astype(np.int64)).to(device)
        optimiser = torch.optim.AdamW(
            [{"params": trained, "lr": recipe.rate, "weight_decay": recipe.decay},
             {"params": [W, b], "lr": recipe.head_rate, "weight_decay": 0.0}], foreach=False,
        )  # fmt: skip
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate_at(step, steps, recipe.warmup))
        for rows, turns in _batches(key, names, steps, min(recipe.batch, len(y))):
            shown = np.stack([_turned(pixels[row], turn) for row, turn in zip(rows, turns, strict=True)])
            loss = torch.nn.functional.cross_entropy(scores(shown), target[rows])
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_([*trained, W, b], recipe.clip, foreach=False)
            optimiser.step()
            schedule.step()

    def answer(some: np.ndarray) -> np.ndarray:
        with _one_way(device):
            return _in_parts(lambda part: scores(part).double().softmax(1), some)

    return answer


def _probe(Z: np.ndarray, y: np.ndarray, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return W (K, d) and b (K,), float32, of the logistic regression on Z (n, d) at its published setting.

    Those of a class without labels are 0.
    """
    n, d = Z.shape
    fit = fit_linear(Support(Z.astype(np.float32), Z[:1]), y, n_classes, rule(n, n_classes, d)["l2"])
    return fit.W.astype(np.float32), np.where(np.isfinite(fit.b), fit.b, 0).astype(np.float32)


def _missing(y: np.ndarray, n_classes: int) -> np.ndarray:
    """Return which classes have no label, bool (K,)."""
    return ~np.isin(np.arange(n_classes), y)


def _in_parts(function: Callable[[np.ndarray], torch.Tensor], pixels: np.ndarray) -> np.ndarray:
    """Return what a function makes of pixels (N, S, S, 3), float64 (N, ...), some at a time and without gradients."""
    import torch

    with torch.no_grad():
        parts = [function(np.array(pixels[i : i + AT_ONCE])) for i in range(0, len(pixels), AT_ONCE)]
        return torch.cat(parts).double().cpu().numpy()


def _batches(key: Sequence[object], names: Sequence[str], steps: int, batch: int) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield (rows, orientations) of every step: pass after pass over the images, each in an order of its own."""
    own = [f"{name}#{i}" for i, name in enumerate(names)]  # an image may stand for two labels
    passes = range(-(-steps * batch // len(own)))
    rows = np.concatenate([np.argsort(keyed_uniform((*key, "order", e), own), kind="stable") for e in passes])
    turns = np.stack([(ORIENTATIONS * keyed_uniform((*key, "turn", e), own)).astype(int) for e in passes])
    turns = turns[np.arange(len(rows)) // len(own), rows]
    for at in range(0, steps * batch, batch):
        yield rows[at : at + batch], turns[at : at + batch]


def _turned(image: np.ndarray, orientation: int) -> np.ndarray:
    """Return an image (S, S, 3) in one of its eight orientations."""
    side = image if orientation < ORIENTATIONS // 2 else image[:, ::-1]
    return np.rot90(side, orientation % (ORIENTATIONS // 2))


@contextmanager
def _one_way(device: str) -> Iterator[None]:
    """Let torch compute with one thread and with kernels that give the same bits again; set back at the end."""
    import torch

    if device != "cpu":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    strict = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with torch_threads(1):
            yield
    finally:
        torch.use_deterministic_algorithms(strict)
