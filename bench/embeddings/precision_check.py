"""Is a faster way of running an encoder still the same encoder on these very images?

A reduced precision moves every vector a little, and a plain cosine hides it, as the vectors of different images
are alike to begin with (.70-.9992). So the mean is removed first: what is left is what tells images apart.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from bench.embeddings.inputs import Inputs
from bench.embeddings.pixels import PixelCache
from bench.embeddings.prepare import flat_views
from bench.embeddings.store import PIXELS, EmbeddingStore
from bench.storage.verified import read_json, write_json
from encoders import EncoderError, EncoderSpec, LoadedEncoder, Placement

IMAGES = 64
FEWEST = 8
#: Least mean centred cosine to float32 by torch, by precision.
LEAST = {"float32": 0.9999, "bfloat16": 0.99}


def centred_cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the cosine of row i of a with row i of b, the mean of each matrix removed. a, b (n, d) -> (n,)."""
    a, b = (x - x.mean(axis=0) for x in (a.astype(np.float64), b.astype(np.float64)))
    length = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return (a * b).sum(axis=1) / np.where(length > 0, length, 1)


def check_precision(
    encoder: LoadedEncoder, store: EmbeddingStore, placement: Placement, table: pd.DataFrame, root: Path
) -> None:
    """Compare an encoder that is not float32 by torch with the one that is, on up to IMAGES rows of `table`.

    Done once a variant; the result is kept beside its embeddings. Raises EncoderError when they differ too much.
    """
    spec = encoder.spec
    if spec.reference == spec or read_json(_record(spec, store), spec.key) is not None:
        return
    views = views_to_compare(spec, store, table, root)
    if len(views) < FEWEST:
        raise EncoderError(
            f"Got {len(views)} images for encoder '{spec.name}'; expected at least {FEWEST}, on which to see whether "
            f"{_changed(spec)} keeps its embeddings. Leave that out."
        )
    cosine = float(centred_cosine(encoder.encode(views), spec.reference.load(placement).encode(views)).mean())
    if not keeps(spec, cosine):
        raise EncoderError(
            f"Encoder '{spec.name}' changes its embeddings: their mean centred cosine to float32 by torch is "
            f"{cosine:.4f} on {len(views)} images; expected at least {LEAST[spec.precision]}. "
            f"Leave out {_changed(spec)}."
        )
    note_passed(spec, store, cosine, len(views))


def views_to_compare(spec: EncoderSpec, store: EmbeddingStore, table: pd.DataFrame, root: Path) -> list[np.ndarray]:
    """Return the views of up to IMAGES rows of `table`, evenly spaced; fewer where images cannot be read."""
    rows = rows_to_compare(table)
    cache = PixelCache(store.root / PIXELS, keep=False)
    inputs = Inputs(table.iloc[rows], root, [spec.preprocess], cache, found=store.root)
    prepared, _ = inputs.get({spec.preprocess: range(len(rows))})
    return flat_views(list(prepared[spec.preprocess].values()))[0] if prepared[spec.preprocess] else []


def rows_to_compare(table: pd.DataFrame) -> list[int]:
    """Return the positions of the rows that stand for all of a table: up to IMAGES, evenly spaced."""
    return np.unique(np.linspace(0, len(table) - 1, IMAGES).astype(int)).tolist()


def keeps(spec: EncoderSpec, cosine: float) -> bool:
    """Return whether a variant of that mean centred cosine to float32 by torch may be used; NaN may not."""
    return cosine >= LEAST[spec.precision]


def note_passed(spec: EncoderSpec, store: EmbeddingStore, cosine: float, images: int) -> None:
    """Keep beside its embeddings that a variant keeps them, so that it is not measured again."""
    about = {"centred_cosine": cosine, "images": images, "least": LEAST[spec.precision]}
    write_json(_record(spec, store), about, spec.key)


def _record(spec: EncoderSpec, store: EmbeddingStore) -> Path:
    return store.folder(spec.key) / "gate.json"


def _changed(spec: EncoderSpec) -> str:
    """Return the options by which a variant differs from its reference, as the user wrote them."""
    named = {"precision": spec.precision, "backend": spec.backend}
    return " and ".join(f"{name}={value}" for name, value in named.items() if getattr(spec.reference, name) != value)
