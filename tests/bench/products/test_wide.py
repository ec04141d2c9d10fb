"""Products with very many rows are made in parts of a size that is fixed, so that the same rows give the same bits.

Whether a part has the bits that it has within the whole is up to the library and the processor, and nothing rests on it.
"""

from __future__ import annotations

import numpy as np
import pytest

from bench.products import backend, rows
from bench.products.backend import NUMPY, fast_products

PART = 256


@pytest.mark.parametrize("size", [1, 2**20])  # by numpy, by torch
@pytest.mark.parametrize("turned", [False, True])
def test_columns_of_a_factor_in_parts_are_the_products_of_these_parts(size, turned, monkeypatch):
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((3, 4, 96), np.float32), rng.standard_normal((96, 1000), np.float32)
    order = np.asfortranarray if turned else np.ascontiguousarray
    B = order(B)
    with fast_products(NUMPY, size) as on:
        parts = [on.product(A, order(B[:, j : j + PART])) for j in range(0, 1000, PART)]
        whole = on.product(A, B)
        monkeypatch.setattr(backend, "WIDE", PART)
        found = on.product(A, B)
    assert np.array_equal(found, np.concatenate(parts, axis=-1))
    assert np.allclose(found, whole, atol=1e-4) and np.allclose(whole, A @ B, atol=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_in_parts_are_the_products_of_these_parts(dtype, monkeypatch):
    rng = np.random.default_rng(1)
    X, W = rng.standard_normal((1000, 96), np.float32), rng.standard_normal((96, 12))
    parts = [rows.product(X[i : i + PART], W, dtype=dtype) for i in range(0, 1000, PART)]
    whole = rows.product(X, W, dtype=dtype)
    monkeypatch.setattr(rows, "WIDE", PART)
    found = rows.product(X, W, dtype=dtype)
    assert np.array_equal(found, np.concatenate(parts))
    assert found.dtype == dtype and found.flags.f_contiguous
    assert np.allclose(found, whole, atol=1e-3) and np.allclose(whole, X @ W, atol=1e-3)
