"""A TIFF that is damaged, or claims what it does not hold, costs neither memory nor time, and the reason is a sentence."""

from __future__ import annotations

import re
import struct
import tracemalloc

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.images import ImageError, open_image, probe_image, read_image

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)
#: What the texts of Python's errors and of the libraries look like.
PROGRAM = re.compile(r"Error|Traceback|object|argument|NoneType|index out|dtype\(|0x[0-9a-f]|<[a-z]|tifffile|imagecodecs \w|\(\)")


def refused(path, match="."):
    tracemalloc.start()
    try:
        with pytest.raises(ImageError, match=match) as caught:
            read_image(path, "max")
        assert tracemalloc.get_traced_memory()[1] < 30e6
    finally:
        tracemalloc.stop()
    reason = str(caught.value)
    assert not PROGRAM.search(reason) and "\n" not in reason, reason


@pytest.mark.parametrize(
    ("without", "reason"),
    [((256,), "lacks the tag ImageWidth"), ((257,), "lacks the tag ImageLength"), ((273,), "lacks the tag StripOffsets or TileOffsets"),
     ((273, 256, 257), "lacks the tag ImageWidth")],
)  # fmt: skip
def test_a_tag_that_is_needed_is_named(tmp_path, raw_tiff, without, reason):
    Layout, write = raw_tiff
    write(tmp_path / "a.tif", (PIXELS, Layout(photometric=2, without=without)))
    refused(tmp_path / "a.tif", reason)


@pytest.mark.parametrize("without", [(258,), (259,), (266,), (277,), (284,), (317,), (339,), (278,), (258, 259, 266, 277, 284, 317, 339, 262)])
def test_a_tag_that_has_a_usual_value_may_be_missing(tmp_path, raw_tiff, without):
    Layout, write = raw_tiff
    bits = 1 if 258 in without else 8
    grey = (PIXELS[..., :1] > 99).astype(np.uint8) if bits == 1 else PIXELS[..., :1]
    write(tmp_path / "a.tif", (grey, Layout(bits, rows=20, without=without)))
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), grey * (255 if bits == 1 else 1))


def test_bytes_of_strips_need_not_be_told_where_nothing_is_compressed(tmp_path, raw_tiff):
    Layout, write = raw_tiff
    write(tmp_path / "a.tif", (PIXELS, Layout(photometric=2, rows=20, without=(279,))))
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), PIXELS)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("big", [False, True])
def test_directories_in_a_circle_are_refused(tmp_path, raw_tiff, order, big):
    Layout, write = raw_tiff
    how = Layout(photometric=2, order=order, big=big)
    write(tmp_path / "a.tif", (PIXELS, how), (PIXELS, how))
    data = bytearray((tmp_path / "a.tif").read_bytes())
    size, form, head = (8, "Q", 8) if big else (4, "I", 4)
    first = data[head : head + size]
    data[-size:] = first
    (tmp_path / "a.tif").write_bytes(data)
    refused(tmp_path / "a.tif", "directory 3 is a directory that came before, so that its pages never end")


@pytest.mark.parametrize(
    ("code", "kind", "count", "reason"),
    [(273, 4, 2**31, "StripOffsets of directory 1 has 2,147,483,648 values"), (270, 2, 2**32 - 1, "ImageDescription of directory 1"),
     (258, 3, 2**30, "BitsPerSample"), (320, 3, 2**31, "ColorMap"), (33629, 5, 2**31, "UIC2tag"), (330, 4, 2**31, "SubIFDs"), (330, 4, 257, "lists 257 reduced copies")],
)  # fmt: skip
def test_a_count_beyond_the_file_is_refused_by_the_name_of_its_tag(tmp_path, raw_tiff, code, kind, count, reason):
    Layout, write = raw_tiff
    write(tmp_path / "a.tif", (PIXELS, Layout(photometric=2, tags=((code, kind, (1, 2, 3, 4)),))))
    data = (tmp_path / "a.tif").read_bytes()
    at = data.rindex(struct.pack("<HH", code, kind))
    (tmp_path / "a.tif").write_bytes(data[: at + 4] + struct.pack("<I", count) + data[at + 8 :])
    refused(tmp_path / "a.tif", reason)


