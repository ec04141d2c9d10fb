"""Micrometres per pixel: from whatever a file says to one number, or to nothing where it does not mean one."""

from __future__ import annotations

import math

ALIKE = 0.001  # relative difference of the two axes up to which pixels count as square
FINEST, COARSEST = 1e-4, 1e4  # um per px: beyond is no picture of cells but a number that was never set
#: Micrometres of a unit, in lower case, as OME, ImageJ and others write it.
UNITS = {
    "um": 1.0, "µm": 1.0, "μm": 1.0, "\\u00b5m": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0,
    "micrometers": 1.0, "micrometre": 1.0, "micrometres": 1.0, "nm": 1e-3, "nanometer": 1e-3, "nanometers": 1e-3,
    "pm": 1e-6, "å": 1e-4, "angstrom": 1e-4, "mm": 1e3, "millimeter": 1e3, "cm": 1e4, "centimeter": 1e4, "m": 1e6,
    "meter": 1e6, "inch": 25_400.0, "in": 25_400.0,
}  # fmt: skip


def micrometres(unit: object) -> float | None:
    """Return the micrometres of a unit; None for one that is no length, as pixel."""
    return UNITS.get(str(unit).strip().strip("\0").casefold())


def square(x: float | None, y: float | None) -> float | None:
    """Return um per px where both axes say the same; None where one says nothing, or a number that means nothing."""
    sizes = [size for size in (x, y) if size is not None and math.isfinite(size) and FINEST <= size <= COARSEST]
    if len(sizes) < 2 or abs(sizes[0] - sizes[1]) > ALIKE * max(sizes):
        return None
    return float(f"{sizes[0]:.6g}")  # no digits that only come of a division
