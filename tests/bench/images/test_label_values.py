"""Label values in, label values out: of every format, type and compression; and what cannot hold labels is refused."""

from __future__ import annotations

import io
import itertools
import os
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from bench.data.manifest import scan
from bench.images import ImageError, unchanged
from bench.images.label_values import read_label_values

RNG = np.random.default_rng(0)
GLASBEY = RNG.integers(0, 65536, (3, 256), dtype=np.uint16)  # colours without an order, as Fiji gives to labels
INVERTING = np.repeat(np.arange(255, -1, -1, dtype=np.uint16)[None] * 257, 3, 0)


def labels(most: int, dtype: type = np.int64) -> np.ndarray:
    """Labels (31, 45): blobs of values up to `most`, which is among them, as are 0 and 1."""
    values = np.repeat(np.repeat(RNG.integers(0, most + 1, (7, 9)), 5, 0), 5, 1)[:31]
    values[0, :3], values[0, 3:5], values[1, 1] = 0, 1, most
    return values.astype(dtype)


TYPES = {
    "bool": (bool, 1), "uint8": (np.uint8, 255), "uint16": (np.uint16, 65535), "uint32": (np.uint32, 2**32 - 1),
    "uint64": (np.uint64, 2**62), "int8": (np.int8, 127), "int16": (np.int16, 2**15 - 1), "int32": (np.int32, 2**31 - 1),
    "int64": (np.int64, 2**62), "float16": (np.float16, 2000), "float32": (np.float32, 2**24 - 1),
    "float64": (np.float64, 2**50),
}  # fmt: skip
COMPRESSIONS = (None, "lzw", "zlib", "packbits", "zstd", "lzma")


@pytest.mark.parametrize("kind", TYPES)
def test_tiff_of_every_type_and_compression(tmp_path, kind):
    dtype, most = TYPES[kind]
    expected = labels(most, dtype)
    count = 0
    for compression, white, order, tile in itertools.product(COMPRESSIONS, (False, True), "<>", (None, (16, 16))):
        if kind in ("uint64", "int64", "float16") and compression == "packbits":
            continue
        options = {"photometric": "miniswhite" if white else "minisblack", "compression": compression, "tile": tile}
        tifffile.imwrite(tmp_path / "a.tif", expected, byteorder=order, **options)
        found = read_label_values(tmp_path / "a.tif")
        assert found.dtype == np.int64 and np.array_equal(found, expected.astype(np.int64)), options
        count += 1
    assert count >= 40


@pytest.mark.parametrize(
    "options",
    [
        {"photometric": "palette", "colormap": GLASBEY}, {"photometric": "palette", "colormap": INVERTING},
        {"imagej": True}, {"imagej": True, "metadata": {"LUTs": [(GLASBEY >> 8).astype(np.uint8)]}},
        {"imagej": True, "metadata": {"LUTs": [(INVERTING >> 8).astype(np.uint8)], "mode": "color"}}, {"ome": True},
        {"bigtiff": True}, {"predictor": True, "compression": "zlib"}, {"rowsperstrip": 3},
    ],
)  # fmt: skip
def test_colour_tables_of_a_tiff_change_no_label(tmp_path, options):
    expected = labels(255, np.uint8)
    tifffile.imwrite(tmp_path / "a.ome.tif", expected, **options)
    np.testing.assert_array_equal(read_label_values(tmp_path / "a.ome.tif"), expected)


def indexed(expected: np.ndarray, palette: np.ndarray) -> Image.Image:
    image = Image.frombytes("P", expected.shape[::-1], expected.astype(np.uint8).tobytes())
    image.putpalette((palette.T >> 8).astype(np.uint8).tobytes())
    return image


