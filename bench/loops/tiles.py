"""Products of matrices in single precision in which every number is summed in one order, wherever it stands.

Chains of DEPTH fused multiplications and additions, one after the other, in any tile and any batch, on every processor
that fuses them. So nothing has to be tried out, and no row is rounded by its place. A tile of the product is kept in
registers, as in Goto and van de Geijn (2008); the factor is laid out in panels as wide as a tile.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic

from bench.loops.compiling import config, in_order

ARM = ("arm64", "aarch64")


def _shape() -> tuple[int, int, int]:
    """Return the numbers in a register, and the rows of a tile and its registers in a row: most registers hold it."""
    features = get_host_cpu_features() if config.CPU_FEATURES is None else config.CPU_FEATURES
    if "+avx512f" in features.split(","):
        return 16, 8, 3  # 24 of 32
    return (4, 8, 3) if platform.machine().lower() in ARM else (8, 6, 2)  # 12 of 16


LANES, ROWS, ACROSS = _shape()
WIDTH = LANES * ACROSS
DEPTH = 256  # terms of a chain: sums of chains are rounded less than one chain of all terms
BLOCK = 16  # rows of a factor turned at a time


def _tile_of(height: int) -> Callable[..., Any]:
    """Return what writes a tile of so many rows and WIDTH columns, for compiled loops."""

    @intrinsic  # type: ignore[untyped-decorator]
    def tile(_: Any, A: Any, B: Any, out: Any) -> Any:
        """Write the sums of `depth` terms to a place.

        A: an array and where (depth, height) numbers begin in it. B: an array, where (depth, WIDTH) numbers begin, and
        depth. out: an array, where to write, how far apart lines are, and whether to add to what is there.
        """
        return types.void(A, B, out), _write

    def _write(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        A, B, out = (cgutils.unpack_tuple(builder, one) for one in given)
        first, second, place = (
            builder.gep(context.make_array(kinds[0])(context, builder, one[0]).data, [one[1]])
            for kinds, one in zip(signature.args, (A, B, out), strict=True)
        )
        more = context.is_true(builder, signature.args[2][3], out[3])
        for m, row in enumerate(_sum_up(builder, height, first, second, B[2])):
            line = builder.gep(place, [builder.mul(out[2], out[2].type(m))])
            for v, one in enumerate(row):
                there = _vector_at(builder, line, v)
                before = builder.load(there)
                before.align = 4
                builder.store(builder.select(more, builder.fadd(before, one), one), there).align = 4
        return context.get_dummy_value()

    return tile  # type: ignore[no-any-return]


def _vector_at(builder: Any, line: Any, v: int) -> Any:
    """Return a pointer to the v-th register's numbers of a line."""
    whole = ir.VectorType(ir.FloatType(), LANES)
    return builder.bitcast(builder.gep(line, [ir.IntType(64)(v * LANES)]), whole.as_pointer())


def _sum_up(builder: Any, height: int, A: Any, B: Any, depth: Any) -> list[list[Any]]:
    """Return the sums of A' B, (height, ACROSS) registers, for pointers to A (depth, height) and B (depth, WIDTH)."""
    whole, count = ir.VectorType(ir.FloatType(), LANES), ir.IntType(64)
    fused = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(whole, [whole] * 3), f"llvm.fmuladd.v{LANES}f32"
    )
    before, loop, after = builder.block, builder.append_basic_block("terms"), builder.append_basic_block("summed")
    builder.cbranch(builder.icmp_signed(">", depth, count(0)), loop, after)
    builder.position_at_end(loop)
    k, a, b = builder.phi(count), builder.phi(A.type), builder.phi(B.type)
    sums = [[builder.phi(whole) for _ in range(ACROSS)] for _ in range(height)]
    columns = [builder.load(_vector_at(builder, b, v)) for v in range(ACROSS)]
    for column in columns:
        column.align = 4
    new = []
    for m, row in enumerate(sums):
        number = builder.load(builder.gep(a, [count(m)]))
        first = builder.insert_element(ir.Constant(whole, ir.Undefined), number, ir.IntType(32)(0))
        nowhere = ir.Constant(ir.VectorType(ir.IntType(32), LANES), None)
        spread = builder.shuffle_vector(first, ir.Constant(whole, ir.Undefined), nowhere)
        new.append([builder.call(fused, [spread, columns[v], one]) for v, one in enumerate(row)])
    following = builder.add(k, count(1)), builder.gep(a, [count(height)]), builder.gep(b, [count(WIDTH)])
    for phi, start, then in zip((k, a, b), (count(0), A, B), following, strict=True):
        phi.add_incoming(start, before)
        phi.add_incoming(then, loop)
    _come_from(sums, new, before, loop)
    builder.cbranch(builder.icmp_signed("<", following[0], depth), loop, after)
    builder.position_at_end(after)
    found = [[builder.phi(whole) for _ in range(ACROSS)] for _ in range(height)]
    _come_from(found, new, before, loop)
    return found


