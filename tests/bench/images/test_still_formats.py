"""WebP, GIF, AVIF, JPEG 2000, BMP and PNM: known pixels, the first of several pictures, and what is damaged."""

from __future__ import annotations

import io
import struct
import tracemalloc

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from bench.images import ImageError, open_image, probe_image, read_image

RNG = np.random.default_rng(0)
COLOR = RNG.integers(0, 256, (21, 30, 3), dtype=np.uint8)
GREY = COLOR[..., :1]


def read(tmp_path, data: bytes) -> np.ndarray:
    (tmp_path / "a.img").write_bytes(data)
    info, pixels = probe_image(tmp_path / "a.img"), read_image(tmp_path / "a.img")
    assert pixels.shape == (info.height, info.width, info.channels) and str(pixels.dtype) == info.dtype
    assert pixels.flags.c_contiguous
    return pixels


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


LOSSLESS = {
    "WEBP": {"lossless": True, "exact": True},
    "JPEG2000": {},
    "BMP": {},
    "PPM": {},
}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_pixels_written_without_loss_are_read_as_they_were(tmp_path, kind, capfd):
    data = saved(Image.fromarray(COLOR), kind, **LOSSLESS[kind])
    np.testing.assert_array_equal(read(tmp_path, data), COLOR)
    grey = read(tmp_path, saved(Image.fromarray(GREY[..., 0]), kind, **LOSSLESS[kind]))
    np.testing.assert_array_equal(grey, np.broadcast_to(GREY, grey.shape))
    if kind not in ("BMP", "PPM"):
        alpha = np.dstack([COLOR, RNG.integers(1, 255, (21, 30, 1), dtype=np.uint8)])
        np.testing.assert_array_equal(read(tmp_path, saved(Image.fromarray(alpha), kind, **LOSSLESS[kind])), COLOR)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1"])
def test_a_gif_has_the_pixels_that_pillow_gives_and_one_channel_where_its_palette_is_grey(tmp_path, mode):
    data = saved(Image.fromarray(COLOR).convert(mode), "GIF")
    grey = mode in ("L", "1")
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("L" if grey else "RGB"))
    np.testing.assert_array_equal(read(tmp_path, data), expected.reshape(21, 30, 1 if grey else 3))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "AVIF"])
def test_of_an_animation_the_first_picture_is_read_and_that_is_said(tmp_path, kind):
    frames = [Image.fromarray(np.full((16, 18, 3), value, np.uint8)) for value in (40, 120, 200)]
    (tmp_path / "a").write_bytes(saved(frames[0], kind, save_all=True, append_images=frames[1:]))
    with open_image(tmp_path / "a") as picture:
        assert picture.info.pages == 3 and picture.info.remarks == ("the first of 3 pictures in the file is read",)
        assert abs(picture.project().astype(int) - 40).max() <= 3


def test_an_avif_has_the_pixels_that_pillow_gives(tmp_path):
    for mode in ("RGB", "L", "RGBA"):
        data = saved(Image.fromarray(COLOR).convert(mode), "AVIF")
        expected = np.asarray(Image.open(io.BytesIO(data)).convert("L" if mode == "L" else "RGB"))
        np.testing.assert_array_equal(read(tmp_path, data), expected.reshape(21, 30, -1))


