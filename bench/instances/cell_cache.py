"""What was found in an image, kept by content, so that no image is looked at twice.

    <root>/cells/<name>.npz      box int32 (n, 4), area and value int64 (n,), labels uint16 or uint32 (H, W), or others

A name is made of the content of the image and of everything the result depends on. A file appears whole or not at
all; one that cannot be read is made again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from bench.images import ImageError
from bench.storage.atomic import write_atomically
from bench.storage.verified import npz_bytes, read_npz

FOLDER = "cells"
AHEAD = 4  # images a thread that are looked at before they are asked for
Arrays = Mapping[str, np.ndarray]


def read_kept(root: Path | None, name: str, keys: Iterable[str]) -> dict[str, np.ndarray] | None:
    """Return some arrays of what is kept by that name, None where it is not kept or not sound."""
    if root is None:
        return None
    kept = read_npz(root / FOLDER / f"{name}.npz", name)
    return None if kept is None or set(keys) - set(kept) else {key: kept[key] for key in keys}


def keep(root: Path | None, name: str, arrays: Arrays) -> None:
    """Keep arrays by a name."""
    if root is not None:
        write_atomically(root / FOLDER / f"{name}.npz", npz_bytes(arrays, name, compressed=True))


def look_at(
    root: Path | None,
    wanted: Mapping[str, str],
    keys: Iterable[str],
    make: Callable[[str], Arrays],
    tell: Callable[[int, int], None],
    beside: Iterable[str] = (),
) -> Iterator[tuple[str, dict[str, np.ndarray] | str]]:
    """Yield (path, arrays, or the reason of an ImageError) for every path, in order, making only what is not kept.

    wanted: path -> name. keys: which arrays are wanted; beside: which are to be kept for later, too. make: path to all
    arrays, from several threads. tell(done, total) counts those that are made.
    """
    from joblib import cpu_count

    keys = tuple(keys)
    needed = {*keys, *beside}
    lacking = [path for path, name in wanted.items() if not _is_kept(root, name, needed)]
    left, futures = deque(lacking), dict[str, Future[dict[str, np.ndarray] | str]]()

    def one(path: str) -> dict[str, np.ndarray] | str:
        try:
            made = make(path)
        except ImageError as error:
            return str(error)
        keep(root, wanted[path], made)
        return {key: np.asarray(made[key]) for key in keys}

    pool = ThreadPoolExecutor(cpu_count(), thread_name_prefix="cells")
    try:
        for path, name in wanted.items():
            while left and len(futures) < AHEAD * cpu_count():
                ahead = left.popleft()
                futures[ahead] = pool.submit(one, ahead)
            if path in futures:
                yield path, futures.pop(path).result()
                tell(len(lacking) - len(left) - len(futures), len(lacking))
            else:
                yield path, read_kept(root, name, keys) or one(path)  # damaged inside, where only reading it tells
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # of Ctrl-C: do not go on


def _is_kept(root: Path | None, name: str, keys: Iterable[str]) -> bool:
    if root is None:
        return False
    try:
        with np.load(root / FOLDER / f"{name}.npz", allow_pickle=False) as kept:
            return set(keys) <= set(kept.files)
    except Exception:  # damaged bytes make zipfile raise nearly every type there is
        return False


def cells_of(labels: np.ndarray) -> dict[str, np.ndarray]:
    """Return box int32 (n, 4) x0, y0, x1, y1, area int64 (n,) and value int64 (n,) of the values above 0, by value.

    labels: non-negative integers (H, W). Also the labels, numbered from 1 in the smallest type that holds them.
    """
    from scipy.ndimage import find_objects

    values, code = np.unique(labels, return_inverse=True)
    code = code.reshape(labels.shape) + int(not len(values) or values[0] != 0)  # 0 is the background, if there is none
    slices = find_objects(code.astype(np.int32))
    box = np.array([(x.start, y.start, x.stop, y.stop) for y, x in slices], np.int32).reshape(-1, 4)
    kind = np.uint16 if len(slices) < 2**16 else np.uint32
    above = values[values != 0].astype(np.int64)
    return {"box": box, "area": np.bincount(code.ravel())[1:], "value": above, "labels": code.astype(kind)}
