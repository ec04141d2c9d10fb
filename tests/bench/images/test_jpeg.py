"""JPEG: all that libjpeg can decode, by the header; what lies behind the end, and what is missing before it."""

from __future__ import annotations

import base64
import io
import struct

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageFilter

from bench.images import ImageError, open_image, probe_image, read_image
from bench.images.jpeg_scans import walk_scans
from bench.images.label_values import read_label_values

RNG = np.random.default_rng(0)
SMOOTH = np.asarray(
    Image.fromarray(RNG.integers(0, 256, (41, 53, 3), dtype=np.uint8)).filter(ImageFilter.GaussianBlur(3))
)


def jpeg(mode: str = "RGB", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(SMOOTH).convert(mode).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def read(tmp_path, data: bytes) -> np.ndarray:
    (tmp_path / "a.jpg").write_bytes(data)
    info, pixels = probe_image(tmp_path / "a.jpg"), read_image(tmp_path / "a.jpg")
    assert pixels.shape == (info.height, info.width, info.channels) and str(pixels.dtype) == info.dtype
    return pixels


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"quality": 20}, {"optimize": True}])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_grey_colour_and_ink_have_the_pixels_that_pillow_gives(tmp_path, mode, options, capfd):
    data = jpeg(mode, **options)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("L" if mode == "L" else "RGB"))
    for more in (b"", b"\0\0", b"behind the end", data):
        np.testing.assert_array_equal(read(tmp_path, data + more), expected.reshape(41, 53, -1))
    assert capfd.readouterr().err == ""


def test_ink_that_adobe_did_not_invert_is_not_inverted(tmp_path):
    data = jpeg("CMYK", quality=100)
    at = data.index(b"\xff\xee")
    by_adobe, plain = read(tmp_path, data), read(tmp_path, data[:at] + data[at + 16 :])
    inks = imagecodecs.jpeg8_decode(data, outcolorspace="CMYK").astype(float)
    np.testing.assert_allclose(by_adobe, inks[..., :3] * inks[..., 3:] / 255, atol=0.51)
    np.testing.assert_allclose(plain, (255 - inks[..., :3]) * (255 - inks[..., 3:]) / 255, atol=0.51)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("bits", [5, 8, 10, 12, 16])
def test_a_lossless_jpeg_of_any_depth_keeps_every_number(tmp_path, channels, bits):
    dtype = np.uint8 if bits <= 8 else np.uint16
    pixels = RNG.integers(0, 2**bits, (20, 31, channels), dtype=dtype)
    data = imagecodecs.jpeg8_encode(pixels.squeeze(), lossless=True, bitspersample=bits)
    np.testing.assert_array_equal(read(tmp_path, data), pixels)


def test_a_jpeg_of_twelve_bits_keeps_them(tmp_path):
    pixels = SMOOTH[..., 0].astype(np.uint16) * 16 + 7
    found = read(tmp_path, imagecodecs.jpeg8_encode(pixels, level=100, bitspersample=12))
    assert found.dtype == np.uint16 and abs(found[..., 0].astype(int) - pixels).max() <= 2


# cjpeg -arithmetic -grayscale -quality 100, of libjpeg-turbo 2.1: 8 rows of 0, 16, 32, ... 240
ARITHMETIC = (
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"
    "AQEBAQEBAQEBAQEBAQH/yQALCAAIABABAREA/8wABgAQEAX/2gAIAQEAAD8A/wD2YGOaTNx5Ijaa7IccvFsHOBiA/9k="
)


def test_an_arithmetic_jpeg_is_read(tmp_path):
    found = read(tmp_path, base64.b64decode(ARITHMETIC))
    assert abs(found[..., 0].astype(int) - 16 * np.arange(16)).max() <= 1


