"""ROIs of Fiji and ImageJ: one in a .roi, or many in the .zip of the ROI manager; read by roifile, an optional part.

Areas give their bounding box, points a cell each; lines are left out and counted. ImageJ counts coordinates of areas
from the corner of the image, and a point lies in the pixel that its coordinates, rounded down, name.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import BenchError
from bench.instances.annotations.marks import MOST_MARKS, Mark, Marks, NoCell, collect
from bench.text import plain

MOST_BYTES = 16_000_000  # of one ROI
MOST_PACKED = 512_000_000  # of all ROIs of a .zip, unpacked
ENCRYPTED = 0x1  # in the flags of a member of a .zip
PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
AREAS = ("RECT", "OVAL", "POLYGON", "FREEHAND", "TRACED")
#: Names that ImageJ gives by itself (0012-0034, with slices before), and what it adds to make a name unique.
_GIVEN = re.compile(r"\d+(-\d+)+")
_AGAIN = re.compile(r"-\d+$")


def read_rois(path: Path) -> Marks:
    """Return what ROIs mark; columns group and name. BenchError, with the name of the ROI, for what is none."""
    try:
        import roifile
    except ImportError:
        raise BenchError(f"Got {path.name}, which holds ROIs; their reader is absent: pip install '.[rois]'.") from None
    return collect(path.name, ((f"ROI {name}", _marks(roifile, name, data, path)) for name, data in _entries(path)))


def _entries(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield (name, bytes) of each ROI of a file; limits hold before anything is unpacked."""
    try:
        if not zipfile.is_zipfile(path):
            with path.open("rb") as file:
                yield path.name, file.read(MOST_BYTES)
            return
        with zipfile.ZipFile(path) as archive:
            members = [one for one in archive.infolist() if one.filename.lower().endswith(".roi")]
            if not members:
                raise BenchError(f"Got {path.name} without a .roi in it; expected what Fiji's ROI manager saves.")
            large = max(one.file_size for one in members) > MOST_BYTES
            if large or sum(one.file_size for one in members) > MOST_PACKED or len(members) > MOST_MARKS:
                raise BenchError(
                    f"Got {path.name}, which unpacks to more than ROIs take ({MOST_PACKED / 1e6:,.0f} MB, "
                    f"{MOST_BYTES / 1e6:,.0f} MB each, {MOST_MARKS:,}); expected what Fiji's ROI manager saves."
                )
            for one in members:
                if one.flag_bits & ENCRYPTED or one.compress_type not in PACKINGS:
                    raise BenchError(
                        f"Got {path.name} with {plain(one.filename)} encrypted or packed in an unusual way; expected "
                        "what Fiji's ROI manager saves. Save it again without a password."
                    )
                with archive.open(one) as member:
                    yield plain(one.filename), member.read(MOST_BYTES)
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise BenchError(f"Got {path.name}, which cannot be read ({plain(str(error))}); save it again.") from None


def _marks(roifile: Any, name: str, data: bytes, path: Path) -> Iterator[Mark]:
    try:
        roi = roifile.ImagejRoi.frombytes(data)
        kind = roi.roitype.name
    except Exception as error:  # its reader answers damage with errors of many classes
        raise BenchError(
            f"Got {name} in {path.name}, which is no ROI ({plain(str(error))[:80]}); save it again."
        ) from None
    if kind not in AREAS and kind != "POINT":
        raise NoCell("lines and texts")
    given = str(roi.name or Path(name).stem)
    label = None if _GIVEN.fullmatch(given) else _AGAIN.sub("", given).strip() or None
    texts = {"group": str(int(roi.group)) if roi.group else None, "name": label}
    points = _corners(roi) if kind in AREAS else np.asarray(roi.coordinates(), np.float64)
    if kind in AREAS:
        yield Mark((*points[0].tolist(), *points[1].tolist()), texts)
        return
    for x, y in points.tolist():
        yield Mark((x, y, x, y), texts, point=True)


def _corners(roi: Any) -> np.ndarray:
    """Return the upper left and lower right corner of an area, float64 (2, 2); finer than pixels where that is kept."""
    if roi.subpixelrect:
        return np.array([[roi.xd, roi.yd], [roi.xd + roi.widthd, roi.yd + roi.heightd]], np.float64)
    if roi.subpixel_coordinates is not None and len(roi.subpixel_coordinates):
        points = np.asarray(roi.subpixel_coordinates, np.float64)
        return np.stack([points.min(0), points.max(0)])
    return np.array([[roi.left, roi.top], [roi.right, roi.bottom]], np.float64)
