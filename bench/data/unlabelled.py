"""Images without labels: everything below a folder, whatever its folders are called."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.data.label_folder import Labelled, ignored_files, rows_of
from bench.data.masks_aside import masks_aside
from bench.data.reading import UNLABELLED
from bench.data.walk import look_through


def read_unlabelled(root: Path, notes: list[str], *, follow_links: bool = False) -> Labelled:
    """Return the images below a folder but for masks of others, all with one label that means nothing."""
    walk = look_through(root, follow_links=follow_links)
    found = masks_aside([*walk.paths, *walk.others], root, 0)
    unused = found.masks.keys() | found.doubtful.keys()
    kept = sorted((i for i, path in enumerate(walk.paths) if path not in unused), key=walk.paths.__getitem__)
    paths = [walk.paths[i] for i in kept]
    notes += found.notes
    stat = np.array(walk.stats, np.int64).reshape(-1, 3)[kept]
    others = [path for path in walk.others if path not in found.masks]
    rows = rows_of(paths, [UNLABELLED] * len(paths), None)
    return Labelled(rows, stat, walk.refused, {}, walk, ignored_files(walk, others))