@pytest.mark.parametrize("ending", ["png", "bmp"])
@pytest.mark.parametrize("palette", [GLASBEY, INVERTING, INVERTING[:, ::-1]], ids=["colours", "inverting", "grey"])
@pytest.mark.parametrize("most", [1, 3, 15, 255])
def test_indices_of_a_palette_are_the_labels(tmp_path, ending, palette, most):
    expected = labels(most)
    options = {"bits": most.bit_length()} if ending == "png" else {}
    indexed(expected, palette).save(tmp_path / f"a.{ending}", **options)
    np.testing.assert_array_equal(read_label_values(tmp_path / f"a.{ending}"), expected)


def test_a_gif_keeps_the_labels_of_its_greys_and_the_regions_of_its_colours(tmp_path):
    expected = labels(255)
    Image.fromarray(expected.astype(np.uint8)).save(tmp_path / "grey.gif")
    np.testing.assert_array_equal(read_label_values(tmp_path / "grey.gif"), expected)
    indexed(expected, GLASBEY).save(tmp_path / "colour.gif")  # Pillow may give the colours other numbers, in order
    found = read_label_values(tmp_path / "colour.gif")
    np.testing.assert_array_equal(np.unique(found, return_inverse=True)[1], np.unique(expected, return_inverse=True)[1])
    assert found[0, 0] == expected[0, 0] == 0


def test_greys_that_a_program_put_into_a_palette_in_any_order_are_the_labels(tmp_path):
    index = RNG.integers(0, 4, (12, 13))
    greys = np.array([7, 0, 200, 30], np.uint8)
    image = Image.frombytes("P", (13, 12), index.astype(np.uint8).tobytes())
    image.putpalette(np.repeat(greys, 3).tobytes())
    image.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_label_values(tmp_path / "a.png"), greys[index])


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "1", "I;16"])
def test_png_of_every_mode(tmp_path, mode):
    expected = labels({"1": 1, "I;16": 65535}.get(mode, 255))
    if mode == "I;16":
        image = Image.fromarray(expected.astype(np.uint16))
    else:
        image = Image.fromarray(expected.astype(bool) if mode == "1" else expected.astype(np.uint8)).convert(mode)
    image.save(tmp_path / "a.png", gamma=0.45)
    np.testing.assert_array_equal(read_label_values(tmp_path / "a.png"), expected)


@pytest.mark.parametrize(("ending", "most"), [("bmp", 255), ("pgm", 255), ("pgm", 65535), ("ppm", 255), ("pbm", 1)])
def test_other_formats(tmp_path, ending, most):
    expected = labels(most)
    image = Image.fromarray(expected.astype(np.uint16 if most > 255 else bool if most == 1 else np.uint8))
    (image.convert("RGB") if ending == "ppm" else image).save(tmp_path / f"a.{ending}")
    np.testing.assert_array_equal(read_label_values(tmp_path / f"a.{ending}"), expected)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("order", "CF")
def test_npy_of_every_type(tmp_path, kind, order):
    dtype, most = TYPES[kind]
    expected = labels(most, dtype)
    for stored in (expected, expected[None, ..., None], expected.astype(expected.dtype.newbyteorder(">"))):
        np.save(tmp_path / "a.npy", np.asarray(stored, order=order))
        np.testing.assert_array_equal(read_label_values(tmp_path / "a.npy"), expected.astype(np.int64))


def cellpose(masks: object, **more: object) -> bytes:
    buffer = io.BytesIO()
    saved = {"outlines": labels(9), "colors": np.zeros((3, 3)), "masks": masks, "chan_choose": [0, 0], "filename": "x.png",
             "flows": [labels(9), [labels(9)], None], "est_diam": np.float64(3), **more}  # fmt: skip
    np.save(buffer, saved, allow_pickle=True)
    return buffer.getvalue()


@pytest.mark.parametrize("dtype", ["uint16", "int32", "uint32", ">u2", "int64"])
@pytest.mark.parametrize("order", "CF")
def test_the_masks_that_cellpose_saves_are_read(tmp_path, dtype, order):
    expected = labels(999)
    (tmp_path / "x_seg.npy").write_bytes(cellpose(np.asarray(expected.astype(dtype), order=order)))
    np.testing.assert_array_equal(read_label_values(tmp_path / "x_seg.npy"), expected)


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