@pytest.mark.parametrize("colors", ["YCCK", "CMYK"])
def test_ink_stored_as_brightness_or_as_it_is_has_the_pixels_that_pillow_gives(tmp_path, colors):
    inks = np.asarray(Image.fromarray(SMOOTH).convert("CMYK"))
    data = imagecodecs.jpeg8_encode(inks, 95, colorspace="CMYK", outcolorspace=colors)
    np.testing.assert_array_equal(read(tmp_path, data), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


@pytest.mark.parametrize("keep", [30, 200, 700, -300, -2])
def test_a_jpeg_that_was_cut_is_refused_also_where_a_thumbnail_in_it_is_whole(tmp_path, keep):
    exif = Image.Exif()
    exif[0x010E] = "x"
    thumbnail = jpeg()
    data = jpeg(exif=exif.tobytes() + thumbnail, quality=95)
    assert read(tmp_path, data).shape == (41, 53, 3)
    with pytest.raises(ImageError, match="truncated|without a picture"):
        read(tmp_path, data[:keep])


def test_the_end_is_that_of_the_picture_and_not_of_what_lies_within_or_behind():
    data = jpeg()
    for whole in (data, data + b"x\xff\xd9"):
        known = walk_scans(whole)
        assert known is not None and known.end == len(data) - 2
    for cut in (data[:-2], data[:-1], b"\xff\xd8"):
        assert walk_scans(cut) is None


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"quality": 30}])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("keep", [0.2, 0.5, 0.8])
def test_a_jpeg_that_was_cut_and_then_given_an_end_is_refused(tmp_path, mode, options, keep):
    buffer = io.BytesIO()
    pixels = np.tile(SMOOTH, (4, 4, 1))
    Image.fromarray(pixels).convert(mode).save(buffer, "JPEG", **options)
    data = buffer.getvalue()
    assert read(tmp_path, data).shape[:2] == pixels.shape[:2]
    start = data.index(b"\xff\xda")
    cut = data[: start + int((len(data) - start) * keep)].rstrip(b"\xff")
    with pytest.raises(ImageError, match="truncated: the (JPEG ends before its pixels do|end of the JPEG is missing)"):
        read(tmp_path, cut + b"\xff\xd9")


