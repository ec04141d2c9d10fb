"""Every instance of a table as the input of an encoder, read by threads and handed over some at a time."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

from bench.embeddings.embed import Prepared
from bench.embeddings.inputs import Inputs
from bench.embeddings.pixels import PixelCache
from bench.embeddings.store import PIXELS
from encoders import Preprocess

CHUNK = 64  # rows that a thread reads at a time

Views = dict[int, np.ndarray]  # row of the table -> uint8 (V, S, S, 3)


def read_views(
    prepared: Prepared, table: pd.DataFrame, policy: Preprocess, workers: int
) -> Iterator[tuple[Views, dict[str, str]]]:
    """Yield (views, path -> why an image cannot be read) until all rows had their turn; an image is decoded once.

    table: instances of `prepared`, in the order of `bench.embeddings.extract.in_order`.
    """
    cache = PixelCache(prepared.store.root / PIXELS, keep=False)
    inputs = Inputs(table, prepared.dataset.root, [policy], cache, workers, prepared.store.root)

    def read(start: int) -> tuple[Views, dict[str, str]]:
        rows, found, problems = list(range(start, min(start + CHUNK, len(table)))), Views(), dict[str, str]()
        while rows:
            some, why = inputs.get({policy: rows})
            found |= some[policy]
            problems |= why
            rows = inputs.left_of({policy: rows}, some, why)[policy]
        return found, problems

    with ThreadPoolExecutor(workers, thread_name_prefix="views") as pool:
        yield from pool.map(read, range(0, len(table), CHUNK))