@pytest.mark.parametrize("where", ["first directory", "next directory", "strip", "tile", "after the header"])
def test_what_lies_beyond_the_end_is_refused(tmp_path, raw_tiff, where):
    Layout, write = raw_tiff
    how = Layout(photometric=2, tile=(16, 16) if where == "tile" else None)
    far = (10**9,) * (8 if where == "tile" else 3)
    moved = {"strip": ((273, 4, far),), "tile": ((324, 4, far),)}.get(where, ())
    write(tmp_path / "a.tif", (PIXELS, Layout(photometric=2, tile=how.tile, tags=moved)))
    data = bytearray((tmp_path / "a.tif").read_bytes())
    if where == "first directory":
        data[4:8] = struct.pack("<I", 10**9)
    elif where == "next directory":
        data[-4:] = struct.pack("<I", 10**9)
    elif where == "after the header":
        data = data[:8]
    (tmp_path / "a.tif").write_bytes(data)
    refused(tmp_path / "a.tif", "^truncated")


def ome(sizes="", data="<TiffData/>", more=""):
    return (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="P:0" '
        f'DimensionOrder="XYCZT" Type="uint8" SizeX="30" SizeY="20" {sizes}><Channel ID="C:0" SamplesPerPixel="1"/>{data}</Pixels>'
        f"</Image>{more}</OME>"
    )  # fmt: skip


MODULO = (
    '<StructuredAnnotations><XMLAnnotation ID="A:0" Namespace="openmicroscopy.org/omero/dimension/modulo"><Value><Modulo>'
    '<ModuloAlongT Type="lifetime" Start="0" Step="0.000001" End="2000000"/></Modulo></Value></XMLAnnotation></StructuredAnnotations>'
)


@pytest.mark.parametrize(
    ("description", "planes"),
    [
        (ome('SizeC="1" SizeZ="2000000000" SizeT="1"'), "2,000,000,000"),
        (ome('SizeC="1" SizeZ="1" SizeT="1"', '<TiffData IFD="0" PlaneCount="2000000000"/>'), "2,000,000,001"),
        (ome('SizeC="40000" SizeZ="40000" SizeT="40000"'), "64,000,000,000,000"),
        (ome('SizeC="1" SizeZ="1" SizeT="1"', more=MODULO), "2,000,000,000,001"),
        ("ImageJ=1.54f\nimages=2000000000\nslices=2000000000\n", "2,000,000,000"),
        ("ImageJ=1.54f\nimages=1\nchannels=100000\nslices=100000\nframes=100000\n", "1,000,000,000,000,000"),
    ],
)
def test_a_description_that_lists_planes_without_number_is_refused_before_room_is_made_for_them(tmp_path, description, planes):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS[..., 0], description=description, metadata=None)
    refused(tmp_path / "a.tif", f"lists {planes} planes, and the file holds 1")


def test_the_shape_that_a_program_wrote_in_words_is_held_against_the_file(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS[..., 0], description='{"shape": [2000000000, 20, 30]}', metadata=None)
    refused(tmp_path / "a.tif", "it has 2,000,000,000 planes, and it holds")


@pytest.mark.parametrize("side", [60_000, 2**31 - 1])
@pytest.mark.parametrize("compression", [1, 8])
def test_a_width_and_height_without_pixels_are_refused(tmp_path, raw_tiff, side, compression):
    Layout, write = raw_tiff
    sizes = ((256, 4, (side,)), (257, 4, (side,)), (278, 4, (side,)))
    write(tmp_path / "a.tif", (PIXELS[..., :1], Layout(compression=compression, rows=20, tags=sizes)))
    refused(tmp_path / "a.tif")


def test_a_jpeg_in_a_tile_that_claims_more_than_the_tile_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, photometric="rgb", compression="jpeg", tile=(16, 16))
    data = bytearray((tmp_path / "a.tif").read_bytes())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", 65000, 65000)
    (tmp_path / "a.tif").write_bytes(data)
    refused(tmp_path / "a.tif", "holds a picture of 65,000 x 65,000")


def test_a_strip_that_unpacks_to_far_more_than_it_should_costs_no_memory(tmp_path, raw_tiff):
    import zlib

    Layout, write = raw_tiff
    bomb, far = zlib.compress(bytes(50_000_000), 9), 10_000
    tags = ((273, 4, (far,)), (279, 4, (len(bomb),)), (259, 3, (8,)))
    write(tmp_path / "a.tif", (PIXELS, Layout(photometric=2, rows=20, tags=tags)))
    (tmp_path / "a.tif").write_bytes((tmp_path / "a.tif").read_bytes().ljust(far, b"\0") + bomb)
    refused(tmp_path / "a.tif", "its pixels cannot be decoded")


