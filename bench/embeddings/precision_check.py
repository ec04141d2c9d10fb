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
    record = store.folder(spec.key) / "gate.json"
    if spec.reference == spec or read_json(record, spec.key) is not None:
        return
    rows = np.unique(np.linspace(0, len(table) - 1, IMAGES).astype(int)).tolist()
    cache = PixelCache(store.root / PIXELS, keep=False)
    inputs = Inputs(table.iloc[rows], root, [spec.preprocess], cache, found=store.root)
    prepared, _ = inputs.get({spec.preprocess: range(len(rows))})
    views = flat_views(list(prepared[spec.preprocess].values()))[0] if prepared[spec.preprocess] else []
    if len(views) < FEWEST:
        raise EncoderError(
            f"Got {len(views)} images for encoder '{spec.name}'; expected at least {FEWEST}, on which to see whether "
            f"{_changed(spec)} keeps its embeddings. Leave that out."
        )
    cosine = float(centred_cosine(encoder.encode(views), spec.reference.load(placement).encode(views)).mean())
    if not cosine >= LEAST[spec.precision]:
        raise EncoderError(
            f"Encoder '{spec.name}' changes its embeddings: their mean centred cosine to float32 by torch is "
            f"{cosine:.4f} on {len(views)} images; expected at least {LEAST[spec.precision]}. "
            f"Leave out {_changed(spec)}."
        )
    about = {"centred_cosine": cosine, "images": len(views), "least": LEAST[spec.precision]}
    write_json(record, about, spec.key)


def _changed(spec: EncoderSpec) -> str:
    """Return the options by which a variant differs from its reference, as the user wrote them."""
    named = {"precision": spec.precision, "backend": spec.backend}
    return " and ".join(f"{name}={value}" for name, value in named.items() if getattr(spec.reference, name) != value)