def _come_from(registers: list[list[Any]], new: list[list[Any]], before: Any, loop: Any) -> None:
    """Let registers be 0 where a loop was not run yet, and `new` after it."""
    for row, then_row in zip(registers, new, strict=True):
        for phi, then in zip(row, then_row, strict=True):
            phi.add_incoming(ir.Constant(then.type, None), before)
            phi.add_incoming(then, loop)


TALL, FOUR, TWO, ONE = (_tile_of(height) for height in (ROWS, 4, 2, 1))


@in_order
def panels_of(B: np.ndarray) -> np.ndarray:
    """Return B (r, c) as panels (-(-c // WIDTH), r, WIDTH), the last one filled up with zeros."""
    r, c = B.shape
    count = -(-c // WIDTH)
    panels = np.empty((count, r, WIDTH), np.float32)
    for p in range(count):
        width = min(WIDTH, c - p * WIDTH)
        for k in range(r):
            row, line = panels[p, k], B[k, p * WIDTH : p * WIDTH + width]
            for j in range(width):
                row[j] = line[j]
            for j in range(width, WIDTH):
                row[j] = np.float32(0)
    return panels


@in_order
def panels_of_rows(B: np.ndarray) -> np.ndarray:
    """Return the panels of B' for rows B (c, r)."""
    c, r = B.shape
    count = -(-c // WIDTH)
    panels = np.empty((count, r, WIDTH), np.float32)
    for p in range(count):
        width, panel = min(WIDTH, c - p * WIDTH), panels[p]
        for start in range(0, r, BLOCK):
            for j in range(width):
                row = B[p * WIDTH + j]
                for k in range(start, min(start + BLOCK, r)):
                    panel[k, j] = row[k]
        for j in range(width, WIDTH):
            for k in range(r):
                panel[k, j] = np.float32(0)
    return panels


@in_order
def height_of(left: int) -> int:
    """Return the rows of the next tile where so many are left."""
    if left >= ROWS:
        return ROWS
    return 4 if left >= 4 else 2 if left >= 2 else 1


@in_order
def write_tile(height: int, A: tuple[Any, ...], B: tuple[Any, ...], out: tuple[Any, ...]) -> None:
    """Write a tile of so many rows; see `_tile_of`."""
    if height == ROWS:
        TALL(A, B, out)
    elif height == 4:
        FOUR(A, B, out)
    elif height == 2:
        TWO(A, B, out)
    else:
        ONE(A, B, out)


@in_order
def by_columns(A: np.ndarray) -> np.ndarray:
    """Return the numbers of A (n, r), tile after tile, column after column of a tile."""
    n, r = A.shape
    turned, i = np.empty(n * r, np.float32), 0
    while i < n:
        height = height_of(n - i)
        for m in range(height):
            row = A[i + m]
            for k in range(r):
                turned[i * r + k * height + m] = row[k]
        i += height
    return turned


@in_order
def multiply_panels(A: np.ndarray, panels: np.ndarray, out: np.ndarray) -> None:
    """Write A (n, r) @ B to out (n, c), for the panels of B (r, c); all float32 and contiguous, r >= 1."""
    (n, r), c = A.shape, out.shape[1]
    turned, edge = by_columns(A), np.empty((n, WIDTH), np.float32)
    for p in range(len(panels)):
        width = min(WIDTH, c - p * WIDTH)
        whole = width == WIDTH
        to, first, by = (out, p * WIDTH, c) if whole else (edge, 0, WIDTH)
        for k in range(0, r, DEPTH):
            depth, start, i = min(DEPTH, r - k), (p * r + k) * WIDTH, 0
            while i < n:
                height = height_of(n - i)
                place = to, first + i * by, by, k > 0
                write_tile(height, (turned, i * r + k * height), (panels, start, depth), place)
                i += height
        if not whole:
            for i in range(n):
                for j in range(width):
                    out[i, p * WIDTH + j] = edge[i, j]
