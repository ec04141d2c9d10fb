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
from bench.prepare import Box, Views, cut, open_views
from encoders import Preprocess

Prepared = dict[Preprocess, dict[int, np.ndarray]]  # policy -> row -> uint8 (V, S, S, 3)


class Inputs:
    """The inputs of the rows of an instance table, which are N and have the columns path and BOX.

    Rows of one image should be asked for close together: its views are kept until all its rows were given.
    """

    def __init__(self, table: pd.DataFrame, root: Path, policies: Sequence[Preprocess]) -> None:
        self.root = root
        self.policies = tuple(policies)
        self._paths = table["path"].to_numpy(str)
        boxes = table[BOX].to_numpy(dtype=np.int64, na_value=-1)
        self._boxes: list[Box] = [None if x0 < 0 else (x0, y0, x1, y1) for x0, y0, x1, y1 in boxes.tolist()]
        self._left = Counter(self._paths.tolist())
        self._open: dict[str, Future[Views]] = {}
        self._lock = threading.Lock()

    def get(self, wanted: Mapping[Preprocess, Collection[int]]) -> tuple[Prepared, dict[str, str]]:
        """Return the inputs of some rows for each policy, and path -> reason of images that cannot be read."""
        prepared: Prepared = {policy: {} for policy in wanted}
        problems: dict[str, str] = {}
        rows = sorted({row for rows in wanted.values() for row in rows})
        for row in rows:
            path = self._paths[row]
            try:
                views = self._views(path)
                for policy, some in wanted.items():
                    if row in some:
                        prepared[policy][row] = cut(views, self._boxes[row], policy)
            except ImageError as error:
                problems[path] = str(error)
        self._let_go(rows)
        return prepared, problems

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

    def _let_go(self, rows: Sequence[int]) -> None:
        given = Counter(self._paths[row] for row in rows)
        with self._lock:
            for path, count in given.items():
                self._left[path] -= count
                if self._left[path] <= 0:
                    self._open.pop(path, None)
