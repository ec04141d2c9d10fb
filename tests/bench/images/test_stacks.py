"""TIFF in every order of axes: channels last and by name, one slice of a stack or its projection."""

from __future__ import annotations

import json
import struct
from itertools import permutations, product

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.images import ImageError, open_image, probe_image, read_image
from bench.images.picture import PROJECTIONS
from encoders.options import STACKS

RNG = np.random.default_rng(0)
SIZE = {"T": 2, "Z": 4, "C": 3, "Y": 10, "X": 12}


def draw(axes, dtype=np.uint16):
    return RNG.integers(0, 4096, [SIZE[axis] for axis in axes]).astype(dtype)


def slices(pixels, axes):
    """Return (Z, Y, X, C) of the first time point."""
    order = [axis for axis in axes if axis != "T"]
    pixels = pixels.take(0, axes.index("T")) if "T" in axes else pixels
    return pixels.transpose([order.index(axis) for axis in "ZYXC"])


def expected(stack, z):
    mean = z.mean(0, dtype=np.float64)
    mean = np.rint(mean) if z.dtype.kind == "u" else mean
    return {"first": z[0], "middle": z[2], "max": z.max(0), "mean": mean.astype(z.dtype)}[stack]


def test_an_encoder_can_ask_for_every_projection_there_is():
    assert tuple(PROJECTIONS) == STACKS


