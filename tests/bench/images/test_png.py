"""PNG: every colour type, depth and interlacing has the numbers it was written with, whatever else the file says."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from bench.images import ImageError, open_image, probe_image, read_image
from bench.images.label_values import read_label_values
from bench.images.png import DEPTHS, GREY, GREY_ALPHA, INDEXED, MAGIC, PASSES, RGB, RGB_ALPHA, SAMPLES


def chunk(name: bytes, data: bytes, check: int | None = None) -> bytes:
    sum_ = zlib.crc32(name + data) if check is None else check
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", sum_)


def rows(values: np.ndarray, bits: int, rng: np.random.Generator) -> bytes:
    """The rows of an image (h, w, samples), each stored by one of the five filters, drawn at random."""
    out, before = [], None
    for row in values.reshape(len(values), -1):
        if bits == 16:
            data = row.astype(">u2").view(np.uint8)
        elif bits == 8:
            data = row.astype(np.uint8)
        else:
            data = np.packbits(np.unpackbits(row.astype(np.uint8)[:, None], axis=1)[:, 8 - bits :].ravel())
        step = max(1, bits * values.shape[2] // 8)
        up = np.zeros_like(data) if before is None else before
        left, corner = (np.concatenate([np.zeros(step, np.uint8), part])[: len(data)] for part in (data, up))
        a, b, c = (part.astype(int) for part in (left, up, corner))
        near = np.stack([abs(b - c), abs(a - c), abs(a + b - 2 * c)]).argmin(0)
        guess = [0 * a, a, b, (a + b) // 2, np.choose(near, [a, b, c])]
        kind = int(rng.integers(5))
        out.append(bytes([kind]) + ((data.astype(int) - guess[kind]) % 256).astype(np.uint8).tobytes())
        before = data
    return b"".join(out)


def write(path, values: np.ndarray, color: int, bits: int, interlaced: bool = False, more: bytes = b"", after: bytes = b"") -> None:
    """Write a PNG of stored values (h, w, samples); more: chunks before the pixels; the pixels in chunks of 50 bytes."""
    rng = np.random.default_rng(1)
    parts = [values[y::dy, x::dx] for y, x, dy, dx in PASSES] if interlaced else [values]
    data = zlib.compress(b"".join(rows(part, bits, rng) for part in parts if part.size))
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], bits, color, 0, 0, interlaced)
    body = b"".join(chunk(b"IDAT", data[i : i + 50]) for i in range(0, len(data), 50))
    path.write_bytes(MAGIC + chunk(b"IHDR", header) + more + body + after + chunk(b"IEND", b""))


EXTRAS = {
    "plain": b"",
    "gamma": chunk(b"gAMA", struct.pack(">I", 100_000)) + chunk(b"cHRM", bytes(32)),
    "wrong": chunk(b"iCCP", b"x\0\0junk") + chunk(b"sBIT", b"\x99") + chunk(b"tEXt", b"a\0b", check=7),
}
CLEAR = {GREY: bytes(2), RGB: bytes(6), INDEXED: bytes(3)}
KINDS = [(color, bits) for color, depths in DEPTHS.items() for bits in depths]


@pytest.mark.parametrize(("color", "bits"), KINDS)
def test_every_kind_of_png_has_the_numbers_it_was_written_with(tmp_path, color, bits, capfd):
    rng = np.random.default_rng(bits)
    path = tmp_path / "a.png"
    palette = rng.integers(0, 256, (2**bits, 3), dtype=np.uint8) if color == INDEXED else None
    for shape in ((1, 1), (3, 5), (13, 11)):
        stored = rng.integers(0, 2**bits, (*shape, SAMPLES[color]))
        shown = stored[..., : 1 if color in (GREY, GREY_ALPHA) else 3] * (255 // (2**bits - 1) if bits < 8 else 1)
        shown = shown if palette is None else palette[stored[..., 0]]
        for interlaced in (False, True):
            for name, extra in EXTRAS.items():
                for clear in (False, True):
                    more = extra + (chunk(b"PLTE", palette.tobytes()) if palette is not None else b"")
                    more += chunk(b"tRNS", CLEAR[color]) if clear and color in CLEAR else b""
                    write(path, stored, color, bits, interlaced, more)
                    info, pixels = probe_image(path), read_image(path)
                    what = (shape, interlaced, name, clear)
                    assert pixels.dtype == info.dtype == ("uint16" if bits == 16 else "uint8"), what
                    assert pixels.shape == (info.height, info.width, info.channels), what
                    np.testing.assert_array_equal(pixels, shown, err_msg=str(what))
                    if SAMPLES[color] == 1:
                        np.testing.assert_array_equal(read_label_values(path), stored[..., 0], err_msg=str(what))
    assert capfd.readouterr().err == ""  # libpng prints what it thinks of chunks


@pytest.mark.parametrize(("color", "bits"), [kind for kind in KINDS if kind[1] == 8 or kind[0] in (GREY, INDEXED)])
def test_a_png_has_the_pixels_that_pillow_gives(tmp_path, color, bits):
    rng = np.random.default_rng(bits)
    stored = rng.integers(0, 2**bits, (9, 10, SAMPLES[color]))
    palette = chunk(b"PLTE", rng.integers(0, 256, 3 * 2**bits, dtype=np.uint8).tobytes()) if color == INDEXED else b""
    for interlaced in (False, True):
        write(tmp_path / "a.png", stored, color, bits, interlaced, palette)
        image = Image.open(tmp_path / "a.png")
        expected = np.asarray(image.convert("RGB" if color in (RGB, INDEXED, RGB_ALPHA) else "L") if bits < 16 else image)
        np.testing.assert_array_equal(read_image(tmp_path / "a.png"), expected.reshape(9, 10, -1))


def test_alpha_of_a_grey_png_of_sixteen_bits_is_no_colour(tmp_path):
    stored = np.random.default_rng(0).integers(0, 2**16, (6, 7, 2))
    write(tmp_path / "a.png", stored, GREY_ALPHA, 16)
    assert probe_image(tmp_path / "a.png").channels == 1 and probe_image(tmp_path / "a.png").names == ()
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), stored[..., :1])


GREYS = np.random.default_rng(0).integers(0, 256, (20, 30, 1))


def spoiled(tmp_path, change):
    path = tmp_path / "a.png"
    write(path, GREYS, GREY, 8)
    path.write_bytes(change(path.read_bytes()))
    return path


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: data[:-200], "truncated: the file ends within a chunk IDAT of the PNG"),
        (lambda data: data[:25], "truncated: the file ends within a chunk IHDR"),
        (lambda data: data[:60] + bytes([data[60] ^ 1]) + data[61:], "damaged: the checksum of a chunk IDAT"),
        (lambda data: data[:20] + bytes([data[20] ^ 1]) + data[21:], "damaged: the checksum of a chunk IHDR"),
        (lambda data: data[:33] + chunk(b"ABCD", b"") + data[33:], "a chunk ABCD that a reader must understand"),
        (lambda data: data[:33] + chunk(b"IDAT", zlib.compress(bytes(31))) + chunk(b"IEND", b""), r"fewer pixels .* \(31 of"),
        (lambda data: data[:33] + chunk(b"IDAT", b"junk" * 9) + chunk(b"IEND", b""), "cannot be unpacked"),
        (lambda data: data[:33] + chunk(b"IDAT", zlib.compress((b"\x07" + bytes(30)) * 20)), "in a way that does not exist"),
        (lambda data: data[:33] + chunk(b"IEND", b""), "0 bytes cannot hold the pixels"),
        (lambda data: MAGIC + data[33:], "a PNG without its header"),
        (lambda data: data[:33] + b"\0\0\0\0\xff\xff\xff\xff" + data[33:], "has no name"),
    ],
)  # fmt: skip
def test_a_damaged_png_is_refused_by_a_sentence(tmp_path, change, reason, capfd):
    with pytest.raises(ImageError, match=reason):
        read_image(spoiled(tmp_path, change))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data + b"what another program left behind" * 9,
        lambda data: data[:-12],  # without its end
        lambda data: data[:33] + chunk(b"IDAT", zlib.compress(spare(data))) + chunk(b"IEND", b""),
    ],
)
def test_bytes_too_many_and_a_missing_end_change_nothing(tmp_path, change, capfd):
    np.testing.assert_array_equal(read_image(spoiled(tmp_path, change)), GREYS)
    assert capfd.readouterr().err == ""


def spare(data: bytes) -> bytes:
    """The rows of a PNG, and more behind them."""
    at, packed = 33, b""
    while data[at + 4 : at + 8] == b"IDAT":
        (length,) = struct.unpack(">I", data[at : at + 4])
        packed, at = packed + data[at + 8 : at + 8 + length], at + 12 + length
    return zlib.decompress(packed) + bytes(500)


def test_a_pixel_with_a_colour_that_the_palette_lacks_is_refused(tmp_path):
    write(tmp_path / "a.png", np.full((4, 5, 1), 9), INDEXED, 8, more=chunk(b"PLTE", bytes(9)))
    with pytest.raises(ImageError, match="a colour that the palette does not hold"):
        read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(read_label_values(tmp_path / "a.png"), np.full((4, 5), 9))  # as a label it may be


def test_of_an_animation_the_first_picture_is_read_and_that_is_said(tmp_path):
    frames = [Image.fromarray(np.full((8, 9, 3), value, np.uint8)) for value in (10, 20, 30)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    with open_image(tmp_path / "a.png") as picture:
        assert picture.info.pages == 3 and picture.info.remarks == ("the first of 3 pictures in the file is read",)
        assert (picture.project() == 10).all()


def test_a_small_file_that_claims_many_pixels_is_refused_before_room_is_made(tmp_path):
    for side, reason in ((300_000, "too many pixels"), (60_000, "cannot hold the pixels"), (13_000, "cannot hold the pixels")):
        header = struct.pack(">IIBBBBB", side, side, 8, RGB, 0, 0, 0)
        data = MAGIC + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
        (tmp_path / "a.png").write_bytes(data)
        with pytest.raises(ImageError, match=reason):
            read_image(tmp_path / "a.png")


def test_orientation_before_and_behind_the_pixels_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    block = chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
    for place in ({"more": block}, {"after": block}):
        write(tmp_path / "a.png", GREYS, GREY, 8, **place)
        np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.rot90(GREYS, -1))
        info = probe_image(tmp_path / "a.png")
        assert (info.height, info.width, info.reading) == (30, 20, "upright 6")


def test_pillow_reads_what_the_test_writes(tmp_path):
    write(tmp_path / "a.png", GREYS, GREY, 8, interlaced=True)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO((tmp_path / "a.png").read_bytes()))), GREYS[..., 0])