def encoded(pixels: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", **options)
    return buffer.getvalue()


RESTARTS = [{"restart_marker_rows": 1}, {"restart_marker_blocks": 1}, {"restart_marker_blocks": 7}]


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("restarts", RESTARTS)
def test_a_jpeg_with_restart_markers_is_read_and_its_cut_copies_are_refused(
    tmp_path, restarts, subsampling, progressive
):
    for pixels in (SMOOTH, SMOOTH[:, :1], np.tile(SMOOTH[..., 0], (3, 3))):
        data = encoded(pixels, progressive=progressive, subsampling=subsampling, **restarts)
        expected = np.asarray(Image.open(io.BytesIO(data)))
        np.testing.assert_array_equal(read(tmp_path, data).squeeze(), expected.squeeze())
    start = data.rindex(b"\xff\xda")
    for keep in (0.3, 0.6):
        cut = data[: start + 12 + int((len(data) - start) * keep)].rstrip(b"\xff")
        with pytest.raises(ImageError, match="truncated: the JPEG ends before its pixels do"):
            read(tmp_path, cut + b"\xff\xd9")


@pytest.mark.parametrize("scans", [1, 3, 9])
def test_a_progressive_jpeg_whose_last_scans_are_missing_is_refused(tmp_path, scans):
    data = encoded(SMOOTH, progressive=True)
    starts = [i for i in range(len(data) - 1) if data[i : i + 2] == b"\xff\xda"]
    assert len(starts) == 10 and read(tmp_path, data).shape == SMOOTH.shape
    with pytest.raises(ImageError, match=r"truncated: the JPEG ends before its pixels do \(scans are missing\)"):
        read(tmp_path, data[: starts[scans]] + b"\xff\xd9")


def test_a_lossless_jpeg_that_was_cut_and_then_given_an_end_is_refused(tmp_path):
    data = imagecodecs.jpeg8_encode(RNG.integers(0, 2**16, (40, 60), dtype=np.uint16), lossless=True, bitspersample=16)
    with pytest.raises(ImageError, match="truncated: the JPEG ends before its pixels do"):
        read(tmp_path, data[: len(data) // 2].rstrip(b"\xff") + b"\xff\xd9")


def test_a_jpeg_of_more_scans_than_any_has_is_refused(tmp_path):
    data = encoded(SMOOTH, progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    with pytest.raises(ImageError, match="damaged: a JPEG of more than 1,000 scans"):
        read(tmp_path, data[:-2] + scan * 1_000 + data[-2:])


@pytest.mark.parametrize("size", [(33, 40), (40, 33), (97, 81), (49, 65), (54, 9)])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_a_cut_jpeg_whose_last_block_shows_one_row_or_column_is_refused(tmp_path, size, subsampling):
    data = encoded(RNG.integers(0, 256, (*size, 3), dtype=np.uint8), subsampling=subsampling)
    start = data.rindex(b"\xff\xda") + 14
    cut = data[: start + (len(data) - start) // 4].rstrip(b"\xff")
    with pytest.raises(ImageError, match="truncated: the JPEG ends before its pixels do"):
        read(tmp_path, cut + b"\xff\xd9")


@pytest.mark.parametrize("color", [0, 127, 128, 129, 255])
def test_a_whole_jpeg_of_one_grey_is_read_also_where_missing_blocks_would_look_like_it(tmp_path, color):
    pixels = np.full((50, 70, 3), color, np.uint8)
    assert abs(read(tmp_path, encoded(pixels)).astype(int) - color).max() <= 1
    assert abs(read(tmp_path, encoded(pixels, progressive=True)).astype(int) - color).max() <= 1


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_baseline_jpeg_is_decoded_once_unless_it_ends_in_the_grey_of_missing_blocks(tmp_path, monkeypatch, mode):
    decoded = []
    decode = imagecodecs.jpeg8_decode
    monkeypatch.setattr(imagecodecs, "jpeg8_decode", lambda data: decoded.append(data) or decode(data))
    for color, times in ((255, 1), (0, 1), (128, 2)):
        pixels = np.tile(SMOOTH, (2, 2, 1))
        pixels[40:, 40:] = color
        decoded.clear()
        (tmp_path / "a.jpg").write_bytes(encoded(np.asarray(Image.fromarray(pixels).convert(mode))))
        read_image(tmp_path / "a.jpg")
        assert len(decoded) == times


def test_a_jpeg_ls_is_named(tmp_path):
    with pytest.raises(ImageError, match="^a JPEG-LS picture, which is not read here; export it as PNG or TIFF$"):
        read(tmp_path, imagecodecs.jpegls_encode(SMOOTH[..., 0].copy()))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_whole_jpeg_that_is_flat_in_its_corner_is_read(tmp_path, mode, options):
    pixels = SMOOTH.copy()
    pixels[20:] = 255
    for shown in (pixels, np.full_like(pixels, 255), np.zeros_like(pixels)):
        buffer = io.BytesIO()
        Image.fromarray(shown).convert(mode).save(buffer, "JPEG", **options)
        assert read(tmp_path, buffer.getvalue()).shape == (41, 53, 1 if mode == "L" else 3)
        assert read(tmp_path, buffer.getvalue()[:-2] + b"\0\0\xff\xd9").shape[:2] == (41, 53)


def test_a_picture_of_no_kind_that_is_read_is_named(tmp_path):
    data = jpeg("L")
    at = data.index(b"\xff\xc0")
    for marker, body, reason in (
        (0xC5, data[at + 4 : at + 10], "hierarchical"),
        (0xC0, struct.pack(">BHHB", 8, 41, 53, 2), "in 2 components; expected 1, 3 or 4"),
        (0xC0, struct.pack(">BHHB", 8, 0, 53, 1), "a JPEG of 53 x 0 pixels"),
        (0xC0, struct.pack(">BHHB", 9, 41, 53, 1), "a baseline JPEG of 9 bits"),
        (0xC0, struct.pack(">BHHB", 8, 60_000, 60_000, 1), "too many pixels: 60000 x 60000"),
    ):
        with pytest.raises(ImageError, match=reason):
            read(tmp_path, data[: at + 1] + bytes([marker]) + data[at + 2 : at + 4] + body + data[at + 10 :])


def test_of_several_pictures_in_one_file_the_first_is_read_and_that_is_said(tmp_path):
    other = Image.fromarray(np.zeros((41, 53, 3), np.uint8))
    Image.fromarray(SMOOTH).save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[other])
    with open_image(tmp_path / "a.jpg") as picture:
        assert picture.info.pages == 2 and picture.info.remarks == ("the first of 2 pictures in the file is read",)
        assert abs(picture.project().astype(int) - SMOOTH).mean() < 10


def test_a_jpeg_is_no_mask(tmp_path):
    (tmp_path / "a.png").write_bytes(jpeg("L"))
    with pytest.raises(ImageError, match="a JPEG, which may change values; expected PNG or TIFF"):
        read_label_values(tmp_path / "a.png")
