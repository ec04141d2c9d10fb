"""A file is what its first bytes say, whatever its name; what is not read is named, with what to do about it."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from bench.images import IMAGE_SUFFIXES, ImageError, probe_image, read_image
from bench.images.formats import OPENERS, OPENERS_OF_SERIES
from bench.images.signatures import ALIKE, NOT_READ, READ, START, format_of

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 8, 3), dtype=np.uint8)


def test_every_format_of_the_table_has_an_opener_and_every_other_line_an_advice():
    assert {known.name for known in READ} == OPENERS.keys() | OPENERS_OF_SERIES.keys()
    assert all(known.advice and len(known.magic) + known.at <= START for known in (*ALIKE, *NOT_READ))
    assert not any(known.advice for known in READ)


def start(magic: bytes, at: int) -> bytes:
    return bytes(range(1, at + 1 if at < 200 else 200)).ljust(at, b"\x07")[:at] + magic + b"\x07" * 400


@pytest.mark.parametrize("known", [*ALIKE, *NOT_READ], ids=lambda known: f"{known.name} {known.magic[:9]!r}")
def test_what_is_not_read_is_named_with_what_to_do(tmp_path, known):
    (tmp_path / "a.png").write_bytes(start(known.magic, known.at))
    with pytest.raises(ImageError) as caught:
        read_image(tmp_path / "a.png")
    said = str(caught.value)
    assert said.startswith(known.name) and known.advice in said and "  " not in said and ",," not in said


@pytest.mark.parametrize(
    ("brand", "name"),
    [(b"heic", "a HEIC picture, which is not read here; export it as PNG or TIFF"), (b"isom", "a video"), (b"mif1", "a HEIF")],
)
def test_a_picture_of_a_telephone_is_named(tmp_path, brand, name):
    (tmp_path / "a.jpg").write_bytes(b"\0\0\0\x18ftyp" + brand + bytes(99))
    with pytest.raises(ImageError, match=name):
        probe_image(tmp_path / "a.jpg")


@pytest.mark.parametrize("before", [b"", b"\r\n \t", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
@pytest.mark.parametrize("begin", ["<!DOCTYPE HTML>", "<!doctype html>", "<HTML>", "<html lang='en'>", "<Head>", "<BODY>", "<!-- x -->"])
def test_a_web_page_is_named_however_it_is_written(tmp_path, before, begin):
    for page in (before + begin.encode(), begin.encode("utf-16")):
        (tmp_path / "a.jpg").write_bytes(page + b"404 not found" * 9)
        with pytest.raises(ImageError, match=r"^a web page \(HTML\) and no picture, as where a download failed"):
            probe_image(tmp_path / "a.jpg")


def test_a_drawing_is_no_web_page(tmp_path):
    for begin in (b"<SVG>", b"\n<svg>", b"<!DOCTYPE svg>", b" <?XML version='1.0'?>"):
        (tmp_path / "a.png").write_bytes(begin + bytes(99))
        with pytest.raises(ImageError, match="an SVG drawing"):
            probe_image(tmp_path / "a.png")


def test_the_ending_of_a_name_is_not_trusted(tmp_path):
    for kind in ("PNG", "BMP", "GIF", "TIFF", "PPM"):
        buffer = io.BytesIO()
        Image.fromarray(PIXELS).convert("RGB").save(buffer, kind)
        for name in ("a.png", "a.jpg", "a.tif", "a.webp", "a.jp2", "a"):
            (tmp_path / name).write_bytes(buffer.getvalue())
            assert read_image(tmp_path / name).shape == (9, 8, 3)
            assert kind == "GIF" or (read_image(tmp_path / name) == PIXELS).all()


@pytest.mark.parametrize(("ending", "reason"), [("vsi", "whose picture lies in other files"), ("NEF", "a raw picture of a camera")])
def test_a_tiff_that_holds_a_thumbnail_alone_is_not_taken_for_the_picture(tmp_path, ending, reason):
    tifffile.imwrite(tmp_path / f"a.{ending}", PIXELS)
    with pytest.raises(ImageError, match=reason):
        probe_image(tmp_path / f"a.{ending}")


def test_what_is_nothing_known_shows_how_it_starts():
    with pytest.raises(ImageError, match=r"^not an image: the file starts with 'hello w', it is none of JPEG, PNG, BMP"):
        format_of(b"hello world")
    with pytest.raises(ImageError, match="empty file"):
        format_of(b"")


def test_endings_of_pictures_are_listed_whether_they_are_read_or_named():
    assert {".webp", ".gif", ".jp2", ".avif", ".heic", ".ppm", ".dcm", ".svs", ".lsm"} <= IMAGE_SUFFIXES
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in IMAGE_SUFFIXES)
