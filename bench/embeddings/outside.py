"""Vectors that another program computed, from their file into the store: which row is of which instance?

A row is found by the column `instance`, the name of the content that `bench export` writes, or by `path` and, where
instances are parts of images, the box. A path is one below the data folder, one from the working folder, or the bare
name of a file that only one image has. No row is guessed: what is missing, double or not finite is named. The vectors
wait in a scratch file, so that memory holds a batch of them and the names alone.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from bench.data.datasets import BOX
from bench.embeddings.store import EmbeddingStore
from bench.errors import BenchError
from bench.storage.scratch import scratch
from bench.text import counted, plain
from encoders import EncoderError, EncoderSpec
from encoders.outside import outside_vectors

Key = tuple[object, ...]  # (instance,), or (path, x0, y0, x1, y1) with None for a whole image
NAMED = 3  # images that an error names


def look_up(
    spec: EncoderSpec,
    instances: pd.DataFrame,
    root: Path,
    store: EmbeddingStore,
    *,
    blocks: Sequence[Sequence[str]],
    on_rows: Callable[[int], None],
) -> None:
    """Put the vectors of a file into the store, block by block.

    instances: every row of the instance table, copies of an image too, paths relative to `root`. blocks: the instances
    that lack, as they are to be committed together. Raises BenchError or EncoderError, before anything is written.
    """
    table = outside_vectors(spec)
    name = Path(spec.vectors).name
    wanted = {instance: row for row, instance in enumerate(one for block in blocks for one in block)}
    keys = Places(instances, root, by_instance="instance" in table.places, boxed="x0" in table.places, name=name)
    with scratch(store.root) as folder, _Rows(folder / "vectors", table.dim) as X:
        found = np.zeros(len(wanted), bool)
        seen: set[Key] = set()
        for places, vectors in table.batches():
            for i, (key, instance) in enumerate(keys.find(places)):
                if instance is None or instance not in wanted:
                    continue
                row = wanted[instance]
                vector = vectors[i]
                if not np.isfinite(vector).all():
                    at = int(np.flatnonzero(~np.isfinite(vector))[0])
                    raise BenchError(
                        f"Got {vector[at]} as number {at + 1} of the embedding of {keys.shown(instance)} in {name}; "
                        "expected finite numbers in every row. Mend the file, or leave the image out of the data."
                    )
                if key in seen and not (keys.by_instance and np.array_equal(X.read(row, 1)[0], vector)):
                    raise BenchError(
                        f"Got two embeddings of {keys.shown(instance)} in {name}; expected one row for each. Take the "
                        "one that is not meant out of the file."
                    )
                seen.add(key)
                if not found[row]:  # of copies of an image the first
                    X.write(row, vector)
                    found[row] = True
        if not found.all():
            raise BenchError(keys.missing([one for one, row in wanted.items() if not found[row]], len(wanted)))
        outside_vectors(spec)  # still the same file
        store.declare(spec.key, spec.identity(), spec.weights.removeprefix("sha256:"), spec.full_name)
        for block in blocks:
            store.write(spec.key, block, X.read(wanted[block[0]], len(block)))  # numbered block by block
            on_rows(len(block))


class _Rows:
    """Rows float32 (., d) in a file, written in any order. It is no map of memory, whose pages would be taken."""

    def __init__(self, path: Path, dim: int) -> None:
        self._file = path.open("w+b", buffering=0)
        self._dim = dim

    def __enter__(self) -> _Rows:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def write(self, row: int, vector: np.ndarray) -> None:
        self._file.seek(4 * self._dim * row)
        self._file.write(np.ascontiguousarray(vector, np.float32).data)

    def read(self, start: int, count: int) -> np.ndarray:
        self._file.seek(4 * self._dim * start)
        return np.frombuffer(self._file.read(4 * self._dim * count), np.float32).reshape(count, self._dim)


class Places:
    """Which instance a row of a file is of. instances: columns instance, path, blank and BOX; name: of the file."""

    def __init__(self, instances: pd.DataFrame, root: Path, *, by_instance: bool, boxed: bool, name: str) -> None:
        self.by_instance, self._boxed, self._name, self._root = by_instance, boxed, name, root
        self._first: str | None = None  # what the file calls its first image
        self._last: tuple[str, str | None] = ("", None)  # the path that was looked for last, and its image
        names, paths = (instances[column].tolist() for column in ("instance", "path"))
        boxes = instances[BOX].to_numpy(dtype=np.int64, na_value=-1).tolist()
        self._place = {one: _place(path, box) for one, path, box in zip(names, paths, boxes, strict=True)}
        self._parts = any(box[0] >= 0 for box in boxes)
        self._paths = {path: path for path in paths} | {os.path.abspath(root / path): path for path in set(paths)}
        self._called: dict[str, str | None] = {}  # name of a file -> the only image that has it
        for path in set(paths):
            short = posixpath.basename(path)
            self._called[short] = None if short in self._called else path
        self._keys: dict[Key, str] = {}
        if by_instance:
            self._keys = {(one,): one for one in names}
            return
        if self._parts and not boxed:
            raise BenchError(
                f"Got {name} without columns x0, y0, x1, y1 (pixels, x1 and y1 excluded); expected them, as instances "
                "are parts of images. `bench export` writes them."
            )
        for one, path, box in zip(names, paths, boxes, strict=True):
            key = _key(path, box)
            if self._keys.setdefault(key, one) != one:
                raise BenchError(
                    f"Got two instances at {self.shown(one)}, of which different parts are blanked, and {name} tells "
                    "them by path and box; expected the column instance, as `bench export` writes it."
                )

    def find(self, places: dict[str, np.ndarray]) -> list[tuple[Key, str | None]]:
        """Return (key, instance) of every row of a batch, the instance None for a row of something else."""
        if self._first is None and len(next(iter(places.values()))):
            self._first = str(places["path" if "path" in places else "instance"][0])
        if self.by_instance:
            return [((text,), self._keys.get((text,))) for text in places["instance"].tolist()]
        found = [self._path(text) for text in places["path"].tolist()]
        if not self._boxed:
            keys: list[Key] = [_key(path, [-1]) for path in found]
        else:
            boxes = np.stack([places[side] for side in BOX], 1)
            whole = ~np.isfinite(boxes).all(1) | (boxes[:, 0] < 0)
            keys = [
                _key(path, [-1] if none else box) for path, none, box in zip(found, whole, boxes.tolist(), strict=True)
            ]
        return [(key, self._keys.get(key)) for key in keys]

    def shown(self, instance: str) -> str:
        """Return what people find an instance by."""
        return self._place[instance]

    def missing(self, instances: Sequence[str], total: int) -> str:
        """Return the message for instances that have no row."""
        how = (
            "by the column instance, which names the content of an image (leave that column out to go by path)"
            if self.by_instance
            else f"by its path below {self._root} or from this folder, or by the file's name where one image has it"
        )
        named = ", ".join(self.shown(one) for one in instances[:NAMED]) + (", ..." if len(instances) > NAMED else "")
        what = "instance" if self._parts else "image"
        begins = f" The file begins with {plain(self._first)}." if self._first else " The file has no row."
        return (
            f"Got no embedding in {self._name} for {len(instances):,} of {counted(total, what)}, e.g. {named}; "
            f"expected a row for each, found {how}.{begins} Add the rows, or leave those images out of the data."
        )

    def _path(self, text: str) -> str | None:
        """Return the image that a path of the file means."""
        if text != self._last[0]:  # rows of one image mostly follow each other
            self._last = text, self._found(text) or self._found(text.replace("\\", "/"))
        return self._last[1]

    def _found(self, text: str) -> str | None:
        plainly = self._paths.get(posixpath.normpath(text)) or self._paths.get(os.path.abspath(text))
        return plainly or self._called.get(text)


def _key(path: str | None, box: Sequence[float]) -> Key:
    return (path, None) if box[0] < 0 else (path, *box)


def _place(path: str, box: Sequence[int]) -> str:
    return plain(path) if box[0] < 0 else f"{plain(path)} [{','.join(map(str, box))}]"


def look_up_all(
    specs: Sequence[EncoderSpec],
    instances: pd.DataFrame,
    root: Path,
    store: EmbeddingStore,
    *,
    blocks: Mapping[str, Sequence[Sequence[str]]],
    on_rows: Callable[[str, int], None],
) -> dict[str, str]:
    """Put the vectors of several files into the store; returns encoder -> why it could not be done.

    blocks: encoder -> the instances that lack, as they are to be committed together.
    """
    failed = {}
    for spec in specs:
        try:
            look_up(spec, instances, root, store, blocks=blocks[spec.name], on_rows=partial(on_rows, spec.name))
        except (BenchError, EncoderError) as error:
            failed[spec.name] = str(error)
    return failed
