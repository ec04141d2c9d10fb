"""Rows of the instance table to what encoders take, from any thread; an image is opened once for all its rows."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pandas as pd

from bench.datasets import BOX
from bench.images import ImageError
from bench.pixels import PixelCache
from bench.prepare import Box, Views, cut, open_views
from encoders import Preprocess

Prepared = dict[Preprocess, dict[int, np.ndarray]]  # policy -> row -> uint8 (V, S, S, 3)


class Inputs:
    """The inputs of the rows of an instance table, which has the columns instance, path and BOX.

    Rows of one image should be asked for close together: its views are kept until all its rows were given.
    """

    def __init__(self, table: pd.DataFrame, root: Path, policies: Sequence[Preprocess], cache: PixelCache) -> None:
        self.root = root
        self.policies = tuple(policies)
        self.cache = cache
        self._names = table["instance"].to_numpy(str)
        self._paths = table["path"].to_numpy(str)
        boxes = table[BOX].to_numpy(dtype=np.int64, na_value=-1)
        self._boxes: list[Box] = [None if x0 < 0 else (x0, y0, x1, y1) for x0, y0, x1, y1 in boxes.tolist()]
        self._left = Counter(self._paths.tolist())
        self._open: dict[str, Future[Views]] = {}
        self._lock = threading.Lock()

    def get(self, wanted: Mapping[Preprocess, Sequence[int]]) -> tuple[Prepared, dict[str, str]]:
        """Return the inputs of some rows for each policy, and path -> reason of images that cannot be read."""
        prepared: Prepared = {}
        problems: dict[str, str] = {}
        for policy, rows in wanted.items():
            names = [str(self._names[row]) for row in rows]
            kept = self.cache.read(policy, names) if rows else {}
            prepared[policy] = {row: kept[name] for row, name in zip(rows, names, strict=True) if name in kept}
            if len(kept) < len(rows):
                prepared[policy] |= self._decode(policy, [row for row in rows if row not in prepared[policy]], problems)
                self.cache.write(policy, names, {str(self._names[row]): v for row, v in prepared[policy].items()})
        self._let_go({row for rows in wanted.values() for row in rows})
        return prepared, problems

    def _decode(self, policy: Preprocess, rows: Sequence[int], problems: dict[str, str]) -> dict[int, np.ndarray]:
        made = {}
        for row in rows:
            path = self._paths[row]
            try:
                made[row] = cut(self._views(path), self._boxes[row], policy)
            except ImageError as error:
                problems[path] = str(error)
        return made

    def _views(self, path: str) -> Views:
        with self._lock:
            mine = path not in self._open
            future = self._open.setdefault(path, Future())
        if mine:
            try:
                future.set_result(open_views(self.root / path, self.policies))
            except BaseException as error:
                future.set_exception(error)
        return future.result()

    def _let_go(self, rows: Collection[int]) -> None:
        given = Counter(self._paths[row] for row in rows)
        with self._lock:
            for path, count in given.items():
                self._left[path] -= count
                if self._left[path] <= 0:
                    self._open.pop(path, None)
