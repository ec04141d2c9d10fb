"""Images keep their depth and channels; what cannot be read says why in one line."""

from __future__ import annotations

import io
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageFile

from bench.images import PASSING, ImageError, probe_image, read_image
from bench.images.picture import plain_errors

RNG = np.random.default_rng(0)


def check(path, expected):
    info, pixels = probe_image(path), read_image(path)
    assert pixels.dtype == expected.dtype
    np.testing.assert_array_equal(pixels, expected)
    assert (info.height, info.width, info.channels) == expected.shape
    assert info.dtype == str(expected.dtype)
    assert pixels.flags.c_contiguous


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P", "1"])
def test_png_modes_become_grey_or_rgb_without_alpha(tmp_path, mode):
    image = Image.fromarray(RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8)).convert(mode)
    image.save(tmp_path / "a.png")
    grey = mode in ("L", "LA", "1")
    expected = np.asarray(image.convert("L" if grey else "RGB"))
    check(tmp_path / "a.png", expected[..., None] if grey else expected)


@pytest.mark.parametrize("shape", [(6, 9), (6, 9, 3), (6, 9, 4)])
def test_sixteen_bit_png_keeps_every_bit(tmp_path, shape):
    pixels = RNG.integers(0, 65536, shape, dtype=np.uint16)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(pixels))
    check(tmp_path / "a.png", pixels[..., None] if pixels.ndim == 2 else pixels[..., :3])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("compression", [None, "zlib", "zstd"])
def test_tiff_keeps_its_depth_under_any_compression(tmp_path, dtype, compression):
    pixels = (RNG.random((8, 7)) * 250).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", pixels, compression=compression)
    check(tmp_path / "a.tif", pixels[..., None])


def test_a_four_channel_tiff_keeps_four_channels_planar_or_not(tmp_path):
    pixels = RNG.integers(0, 65536, (4, 10, 12), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "planar.tif", pixels, metadata={"axes": "CYX"}, imagej=True)
    check(tmp_path / "planar.tif", pixels.transpose(1, 2, 0))
    tifffile.imwrite(tmp_path / "last.tif", pixels.transpose(1, 2, 0), photometric="minisblack", planarconfig="contig")
    check(tmp_path / "last.tif", pixels.transpose(1, 2, 0))


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "tif"])
@pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
def test_a_truncated_file_is_an_error_and_never_half_an_image(tmp_path, suffix, keep):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    with pytest.raises(ImageError) as caught:
        read_image(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty file"), (b"hello, I am text", "none of JPEG, PNG, BMP, TIFF"), (b"II*\x00\xff\xff", "truncated: a TIFF of 6 bytes")],
)
def test_a_file_that_is_no_image_says_what_it_is(tmp_path, content, reason):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=reason):
        probe_image(path)


def test_a_missing_file_is_an_image_error(tmp_path):
    with pytest.raises(ImageError, match="cannot be opened"):
        read_image(tmp_path / "none.png")