HEADER = "{'descr': '|u1', 'fortran_order': False, 'shape': (4, 4), }"
DAMAGED = ["{'shape': (4, 4, ", "'" * 3, "[" * 5_000, "(" * 300, "{1: 2, 'a': 3}", "1L", "\\x", "\0", "  \n x", "é", "-" * 9_000,
           HEADER.replace("|u1", "|q9"), HEADER.replace("(4, 4)", "(4, 'a')"), HEADER.replace("(4, 4)", "{1}")]  # fmt: skip


@pytest.mark.parametrize("header", DAMAGED, ids=range(len(DAMAGED)))
@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_damaged_header_of_npy_is_refused_in_a_sentence(tmp_path, header, version, recwarn):
    text = header.encode("utf8").ljust(117) + b"\n"
    start = b"\x93NUMPY" + bytes([version, 0]) + len(text).to_bytes(2 if version == 1 else 4, "little")
    (tmp_path / "a.npy").write_bytes(start + text + bytes(16))
    with pytest.raises(ImageError, match="^damaged or truncated: the header of the NumPy file cannot be followed$"):
        read_label_values(tmp_path / "a.npy")
    assert not recwarn.list


@pytest.mark.parametrize("dtype", ["V0", "S0", "<M8[s]", "<U3", "i4,f4"])
def test_npy_of_what_is_no_number_is_refused_in_a_sentence(tmp_path, dtype):
    kind, buffer = np.dtype(dtype), io.BytesIO()
    header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": (4, 4)}
    np.lib.format.write_array_header_1_0(buffer, header)
    (tmp_path / "a.npy").write_bytes(buffer.getvalue() + bytes(16 * max(1, kind.itemsize)))
    with pytest.raises(ImageError, match="^values of type .*; expected whole numbers$"):
        read_label_values(tmp_path / "a.npy")


def test_nothing_that_a_pickle_asks_for_is_run(tmp_path):
    (tmp_path / "x_seg.npy").write_bytes(cellpose(labels(9), more=Evil(tmp_path / "made"), state=[Evil(tmp_path / "made")]))
    np.testing.assert_array_equal(np.unique(read_label_values(tmp_path / "x_seg.npy")).max(), 9)
    for masks in (Evil(tmp_path / "made"), [Evil(tmp_path / "made")], None, "text"):
        (tmp_path / "x_seg.npy").write_bytes(cellpose(masks))
        with pytest.raises(ImageError, match="a pickle.*could run code.*Save masks as PNG/tif"):
            read_label_values(tmp_path / "x_seg.npy")
    np.save(tmp_path / "list.npy", np.array([Evil(tmp_path / "made")], object), allow_pickle=True)
    with pytest.raises(ImageError, match="a pickle"):
        read_label_values(tmp_path / "list.npy")
    assert not (tmp_path / "made").exists()


def test_a_pickle_that_asks_for_room_gets_none(tmp_path):
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|O", "fortran_order": False, "shape": ()})
    for body in (b"\x80\x04Nr\xff\xff\xff\x7f.", b"\x80\x04\x8e" + struct.pack("<Q", 2**60) + b"x.", b"junk", b""):
        (tmp_path / "a.npy").write_bytes(head.getvalue() + body)
        with pytest.raises(ImageError, match="a pickle"):
            read_label_values(tmp_path / "a.npy")


def save(path, pixels: np.ndarray, **options: object) -> None:
    tifffile.imwrite(path, pixels, **options)


