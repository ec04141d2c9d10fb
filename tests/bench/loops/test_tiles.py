"""Products in tiles: every number is summed in one order, wherever it stands, on every processor that fuses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.loops import compiling
from bench.loops.tiles import DEPTH, ROWS, WIDTH, multiply_panels, panels_of, panels_of_rows

ROOT = Path(__file__).resolve().parents[3]


def draw(n: int, r: int, c: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(n + r + c)
    return rng.standard_normal((n, r), np.float32), rng.standard_normal((r, c), np.float32)


def multiplied(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    out = np.full((len(A), B.shape[1]), np.nan, np.float32)
    multiply_panels(A, panels_of(B), out)
    return out


def in_order(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Sum chains of DEPTH terms, each rounded once as it is multiplied and added (double precision holds a product)."""
    out = np.zeros((len(A), B.shape[1]), np.float32)
    for start in range(0, len(B), DEPTH):
        chain = np.zeros_like(out)
        for k in range(start, min(start + DEPTH, len(B))):
            chain = (A[:, k, None].astype(np.float64) * B[k] + chain).astype(np.float32)
        out = out + chain if start else chain
    return out


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3 * ROWS + 7), st.integers(1, 3 * DEPTH), st.integers(1, 3 * WIDTH))
@example(ROWS, DEPTH, WIDTH)
@example(ROWS - 1, DEPTH + 1, WIDTH + 1)
@example(1, 1, 1)
def test_numbers_are_summed_in_one_order_and_nothing_is_left_out(n, r, c):
    A, B = draw(n, r, c)
    found = multiplied(A, B)
    np.testing.assert_allclose(found, A.astype(float) @ B, atol=1e-6 * r**0.5 * 8)
    if compiling.config.CPU_FEATURES is None:
        # A sum in double precision is rounded twice: once in many thousand it is another one in the last place.
        assert (found == in_order(A, B)).mean() > 0.99


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3 * ROWS + 7), st.integers(1, 2 * DEPTH), st.integers(1, 3 * WIDTH), st.integers(0, 10**6))
def test_a_number_has_the_same_bits_in_any_company(n, r, c, at):
    A, B = draw(n, r, c)
    whole, i, j = multiplied(A, B), at % n, at % c
    assert np.array_equal(multiplied(A[i:], B), whole[i:])
    assert np.array_equal(multiplied(A[i : i + 1], np.ascontiguousarray(B[:, j : j + 1])), whole[i : i + 1, j : j + 1])


@pytest.mark.parametrize(("c", "r"), [(1, 1), (WIDTH, 16), (WIDTH + 1, 17), (3 * WIDTH - 1, 40)])
def test_rows_are_laid_out_as_the_columns_that_they_are(c, r):
    B = draw(1, r, c)[1]
    panels = panels_of(B)
    assert panels.shape == (-(-c // WIDTH), r, WIDTH)
    assert np.array_equal(panels.swapaxes(1, 2).reshape(-1, r)[:c], B.T) and not panels[-1, :, c % WIDTH or WIDTH :].any()
    assert np.array_equal(panels_of_rows(np.ascontiguousarray(B.T)), panels)


def test_no_rows_are_no_products():
    assert multiplied(*draw(0, 3, 5)).shape == (0, 5)


def test_what_is_not_a_number_stays_in_its_row():
    A, B = draw(9, 30, 50)
    A[4, 7] = np.nan
    found = multiplied(A, B)
    assert np.isnan(found[4]).all() and np.isfinite(np.delete(found, 4, 0)).all()


SCRIPT = """
import hashlib, numpy as np
from bench.loops.tiles import ROWS, LANES, multiply_panels, panels_of
rng, digest = np.random.default_rng(0), hashlib.sha256()
for n, r, c in ((1, 1, 1), (5, 300, 70), (21, 700, 129), (40, 33, 200)):
    A, B, out = rng.standard_normal((n, r), np.float32), rng.standard_normal((r, c), np.float32), np.empty((n, c), np.float32)
    multiply_panels(A, panels_of(B), out)
    digest.update(out.tobytes())
print(digest.hexdigest(), LANES)
"""


@pytest.mark.slow
@pytest.mark.skipif("fma" not in Path("/proc/cpuinfo").read_text().split() if Path("/proc/cpuinfo").exists() else True,
                    reason="of a processor that fuses")  # fmt: skip
def test_bits_are_those_of_narrower_registers(tmp_path):
    def told(**more: str) -> list[str]:
        known = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(tmp_path), **more}
        done = subprocess.run([sys.executable, "-c", SCRIPT], env=known, capture_output=True, text=True, check=True)
        return done.stdout.split()

    here = told()
    haswell = told(NUMBA_CPU_NAME="haswell", NUMBA_CPU_FEATURES="+avx,+avx2,+fma,+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2")
    assert haswell == [here[0], "8"]
