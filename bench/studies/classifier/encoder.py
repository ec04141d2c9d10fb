"""The encoder of a stored classifier: found again by name, and refused where it is not the same one.

A classifier may come from somewhere else, and its name of an encoder is only a name. Encoders of the catalogue are
looked up by it. A name that leads to code, to a file or to a hub is not followed, unless the user types it.
"""

from __future__ import annotations

from bench.errors import BenchError
from bench.studies.classifier.model import About
from encoders import EncoderSpec, resolve
from encoders.registry import names


def encoder_of(about: About, typed: str | None = None) -> EncoderSpec:
    """Return the encoder that a classifier was made with. typed: what the user calls it, None to go by its own name.

    Raises BenchError for another encoder, and for a name that the user has to type.
    """
    if typed is None:
        base, _, options = about.encoder.partition("@")
        if base not in names() or "weights=" in options:
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
