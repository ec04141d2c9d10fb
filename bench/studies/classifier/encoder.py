"""The encoder of a stored classifier: found again by name, and refused where it is not the same one.

A classifier may come from somewhere else, and its name of an encoder is only a name. Encoders of the catalogue are
looked up by it. A name that leads to code, to a file or to a hub is not followed, unless the user types it. Vectors of
another program have to be given for every batch of images.
"""

from __future__ import annotations

from bench.errors import BenchError
from bench.studies.classifier.model import About
from encoders import EncoderSpec, resolve
from encoders.outside import PREFIX as OUTSIDE
from encoders.registry import names


def is_outside(about: About) -> bool:
    """Return whether a classifier was made with vectors of another program."""
    return about.encoder.startswith(f"{OUTSIDE}:")


def must_be_typed(about: About) -> bool:
    """Return whether the encoder's name leads to code, a file or a download, so that a user has to name it."""
    base, _, options = about.encoder.partition("@")
    return base not in names() or "weights=" in options


def encoder_of(about: About, typed: str | None = None, *, dim: int | None = None) -> EncoderSpec:
    """Return the encoder that a classifier was made with. typed: what the user calls it, None to go by its own name.

    Of a classifier made with vectors of another program it is a file that the user names, with vectors of the images
    that are to be answered, of `dim` numbers. Raises BenchError for another encoder, and for a name that the user has
    to type.
    """
    if is_outside(about):
        return _new_vectors(about, typed, dim)
    if typed is None and must_be_typed(about):
        raise BenchError(
            f"Got a classifier made with the encoder '{about.encoder}', which is not in the catalogue; expected a "
            f"name, as it may be code, a file or a download. If you trust it: --encoder '{about.encoder}'."
        )
    spec = resolve(typed or about.encoder)
    if spec.key != about.encoder_key:
        raise BenchError(
            f"Got encoder {spec.full_name} (key {spec.key[:8]}); expected {about.encoder} ({about.encoder_key[:8]}), "
            "which the classifier was made with: another encoder, or another version of it, has other embeddings."
        )
    return spec


def _new_vectors(about: About, typed: str | None, dim: int | None) -> EncoderSpec:
    needs = f"a file with their embeddings by the same program and network, --encoder {OUTSIDE}:NEW.parquet"
    if typed is None:
        raise BenchError(
            f"Got images alone for a classifier of embeddings that another program computed ({about.encoder}), which "
            f"cannot be made here; expected {needs}."
        )
    spec = resolve(typed)
    if not spec.vectors:
        raise BenchError(
            f"Got encoder {spec.full_name} for a classifier of embeddings that another program computed "
            f"({about.encoder}); expected {needs}."
        )
    if dim is not None and spec.dim != dim:
        raise BenchError(
            f"Got embeddings of {spec.dim:,} numbers in {spec.full_name}; expected {dim:,}, as in {about.encoder}, "
            f"which the classifier was made with. Give {needs}."
        )
    return spec


def origin_note(about: About, spec: EncoderSpec) -> str:
    """Return what to know of vectors that another program computed."""
    return (
        f"nothing here can check that the program which made {spec.full_name} is the one that made {about.encoder}: "
        "with vectors of another network, or another version of it, every answer is meaningless"
    )
