"""Every encoder that has a name of its own, as it stands; nothing is loaded."""

from __future__ import annotations

from .errors import EncoderError
from .registry import names, resolve
from .spec import EncoderSpec


def registered() -> tuple[list[EncoderSpec], list[str]]:
    """Return the registered encoders by name, and why plug-ins among them cannot be used."""
    specs, problems = [], []
    for name in names():
        try:
            specs.append(resolve(name))
        except EncoderError as error:
            problems.append(str(error))
    return specs, problems
