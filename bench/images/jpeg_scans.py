"""The scans of a JPEG: where they lie, and which parts of the picture they leave out; nothing is decoded.

A frame says which components there are and how large they are, each scan which of them it holds. A progressive JPEG
sends the 64 coefficients of a block in several scans, and those of each from the high bits down to bit 0. Where restart
markers were asked for, one stands behind every `interval` units (MCU) of a scan, so their number is known beforehand.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.images.picture import ImageError

END, SCAN, RESTARTS = 0xD9, 0xDA, 0xDD
NO_LENGTH = (0x01, *range(0xD0, 0xD9))  # markers that nothing belongs to
#: How a frame is coded, by its marker: what is read. The other frame markers are of JPEG nobody writes.
FRAMES = {0xC0: "baseline", 0xC1: "extended", 0xC2: "progressive", 0xC3: "lossless", 0xC9: "arithmetic",
          0xCA: "arithmetic progressive"}  # fmt: skip
#: ff 00 is a byte of data, ff ff fills up, and the markers from ff d0 to ff d7 restart within a scan.
MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
MAX_SCANS = 1_000
RESTART = re.compile(rb"\xff[\xd0-\xd7]")


@dataclass(frozen=True)
class Frame:
    """Size and coding of the picture. sampling: from the number of a component to its columns and rows per MCU."""

    coding: str
    height: int
    width: int
    sampling: dict[int, tuple[int, int]]

    @property
    def block(self) -> int:
        """Pixels along a side of what is coded as one."""
        return 1 if self.coding == "lossless" else 8

    @property
    def unit(self) -> tuple[int, int]:
        """Columns and rows of pixels of an MCU in which all components take part."""
        return (
            self.block * max(across for across, _ in self.sampling.values()),
            self.block * max(down for _, down in self.sampling.values()),
        )


@dataclass(frozen=True)
class Scan:
    """One scan. components: their numbers. coefficients: first and last. bit: the lowest it holds, 0 is the last sent.

    interval: MCUs between two restart markers, 0 where there are none. start, stop: where its coded data lies.
    """

    components: tuple[int, ...]
    coefficients: tuple[int, int]
    bit: int
    interval: int
    start: int
    stop: int


@dataclass(frozen=True)
class Scans:
    """What the markers say, up to the end. end: where its marker stands."""

    end: int
    frame: Frame | None
    scans: tuple[Scan, ...]


def walk_scans(data: bytes, at: int = 2, frame: Frame | None = None, interval: int = 0) -> Scans | None:
    """Follow the markers of a JPEG to its end marker; None where there is none.

    at, frame, interval: where to begin, and what the markers before said.

    What lies behind it, and the end markers of thumbnails within, do not count. Raises ImageError for a JPEG of so many
    scans that decoding it would take hours.
    """
    scans: list[Scan] = []
    while found := MARKER.search(data, at):
        at = found.end()
        marker = data[at - 1]
        if scans and scans[-1].stop < 0:
            scans[-1] = replace(scans[-1], stop=found.start())
        if marker == END:
            return Scans(at - 2, frame, tuple(scans))
        if marker in NO_LENGTH:
            continue
        body = at + 2
        at += int.from_bytes(data[at:body], "big") if body <= len(data) else 2
        if marker in FRAMES:
            frame = frame_of(marker, data[body:at])
        elif marker == RESTARTS:
            interval = int.from_bytes(data[body : min(at, body + 2)], "big")
        elif marker == SCAN:
            scan = _scan(data[body:at], interval, at)
            scans += [scan] if scan else []
            if len(scans) > MAX_SCANS:
                raise ImageError(f"damaged: a JPEG of more than {MAX_SCANS:,} scans, and few have more than 10")
    return None


def frame_of(marker: int, body: bytes) -> Frame | None:
    """Return what a marker of FRAMES says; None where its size is missing."""
    if len(body) < 6:
        return None
    height, width = struct.unpack_from(">HH", body, 1)
    parts = (body[at : at + 3] for at in range(6, min(6 + 3 * body[5], len(body) - 2), 3))
    sampling = {number: (max(1, both >> 4), max(1, both & 15)) for number, both, _ in parts}
    return Frame(FRAMES[marker], height, width, sampling)


def _scan(body: bytes, interval: int, start: int) -> Scan | None:
    count = body[0] if body else 0
    if not count or len(body) < 4 + 2 * count:
        return None
    first, last, bits = body[1 + 2 * count : 4 + 2 * count]
    return Scan(tuple(body[1 : 1 + 2 * count : 2]), (first, last), bits & 15, interval, start, -1)


def what_is_left_out(data: bytes, known: Scans) -> str:
    """Return what of the picture no scan holds, "" where all of it is there as far as markers tell."""
    frame = known.frame
    if frame is None or not frame.sampling:
        return ""
    for number in frame.sampling:
        if not _is_sent(frame, [scan for scan in known.scans if number in scan.components]):
            return "scans are missing"
    for scan in known.scans:
        expected = _restarts(frame, scan)
        restarts = len(RESTART.findall(data, scan.start, scan.stop)) if expected else 0
        if restarts < expected:
            return f"{restarts:,} of {expected:,} restart markers are there"
    return ""


def _is_sent(frame: Frame, scans: Sequence[Scan]) -> bool:
    """Say whether the scans that hold a component hold all of it, down to the last bit."""
    if "progressive" not in frame.coding:
        return bool(scans)
    sent: set[int] = set()
    for scan in scans:
        if scan.bit == 0:
            sent.update(range(scan.coefficients[0], scan.coefficients[1] + 1))
    return len(sent) >= 64


def _restarts(frame: Frame, scan: Scan) -> int:
    """Return how many restart markers the scan has, 0 where none were asked for."""
    if not scan.interval:
        return 0
    across, down = frame.unit
    if len(scan.components) == 1 and scan.components[0] in frame.sampling:  # then an MCU is one block of it
        columns, rows = frame.sampling[scan.components[0]]
        width, height = -(-frame.width * columns * frame.block // across), -(-frame.height * rows * frame.block // down)
        units = -(-width // frame.block) * -(-height // frame.block)
    else:
        units = -(-frame.width // across) * -(-frame.height // down)
    return -(-units // scan.interval) - 1
