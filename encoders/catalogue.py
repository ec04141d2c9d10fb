"""How the rows of the catalogue become registered encoders: `enter("imagenet", Network(...), Network(...), ...)`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .networks import Network, network_spec
from .registry import register
from .spec import EncoderSpec


def enter(family: str, *rows: Network) -> None:
    """Register each row as an encoder of `family`, under its name."""
    for row in rows:
        register(row.name)(_maker(replace(row, family=family)))


def _maker(row: Network) -> Callable[..., EncoderSpec]:
    def make(**options: object) -> EncoderSpec:
        return network_spec(row, options)

    make.__doc__ = row.about
    make.__qualname__ = f"{row.family}.{row.source}"  # tells one from another registered under the same name
    return make
