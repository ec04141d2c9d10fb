"""Rows of one dataset under one protocol, which alone may be compared: no best is looked for over several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import pandas as pd

#: What has to be the same of two rows of a dataset, and how it is told from another.
SAYS: Mapping[str, str] = MappingProxyType({
    "instances": "{}", "level": "scored by {}", "draw": "labels drawn {}", "shot_unit": "labels counted by {}",
    "scale_by": "scaled by {}", "split": "split {}", "data": "groups and regions {}",
})  # fmt: skip
PROTOCOL = list(SAYS)


def by_protocol(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield (what tells it from the others of its dataset and instances, "" where there are none, its rows).

    rows: of merged leaderboards. Rows without labels are drawn in no way: they are left out where there are others.
    """
    names = [name for name in PROTOCOL if name in rows]
    for _, own in rows.groupby(["dataset", "instances"], sort=True):
        if "draw" in own and own["draw"].ne("none").any():
            own = own[own["draw"].ne("none")]
        differ = [name for name in names if own[name].nunique(dropna=False) > 1]
        for _, part in own.groupby(names, sort=True, dropna=False):
            yield ", ".join(SAYS[name].format(part[name].iloc[0]) for name in differ), part
