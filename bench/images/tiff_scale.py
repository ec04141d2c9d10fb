"""Micrometres per pixel of a TIFF: by OME-XML, ImageJ, makers of microscopes and scanners, or the resolution tags."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from bench.images.picture import ImageError
from bench.images.scale import micrometres, square
from bench.images.tiff_descriptions import Ome

OME_UNIT = "µm"  # of PhysicalSizeX where none is given
INCH, CENTIMETRE = 2, 3  # of ResolutionUnit
UM_OF = {INCH: 25_400.0, CENTIMETRE: 10_000.0}
#: Resolution tags are filled in by every program. Pixels as large as this, or so many round dots per inch, are those of
#: screens, printers and scanners and say nothing of cells.
SCREEN_UM = 10.0
ROUND_DPI, HIGHEST_DPI = 100, 9_600
Sizes = tuple[float | None, float | None]  # um per px along x and y


def um_per_px(tiff: Any, series: Any, image: Ome | None) -> float | None:
    """Return micrometres per pixel, None where the file does not say. image: the OME element of the series, if any."""
    for read in (lambda: _ome(image), *(lambda way=way: way(tiff, series.keyframe) for way in WAYS)):
        try:
            sizes = read()
        except (ImageError, ArithmeticError, TypeError, ValueError, KeyError, LookupError):
            continue  # a description that cannot be understood states no scale
        if sizes is not None:
            return square(*sizes)
    return None


def _ome(image: Ome | None) -> Sizes | None:
    pixels = None if image is None else image.find("{*}Pixels")
    if pixels is None or pixels.get("PhysicalSizeX") is None:
        return None
    sizes = []
    for axis in "XY":
        unit = micrometres(pixels.get(f"PhysicalSize{axis}Unit", OME_UNIT))
        size = pixels.get(f"PhysicalSize{axis}")
        sizes.append(float(size) * unit if size and unit else None)
    return sizes[0], sizes[1]


def _imagej(tiff: Any, page: Any) -> Sizes | None:
    """ImageJ gives the unit in words, and pixels per unit as the resolution."""
    if not tiff.is_imagej:
        return None
    unit = micrometres((tiff.imagej_metadata or {}).get("unit", ""))
    if unit is None:
        return None, None  # ImageJ would have said so; its resolution tags then mean nothing
    sizes = _per_pixel(page, 282, unit), _per_pixel(page, 283, unit)
    # ImageJ takes over the dots per inch of pictures that it opens.
    return _unless_of_screens(sizes) if unit in UM_OF.values() else sizes


def _lsm(tiff: Any, page: Any) -> Sizes | None:
    if not tiff.is_lsm:
        return None
    known = tiff.lsm_metadata
    return known["VoxelSizeX"] * 1e6, known["VoxelSizeY"] * 1e6


def _metamorph(tiff: Any, page: Any) -> Sizes | None:
    if not tiff.is_stk:
        return None
    known = tiff.stk_metadata
    unit = micrometres(known.get("CalibrationUnits", ""))
    return (known["XCalibration"] * unit, known["YCalibration"] * unit) if unit else None


def _micromanager(tiff: Any, page: Any) -> Sizes | None:
    tag = page.tags.get(51123)  # metadata of each plane
    known = tag.value if tag is not None and isinstance(tag.value, dict) else {}
    size = float(known.get("PixelSizeUm", 0))
    return (size, size) if size else None


def _scanner(tiff: Any, page: Any) -> Sizes | None:
    """Scanners of slides write microns per pixel among other words of the description."""
    found = re.search(r"\bMPP\s*=\s*([0-9.]+)", str(page.description)[:10_000])
    return (float(found[1]), float(found[1])) if found else None


def _resolution(tiff: Any, page: Any) -> Sizes | None:
    unit = page.tags.get(296)
    of_unit = UM_OF.get(INCH if unit is None else int(unit.value))
    if of_unit is None:
        return None
    return _unless_of_screens((_per_pixel(page, 282, of_unit), _per_pixel(page, 283, of_unit)))


def _unless_of_screens(sizes: Sizes) -> Sizes:
    meaningless = any(size is None or size >= SCREEN_UM or _is_round(25_400.0 / size) for size in sizes)
    return (None, None) if meaningless else sizes


def _is_round(dpi: float) -> bool:
    near = round(dpi / ROUND_DPI) * ROUND_DPI
    return near <= HIGHEST_DPI and abs(dpi - near) < 0.01


def _per_pixel(page: Any, code: int, unit: float) -> float | None:
    """Return um per px of XResolution or YResolution, which count pixels per unit."""
    tag = page.tags.get(code)
    above, below = tag.value if tag is not None else (0, 0)
    return unit * below / above if above and below else None


#: Ways to say it, the surest first.
WAYS: tuple[Callable[[Any, Any], Sizes | None], ...] = (
    _imagej, _lsm, _metamorph, _micromanager, _scanner, _resolution,
)  # fmt: skip