@pytest.mark.parametrize("kind", ["GIF", "AVIF", *LOSSLESS])
@pytest.mark.parametrize("keep", [0.05, 0.3, 0.6, 0.95])
def test_a_file_that_was_cut_is_refused_by_a_sentence(tmp_path, kind, keep, capfd):
    data = saved(Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)), kind)
    with pytest.raises(ImageError, match=r"^(damaged|truncated|empty|not an image)") as caught:
        read(tmp_path, data[: int(len(data) * keep)])
    assert "object" not in str(caught.value) and "array" not in str(caught.value) and len(str(caught.value)) < 160
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", ["GIF", "AVIF", *LOSSLESS])
def test_bytes_that_were_changed_never_give_an_error_of_python(tmp_path, kind, capfd):
    data = saved(Image.fromarray(COLOR), kind)
    said = set()
    for at in range(0, len(data), max(1, len(data) // 60)):
        (tmp_path / "a").write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
        said.add(outcome(tmp_path / "a"))
    library = [one for one in said if "not supported: " in one and "supported: the " not in one]
    assert not library and not {one for one in said if "object" in one or "array" in one}
    assert capfd.readouterr().err == ""


def outcome(path) -> str:
    try:
        return str(read_image(path).dtype)
    except ImageError as error:
        return str(error)


@pytest.mark.parametrize("depth", [10, 12])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_an_avif_of_more_than_eight_bits_keeps_them(tmp_path, depth, channels):
    pixels = RNG.integers(0, 2**depth, (20, 32, channels), dtype=np.uint16)
    data = imagecodecs.avif_encode(pixels.squeeze(), level=100, bitspersample=depth)
    np.testing.assert_array_equal(read(tmp_path, data), pixels[..., :3])


@pytest.mark.parametrize("codestream", ["jp2", "j2k"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_a_jpeg_2000_keeps_all_bits_and_channels(tmp_path, codestream, dtype, channels):
    limits = np.iinfo(dtype)
    pixels = RNG.integers(limits.min, limits.max + 1, (21, 30, channels), dtype=dtype)
    data = imagecodecs.jpeg2k_encode(pixels.squeeze(), level=0, codecformat=codestream, reversible=True)
    found = read(tmp_path, data)
    kept = found.shape[2]
    assert kept == channels or (codestream == "jp2" and kept == channels - 1)  # where the file says that one is alpha
    np.testing.assert_array_equal(found, pixels[..., :kept])


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (b"\x00\x00\x00\x10", b"\x00\x00\x00\x12", "in the colours sYCC"),
        (b"jp2c", b"junk", "without pixels"),
        (b"\x07\x01\x01\x07\x01\x01", b"\x07\x01\x01\x07\x02\x02", "channels differ in size"),
        (b"\x07\x01\x01" * 3, b"\x1f\x01\x01" * 3, "of 32 bits"),
    ],
)
def test_a_jpeg_2000_that_is_not_read_is_named(tmp_path, before, after, reason):
    data = saved(Image.fromarray(COLOR), "JPEG2000")
    at = data.index(b"colr")
    assert before in data[at:]
    with pytest.raises(ImageError, match=reason):
        read(tmp_path, data[:at] + data[at:].replace(before, after, 1))


def test_too_many_pixels_are_refused_by_the_header_of_every_format(tmp_path):
    side = struct.pack("<H", 60_000)
    gif = saved(Image.fromarray(COLOR), "GIF")
    webp = saved(Image.fromarray(COLOR), "WEBP", save_all=True, append_images=[Image.fromarray(GREY[..., 0])])
    jp2 = saved(Image.fromarray(COLOR), "JPEG2000")
    at = jp2.index(b"\xff\x4f\xff\x51") + 8
    many = {
        "GIF": gif[:6] + side + side + gif[10:],
        "WebP": webp[:24] + b"\x50\xc3\x00" * 2 + webp[30:],
        "PNM": b"P5 60000 60000 255\n" + bytes(99),
        "text": b"P3 60000 60000 255\n1 2 3",
        "JPEG 2000": jp2[:at] + struct.pack(">II", 60_000, 60_000) + jp2[at + 8 :],
        "BMP": b"BM" + struct.pack("<IHHIIiiHHIIiiII", 99, 0, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0) + bytes(99),
    }
    for data in many.values():
        (tmp_path / "a").write_bytes(data)
        with pytest.raises(ImageError, match="too many pixels: [56]0[0-9]{3} x [56]0[0-9]{3}"):
            probe_image(tmp_path / "a")


def bitmap(stored: np.ndarray, bits: int, palette: bytes = b"", *, kind: int = 0, masks: bytes = b"", down: bool = False) -> bytes:
    """A BMP of rows of bytes, which are padded here."""
    body = b"".join(row + bytes(-len(row) % 4) for row in (row.tobytes() for row in (stored if down else stored[::-1])))
    start = 54 + len(masks) + len(palette)
    height = -21 if down else 21
    info = struct.pack("<IiiHHIIiiII", 40, 30, height, 1, bits, kind, len(body), 0, 0, len(palette) // 4, 0)
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + info + masks + palette + body


def test_bmp_of_every_kind(tmp_path):
    fourth = RNG.integers(0, 256, (21, 30, 1), dtype=np.uint8)
    reverse = np.dstack([COLOR[..., ::-1], fourth])
    palette = RNG.integers(0, 256, (256, 4), dtype=np.uint8)
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 4, 1).tobytes()
    index, nibble = GREY[..., 0], GREY[..., 0] & 15
    halves = nibble[:, ::2] << 4 | nibble[:, 1::2]
    bits = GREY[..., 0] & 1
    fields = struct.pack("<III", 0xFF0000, 0xFF00, 0xFF)
    expected = [
        (bitmap(COLOR[..., ::-1], 24), COLOR),
        (bitmap(COLOR[..., ::-1], 24, down=True), COLOR),
        (bitmap(reverse, 32), COLOR),
        (bitmap(reverse, 32, kind=3, masks=fields), COLOR),
        (bitmap(index, 8, palette.tobytes()), palette[index][..., 2::-1]),
        (bitmap(index, 8, greys), GREY),
        (bitmap(halves, 4, palette[:16].tobytes()), palette[nibble][..., 2::-1]),
        (bitmap(halves, 4, greys[:64]), nibble[..., None]),
        (bitmap(np.packbits(bits, axis=1), 1, bytes(4) + b"\xff" * 4), bits[..., None] * 255),
        (bitmap(np.packbits(bits, axis=1), 1, b"\xff" * 4 + bytes(4)), np.repeat(255 - bits[..., None] * 255, 3, 2)),
    ]
    for data, pixels in expected:
        np.testing.assert_array_equal(read(tmp_path, data), pixels)
    fives = RNG.integers(0, 32, (21, 30, 3))
    packed = (fives[..., 0] << 10 | fives[..., 1] << 5 | fives[..., 2]).astype("<u2")
    assert abs(read(tmp_path, bitmap(packed, 16)) - fives * 255 / 31).max() <= 1


def test_bmp_packed_in_runs(tmp_path):
    palette = RNG.integers(0, 256, (256, 4), dtype=np.uint8)
    index = np.repeat(GREY[:, ::5, 0], 5, 1)
    runs = b"".join(b"".join(bytes([5, row[i]]) for i in range(0, 30, 5)) + b"\0\0" for row in index[::-1]) + b"\0\1"
    start = 54 + 1024
    info = struct.pack("<IiiHHIIiiII", 40, 30, 21, 1, 8, 1, len(runs), 0, 0, 256, 0)
    data = b"BM" + struct.pack("<IHHI", start + len(runs), 0, 0, start) + info + palette.tobytes() + runs
    np.testing.assert_array_equal(read(tmp_path, data), palette[index][..., 2::-1])


def numbers(values: np.ndarray) -> bytes:
    return b" ".join(b"%d" % value for value in values.ravel())


@pytest.mark.parametrize("largest", [1, 3, 15, 100, 255, 1023, 4095, 65_535])
def test_pnm_as_text_and_as_bytes_of_any_number_of_levels(tmp_path, largest):
    stored = RNG.integers(0, largest + 1, (21, 30, 3))
    wide = ">u2" if largest > 255 else np.uint8
    shown = np.rint(stored * 255 / largest) if largest < 255 else stored
    pam = b"P7\nWIDTH 30\nHEIGHT 21\nDEPTH %d\nMAXVAL %d\nTUPLTYPE X\nENDHDR\n"
    alpha = np.dstack([stored, stored[..., :1]])
    for data, expected in (
        (b"P2\n# a comment\n30 21\n%d\n" % largest + numbers(stored[..., 0]), shown[..., :1]),
        (b"P3 30 21 %d " % largest + numbers(stored), shown),
        (b"P5 30 21 # more\n%d\n" % largest + stored[..., :1].astype(wide).tobytes(), shown[..., :1]),
        (b"P6\n30\n21\n%d\n" % largest + stored.astype(wide).tobytes() + b"more", shown),
        (pam % (3, largest) + stored.astype(wide).tobytes(), shown),
        (pam % (2, largest) + stored[..., :2].astype(wide).tobytes(), shown[..., :1]),
        (pam % (4, largest) + alpha.astype(wide).tobytes(), shown),
    ):
        found = read(tmp_path, data)
        assert found.dtype == (np.uint16 if largest > 255 else np.uint8)
        np.testing.assert_array_equal(found, expected)


def test_of_the_bits_of_a_pbm_one_is_black(tmp_path):
    bits = GREY[..., 0] & 1
    text = b"P1\n30 21\n" + b"\n".join(b"".join(b"%d" % bit for bit in row) for row in bits)
    for data in (text, b"P4\n30 21\n" + np.packbits(bits, axis=1).tobytes()):
        np.testing.assert_array_equal(read(tmp_path, data), (1 - bits[..., None]) * 255)
        assert (np.asarray(Image.open(io.BytesIO(data)).convert("L")) == (1 - bits) * 255).all()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"P5 30 x 255\n", "not made of numbers"),
        (b"P5 30 21 0\n" + bytes(700), "with values up to 0"),
        (b"P5 30 21 70000\n" + bytes(2000), "with values up to 70000"),
        (b"P5 30 21 255\n" + bytes(600), "truncated: the PNM holds 600 of 630 bytes"),
        (b"P2 30 21 255\n" + b"1 " * 600, "truncated: the PNM holds 600 of 630 values"),
        (b"P2 3 1 255\n1 b 2", "words where numbers should be"),
        (b"P5 2 1 100\n\x01\xc8", "the value 200, above the 100 of its header"),
        (b"P7\nWIDTH 2\nENDHDR\n", "does not say its size"),
        (b"P7\nWIDTH 2\nHEIGHT 2\nDEPTH 9\nMAXVAL 255\nENDHDR\n" + bytes(99), "in 9 samples"),
    ],
)
def test_a_pnm_that_is_damaged_says_how(tmp_path, data, reason):
    with pytest.raises(ImageError, match=reason):
        read(tmp_path, data)


def test_a_pnm_of_more_numbers_as_text_than_there_is_room_for_is_refused(tmp_path, monkeypatch):
    from bench.images import netpbm

    (tmp_path / "a").write_bytes(b"P2 30 21 255\n" + b"1 " * 630)
    assert read_image(tmp_path / "a").shape == (21, 30, 1)
    monkeypatch.setattr(netpbm, "MOST_WORDS", 600)
    with pytest.raises(ImageError, match="too many numbers as text: 630, at most 600; save it as a binary PNM"):
        read_image(tmp_path / "a")


@pytest.mark.parametrize("kind", ["JPEG", "JPEG2000", "WEBP", "AVIF", "BMP", "GIF"])
def test_of_a_file_far_longer_than_any_picture_only_a_part_is_held(tmp_path, kind, monkeypatch):
    from bench.images import limits

    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "a", kind)
    whole = read_image(tmp_path / "a")
    monkeypatch.setattr(limits, "MAX_HELD", 1 << 20)
    with (tmp_path / "a").open("ab") as file:
        file.truncate(200 << 20)  # a hole that takes no room on the disk
    tracemalloc.start()
    try:
        assert (read_image(tmp_path / "a") == whole).all()
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()
