"""A part of a large TIFF is read without reading or decoding the rest."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from bench.images import ImageError, open_image, tiff_planes

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 65536, (512, 640, 3)).astype(np.uint16)
WAYS = {
    "tiles": {"tile": (64, 64)}, "compressed tiles": {"tile": (64, 64), "compression": "zlib", "predictor": True},
    "strips": {"rowsperstrip": 8}, "compressed strips": {"rowsperstrip": 8, "compression": "lzw"}, "one strip": {"rowsperstrip": 512},
}  # fmt: skip


@pytest.fixture
def counted(monkeypatch):
    """The bytes that were read of pixels."""
    counts = []
    real = tiff_planes._read_into
    monkeypatch.setattr(tiff_planes, "_read_into", lambda file, start, data: counts.append(len(data)) or real(file, start, data))
    return counts


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("order", "<>")
def test_a_part_costs_what_it_covers(tmp_path, counted, way, planar, order):
    data = PIXELS if planar == "contig" else PIXELS.transpose(2, 0, 1)
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="rgb", planarconfig=planar, byteorder=order, **WAYS[way])
    with open_image(tmp_path / "a.tif") as picture:
        assert picture.window is not None
        got = picture.project("first", (130, 200, 190, 260))
    np.testing.assert_array_equal(got, PIXELS[130:190, 200:260])
    assert got.flags.writeable
    assert sum(counted) < PIXELS.nbytes / 5


@pytest.mark.parametrize("kind", ["imagej", "ome", "pages"])
@pytest.mark.parametrize("stack", ["first", "middle", "max"])
def test_a_part_of_a_stack_is_read_slice_by_slice(tmp_path, counted, kind, stack):
    stored = RNG.integers(0, 65536, (5, 2, 256, 320)).astype(np.uint16)
    path = tmp_path / ("a.ome.tif" if kind == "ome" else "a.tif")
    tifffile.imwrite(path, stored, photometric="minisblack", imagej=kind == "imagej", ome=kind == "ome", metadata={"axes": "ZCYX"})
    z = stored[:, :, 100:120, 30:60].transpose(0, 2, 3, 1)
    with open_image(path) as picture:
        got = picture.project(stack, (100, 30, 120, 60))
    np.testing.assert_array_equal(got, {"first": z[0], "middle": z[2], "max": z.max(0)}[stack])
    assert sum(counted) < stored.nbytes / 10


def test_strips_that_are_as_wide_as_the_picture_are_decoded_once_for_tiles_side_by_side(tmp_path, counted):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, photometric="rgb", rowsperstrip=8, compression="zlib")
    with open_image(tmp_path / "a.tif") as picture:
        for x in range(0, 640, 64):
            np.testing.assert_array_equal(picture.project("first", (64, x, 128, x + 64)), PIXELS[64:128, x : x + 64])
    assert len(counted) == 8


def test_a_picture_in_one_compressed_strip_offers_no_parts(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, photometric="rgb", rowsperstrip=512, compression="zlib")
    with open_image(tmp_path / "a.tif") as picture:
        assert picture.window is None
        np.testing.assert_array_equal(picture.project("first", (3, 5, 9, 11)), PIXELS[3:9, 5:11])


@pytest.mark.parametrize("tile", [(64, 64), None])
def test_a_picture_larger_than_what_is_read_at_once_is_read_by_parts(tmp_path, raw_tiff, tile):
    Layout, write = raw_tiff
    # 30,000 x 20,000 pixels whose tiles or strips are all the same bytes of the file.
    height, width = 20_000, 30_000
    piece = RNG.integers(0, 256, tile or (1, width), dtype=np.uint8)
    number = -(-height // piece.shape[0]) * -(-width // piece.shape[1])
    at = (324, 325) if tile else (273, 279)
    size = ((256, 4, (width,)), (257, 4, (height,)))
    write(tmp_path / "a.tif", (piece[..., None], Layout(tile=tile, rows=1, tags=(
        *size, (at[0], 4, (8,) * number), (at[1], 4, (piece.size,) * number),
    ))))  # fmt: skip
    with open_image(tmp_path / "a.tif") as picture:
        assert not picture.fits
        got = picture.project("first", (6400, 12800, 6464, 12864))[..., 0]
        np.testing.assert_array_equal(got, piece if tile else np.repeat(piece[:, 12800:12864], 64, 0))
        with pytest.raises(ImageError, match="too many pixels to read at once"):
            picture.project()
