"""What a head gives for one label vector and setting is the same to the bit beside any others; for every head."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from bench.heads import Head, Params, all_heads
from bench.heads.contract import Scored
from bench.heads.support import Support

FUNCTIONS = [
    pytest.param(head, function, id=f"{head.name}-{kind}")
    for head in all_heads().values()
    for kind, function in (("scores", head.scores), ("loo", head.loo))
    if function is not None
]
SHAPES = {"n<d": lambda K: (3 * K, 64), "n near d": lambda K: (33 + K, 32 + K), "n>d": lambda K: (160, 12)}
M = 9


def draw(n: int, d: int, K: int) -> tuple[Support, np.ndarray]:
    """Return a support of unit rows and M label vectors: clean, ever noisier, and at last without one class."""
    rng = np.random.default_rng(n + d)
    means, y = rng.normal(size=(K, d)), np.arange(n) % K
    X, X_test = (0.7 * means[labels] + rng.normal(size=(len(labels), d)) for labels in (y, np.arange(17) % K))
    u, wrong = rng.random(n), rng.integers(0, K, n)
    Y = [np.where(u < rate, wrong, y) for rate in np.linspace(0, 0.8, M - 1)]
    rows = [(A / np.linalg.norm(A, axis=1, keepdims=True)).astype(np.float32) for A in (X, X_test)]
    return Support(*rows), np.stack([*Y, np.where(y == K - 1, 0, y)])


def settings_of(head: Head) -> list[Params]:
    """Return the published settings, boosted for an eighth of the rounds."""
    grid = list(head.grid) or [head.default]
    return [{**g, "rounds": g["rounds"] // 8} if "rounds" in g else g for g in grid]


def assert_same_bits(one: Scored, other: Scored) -> None:
    for name, values in one._asdict().items():
        wanted = getattr(other, name)
        if values is None:
            assert wanted is None
        else:
            assert values.dtype == wanted.dtype and values.tobytes() == wanted.tobytes(), name


def part(scored: Scored, rows: Sequence[int] | slice, columns: Sequence[int] | slice) -> Scored:
    """Return what was scored for some label vectors and settings."""
    return Scored(*(None if array is None else array[rows][:, columns] for array in scored))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("K", [2, 3, 4, 8])
@pytest.mark.parametrize(("head", "function"), FUNCTIONS)
def test_a_fit_is_the_same_to_the_bit_in_any_batch_of_labels_and_settings(
    head: Head, function: Callable[..., Scored], K: int, shape: str
):
    support, Y = draw(*SHAPES[shape](K), K)
    grid = settings_of(head)

    def score(rows: slice, columns: Sequence[int]) -> Scored:
        fresh = Support(support.X, support.X_test)  # nothing that an earlier call has left behind
        return function(fresh, Y[rows], K, [grid[i] for i in columns])

    everything = list(range(len(grid)))
    whole = score(slice(None), everything)
    assert whole.P.dtype in (np.float32, np.float64)
    for m in (1, 2, 5):
        last = slice(M - m, M)
        assert_same_bits(score(last, everything), part(whole, last, slice(None)))
    backwards = everything[::-1]
    assert_same_bits(score(slice(None), backwards), part(whole, slice(None), backwards))
    for i in {0, len(grid) // 2, len(grid) - 1}:
        assert_same_bits(score(slice(0, 1), [i]), part(whole, slice(0, 1), [i]))
        assert_same_bits(score(slice(None), [i]), part(whole, slice(None), [i]))


@pytest.mark.parametrize(("head", "function"), FUNCTIONS)
def test_the_order_of_the_label_vectors_and_a_second_call_on_the_same_support_change_nothing(
    head: Head, function: Callable[..., Scored]
):
    support, Y = draw(24, 40, 3)
    grid = settings_of(head)[:2]
    first = function(support, Y, 3, grid)
    assert_same_bits(function(support, Y, 3, grid), first)
    order = np.random.default_rng(0).permutation(M)
    assert_same_bits(function(support, Y[order], 3, grid), part(first, order, slice(None)))
