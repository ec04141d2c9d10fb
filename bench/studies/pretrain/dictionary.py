"""Learning the words of a patch dictionary: patches drawn, whitened, and gathered around K directions.

k-means on the sphere with damped updates (Coates and Ng 2012, "Learning feature representations with k-means", section
3): a patch belongs to the word that it has the largest product with, of either sign, and moves it by that product.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from bench.errors import BenchError
from bench.studies.pretrain.crops import Crops
from bench.studies.pretrain.method import Learned, Ready, Tools
from encoders import Preprocess
from encoders.dictionary import FLOOR

ROUNDS = 12
WHITENING = 0.1  # added to the eigenvalues of patches of variance 1: what is fainter is noise
AT_ONCE = 8192  # patches multiplied at a time


@dataclass(frozen=True, kw_only=True)
class DictionarySettings:
    """words K; patch P in pixels; grid G and threshold, see `encoders.dictionary`; patches that are drawn; seed."""

    words: int = 400
    patch: int = 6
    grid: int = 1
    threshold: float = 1.0
    patches: int = 200_000
    seed: int = 0


def prepare_dictionary(settings: DictionarySettings, size: int, color: str) -> Ready:
    """Return what learns a dictionary; BenchError for patches that an input has no place for."""
    if not settings.patch + settings.grid - 1 <= size:
        raise BenchError(
            f"Got patches of {settings.patch} px for an input of {size} px; expected smaller ones. Give a smaller "
            "--patch or --grid."
        )
    return Ready(policy=Preprocess(size, "squash", 1.0, "bilinear", color=color), learn=partial(_learned, settings))


def _learned(settings: DictionarySettings, crops: Crops, tools: Tools) -> Learned:
    with threadpool_limits(1):  # or sums, and so bits, depend on the threads
        tensors, figures = learn_dictionary(crops.pixels, settings, tools.on_progress)
    parts = "all of the image" if settings.grid == 1 else f"{settings.grid} x {settings.grid} parts of the image"
    return Learned(
        kind="dictionary", tensors=tensors, dim=2 * settings.words * settings.grid**2, figures=figures,
        settings={name: getattr(settings, name) for name in ("words", "patch", "grid", "threshold")},
        what="A dictionary of patches (Coates, Ng and Lee 2011): every part of an image is compared with each of "
        f"{settings.words} small patches that were found in the images below, and how much it is like them is averaged "
        f"over {parts}.",
        facts=(
            f"Of a whitened patch the nearest word explains {100 * figures['explained']:.0f}% on average; "
            f"{100 * figures['unused']:.0f}% of the words have no patch of their own.",
        ),
        made={"seed": settings.seed, "patches": settings.patches},
    )  # fmt: skip


def draw_patches(pixels: np.ndarray, size: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return patches float32 (count, 3 P^2), channels first, values 0 to 1, from anywhere in uint8 (n, S, S, 3)."""
    n, S = pixels.shape[:2]
    image = rng.integers(0, n, count)
    top, left = rng.integers(0, S - size + 1, (2, count))
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (size, size), axis=(1, 2))  # (n, ., ., 3, P, P)
    return windows[image, top, left].reshape(count, -1).astype(np.float32) / 255


def level(patches: np.ndarray) -> np.ndarray:
    """Return patches (N, p) without their means, divided by their deviations as the encoder does."""
    centred = patches - patches.mean(1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(1, keepdims=True) + np.float32(FLOOR))


def learn_dictionary(
    pixels: np.ndarray, settings: DictionarySettings, on_progress: Callable[[str, int, int], None] | None = None
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Return the encoder's tensors, weight (K, 3, P, P) and bias (K,), and figures of what was learned.

    pixels: uint8 (n, S, S, 3). The figures: see `learn_words`.
    """
    rng = np.random.default_rng(settings.seed)
    X = level(draw_patches(pixels, settings.patch, settings.patches, rng))
    M, bias, figures = learn_words(X, settings.words, rng, on_progress)
    P = settings.patch
    return {"weight": M.reshape(-1, 3, P, P), "bias": bias}, figures


def learn_words(
    X: np.ndarray, count: int, rng: np.random.Generator, on_progress: Callable[[str, int, int], None] | None = None
) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """Return M (count, p) and bias (count,), with M x + bias the products of the words with a patch x, and figures.

    X: patches without their means, see `level`, float32 (N, p). The figures: the mean largest product of a whitened
    patch with a word, as a share of the patch's length, and the share of words that no patch belongs to.
    """
    mean = X.mean(0)
    values, axes = np.linalg.eigh(np.cov((X - mean).T.astype(np.float64)))
    whitening = ((axes / np.sqrt(np.maximum(values, 0) + WHITENING)) @ axes.T).astype(np.float32)
    Z = (X - mean) @ whitening
    words = rng.standard_normal((count, Z.shape[1])).astype(np.float32)
    words /= np.linalg.norm(words, axis=1, keepdims=True)
    nearest, product = np.zeros(len(Z), int), np.zeros(len(Z), np.float32)
    for done in range(ROUNDS):
        for start in range(0, len(Z), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            products = Z[part] @ words.T
            nearest[part] = np.abs(products).argmax(1)
            product[part] = np.take_along_axis(products, nearest[part, None], 1)[:, 0]
        order = np.argsort(nearest, kind="stable")
        starts = np.searchsorted(nearest[order], np.arange(count))
        moved = np.add.reduceat(np.vstack([Z[order] * product[order, None], np.zeros_like(Z[:1])]), starts)
        moved[np.bincount(nearest, minlength=count) == 0] = 0  # where reduceat gives the next row
        words = words + moved
        words /= np.linalg.norm(words, axis=1, keepdims=True)
        if on_progress:
            on_progress("learn words", done + 1, ROUNDS)
    M = words @ whitening
    bias = -(M @ mean)
    M -= M.mean(1, keepdims=True)  # patches have no mean: no product changes, and the encoder need not take it away
    explained = float(np.abs(product).sum() / np.linalg.norm(Z, axis=1).sum())
    unused = float((np.bincount(nearest, minlength=count) == 0).mean())
    return M, bias, {"explained": explained, "unused": unused}
