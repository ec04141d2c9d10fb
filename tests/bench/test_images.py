"""Images keep their depth and channels; what cannot be read says why in one line."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from bench.images import ImageError, probe_image, read_image

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


def test_a_stack_says_its_pages_and_gives_the_one_asked_for(tmp_path):
    pixels = RNG.integers(0, 256, (5, 10, 12), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "z.tif", pixels, photometric="minisblack")
    assert probe_image(tmp_path / "z.tif").pages == 5
    np.testing.assert_array_equal(read_image(tmp_path / "z.tif", 3)[..., 0], pixels[3])
    with pytest.raises(ImageError, match="page 5 asked for; it has 5"):
        read_image(tmp_path / "z.tif", 5)


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
    [(b"", "empty file"), (b"hello, I am text", "not a JPEG, PNG, BMP or TIFF"), (b"II*\x00\xff\xff", "damaged")],
)
def test_a_file_that_is_no_image_says_what_it_is(tmp_path, content, reason):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=reason):
        probe_image(path)


def test_a_missing_file_is_an_image_error(tmp_path):
    with pytest.raises(ImageError, match="cannot be opened"):
        read_image(tmp_path / "none.png")
