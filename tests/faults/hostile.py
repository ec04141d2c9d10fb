"""Image files that lie or are broken, made from nothing and the same every time: (name, bytes)."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import tifffile
from PIL import Image

SOUND = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
HUGE = (2**31 - 1, 2**32 - 1, 2**16 + 1, 0)
OME = (
    '<?xml version="1.0"?>{}<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
    '<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" SizeX="32" SizeY="32" SizeC="{}" SizeZ="{}" SizeT="{}">'
    "<TiffData/></Pixels></Image></OME>"
)
ENTITIES = '<!DOCTYPE OME [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
) + "]>"  # fmt: skip


def hostile() -> Iterator[tuple[str, bytes]]:
    """Yield 300 files of which none holds a whole picture that may be read, but those named `whole`.

    Of those the description alone lies: it says nothing that can be understood, and the picture is read without it.
    """
    files = [*_truncated(), *_png(), *_tiff(), *_headers(), *_noise()]
    for i, (name, data) in enumerate(files[:300]):
        yield f"{i:03d}_{name}", data


def saved(kind: str, number: int = 0) -> bytes:
    """Return the sound picture of that number as a file of that kind."""
    file = io.BytesIO()
    Image.fromarray(SOUND + np.uint8(number)).save(file, kind)
    return file.getvalue()


def _truncated() -> Iterator[tuple[str, bytes]]:
    for kind in ("PNG", "JPEG", "BMP", "GIF", "WEBP", "JPEG2000", "PPM", "TIFF"):
        data = saved(kind)
        end = {"PNG": len(data) - 20, "JPEG": len(data) // 2}.get(kind, len(data) * 3 // 4)
        for cut in np.linspace(1, end, 10).astype(int).tolist():
            yield f"cut.{ {'JPEG': 'jpg', 'JPEG2000': 'jp2', 'TIFF': 'tif'}.get(kind, kind.lower()) }", data[:cut]


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _png() -> Iterator[tuple[str, bytes]]:
    start, body = b"\x89PNG\r\n\x1a\n", zlib.compress(bytes(100))
    for height in HUGE:
        for width in HUGE:
            for depth, color in ((8, 2), (16, 6), (1, 3)):
                head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
                data = start + _chunk(b"IHDR", head) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")
                yield "size.png", data
    bomb = zlib.compress(bytes(200_000_000), 9)
    head = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    yield "bomb.png", start + _chunk(b"IHDR", head) + _chunk(b"IDAT", bomb) + _chunk(b"IEND", b"")
    yield "long.png", start + struct.pack(">I", 2**31 - 1) + b"IHDR" + bytes(20)


def _tiff() -> Iterator[tuple[str, bytes]]:
    whole = io.BytesIO()
    tifffile.imwrite(whole, SOUND, photometric="rgb")
    data = whole.getvalue()
    at = struct.unpack("<I", data[4:8])[0]
    count = struct.unpack("<H", data[at : at + 2])[0]
    where = {struct.unpack("<H", data[p : p + 2])[0]: p for p in range(at + 2, at + 2 + 12 * count, 12)}
    for tag in (256, 257, 258, 277, 273):  # width, height, bits, samples, offsets of strips; wrong lengths do no harm
        for value in (0, 2**31 - 1, 2**32 - 1, 10**6, 7):
            if (tag, value) not in {(258, 7), (256, 7), (257, 7), (273, 7)}:
                p = where[tag]
                yield "tag.tif", data[: p + 2] + struct.pack("<HII", 4, 1, value) + data[p + 12 :]
        for number in (2**32 - 1, 2**28):
            p = where[tag]
            yield "count.tif", data[: p + 4] + struct.pack("<I", number) + data[p + 8 :]
    yield "circle.tif", data[: at + 2 + 12 * count] + struct.pack("<I", at) + data[at + 6 + 12 * count :]
    for offset in (0, 3, len(data) - 1, len(data), 2**31, 2**32 - 1):
        yield "directory.tif", data[:4] + struct.pack("<I", offset) + data[8:]
    for sizes in ((1, 2 * 10**9, 1), (1, 1, 2 * 10**9), (2 * 10**9, 1, 1), (10**9, 10**9, 10**9)):
        yield "sizes.ome.tif", _ome(OME.format("", *sizes))
    yield "word.ome.tif", _ome(OME.format("", "x", 1, 1))
    yield "whole_minus.ome.tif", _ome(OME.format("", -1, 1, 1))
    yield "whole_entities.ome.tif", _ome(OME.format(ENTITIES, "&i;", 1, 1))
    yield "whole_deep.ome.tif", _ome("<OME>" + "<a>" * 100_000)


def _ome(text: str) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, SOUND[..., 0], description=text, metadata=None)
    return file.getvalue()


def _headers() -> Iterator[tuple[str, bytes]]:
    for width, height in ((2**31 - 1, 2**31 - 1), (10**9, 10**9), (0, 5), (65535, 65535)):
        yield "size.ppm", f"P6 {width} {height} 255\n".encode() + bytes(100)
        yield "size.pgm", f"P5 {width} {height} 65535\n".encode() + bytes(100)
        yield "text.ppm", f"P3 {width} {height} 255\n1 2 3".encode()
        yield "size.bmp", b"BM" + struct.pack("<IHHIIiiHHIIiiII", 154, 0, 0, 54, 40, min(width, 2**31 - 1),
                                             min(height, 2**31 - 1), 1, 24, 0, 0, 0, 0, 0, 0) + bytes(100)  # fmt: skip
        yield "size.gif", b"GIF89a" + struct.pack("<HHBBB", width % 65536, height % 65536, 0, 0, 0) + b"," + bytes(20)
    jpeg = saved("JPEG")
    at = jpeg.index(b"\xff\xc0") + 5
    for height, width in ((65535, 65535), (0, 32), (32, 0), (65535, 1), (30_000, 30_000)):
        yield "size.jpg", jpeg[:at] + struct.pack(">HH", height, width) + jpeg[at + 4 :]
    yield "entities.svg", f'<?xml version="1.0"?>{ENTITIES}<svg>&i;</svg>'.encode()
    yield "page.png", b"<!DOCTYPE html><html><body>404</body></html>"
    yield "empty.png", b""
    yield "zeros.tif", bytes(1000)


def _noise() -> Iterator[tuple[str, bytes]]:
    rng = np.random.default_rng(1)
    starts = {"png": saved("PNG")[:33], "jpg": saved("JPEG")[:20], "tif": b"II*\0\x08\0\0\0", "bmp": saved("BMP")[:14],
              "gif": saved("GIF")[:6], "webp": saved("WEBP")[:16], "jp2": saved("JPEG2000")[:40]}  # fmt: skip
    for i in range(300):
        suffix = list(starts)[i % len(starts)]
        yield f"noise.{suffix}", starts[suffix] + rng.bytes(int(rng.integers(1, 3000)))
