"""Items as pictures for a browser: decoded by the project's own readers, bounded in size, kept while there is room."""

from __future__ import annotations

import io
import os
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
from PIL import Image

from bench.data.datasets import BOX
from bench.data.paths import OUTSIDE, is_below
from bench.embeddings.inputs import Inputs
from bench.embeddings.pixels import PixelCache
from bench.errors import BenchError
from bench.images import ImageError, file_of, open_image, sample, sample_step
from encoders import EncoderError, Preprocess
from encoders.preprocess import as_views

POLICY = Preprocess(size=None)  # pixels as an encoder is given them, at their own size
KEPT = 64 << 20  # bytes of pictures
OPEN = 3  # images that stay decoded
AT_ONCE = 2  # pictures that are made at the same time
OVERVIEW = 16_000_000  # pixels that are taken of an image which is too large to be decoded at once
EXACT = 300_000  # pixels up to which a picture is PNG
QUALITY = 92


@dataclass(frozen=True, kw_only=True)
class Shown:
    """side: the most pixels along the longer side. whole: the image around the item instead of the item."""

    side: int
    whole: bool = False


KINDS: Mapping[str, Shown] = MappingProxyType(
    {"large": Shown(side=1400), "small": Shown(side=224), "image": Shown(side=1600, whole=True)}
)


class Pictures:
    """Pictures of the items of a table, for several threads. Numbers are asked for, and never paths."""

    def __init__(self, rows: pd.DataFrame, root: Path, store: Path, *, follow_links: bool = False) -> None:
        images = rows.drop_duplicates("path")
        whole = images.assign(instance=images["digest"])
        whole[[*BOX, "blank"]] = pd.NA
        at = {path: len(rows) + i for i, path in enumerate(images["path"].tolist())}
        self._whole = [at[path] for path in rows["path"].tolist()]
        self._table = pd.concat([rows, whole], ignore_index=True).astype({name: "Int64" for name in BOX})
        self._root, self._top, self._follow_links = root, os.path.realpath(root), follow_links
        self._inputs = Inputs(self._table, root, [POLICY], PixelCache(store, keep=False), keep=OPEN, found=store)
        self._kept: OrderedDict[tuple[int, str], tuple[str, bytes]] = OrderedDict()
        self._lock, self._turns = threading.Lock(), threading.BoundedSemaphore(AT_ONCE)

    def get(self, item: int, kind: str) -> tuple[str, bytes]:
        """Return (media type, bytes) of an item. kind: a name of KINDS. Raises ImageError, which says why not."""
        with self._lock:
            if (item, kind) in self._kept:
                self._kept.move_to_end((item, kind))
                return self._kept[item, kind]
        with self._turns:
            made = encoded(self._pixels(self._whole[item] if KINDS[kind].whole else item), KINDS[kind].side)
        with self._lock:
            self._kept[item, kind] = made
            while len(self._kept) > 1 and sum(len(data) for _, data in self._kept.values()) > KEPT:
                self._kept.popitem(last=False)
        return made

    def _pixels(self, row: int) -> np.ndarray:
        path = str(self._table["path"].iloc[row])
        if not self._follow_links and not is_below(file_of(self._root / path)[0], self._top):
            raise ImageError(f"{path} {OUTSIDE}")
        prepared, problems = self._inputs.get({POLICY: [row]})
        if row in prepared[POLICY]:
            return np.asarray(prepared[POLICY][row][0])
        if pd.isna(self._table["x0"].iloc[row]):
            return self._overview(path, str(self._table["digest"].iloc[row]), problems[path])
        raise ImageError(problems[path])

    def _overview(self, path: str, digest: str, why: str) -> np.ndarray:
        """Return every n-th pixel of an image that is too large; raise `why` for one that is not."""
        try:
            with open_image(self._root / path, digest) as picture:
                if picture.fits:
                    raise ImageError(why)
                pixels = sample(picture, POLICY.stack, sample_step(picture, OVERVIEW))
                return np.asarray(as_views(pixels, POLICY, picture.info.names)[0])
        except EncoderError as error:
            raise ImageError(str(error)) from None


def encoded(pixels: np.ndarray, side: int) -> tuple[str, bytes]:
    """Return (media type, bytes) of pixels uint8 (H, W, 3), made smaller where they are larger than `side`."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if max(image.size) > side:
        share = side / max(image.size)
        size = tuple(max(1, round(share * length)) for length in image.size)
        image = image.resize((size[0], size[1]), Image.Resampling.LANCZOS, reducing_gap=2.0)
    file = io.BytesIO()
    if image.width * image.height <= EXACT:
        image.save(file, format="PNG", compress_level=1)
        return "image/png", file.getvalue()
    image.save(file, format="JPEG", quality=QUALITY, subsampling=0)
    return "image/jpeg", file.getvalue()


def not_shown(error: BenchError) -> str:
    """Return why an item cannot be shown, as a sentence."""
    return f"This image cannot be shown: {str(error).rstrip('.')}."
