"""What this process met on the disk that a user has to know, such as damage; the command line prints it at the end."""

from __future__ import annotations

_NOTICES: dict[str, None] = {}


def notice(text: str) -> None:
    """Keep a sentence to be told, once."""
    _NOTICES[text] = None


def take_notices() -> list[str]:
    """Return what was kept since the last call."""
    taken = list(_NOTICES)
    _NOTICES.clear()
    return taken


def any_notice() -> bool:
    """Return whether something is kept."""
    return bool(_NOTICES)