@pytest.mark.parametrize(
    "axes", ["".join(order) + "YX" for n in (2, 3) for order in permutations("TZC", n) if "Z" in order and "C" in order]
)
@pytest.mark.parametrize("kind", ["plain", "ome", "compressed"])
def test_every_order_of_axes_gives_the_same_slices(tmp_path, axes, kind):
    pixels = draw(axes)
    path = tmp_path / ("a.ome.tif" if kind != "plain" else "a.tif")
    how = {"compression": "zlib"} if kind == "compressed" else {}
    tifffile.imwrite(path, pixels, photometric="minisblack", metadata={"axes": axes}, **how)
    with open_image(path) as picture:
        assert (picture.info.height, picture.info.width, picture.info.channels, picture.info.slices) == (10, 12, 3, 4)
        assert picture.info.pages == pixels.size // 360
        for stack in STACKS:
            np.testing.assert_array_equal(picture.project(stack), expected(stack, slices(pixels, axes)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_hyperstack_of_imagej_is_read_slice_by_slice_and_keeps_the_names_of_its_labels(tmp_path, dtype):
    pixels = draw("TZCYX", dtype)
    labels = [f"c:{c + 1}/3 z:{z + 1}/4 - {name}" for z in range(8) for c, name in enumerate(("DNA", "ER", "Mito"))]
    tifffile.imwrite(tmp_path / "a.tif", pixels, imagej=True, metadata={"axes": "TZCYX", "Labels": labels})
    assert probe_image(tmp_path / "a.tif").names == ("DNA", "ER", "Mito")
    for stack in STACKS:
        np.testing.assert_array_equal(read_image(tmp_path / "a.tif", stack), expected(stack, slices(pixels, "TZCYX")))


@settings(max_examples=30)
@given(st.integers(1, 6), st.sampled_from([np.uint8, np.uint16, np.float32]), st.integers(0, 2**32 - 1))
def test_a_projection_lies_between_the_slices_and_of_one_slice_is_that_slice(tmp_path_factory, count, dtype, seed):
    z = np.random.default_rng(seed).integers(0, 256, (count, 5, 4)).astype(dtype)
    path = tmp_path_factory.mktemp("z") / "z.tif"
    tifffile.imwrite(path, z, photometric="minisblack", metadata={"axes": "ZYX"})
    read = {stack: read_image(path, stack)[..., 0] for stack in STACKS}
    assert all(pixels.dtype == dtype for pixels in read.values())
    np.testing.assert_array_equal(read["max"], z.max(0))
    assert (read["mean"] <= read["max"]).all() and (read["mean"] >= z.min(0)).all()
    np.testing.assert_array_equal(read["middle"], z[count // 2])
    if count == 1:
        assert all(np.array_equal(pixels, z[0]) for pixels in read.values())


def test_pages_without_a_meaning_count_as_slices_and_time_does_not(tmp_path):
    pixels = RNG.integers(0, 256, (5, 10, 12), dtype=np.uint8)
    with tifffile.TiffWriter(tmp_path / "pages.tif") as tiff:
        for page in pixels:
            tiff.write(page, metadata=None, compression="lzw")
    assert (probe_image(tmp_path / "pages.tif").pages, probe_image(tmp_path / "pages.tif").slices) == (5, 5)
    np.testing.assert_array_equal(read_image(tmp_path / "pages.tif", "middle")[..., 0], pixels[2])
    tifffile.imwrite(tmp_path / "time.tif", pixels, imagej=True, metadata={"axes": "TYX"})
    assert (probe_image(tmp_path / "time.tif").pages, probe_image(tmp_path / "time.tif").slices) == (5, 1)
    np.testing.assert_array_equal(read_image(tmp_path / "time.tif", "max")[..., 0], pixels[0])


def test_a_pixel_that_is_not_a_number_in_one_slice_is_not_lost_in_the_maximum(tmp_path):
    z = np.ones((2, 4, 4), np.float32)
    z[0, 1, 1] = np.nan
    tifffile.imwrite(tmp_path / "z.tif", z, photometric="minisblack", metadata={"axes": "ZYX"})
    assert np.isfinite(read_image(tmp_path / "z.tif", "max")).all()
    with pytest.raises(ImageError, match="expected one of first, middle, max, mean"):
        read_image(tmp_path / "z.tif", "sum")


def test_the_names_of_ome_channels_are_read_and_of_several_images_the_first(tmp_path):
    pixels = draw("CYX")
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as tiff:
        tiff.write(
            pixels, photometric="minisblack", metadata={"axes": "CYX", "Channel": {"Name": ["DNA", "ER", "Mito"]}}
        )
        tiff.write(pixels[:2], photometric="minisblack", metadata={"axes": "CYX", "Channel": {"Name": ["a", "b"]}})
    assert probe_image(tmp_path / "a.ome.tif").names == ("DNA", "ER", "Mito")
    np.testing.assert_array_equal(read_image(tmp_path / "a.ome.tif"), pixels.transpose(1, 2, 0))
    tifffile.imwrite(tmp_path / "rgb.tif", RNG.integers(0, 256, (10, 12, 3), dtype=np.uint8), photometric="rgb")
    assert probe_image(tmp_path / "rgb.tif").names == ("red", "green", "blue")


@pytest.mark.parametrize("compression", ["lzw", "deflate", "zstd", "packbits", "lzma"])
def test_lossless_compression_is_read_to_the_bit_in_either_byte_order(tmp_path, compression):
    pixels = draw("YX")
    for order in "<>":
        tifffile.imwrite(tmp_path / "a.tif", pixels, compression=compression, byteorder=order)
        np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[..., 0], pixels)


def test_a_jpeg_inside_a_tiff_is_colour(tmp_path):
    pixels = np.zeros((32, 32, 3), np.uint8) + np.array([200, 30, 60], np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", compression="jpeg", compressionargs={"level": 95})
    read = read_image(tmp_path / "a.tif")
    assert np.abs(read.astype(int) - pixels).max() <= 8
    assert probe_image(tmp_path / "a.tif").names == ("red", "green", "blue")


def test_colours_that_would_be_taken_for_red_green_and_blue_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "cmyk.tif", np.zeros((8, 8, 4), np.uint8), photometric="separated")
    with pytest.raises(ImageError, match="colours stored as SEPARATED"):
        probe_image(tmp_path / "cmyk.tif")


def test_a_plane_in_another_file_is_not_looked_for(tmp_path):
    pixels = draw("ZYX")
    tifffile.imwrite(tmp_path / "other.ome.tif", pixels[2:], photometric="minisblack", metadata={"axes": "ZYX"})
    planes = "".join(
        f'<TiffData FirstZ="{z}" IFD="{z % 2}" PlaneCount="1"><UUID FileName="{name}.ome.tif">urn:uuid:{name}</UUID></TiffData>'
        for z, name in enumerate(("own", "own", "other", "other"))
    )
    ome = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:own"><Image ID="Image:0">'
        '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="12" SizeY="10" SizeZ="4" SizeC="1" SizeT="1">'
        f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{planes}</Pixels></Image></OME>'
    )  # fmt: skip
    with tifffile.TiffWriter(tmp_path / "own.ome.tif", ome=False) as tiff:
        for z in range(2):
            tiff.write(pixels[z], description=ome if z == 0 else None, metadata=None)
    with tifffile.TiffFile(tmp_path / "own.ome.tif") as tiff:
        assert tiff.series[0].shape == (4, 10, 12), "the library would follow the link"
    with pytest.raises(ImageError, match="spread over several files"):
        read_image(tmp_path / "own.ome.tif")


@pytest.mark.parametrize(
    ("name", "replacement", "reason"),
    [
        ("DAPI", "\x1b[31m", "^damaged: an OME-TIFF whose description is not well-formed XML, .* its 4 pages"),
        ("</Channel>", "", "^damaged: an OME-TIFF whose description is not well-formed XML"),
        ('SizeX="12"', 'SizeX="13"', "^an OME-TIFF whose description does not fit its 4 pages; export it again"),
    ],
)
def test_a_description_that_cannot_be_followed_is_not_called_spread_over_files(tmp_path, name, replacement, reason):
    metadata = {"axes": "ZYX", "Channel": {"Name": "DAPI"}}
    tifffile.imwrite(tmp_path / "a.ome.tif", draw("ZYX"), photometric="minisblack", metadata=metadata)
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tiff:
        ome = tiff.ome_metadata
    assert ome and name in ome
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=False) as writer:
        for z, plane in enumerate(draw("ZYX")):
            writer.write(plane, description=ome.replace(name, replacement).encode() if z == 0 else None, metadata=None)
    with pytest.raises(ImageError, match=reason):
        read_image(tmp_path / "a.ome.tif")


@pytest.mark.parametrize("kind", ["imagej", "plain", "zlib"])
def test_a_stack_that_is_cut_is_an_error_where_a_slice_is_missing(tmp_path, kind):
    pixels = RNG.integers(0, 60000, (6, 40, 50)).astype(np.uint16)
    how = {"imagej": {"imagej": True}, "plain": {}, "zlib": {"compression": "zlib"}}[kind]
    tifffile.imwrite(tmp_path / "z.tif", pixels, photometric="minisblack", metadata={"axes": "ZYX"}, **how)
    whole = (tmp_path / "z.tif").read_bytes()
    (tmp_path / "z.tif").write_bytes(whole[: len(whole) * 2 // 3])
    for stack in ("max", "mean"):
        with pytest.raises(ImageError):
            read_image(tmp_path / "z.tif", stack)


def test_a_stack_of_metamorph_whose_planes_one_tag_counts_is_read_plane_by_plane(tmp_path, raw_tiff):
    Layout, write = raw_tiff
    planes = RNG.integers(0, 60_000, (4, 10, 12)).astype(np.uint16)
    of_planes = [number for i in range(4) for number in (5 + i, 10, 2_450_000, 1000 * i, 2_450_000, 0)]  # z, dates, times
    one_plane = ((257, 4, (10,)), (278, 4, (10,)), (279, 4, (240,)))
    told = ((33628, 4, (0, 0)), (33629, 4, tuple(of_planes)), (33630, 4, (1, 1) * 4))
    write(tmp_path / "a.tif", (planes.reshape(40, 12, 1), Layout(16, rows=40, tags=(*one_plane, *told))))
    data = bytearray((tmp_path / "a.tif").read_bytes())
    for code, kind, count in ((33629, 5, 4), (33630, 5, 4), (33628, 4, 1)):  # these count planes, not numbers
        at = data.rindex(struct.pack("<HH", code, 4))
        data[at + 2 : at + 8] = struct.pack("<HI", kind, count)
    (tmp_path / "a.tif").write_bytes(data)
    with open_image(tmp_path / "a.tif") as picture:
        assert (picture.info.slices, picture.info.pages) == (4, 4)
        for stack in STACKS:
            np.testing.assert_array_equal(picture.project(stack), expected(stack, planes[..., None]))
        np.testing.assert_array_equal(picture.project("max", (2, 3, 8, 11))[..., 0], planes.max(0)[2:8, 3:11])


def micromanager(pixels, frames):
    """A Micro-Manager stack of (C, Z, H, W) uint16 as bytes, whose summary tells of so many frames."""
    channels, slices, height, width = pixels.shape
    summary = json.dumps({
        "MicroManagerVersion": "1.4", "Frames": frames, "Channels": channels, "Slices": slices, "Positions": 1, "SlicesFirst": True,
    }).encode()  # fmt: skip
    data = bytearray(b"II*\0" + bytes(4) + struct.pack("<8I", 54773648, 0, 483765892, 0, 99384722, 0, 2355492, len(summary)) + summary)
    data += b"\0" * (len(data) % 2)
    index, size = [], 2 * height * width
    about = json.dumps({"PixelSizeUm": 0.25}).encode().ljust(24, b"\0")
    for z, c in product(range(slices), range(channels)):
        at, last = len(data), (z, c) == (slices - 1, channels - 1)
        index.append((c, z, 0, 0, at))
        tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, at + 162),
                (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, size), (51123, 2, 24, at + 162 + size)]  # fmt: skip
        block = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
        block += struct.pack("<I", 0 if last else at + 162 + size + 24)
        data += block.ljust(162, b"\0") + pixels[c, z].astype("<u2").tobytes() + about
    struct.pack_into("<I", data, 4, index[0][-1])
    struct.pack_into("<I", data, 12, len(data))
    return bytes(data + struct.pack("<II", 3453623, len(index)) + b"".join(struct.pack("<5I", *one) for one in index))


def test_a_recording_of_micromanager_is_read_from_the_one_file_whatever_lies_beside_it(tmp_path):
    pixels = draw("CZYX")
    (tmp_path / "x_MMStack.tif").write_bytes(micromanager(pixels, 2))
    (tmp_path / "x_MMStack_1.tif").write_bytes(b"never opened, or this would be an error")
    with open_image(tmp_path / "x_MMStack.tif") as picture:
        assert (picture.info.channels, picture.info.slices, picture.info.um_per_px) == (3, 4, 0.25)
        np.testing.assert_array_equal(picture.project("max"), pixels.max(1).transpose(1, 2, 0))


def test_an_index_of_micromanager_that_lists_planes_without_number_is_refused(tmp_path):
    data = bytearray(micromanager(draw("CZYX"), 1))
    data[-20:] = struct.pack("<5I", 60_000, 60_000, 60_000, 0, 8)
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(ImageError, match="lists .* planes, and the file holds 12"):
        probe_image(tmp_path / "a.tif")
