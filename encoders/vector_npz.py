"""Vectors in NumPy's .npz, read some rows at a time: every array is a file of the archive with a header of its own."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np

from .errors import EncoderError
from .vector_table import BOX, HELD, PLACES, VECTOR, Batch, VectorTable, check_columns, check_dim, float32

HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
LONGEST = 4096  # characters of a path


@dataclass(frozen=True)
class _Array:
    """What the header of an array says."""

    shape: tuple[int, ...]
    dtype: np.dtype


def read_npz(path: Path) -> VectorTable:
    """Return the file of an archive with `embedding` (N, d) and one array (N,) of each column; nothing is unpickled."""
    with zipfile.ZipFile(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        if VECTOR not in names:
            raise EncoderError(f"Got {path.name} without an array {VECTOR!r}; expected numbers (N, d) of that name.")
        arrays = {}
        for name in (VECTOR, *(name for name in PLACES if name in names)):
            with archive.open(f"{name}.npy") as member:
                arrays[name] = _header(cast("IO[bytes]", member), name, path.name)
    _, places = check_columns(path.name, [VECTOR, *(name for name in names if name in PLACES)], {})
    X = arrays[VECTOR]
    if len(X.shape) != 2 or X.dtype.kind not in "fiu":
        raise EncoderError(
            f"Got {VECTOR!r} of shape {X.shape} and type {X.dtype} in {path.name}; expected numbers (N, d)."
        )
    for name in places:
        one, kinds = arrays[name], "fiu" if name in BOX else "U"
        if one.shape != X.shape[:1] or one.dtype.kind not in kinds or one.dtype.itemsize > 4 * LONGEST:
            wanted = "numbers" if name in BOX else "texts"
            raise EncoderError(
                f"Got {name!r} of shape {one.shape} and type {one.dtype} in {path.name}; expected {wanted} "
                f"({X.shape[0]},), one for each vector."
            )
    dim = check_dim(path.name, X.shape[1])
    size = max(1, HELD // (8 * dim + sum(array.dtype.itemsize for array in arrays.values()) * 2))

    def batches() -> Iterator[Batch]:
        with ExitStack() as opened:
            archive = opened.enter_context(zipfile.ZipFile(path))
            members = {name: cast("IO[bytes]", opened.enter_context(archive.open(f"{name}.npy"))) for name in arrays}
            for name, member in members.items():
                _header(member, name, path.name)
            for start in range(0, X.shape[0], size):
                count = min(size, X.shape[0] - start)
                yield (
                    {name: _place(_take(members[name], arrays[name], count), name) for name in places},
                    float32(_take(members[VECTOR], X, count)),
                )

    return VectorTable(dim=dim, columns=f"{VECTOR} of {dim:,} numbers", places=places, batches=batches)


def _header(member: IO[bytes], name: str, file: str) -> _Array:
    """Return what the header says, and leave the member where the numbers begin."""
    version = np.lib.format.read_magic(member)
    if version not in HEADERS:
        raise EncoderError(f"Got {name!r} of NumPy's format {version} in {file}; expected 1.0 or 2.0. Save it again.")
    shape, fortran, dtype = HEADERS[version](member)
    if fortran or dtype.hasobject:
        what = "Python objects" if dtype.hasobject else "column after column"
        raise EncoderError(f"Got {name!r} stored as {what} in {file}; expected plain rows. Save it again.")
    return _Array(shape=tuple(shape), dtype=dtype)


def _take(member: IO[bytes], array: _Array, count: int) -> np.ndarray:
    """Return the next rows of an array."""
    size = int(np.prod(array.shape[1:], dtype=np.int64)) * array.dtype.itemsize * count
    data = member.read(size)
    if len(data) < size:
        raise EOFError(f"it ends after {len(data):,} of {size:,} bytes")
    return np.frombuffer(data, array.dtype).reshape(count, *array.shape[1:])


def _place(values: np.ndarray, name: str) -> np.ndarray:
    """Return texts (n,), or coordinates float64 (n,) with NaN where `bench export` says -1 for none."""
    if name not in BOX:
        return values.astype(object)
    numbers = values.astype(np.float64)
    return np.where(numbers < 0, np.nan, numbers)
