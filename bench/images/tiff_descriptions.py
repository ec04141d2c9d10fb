"""What a TIFF says of itself in words (OME-XML, ImageJ, Micro-Manager, SCN), checked against the pages that are there.

The library makes room for as many planes as a description lists, so the numbers are looked at before it does.
"""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

from bench.images.picture import ImageError

MAX_PLANES = 1_000_000  # of one description; a plane that is listed and not there costs a few bytes
Ome = ElementTree.Element


def read_ome(tiff: Any) -> Ome | None:
    """Return the root of the OME-XML; None where there is none or it cannot be parsed."""
    if not tiff.is_ome:
        return None
    try:
        return ElementTree.fromstring(tiff.ome_metadata)
    except (ElementTree.ParseError, ValueError):
        return None


def check_descriptions(tiff: Any, ome: Ome | None, directories: int) -> None:
    """Refuse a description that lists more planes than any file has, before room is made for them."""
    listed = [*_ome_counts(ome), *_imagej_counts(tiff), *_micromanager_counts(tiff), *_scn_counts(tiff)]
    if max(listed, default=0) > max(MAX_PLANES, directories):
        raise ImageError(f"its description lists {max(listed):,} planes, and the file holds {directories:,}")


def check_planes(tiff: Any, series: Any, ome: Ome | None, directories: int) -> None:
    """Refuse pages that the library took for what they are not, since their description could not be followed."""
    if tiff.is_ome and series.kind not in ("ome", "mmstack") and directories > 1:
        raise ImageError(_why_not_ome(ome, directories))
    listed = max(_imagej_counts(tiff), default=1)
    if listed > directories and series.kind not in ("imagej", "ome", "mmstack"):
        raise ImageError(f"truncated: ImageJ lists {listed:,} planes, and the file holds {directories:,} of them")


def _why_not_ome(ome: Ome | None, directories: int) -> str:
    if ome is None:
        return (
            "damaged: an OME-TIFF whose description is not well-formed XML, so that nothing says which of its "
            f"{directories:,} pages is what; export it again, or save it as a plain TIFF"
        )
    named = {file.text for file in ome.iterfind(".//{*}TiffData/{*}UUID")}
    if ome.find("{*}BinaryOnly") is not None or named - {ome.get("UUID")}:
        return (
            "an OME-TIFF whose description does not fit its pages, as when an image is spread over several "
            "files; save it as one file"
        )
    return (
        f"an OME-TIFF whose description does not fit its {directories:,} pages; export it again, or save it as a plain "
        "TIFF"
    )


def imagej_number(tiff: Any, key: str, default: int = 1) -> int:
    """Return a number of ImageJ's description, `default` where it is none."""
    try:
        return int((tiff.imagej_metadata or {}).get(key, default)) if tiff.is_imagej else default
    except (TypeError, ValueError):
        return default


def _imagej_counts(tiff: Any) -> list[int]:
    if not tiff.is_imagej:
        return []
    sizes = [imagej_number(tiff, key) for key in ("frames", "slices", "channels")]
    return [imagej_number(tiff, "images"), max(sizes[0], 1) * max(sizes[1], 1) * max(sizes[2], 1)]


def _ome_counts(ome: Ome | None) -> list[int]:
    """Return the planes of every image, the places of its TiffData, and the steps of its modulo annotations."""
    counts = []
    for pixels in () if ome is None else ome.iterfind("{*}Image/{*}Pixels"):
        planes = 1
        for axis in "ZCT":
            planes *= max(_whole(pixels.get(f"Size{axis}")), 1)
        counts.append(planes)
        for data in pixels.iterfind("{*}TiffData"):
            counts += [_whole(data.get(name)) for name in ("IFD", "PlaneCount", "NumPlanes")]
    for along in () if ome is None else ome.iter():
        if along.tag.endswith(("AlongZ", "AlongC", "AlongT")):
            counts.append(_steps(along))
    return [sum(counts)]


def _steps(along: Ome) -> int:
    try:
        usual = {"Start": "0", "End": "0", "Step": "1"}
        start, end, step = (float(along.get(name, default)) for name, default in usual.items())
        return int(abs((end - start) / step))
    except (ValueError, ZeroDivisionError, OverflowError):
        return MAX_PLANES + 1 if along.get("Step") else 0


def _whole(text: str | None) -> int:
    return int(text) if text and re.fullmatch(r"\d{1,18}", text.strip()) else 0


def _micromanager_counts(tiff: Any) -> list[int]:
    if not tiff.is_mmstack:
        return []
    known = tiff.micromanager_metadata
    largest = known["IndexMap"][:, :4].max(0).tolist() if len(known["IndexMap"]) else []
    sizes = [known["Summary"].get(key, 1) for key in ("Channels", "Slices", "Positions", "Frames")]
    product = 1
    for seen, said in zip(largest, sizes, strict=False):
        product *= max(int(seen) + 1, int(said) if isinstance(said, int) else 1)
    return [product]


def _scn_counts(tiff: Any) -> list[int]:
    if not tiff.is_scn:
        return []
    return [_whole(number) for number in re.findall(r'\b[czr]="(\d+)"', tiff.pages[0].description)]
