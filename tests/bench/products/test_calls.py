"""Calls that round every row alike: what is found for libraries that do and for ones that do not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.products.calls import Layout, find_layout, in_calls, telling, telling_triangle


def exact(A, factor, out):
    """Sum one number after the other, whatever the call."""
    out[:] = sum((A[:, [j]] * factor[j] for j in range(len(factor))), np.zeros((len(A), 1), A.dtype))


def by_place(A, factor, out):
    """Sum the last two rows of every eight from the other end."""
    exact(A, factor, out)
    odd = np.arange(len(A)) % 8 > 5
    exact(A[odd][:, ::-1], factor[::-1], reversed_rows := np.empty_like(out[odd]))
    out[odd] = reversed_rows


def by_size(A, factor, out):
    """Sum the last column of calls of fewer than ten rows from the other end."""
    exact(A, factor, out)
    if len(A) < 10:
        exact(A[:, ::-1], factor[::-1, -1:], out[:, -1:])


def found(apply, K=3, together=8):
    return find_layout(apply, lambda: telling(30, 17), K, together)


def test_every_size_is_taken_where_all_round_alike():
    assert found(exact) == Layout(24, (3, 6, 9, 12, 16, 24, 32))


def test_places_that_differ_leave_the_calls_that_avoid_them():
    assert found(by_place) == Layout(6, (3, 6))
    assert found(by_place, K=7) == Layout(7, (7,))


def test_small_calls_that_differ_are_filled_up():
    layout = found(by_size)
    assert layout == Layout(24, (12, 16, 24, 32))
    A, factor = np.random.default_rng(1).standard_normal((3, 30), np.float32), np.ones((30, 17), np.float32)
    whole = np.empty((24, 17), np.float32)
    by_size(np.tile(A, (8, 1)), factor, whole)
    assert np.array_equal(in_calls(by_size, A, factor, layout), whole[:3])


@pytest.mark.parametrize("c", [1, 17, 65])
def test_one_column_summed_in_another_order_is_noticed(c):
    def odd(A, factor, out):
        exact(A, factor, out)
        if len(A) < 16:
            exact(A[:, ::-1], factor[::-1, :1], out[:, :1])

    assert min(find_layout(odd, lambda: telling(9, c), 1, 32).sizes) == 16


@settings(max_examples=20)
@given(st.integers(1, 60), st.integers(1, 4), st.integers(1, 90), st.integers(1, 70))
def test_a_row_has_the_same_bits_in_any_company(n, K, r, c):
    rng = np.random.default_rng(n)
    A, factor = rng.normal(size=(n * K, r)), rng.normal(size=(r, c))

    def multiply(A, B, out):
        np.matmul(A, B, out=out)

    layout = find_layout(multiply, lambda: telling(r, c, np.float64), K, 8)
    whole = in_calls(multiply, A, factor, layout)
    np.testing.assert_allclose(whole, A @ factor, atol=1e-12)
    for at in {0, n // 2, n - 1}:
        rows = slice(at * K, (at + 1) * K)
        assert np.array_equal(in_calls(multiply, A[rows], factor, layout), whole[rows])


@pytest.mark.parametrize("r", [1, 2, 40, 300])
def test_triangles_that_tell_do_not_let_numbers_grow(r):
    for row, L in telling_triangle(r):
        assert np.array_equal(L, np.tril(L))
        assert np.abs(np.linalg.solve(L.T, np.linalg.solve(L, row.T))).max() < 1e4 * np.abs(row).max()