@pytest.mark.parametrize(
    ("pixels", "options", "reason"),
    [
        (labels(9, np.int16) - 1, {}, "values from -1 to 8; expected 0"),
        (labels(9, np.float32) / 2, {}, "no whole numbers"),
        (np.where(labels(9) > 4, np.nan, 1.0), {}, "no whole numbers"),
        (labels(9, np.float32) + 2**24, {}, "as float32; expected 0 to 16777215"),
        (np.stack([labels(9, np.uint8)] * 5), {}, "5 planes, and which belongs to the image is not told"),
        (np.stack([labels(9, np.uint8)] * 5), {"imagej": True, "metadata": {"axes": "ZYX"}}, "5 planes"),
        (np.stack([labels(9, np.uint8) for _ in range(5)]), {"imagej": True}, "5 channels that differ"),
        (np.stack([labels(9, np.uint8), labels(7, np.uint8), labels(8, np.uint8)], 2), {"photometric": "rgb"}, "that differ"),
        (labels(9, np.uint8), {"compression": "jpeg"}, "compressed as JPEG, which may change values"),
        (np.stack([labels(9, np.uint8)] * 3, 2), {"photometric": "ycbcr"}, "^colours stored as YCBCR, which may change values"),
        (labels(9).astype(np.complex64), {}, "COMPLEX|complex"),
    ],
)
def test_what_cannot_be_labels_is_refused(tmp_path, pixels, options, reason):
    save(tmp_path / "a.tif", pixels, **options)
    with pytest.raises(ImageError, match=reason):
        read_label_values(tmp_path / "a.tif")


def test_other_masks_that_are_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "two.tif") as writer:
        writer.write(labels(9, np.uint8))
        writer.write(labels(9, np.uint8)[:20], metadata=None)
    frames = [Image.fromarray(labels(9, np.uint8)) for _ in range(3)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    Image.fromarray(labels(9, np.uint8)).save(tmp_path / "a.webp")
    np.save(tmp_path / "stack.npy", np.stack([labels(9)] * 4))
    np.save(tmp_path / "row.npy", labels(9).ravel())
    np.save(tmp_path / "cut.npy", labels(9))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "cut.npy").read_bytes()[:-5])
    for name, reason in (
        ("two.tif", "2 pictures .* which is the mask is not told"), ("moving.gif", "3 planes"),
        ("a.webp", "a WebP, which may change values"), ("stack.npy", "4 planes"),
        ("row.npy", "an array of 1395 values; expected height x width"), ("cut.npy", "truncated"),
    ):  # fmt: skip
        with pytest.raises(ImageError, match=reason):
            read_label_values(tmp_path / name)


def test_an_orientation_turns_labels_as_it_turns_pictures(tmp_path):
    expected = labels(9, np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.fromarray(expected).save(tmp_path / "a.png", exif=exif)
    tifffile.imwrite(tmp_path / "a.tif", expected, extratags=[(274, "H", 1, 8, True)])
    for ending in ("png", "tif"):
        np.testing.assert_array_equal(read_label_values(tmp_path / f"a.{ending}"), np.rot90(expected))


@pytest.mark.parametrize("held", [unchanged.HELD, 100])
@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.npy", "turned.tif"])
def test_labels_are_those_of_the_content_that_was_hashed_or_are_refused(tmp_path, monkeypatch, held, name):
    monkeypatch.setattr(unchanged, "HELD", held)
    path, write = tmp_path / name, {
        "a.png": lambda values: Image.fromarray(values).save(path),
        "a.tif": lambda values: tifffile.imwrite(path, values, photometric="minisblack"),
        "a.npy": lambda values: np.save(path, values),
        "turned.tif": lambda values: tifffile.imwrite(path, values, photometric="minisblack", extratags=[(274, 3, 1, 6, True)]),
    }[name]  # fmt: skip
    values = np.random.default_rng(0).integers(0, 9, (30, 40), dtype=np.uint8)
    write(values)
    digest = scan(tmp_path, [name], None)["digest"].iloc[0]
    np.testing.assert_array_equal(read_label_values(path, digest), read_label_values(path))
    write(values + np.uint8(1))
    with pytest.raises(ImageError, match="changed after it was listed"):
        read_label_values(path, digest)
