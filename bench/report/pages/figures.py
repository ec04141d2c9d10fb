"""A figure as the bytes of a PNG, the same every time."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 110


def png_bytes(figure: Figure) -> bytes:
    """Return a figure as the bytes of a PNG that does not say what drew it."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})
    return file.getvalue()