def test_a_package_that_lets_truncated_images_pass_does_not_reach_us(tmp_path, monkeypatch):
    path = tmp_path / "a.bmp"
    Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:6000])
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(ImageError, match="truncated"):
        read_image(path)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_too_many_pixels_are_refused_by_the_header_and_many_are_read_without_a_warning(tmp_path, recwarn):
    Image.fromarray(np.zeros((9500, 9500), dtype=np.uint8)).save(tmp_path / "large.png")
    assert read_image(tmp_path / "large.png").shape == (9500, 9500, 1)
    header = struct.pack(">II5B", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    bomb += struct.pack(">I", 8) + b"IDAT" + bytes(8) + struct.pack(">I", zlib.crc32(b"IDAT" + bytes(8)))
    (tmp_path / "bomb.png").write_bytes(bomb)
    with pytest.raises(ImageError, match="truncated: 8 bytes cannot hold the pixels of the PNG"):
        probe_image(tmp_path / "bomb.png")
    assert [str(warning.message) for warning in recwarn] == []


def test_alpha_is_dropped_only_where_the_tiff_says_it_is_alpha(tmp_path):
    pixels = RNG.integers(0, 256, (10, 12, 4), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "rgba.tif", pixels, photometric="rgb", extrasamples=["unassalpha"])
    check(tmp_path / "rgba.tif", pixels[..., :3])
    tifffile.imwrite(tmp_path / "four.tif", pixels, photometric="rgb", extrasamples=["unspecified"])
    check(tmp_path / "four.tif", pixels)


def test_palettes_bits_and_cmyk_are_expanded(tmp_path):
    colours = RNG.integers(0, 65536, (3, 256), dtype=np.uint16)
    index = RNG.integers(0, 256, (10, 12), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "palette.tif", index, photometric="palette", colormap=colours)
    check(tmp_path / "palette.tif", (colours[:, index] >> 8).astype(np.uint8).transpose(1, 2, 0))
    bits = index > 99
    tifffile.imwrite(tmp_path / "bits.tif", bits)
    with Image.open(tmp_path / "bits.tif") as shown:  # tifffile writes booleans as min-is-white
        check(tmp_path / "bits.tif", np.asarray(shown.convert("L"))[..., None])
    Image.new("CMYK", (12, 10), (0, 255, 255, 0)).save(tmp_path / "cmyk.jpg", quality=100)
    info, pixels = probe_image(tmp_path / "cmyk.jpg"), read_image(tmp_path / "cmyk.jpg")
    assert pixels.shape == (info.height, info.width, info.channels) == (10, 12, 3)
    assert (pixels[0, 0] > [200, -1, -1]).all()
    assert (pixels[0, 0, 1:] < 60).all()


def test_a_text_file_shows_how_it_starts(tmp_path):
    (tmp_path / "a.jpg").write_text("hello world")
    with pytest.raises(ImageError, match=r"^not an image: the file starts with 'hello w'"):
        read_image(tmp_path / "a.jpg")


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1"])
@pytest.mark.parametrize("clear", [False, True])
def test_png_of_every_kind_has_the_pixels_that_pillow_gives(tmp_path, mode, clear):
    drawn = np.random.default_rng(0).integers(0, 256, (40, 50, 4), dtype=np.uint8)
    transparency = {"L": 7, "P": 7, "RGB": (1, 2, 3)}
    options = {"transparency": transparency[mode]} if clear and mode in transparency else {}
    Image.fromarray(drawn, "RGBA").convert(mode).save(tmp_path / "a.png", **options)
    expected = Image.open(tmp_path / "a.png")
    expected.info.pop("transparency", None)
    grey = mode in ("L", "LA", "1")
    expected = np.asarray(expected.convert("L" if grey else "RGB"))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), expected[..., None] if grey else expected)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"quality": 30}])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg_of_every_kind_has_the_pixels_that_pillow_gives_with_and_without_bytes_after_its_end(tmp_path, mode, options):
    drawn = np.random.default_rng(0).integers(0, 256, (41, 53, 3), dtype=np.uint8)
    Image.fromarray(drawn).convert(mode).save(tmp_path / "a.jpg", **options)
    expected = np.asarray(Image.open(tmp_path / "a.jpg")).reshape(41, 53, -1)
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), expected)
    with (tmp_path / "a.jpg").open("ab") as file:
        file.write(b"\0\0")
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), expected)


def test_a_decoder_that_is_asked_for_more_than_there_can_be_says_so_and_a_lack_of_memory_is_said_for_now():
    with pytest.raises(ImageError, match=r"damaged: a part of it claims 100,000,000,000,000,000 values"), plain_errors():
        np.empty((10**8, 10**9), np.uint8)
    with pytest.raises(ImageError, match="not enough memory") as refusal, plain_errors():
        raise MemoryError
    assert str(refusal.value).startswith(PASSING)


class Counting(io.BytesIO):
    """A file that notes how many bytes are asked of it at once."""

    most = 0

    def read(self, size=-1):
        self.most = max(self.most, size)
        return super().read(size)


@pytest.mark.parametrize("kind", ["PNG", "PNM", "NumPy"])
def test_no_more_is_asked_of_a_file_than_it_holds_whatever_its_header_claims(kind):
    from contextlib import ExitStack

    from bench.images.label_values import READERS

    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<u2", "fortran_order": False, "shape": (9000, 9000)})
    data = {
        "PNG": b"\x89PNG\r\n\x1a\n" + (2**31 - 1).to_bytes(4, "big") + b"IHDR" + bytes(20),
        "PNM": b"P5 9000 9000 255\n" + bytes(100),
        "NumPy": head.getvalue() + bytes(100),
    }[kind]
    file = Counting(data)
    with pytest.raises(ImageError, match="truncated"), ExitStack() as opened:
        READERS[kind](file, kind, opened)
    assert file.most <= 1_000_000
