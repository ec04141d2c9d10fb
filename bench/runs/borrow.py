"""Fits that another run of the same results folder has made already are not made again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bench.runs.blocks import FitBlock
from bench.storage.atomic import replacing
from bench.storage.buckets.mirror import bring, present, send


def borrow_units(run: Path, units: Sequence[FitBlock]) -> int:
    """Give a run the predictions of its units that lie in the folders beside it; returns how many.

    They are linked, or copied where that is not possible; what cannot be read is left to be made. A unit's name stands
    for everything that its numbers depend on, and its checksum is verified when it is read. What a bucket has of the
    run is brought first.
    """
    bring(path for unit in units for path in (unit.path(run), unit.part(run)))
    lacking = {unit.path(run).name: unit.path(run) for unit in units if not unit.path(run).exists()}
    found = 0
    for folder in sorted(run.parent.glob("[!.]*/predictions")):
        if not lacking:
            break
        if folder.parent == run:
            continue
        with suppress(OSError):
            for name in sorted(set(os.listdir(folder)) & set(lacking)):
                found += give(folder / name, lacking[name])
                send([lacking[name]])
                del lacking[name]
    return found


def give(source: Path, target: Path) -> bool:
    """Link or copy a file that is never changed to another place; returns whether it is there."""
    try:
        present(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, target)
        except FileExistsError:
            return True
        except OSError:  # no links there, or a file of another user
            data = source.read_bytes()
            with replacing(target) as path:
                path.write_bytes(data)
    except OSError:
        return False
    return True
