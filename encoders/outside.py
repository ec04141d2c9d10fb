"""Vectors that another program computed, as an encoder: "file:emb.parquet". They are looked up; no pixel is seen.

The content of the file is the encoder's identity: a changed file is another encoder, the same content under another
name or in another folder is the same one. Which row belongs to which image is found by whoever has the images
(`bench.embeddings.outside`); here is what the file holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .errors import EncoderError
from .options import one_of, read_options
from .spec import SCALINGS, EncoderSpec, LoadedEncoder, Placement, Preprocess
from .vector_files import open_vectors
from .vector_table import VectorTable
from .weights import file_sha256

PREFIX = "file"
CONTRACT = "1"  # raised when the same file would give other vectors


def outside_spec(path: str, options: Mapping[str, object]) -> EncoderSpec:
    """Return the spec of "file:PATH"; the file is read once for its digest, and its first rows for its columns.

    Option scaling: what heads do to the rows first, "unit" (vectors of a network) or "standard" (measurements, whose
    columns have units of their own). There is no other, as there are no pixels to change.
    """
    name = f"{PREFIX}:{path}"
    others = sorted(set(options) - {"scaling"})
    if others:
        raise EncoderError(
            f"Got {others[0]}={options[others[0]]} for encoder '{name}'; expected no such option, as the file holds "
            "finished vectors and no pixels that could be changed. Compute them anew in the program that they are "
            "from, or name an encoder that looks at the images."
        )
    values, full = read_options(name, options, {"scaling": one_of(*SCALINGS)}, {"scaling": "unit"})
    file = Path(path).expanduser().absolute()
    if not file.is_file():
        raise EncoderError(f"Got encoder '{name}', and there is no file {file}; expected a file of embeddings.")
    found = open_vectors(file)
    scaling = str(values["scaling"])
    return EncoderSpec(
        name=full, family="other", source="vectors of a file", dim=found.dim, preprocess=Preprocess(size=None),
        weights=f"sha256:{file_sha256(file)}", scaling=scaling, vectors=str(file), checked="declared: by the file",
        code=CONTRACT if scaling == "unit" else f"{CONTRACT} {scaling}", pretraining="unknown (computed elsewhere)",
        about=f"vectors that another program computed: {found.columns}", build=_refuse,
    )  # fmt: skip


def outside_vectors(spec: EncoderSpec) -> VectorTable:
    """Return the file of a spec, checked to be still the one that its name was resolved to."""
    file = Path(spec.vectors)
    found = f"sha256:{file_sha256(file)}" if file.is_file() else "no file"
    if found != spec.weights:
        raise EncoderError(
            f"Got {file}, which changed after the command began ({spec.weights[:15]} before, {found[:15]} now); run "
            "the same command again."
        )
    return open_vectors(file)


def _refuse(spec: EncoderSpec, placement: Placement) -> LoadedEncoder:
    raise EncoderError(
        f"Got encoder '{spec.name}', a file of vectors, where images have to be looked at; expected an encoder that "
        "sees pixels, such as efficientnet-lite0."
    )
