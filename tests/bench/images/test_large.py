"""Pictures that are too large to be read at once are read by region, whatever their format; limits are lowered here."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from bench.images import ImageError, kept_whole, limits, open_image, png_bands, probe_image, read_image

SIZE = (301, 203)


@pytest.fixture(autouse=True)
def _small_limits(monkeypatch):
    monkeypatch.setattr(limits, "MAX_PIXELS", 20_000)
    monkeypatch.setattr(limits, "MAX_VALUES", 80_000)
    monkeypatch.setattr(png_bands, "BAND", 20_000)
    monkeypatch.setattr(png_bands, "KEPT", 50_000)
    monkeypatch.setattr(png_bands, "PIECE", 1_000)


def smooth(dtype: type, channels: int) -> np.ndarray:
    """Not noise alone, so that every kind of filter of a PNG is used."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    noise = np.random.default_rng(0).integers(0, 9, (*SIZE, channels))
    return ((x[..., None] * 3 + y[..., None] * (1 + np.arange(channels)) + noise) * (1 if dtype == np.uint8 else 77)).astype(dtype)


def write(folder: Path, name: str) -> tuple[Path, np.ndarray]:
    dtype = np.uint16 if "16" in name else np.uint8
    pixels = smooth(dtype, 1 if "grey" in name else 4 if "alpha" in name else 3)
    path = folder / f"x.{name.split()[0].lower()}"
    if name.startswith("PNG"):
        path.write_bytes(imagecodecs.png_encode(pixels.squeeze(), level=6))
    elif name.startswith("JPEG"):
        Image.fromarray(pixels.squeeze()).save(path, quality=95)
        pixels = imagecodecs.jpeg8_decode(path.read_bytes()).reshape(*SIZE, -1)
    else:
        tile = {"tile": (64, 48)} if "tiles" in name else {"rowsperstrip": 16}
        kind = {"photometric": "rgb"} if pixels.shape[2] == 3 else {}
        tifffile.imwrite(path, pixels.squeeze(), compression="zlib" if "packed" in name else None, **kind, **tile)
    return path, pixels[..., :3]


@pytest.mark.parametrize(
    "name",
    ["PNG", "PNG grey", "PNG 16", "PNG alpha", "PNG 16 grey", "JPEG", "JPEG grey", "TIFF tiles packed", "TIFF packed",
     "TIFF tiles", "TIFF 16 grey packed"],
)  # fmt: skip
def test_regions_of_a_large_picture_are_parts_of_it(tmp_path, name):
    path, pixels = write(tmp_path, name)
    with open_image(path) as picture:
        assert not picture.fits
        with pytest.raises(ImageError, match="too many pixels to read at once: 203 x 301 .* use --instances tiles:512"):
            picture.project()
        regions = [(0, 0, 40, 40), (30, 10, 90, 50), (260, 163, 301, 203), (0, 5, 1, 6), (100, 0, 190, 203), (90, 0, 95, 9)]
        for y0, x0, y1, x1 in regions:
            assert np.array_equal(picture.project("first", (y0, x0, y1, x1)), pixels[y0:y1, x0:x1])


@pytest.mark.parametrize("orientation", [3, 6])
def test_regions_are_of_the_upright_picture(tmp_path, orientation):
    pixels = smooth(np.uint8, 3)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "x.png", exif=exif)
    upright = pixels[::-1, ::-1] if orientation == 3 else pixels.swapaxes(0, 1)[:, ::-1]
    with open_image(tmp_path / "x.png") as picture:
        assert (picture.info.height, picture.info.width) == upright.shape[:2]
        assert np.array_equal(picture.project("first", (20, 150, 70, 190)), upright[20:70, 150:190])


def test_an_interlaced_png_and_one_of_few_bits_are_decoded_whole_once(tmp_path, monkeypatch):
    picture = Image.fromarray(np.random.default_rng(0).random(SIZE) < 0.5)
    picture.save(tmp_path / "x.png", bits=1)
    with open_image(tmp_path / "x.png") as opened:
        got = opened.project("first", (7, 9, 80, 100))
        assert np.array_equal(got[..., 0] > 0, np.asarray(picture)[7:80, 9:100])
    monkeypatch.setattr(kept_whole, "MAX_HELD", 1_000)
    with pytest.raises(ImageError, match="too many pixels: 203 x 301 .*save it as a TIFF in tiles"):
        probe_image(tmp_path / "x.png")


def test_a_jpeg_is_decoded_once_for_all_its_regions(tmp_path, monkeypatch):
    path, pixels = write(tmp_path, "JPEG")
    decode, calls = imagecodecs.jpeg8_decode, []
    monkeypatch.setattr(imagecodecs, "jpeg8_decode", lambda *a, **k: calls.append(1) or decode(*a, **k))
    with open_image(path) as picture:
        for y in range(0, 250, 50):
            picture.project("first", (y, 0, y + 50, 50))
    assert len(calls) == 1


@pytest.mark.parametrize(("spoil", "why"), [(lambda data: data[: len(data) // 2], "truncated"), (None, "damaged")])
def test_a_damaged_large_png_gives_a_sentence_and_what_comes_before_the_damage(tmp_path, spoil, why):
    path, pixels = write(tmp_path, "PNG")
    data = bytearray(path.read_bytes())
    if spoil is None:
        data[len(data) // 2] ^= 0xFF
    path.write_bytes(spoil(bytes(data)) if spoil else bytes(data))
    with open_image(path) as picture:
        for _ in range(2):
            with pytest.raises(ImageError, match=why):
                picture.project("first", (280, 0, 300, 20))
        if spoil:
            assert np.array_equal(picture.project("first", (0, 0, 20, 20)), pixels[:20, :20])


def test_a_file_that_claims_more_than_can_be_read_in_parts_is_refused(tmp_path):
    buffer = io.BytesIO()
    Image.new("L", (9, 9)).save(buffer, "PNG")
    data = bytearray(buffer.getvalue())
    data[16:24] = (300_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    (tmp_path / "x.png").write_bytes(data)
    with pytest.raises(ImageError, match="too many pixels: 300000 x 300000 in 1 channels; at most 40,000 million"):
        read_image(tmp_path / "x.png")


def test_a_png_is_inflated_once_by_who_asks_from_the_top_down_however_high_the_regions(tmp_path, monkeypatch):
    path, pixels = write(tmp_path, "PNG")
    starts = []
    restart = png_bands.PngBands._restart
    monkeypatch.setattr(png_bands.PngBands, "_restart", lambda self: starts.append(1) or restart(self))
    for high in (20, 90, 140):  # the last two are more than is kept
        starts.clear()
        with open_image(path) as picture:
            for y in range(0, 280, high):
                for x in (0, 70, 140):
                    part = picture.project("first", (y, x, min(301, y + high), x + 60))
                    assert np.array_equal(part, pixels[y : min(301, y + high), x : x + 60])
        assert len(starts) == 1
