"""The inputs of a network for all instances in one array that is mapped from a file, so that memory does not grow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.embeddings.embed import Prepared
from bench.embeddings.extract import in_order
from bench.embeddings.views import read_views
from bench.errors import BenchError
from encoders import Preprocess


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
    done = 0
    for some, why in read_views(prepared, table, policy, workers):
        for image, reason in why.items():
            raise BenchError(f"Got {image}, which was read before and cannot be now: {reason}. Run again.")
        for row, views in some.items():
            array[rows_of[str(names[row])]] = views[0]
        done += len(some)
        if on_progress:
            on_progress("read images", done, len(names))
    array.flush()
    return np.load(path, mmap_mode="r")
