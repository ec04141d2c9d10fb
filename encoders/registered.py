"""Every encoder that has a name of its own, as it stands; nothing is loaded."""

from __future__ import annotations

from .errors import EncoderError
from .plugins import unused_plugins
from .registry import is_ours, names, resolve
from .spec import EncoderSpec


def registered() -> tuple[list[EncoderSpec], list[str]]:
    """Return the registered encoders by name, and why plug-ins among them cannot be used."""
    specs, problems = [], unused_plugins(is_ours)
    for name in names():
        try:
            specs.append(resolve(name))
        except EncoderError as error:
            problems.append(str(error))
    return specs, problems
