"""Instances as small pictures to look at: what an encoder sees of them, a few dozen pixels wide."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from PIL import Image

from bench.data.paths import refuse_paths
from bench.embeddings.inputs import Inputs
from bench.embeddings.pixels import PixelCache
from encoders import Preprocess

SIDE = 56  # pixels
QUALITY = 60
BATCH = 64


def thumbnails(
    table: pd.DataFrame, root: Path, rows: Sequence[int], *, store: Path, side: int = SIDE, follow_links: bool = False
) -> tuple[dict[int, bytes], int]:
    """Return (row -> the bytes of a WebP of side x side pixels, how many could not be made).

    table: of instances; rows: positions in it. root: where the images lie. store: that of the run, for cells of which a
    part is blanked. A picture is made only of a file that is below root and has the very content that the table says.
    """
    policy = Preprocess(size=side)
    order = sorted(rows, key=lambda row: (str(table["path"].iloc[row]), row))  # an image is opened once for its rows
    part = table.iloc[order].reset_index(drop=True)
    refused = refuse_paths(root, part["path"].unique(), follow_links=follow_links)
    inputs = Inputs(part, root, [policy], PixelCache(store, keep=False), found=store)
    left = [i for i, path in enumerate(part["path"]) if path not in refused]
    made: dict[int, bytes] = {}
    for start in range(0, len(left), BATCH):
        wanted = left[start : start + BATCH]
        while wanted:
            prepared, problems = inputs.get({policy: wanted})
            made |= {order[i]: _webp(views[0]) for i, views in prepared[policy].items()}
            wanted = inputs.left_of({policy: wanted}, prepared, problems)[policy]
    return made, len(order) - len(made)


def _webp(pixels: object) -> bytes:
    """Return pixels uint8 (S, S, 3) as the bytes of a WebP that says nothing else."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="WEBP", quality=QUALITY, method=4)  # type: ignore[arg-type]
    return file.getvalue()
