"""Rows as an .h5ad file of AnnData (scanpy, squidpy), written part by part.

The layout is AnnData's on-disk format 0.1.0, written by h5py alone: AnnData itself would hold every row in memory, and
some of its versions take pandas back. What is in memory is a part, and each text once.

    obs    a table: numbers as arrays, texts as categories
    obsm   arrays (N, ...) beside it
    uns    lists of texts that say what columns of obsm are
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.errors import BenchError
from bench.storage.atomic import replacing
from bench.text import plain

CHUNK = 1 << 18  # bytes of an array that lie together in the file
INDEX = "_index"
Write = Callable[[Sequence[str], pd.DataFrame, Mapping[str, np.ndarray]], None]


@contextmanager
def writing_h5ad(
    path: Path, *, categories: Mapping[str, Sequence[str]], uns: Mapping[str, Sequence[str]]
) -> Iterator[Write]:
    """Yield what parts are given to (names (n,), obs with n rows, obsm: name -> (n, ...)); whole or not at all.

    Parts have the same columns. A missing text (None) is a category that is missing. categories: column of obs -> its
    categories in order, for those that are known beforehand. Raises BenchError where h5py is not installed.
    """
    try:
        import h5py
    except ImportError:
        raise BenchError(
            "Got --also anndata, which needs h5py, and that is not installed: pip install 'cell-classifier[anndata]', "
            "or leave it out."
        ) from None
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        _is_a(file, "anndata", "0.1.0")
        for name in ("layers", "obsm", "obsp", "uns", "varm", "varp"):
            _is_a(file.create_group(name), "dict", "0.1.0")
        for name, texts in uns.items():
            _texts(file["uns"], name, texts)
        _table(file.create_group("var"), ())
        _texts(file["var"], INDEX, ())
        obs = file.create_group("obs")
        _texts(obs, INDEX, (), grows=True)
        known = {name: {text: code for code, text in enumerate(own)} for name, own in categories.items()}

        def write(names: Sequence[str], rows: pd.DataFrame, arrays: Mapping[str, np.ndarray]) -> None:
            if "column-order" not in obs.attrs:
                _table(obs, list(rows.columns))
            _append(obs, INDEX, np.array([plain(name) for name in names], object))
            for name in map(str, rows):
                if rows[name].dtype.kind in "biuf":
                    _append(obs, name, rows[name].to_numpy())
                    continue
                group = obs.require_group(name)
                _append(group, "codes", _codes(rows[name], known.setdefault(name, {})))
            for name, array in arrays.items():
                _append(file["obsm"], name, array)

        yield write
        if "column-order" not in obs.attrs:
            _table(obs, ())
        for name, codes in known.items():
            if name in obs:
                _is_a(obs[name], "categorical", "0.2.0")
                obs[name].attrs["ordered"] = False
                _texts(obs[name], "categories", list(codes))


def _codes(texts: pd.Series, known: dict[str, int]) -> np.ndarray:
    """Return the code of every text, int32 (n,), -1 for none; new ones are added to `known`."""
    shown = [None if pd.isna(text) else plain(str(text)) for text in texts]
    return np.array([-1 if text is None else known.setdefault(text, len(known)) for text in shown], np.int32)


def _is_a(group: Any, kind: str, version: str) -> None:
    group.attrs["encoding-type"], group.attrs["encoding-version"] = kind, version


def _table(group: Any, columns: Sequence[str]) -> None:
    """Mark a group as a table with these columns, in this order."""
    import h5py

    _is_a(group, "dataframe", "0.2.0")
    group.attrs["_index"] = INDEX
    group.attrs.create("column-order", np.array(list(columns), object), dtype=h5py.string_dtype())


def _texts(group: Any, name: str, texts: Sequence[str], *, grows: bool = False) -> None:
    import h5py

    values = np.array([plain(text) for text in texts], object)
    more: dict[str, Any] = {"maxshape": (None,), "chunks": (4096,)} if grows else {}
    found = group.create_dataset(name, shape=values.shape, data=values, dtype=h5py.string_dtype(), **more)
    _is_a(found, "string-array", "0.2.0")


def _append(group: Any, name: str, values: np.ndarray) -> None:
    """Add rows to an array of the file, which is made where it is not there."""
    if name not in group:
        size = max(1, int(np.prod(values.shape[1:], dtype=np.int64)) * values.dtype.itemsize)
        _is_a(
            group.create_dataset(
                name, shape=(0, *values.shape[1:]), maxshape=(None, *values.shape[1:]), dtype=values.dtype,
                chunks=(max(1, CHUNK // size), *values.shape[1:]),
            ),
            "array", "0.2.0",
        )  # fmt: skip
    array = group[name]
    before = len(array)
    array.resize(before + len(values), axis=0)
    array[before:] = values
