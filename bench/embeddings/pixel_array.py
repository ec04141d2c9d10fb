"""The inputs of a network for all instances in one array that is mapped from a file, so that memory does not grow."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from bench.embeddings.embed import Prepared
from bench.embeddings.extract import in_order
from bench.embeddings.inputs import Inputs
from bench.embeddings.pixels import PixelCache
from bench.embeddings.store import PIXELS
from bench.errors import BenchError
from encoders import Preprocess

CHUNK = 64  # rows that a thread reads at a time


def pixel_array(
    prepared: Prepared,
    policy: Preprocess,
    path: Path,
    workers: int = 1,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> np.ndarray:
    """Return uint8 (N, S, S, 3), row i for row i of the instances, written to a file and mapped from there to be read.

    Every image is decoded once. policy: of one view and a size. Raises BenchError for an image that cannot be read any
    more, and where the file does not fit.
    """
    size = policy.size or 0
    table = in_order(prepared.instances)
    names = table["instance"].to_numpy(str)
    rows_of: dict[str, list[int]] = {}
    for row, name in enumerate(prepared.instances["instance"].tolist()):
        rows_of.setdefault(name, []).append(row)
    shape = (len(prepared.instances), size, size, 3)
    try:
        array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    except OSError as error:
        raise BenchError(
            f"Got no room for {np.prod(shape) / 1e6:,.0f} MB of temporary files in {path.parent} ({error}); free some, "
            "give --out another folder, or name a smaller input, as @size=96."
        ) from None
    cache = PixelCache(prepared.store.root / PIXELS, keep=False)
    inputs = Inputs(table, prepared.dataset.root, [policy], cache, workers, prepared.store.root)

    def read(start: int) -> int:
        rows = list(range(start, min(start + CHUNK, len(names))))
        while rows:
            some, why = inputs.get({policy: rows})
            for image, reason in why.items():
                raise BenchError(f"Got {image}, which was read before and cannot be now: {reason}. Run again.")
            for row, views in some[policy].items():
                array[rows_of[str(names[row])]] = views[0]
            rows = inputs.left_of({policy: rows}, some, why)[policy]
        return min(CHUNK, len(names) - start)

    done = 0
    with ThreadPoolExecutor(workers, thread_name_prefix="pixels") as pool:
        for count in pool.map(read, range(0, len(names), CHUNK)):
            done += count
            if on_progress:
                on_progress("read images", done, len(names))
    array.flush()
    return np.load(path, mmap_mode="r")