SEEDS = {}


def seeds(folder):
    """Files of every kind, as bytes, made once."""
    if not SEEDS:
        stack = RNG.integers(0, 60_000, (2, 3, 4, 20, 30)).astype(np.uint16)
        kinds = {
            "tiles": (PIXELS, {"photometric": "rgb", "tile": (16, 16), "compression": "zlib", "predictor": True}),
            "planes": (PIXELS.transpose(2, 0, 1), {"photometric": "rgb", "planarconfig": "separate", "bigtiff": True, "byteorder": ">"}),
            "bits": (PIXELS[..., 0] > 99, {"compression": "lzw"}),
            "imagej": (stack, {"imagej": True, "metadata": {"axes": "TZCYX", "Labels": ["a"] * 24}}),
            "ome": (stack, {"ome": True, "metadata": {"axes": "TZCYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}, "compression": "zlib"}),
            "shaped": (stack[0, :, 0], {"photometric": "minisblack", "metadata": {"axes": "ZYX"}}),
            "jpeg": (PIXELS, {"photometric": "ycbcr", "compression": "jpeg", "subsampling": (2, 2)}),
            "palette": (PIXELS[..., 0], {"photometric": "palette", "colormap": RNG.integers(0, 65536, (3, 256)).astype(np.uint16)}),
        }  # fmt: skip
        for name, (pixels, how) in kinds.items():
            tifffile.imwrite(folder / "seed.tif", pixels, **how)
            SEEDS[name] = (folder / "seed.tif").read_bytes()
    return SEEDS


@settings(max_examples=200, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_arbitrary_damage_is_an_image_or_a_sentence(tmp_path_factory, capfd, data):
    folder = tmp_path_factory.getbasetemp()
    whole = seeds(folder)[data.draw(st.sampled_from(sorted(seeds(folder))))]
    damaged = bytearray(whole[: data.draw(st.sampled_from([len(whole)] * 4 + [len(whole) // 2, len(whole) - 20]))])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.one_of(st.integers(0, min(700, len(damaged) - 9)), st.integers(0, len(damaged) - 9)))
        value = data.draw(st.one_of(st.binary(min_size=1, max_size=1), st.sampled_from([b"\xff" * 4, b"\0" * 2, b"\xff" * 8])))
        damaged[at : at + len(value)] = value
    (folder / "damaged.tif").write_bytes(damaged)
    reason = ""
    try:
        with open_image(folder / "damaged.tif") as picture:
            assert picture.project("max").nbytes < 1e9
    except ImageError as error:
        reason = str(error)
    assert "\n" not in reason and (reason.startswith("not an image") or not PROGRAM.search(reason)), reason
    assert capfd.readouterr().err == "", "libraries write nothing to the console"


def test_the_libraries_log_nothing_to_the_console(tmp_path, capfd, caplog):
    tifffile.imwrite(tmp_path / "a.ome.tif", PIXELS[..., 0], description=ome('SizeC="1" SizeZ="9" SizeT="1"'), metadata=None)
    probe_image(tmp_path / "a.ome.tif")
    assert capfd.readouterr().err == "" and not caplog.records


def test_a_coded_strip_that_claims_the_rest_of_a_large_file_costs_what_its_pixels_can_need(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, photometric="rgb", compression="zlib")
    data = bytearray((tmp_path / "a.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "a.tif") as opened:
        tag = opened.pages[0].tags["StripByteCounts"]
        start, place, size = opened.pages[0].dataoffsets[0], tag.valueoffset, {3: 2, 4: 4}[int(tag.dtype)]
    claim = 60_000 if size == 2 else 2_000_000_000
    data[place : place + size] = claim.to_bytes(size, "little")
    (tmp_path / "a.tif").write_bytes(data)
    with (tmp_path / "a.tif").open("ab") as file:
        file.truncate(start + claim + 100)
    tracemalloc.start()
    try:
        np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), PIXELS)
        assert tracemalloc.get_traced_memory()[1] < 30e6
    finally:
        tracemalloc.stop()
