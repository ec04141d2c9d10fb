"""Products with very many rows are made in parts, and nobody can tell."""

from __future__ import annotations

import numpy as np
import pytest

from bench.products import backend, rows
from bench.products.backend import NUMPY, fast_products


@pytest.mark.parametrize("size", [1, 2**20])  # by numpy, by torch
@pytest.mark.parametrize("turned", [False, True])
def test_columns_of_a_factor_in_parts_give_the_bits_of_all_at_once(size, turned, monkeypatch):
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((3, 4, 96), np.float32), rng.standard_normal((96, 1000), np.float32)
    B = np.asfortranarray(B) if turned else B
    with fast_products(NUMPY, size) as on:
        whole = on.product(A, B)
        monkeypatch.setattr(backend, "WIDE", 256)
        assert np.array_equal(on.product(A, B), whole)
    assert np.allclose(whole, A @ B, atol=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_in_parts_give_the_bits_of_all_at_once(dtype, monkeypatch):
    rng = np.random.default_rng(1)
    X, W = rng.standard_normal((1000, 96), np.float32), rng.standard_normal((96, 12))
    whole = rows.product(X, W, dtype=dtype)
    monkeypatch.setattr(rows, "WIDE", 256)
    assert np.array_equal(rows.product(X, W, dtype=dtype), whole)
    assert whole.dtype == dtype and whole.flags.f_contiguous
    assert np.allclose(whole, X @ W, atol=1e-3)
