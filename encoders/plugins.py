"""Encoders of other packages: entry points in group `cell_classifier.encoders`, imported when they are first named."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points

from .errors import EncoderError

GROUP = "cell_classifier.encoders"


@lru_cache(maxsize=1)
def plugins() -> dict[str, EntryPoint]:
    """Return the entry points of installed packages by name, the first of each name."""
    return {point.name: point for point in reversed(_points())}


def load_plugin(name: str) -> None:
    """Import a plug-in, whose decorator registers the encoder; EncoderError where that fails."""
    point = plugins()[name]
    try:
        point.load()
    except (Exception, SystemExit) as error:
        raise EncoderError(
            f"The plug-in of encoder '{name}' ({point.value}) cannot be imported ({type(error).__name__}: {error})."
        ) from error


def check_loaded(name: str, registered: Collection[str]) -> None:
    """Raise EncoderError where the plug-in of that name was imported and registered no such encoder."""
    if name not in registered:
        raise EncoderError(
            f"The plug-in of encoder '{name}' ({plugins()[name].value}) registers no encoder of that name. Its entry "
            "point has to be named as what `descriptor` or `register` is given."
        )


def unused_plugins(is_ours: Callable[[str], bool]) -> list[str]:
    """Return in sentences which entry points are not used, as the name is taken; is_ours: by this package."""
    by_name = plugins()
    taken = {
        point: "an encoder of this program" if is_ours(point.name) else f"also the one of {by_name[point.name].value}"
        for point in _points()
        if is_ours(point.name) or point.value != by_name[point.name].value
    }
    return [
        f"The plug-in of encoder '{point.name}' ({point.value}) is not used, as that name is {whose}. Give it another."
        for point, whose in taken.items()
    ]


def _points() -> list[EntryPoint]:
    return list(entry_points(group=GROUP))
