"""How many processes can work at once on this machine."""

from __future__ import annotations

from functools import cache


def processes(wanted: int) -> tuple[int, str]:
    """Return (how many processes there will be of those wanted, why it is one and not more, else "").

    Processes need semaphores, which containers without a writable /dev/shm do not have.
    """
    why = _no_semaphores() if wanted > 1 else ""
    if not why:
        return wanted, ""
    return 1, f"this machine has no semaphores ({why}), so one process fits instead of {wanted}; it takes longer"


@cache
def _no_semaphores() -> str:
    from multiprocessing import get_context

    try:
        get_context("spawn").Lock()
    except (OSError, ImportError) as error:
        return str(getattr(error, "strerror", "") or error)
    return ""
