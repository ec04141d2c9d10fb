"""One thing that was looked at: in which state it is, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "problem"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A line of `bench doctor`.

    part: libraries, devices, disk, hub or store. state: a note is something that is absent and not needed; a problem is
    something that does not work as it should. do: what to do about it, "" for nothing. stops: `bench run` cannot work.
    """

    part: str
    what: str
    state: State
    found: str
    do: str = ""
    stops: bool = False
