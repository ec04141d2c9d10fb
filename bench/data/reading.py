"""How the files of a dataset are read, as a user may ask for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Reading:
    """leave_out: classes that take no part. follow_links: also read what links lead to outside the data folder.
    box_units: what the numbers of boxes are, a name of `bench.data.label_boxes.UNITS`.
    """

    leave_out: tuple[str, ...] = ()
    follow_links: bool = False
    box_units: str = "pixels"
