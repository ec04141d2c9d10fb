"""A picture that says which way up it is comes upright: its size, its pixels, and every region of it."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image, ImageOps

from bench.images import ImageInfo, Picture, open_image, probe_image
from bench.images.orientation import TURNS, exif_orientation, upright

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 32, 3), dtype=np.uint8)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("ending", "options"), [("jpg", {"quality": 100, "subsampling": 0}), ("png", {}), ("webp", {"lossless": True}), ("avif", {"quality": 100, "subsampling": "4:4:4"})])
def test_every_orientation_of_every_format_is_as_pillow_turns_it(tmp_path, orientation, ending, options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{ending}"
    Image.fromarray(PIXELS).save(path, exif=exif, **options)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    with open_image(path) as picture:
        info = picture.info
        assert (info.height, info.width) == expected.shape[:2] == ((20, 32) if orientation < 5 else (32, 20))
        np.testing.assert_array_equal(picture.project(), expected)
        np.testing.assert_array_equal(picture.project(region=(3, 5, 9, 17)), expected[3:9, 5:17])
        assert any("turned upright" in remark for remark in info.remarks) == (orientation > 1)
        assert info.reading == (f"upright {orientation}" if orientation > 1 else "")


@pytest.mark.parametrize("orientation", TURNS)
def test_a_region_of_a_picture_that_is_read_in_parts_is_that_of_the_upright_one(orientation):
    def window(z, region):
        y0, x0, y1, x1 = region
        return PIXELS[y0:y1, x0:x1]

    info = ImageInfo(20, 32, 3, 1, "uint8", "PNG")
    whole = upright(Picture(info, lambda z: PIXELS), orientation)
    parts = upright(Picture(info, lambda z: PIXELS, window), orientation)
    for region in ((0, 0, 1, 1), (2, 3, 7, 12), (11, 0, 20, 20), (0, 0, whole.info.height, whole.info.width)):
        np.testing.assert_array_equal(parts.project(region=region), whole.project(region=region))


@pytest.mark.parametrize(
    "exif",
    [
        b"", b"Exif\0\0", b"II*\0", b"II*\0\xff\xff\xff\xff", b"XX*\0\x08\0\0\0", b"II*\0\x08\0\0\0\x01\0",
        b"II*\0\x08\0\0\0\xff\xff" + struct.pack("<HHII", 0x0112, 3, 1, 9),
        b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0x0112, 2, 1, 6), b"MM\0*\0\0\0\x08\0\x01" + bytes(11),
    ],
)  # fmt: skip
def test_a_block_that_says_no_orientation_turns_nothing(exif):
    assert exif_orientation(exif) == 1


@pytest.mark.parametrize(("order", "start"), [("<", b"II*\0\x08\0\0\0\x01\0"), (">", b"MM\0*\0\0\0\x08\0\x01")])
def test_both_byte_orders_are_understood(order, start):
    entry = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, 8, 0)
    assert exif_orientation(start + entry) == exif_orientation(b"Exif\0\0" + start + entry) == 8


def test_a_turned_picture_has_another_name_of_its_content_and_a_table_of_an_older_version_is_made_again(tmp_path):
    from bench.data import manifest

    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PIXELS).save(tmp_path / "plain.png")
    Image.fromarray(PIXELS).save(tmp_path / "turned.png", exif=exif)
    table = manifest.scan(tmp_path, ["plain.png", "turned.png"], tmp_path / "cache").set_index("path")
    import hashlib

    digest = {name: hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()[:32] for name in table.index}
    assert table.loc["plain.png", "digest"] == digest["plain.png"]
    assert table.loc["turned.png", "digest"] not in digest.values()
    assert (table.loc["turned.png", "height"], probe_image(tmp_path / "turned.png").height) == (32, 32)
