"""The skeleton of a TIFF, checked before any library reads it: its directories, their tags, and where values lie.

A count or an offset in a file costs memory or time when it is believed. Everything here is bounded by the size of the
file: a directory is looked at once, and a tag whose values would lie beyond the end is refused by its name.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from bench.images.picture import ImageError

MAX_LEVELS = 256  # sub-directories of one directory: the levels of a pyramid are some 10
MAX_TAGS = 4096  # of one directory; files of microscopes have some 20 to 100
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
#: Tags without which pixels cannot be found or understood; of others that are damaged the library makes nothing.
PIXEL_TAGS = {
    254: "NewSubfileType", 256: "ImageWidth", 257: "ImageLength", 258: "BitsPerSample", 259: "Compression",
    262: "PhotometricInterpretation", 266: "FillOrder", 270: "ImageDescription", 273: "StripOffsets",
    274: "Orientation", 277: "SamplesPerPixel", 278: "RowsPerStrip", 279: "StripByteCounts",
    284: "PlanarConfiguration", 317: "Predictor", 320: "ColorMap", 322: "TileWidth", 323: "TileLength",
    324: "TileOffsets", 325: "TileByteCounts", 330: "SubIFDs", 338: "ExtraSamples", 339: "SampleFormat",
    347: "JPEGTables", 530: "YCbCrSubSampling", 33628: "UIC1tag", 33629: "UIC2tag", 33630: "UIC3tag",
    33631: "UIC4tag", 34412: "CZ_LSMINFO", 50838: "IJMetadataByteCounts", 50839: "IJMetadata",
}  # fmt: skip
NEEDED = ({256}, {257}, {273, 324})  # width, length, and where the pixels lie, in strips or tiles
#: What pages of one series have in common, and what a directory that does not say so means.
ALIKE: dict[int, int | None] = {
    256: None, 257: None, 258: 1, 259: 1, 262: None, 266: 1, 277: 1, 278: None, 284: 1, 317: 1, 322: None, 323: None,
    339: 1,
}  # fmt: skip
WHOLE_NUMBERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
LEVELS_TAG = 330  # SubIFDs
STACK_TAG, STACK_PLANE = 33629, 24  # MetaMorph: bytes of each plane that the tag counts


@dataclass(frozen=True)
class Directories:
    """What the walk found.

    alike: offset of a directory -> what pages of one series share. lacking: names of tags that some
    directory lacks and cannot do without. unsaid: whether the first directory lacks its photometric interpretation.
    """

    alike: dict[int, tuple[object, ...]]
    lacking: tuple[str, ...]
    unsaid: bool

    def __len__(self) -> int:
        return len(self.alike)


@dataclass(frozen=True)
class _Layout:
    """Byte order and the sizes of a classic or a BigTIFF."""

    order: str
    big: bool

    def value(self, kind: int, count: int, raw: bytes) -> object:
        """Return a whole number, the bytes of several that fit into the tag, or their number."""
        if count == 1 and kind in WHOLE_NUMBERS:
            return struct.unpack_from(self.order + WHOLE_NUMBERS[kind], raw)[0]
        length = count * SIZES.get(kind, 1)
        return raw[:length] if length <= len(raw) else count

    @property
    def entry(self) -> struct.Struct:
        """Code, type, count and value of a tag."""
        return struct.Struct(self.order + ("HHQ8s" if self.big else "HHI4s"))

    @property
    def offset(self) -> struct.Struct:
        """An offset in the file."""
        return struct.Struct(self.order + ("Q" if self.big else "I"))

    @property
    def count(self) -> struct.Struct:
        """The number of tags of a directory."""
        return struct.Struct(self.order + ("Q" if self.big else "H"))


def walk_directories(file: BinaryIO) -> Directories:
    """Return what all directories of the main chain hold, having looked at each once. Raises ImageError."""
    size = file.seek(0, 2)
    layout, offset = _header(file, size)
    alike: dict[int, tuple[object, ...]] = {}
    lacking: dict[str, None] = {}
    unsaid = False
    while offset:
        where = f"directory {len(alike) + 1}"
        if offset in alike:
            raise ImageError(f"damaged: {where} is a directory that came before, so that its pages never end")
        tags, offset_after = _directory(file, layout, offset, size, where)
        lacking |= dict.fromkeys(_lacking(tags))
        unsaid = unsaid or (not alike and 262 not in tags)
        alike[offset] = tuple(tags.get(code, usual) for code, usual in ALIKE.items())
        offset = offset_after
    if not alike:
        raise ImageError("damaged: a TIFF without a directory, so without an image")
    return Directories(alike, tuple(lacking), unsaid)


def _header(file: BinaryIO, size: int) -> tuple[_Layout, int]:
    file.seek(0)
    start = file.read(16)
    order = "<" if start[:2] == b"II" else ">"
    big = start[2:4] in (b"+\0", b"\0+")
    layout = _Layout(order, big)
    if len(start) < (16 if big else 8):
        raise ImageError(f"truncated: a TIFF of {size} bytes")
    if big and struct.unpack(order + "HH", start[4:8]) != (8, 0):
        raise ImageError("damaged: the header of a BigTIFF whose offsets do not have 8 bytes")
    return layout, layout.offset.unpack(start[8:16] if big else start[4:8])[0]


def _directory(file: BinaryIO, layout: _Layout, offset: int, size: int, where: str) -> tuple[dict[int, object], int]:
    """Return code -> value, see `_Layout.value`, and the offset of the next directory."""
    if offset + layout.count.size > size:
        raise ImageError(f"truncated: {where} lies at byte {offset:,}, and the file ends at {size:,}")
    file.seek(offset)
    number = layout.count.unpack(file.read(layout.count.size))[0]
    if not 0 < number <= MAX_TAGS:
        raise ImageError(f"damaged: {where} says that it has {number:,} tags; expected 1 to {MAX_TAGS:,}")
    block = file.read(number * layout.entry.size)
    after = file.read(layout.offset.size)
    if len(block) < number * layout.entry.size:
        raise ImageError(f"truncated: {where} has {number} tags, of which the file holds a part")
    tags: dict[int, object] = {}
    for code, kind, count, value in layout.entry.iter_unpack(block):
        _check_tag(code, kind, count, layout.offset.unpack(value)[0], layout, size, where)
        tags[code] = layout.value(kind, count, value)
    # Without an offset to the next one, as some writers leave it, a directory is the last.
    return tags, layout.offset.unpack(after)[0] if len(after) == layout.offset.size else 0


def _check_tag(code: int, kind: int, count: int, at: int, layout: _Layout, size: int, where: str) -> None:
    if code not in PIXEL_TAGS or kind not in SIZES:
        return
    if code == LEVELS_TAG and count > MAX_LEVELS:
        raise ImageError(f"damaged: {where} lists {count:,} reduced copies (SubIFDs); expected at most {MAX_LEVELS}")
    length = count * SIZES[kind]
    if code == STACK_TAG:
        length = count * STACK_PLANE
    if length > layout.offset.size and at + length > size:
        raise ImageError(
            f"damaged or truncated: the tag {PIXEL_TAGS[code]} of {where} has {count:,} values up to byte "
            f"{at + length:,}, and the file ends at {size:,}"
        )


def _lacking(tags: dict[int, object]) -> Iterator[str]:
    for needed in NEEDED:
        if not needed & tags.keys():
            yield " or ".join(PIXEL_TAGS[code] for code in sorted(needed))
