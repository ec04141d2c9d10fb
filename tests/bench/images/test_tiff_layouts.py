"""Every layout of a TIFF gives the numbers that were written, and those that Pillow (libtiff) reads of it."""

from __future__ import annotations

import os
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bench.images import open_image

# Pillow looks for the tags of a camera where a TIFF has none.
pytestmark = pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
HEIGHT, WIDTH = 21, 37
DEPTHS = [
    *((bits, "u") for bits in (1, 2, 4, 8, 10, 12, 16, 32, 64)), *((bits, "i") for bits in (8, 16, 32)),
    *((bits, "f") for bits in (16, 32, 64)),
]  # fmt: skip
MEANINGS = {  # photometric, samples, what extra samples are
    "white": (0, 1, ()), "black": (1, 1, ()), "palette": (3, 1, ()), "palette of 8 bits": (3, 1, ()),
    "rgb": (2, 3, ()), "rgba": (2, 4, (2,)), "rgba premultiplied": (2, 4, (1,)), "rgb and more": (2, 5, (0, 0)),
    "five channels": (1, 5, (0, 0, 0, 0)), "grey alpha": (1, 2, (2,)), "channels white": (0, 3, (0, 0)),
}  # fmt: skip
DIVISIONS = {"one strip": (None, HEIGHT), "strips": (None, 4), "rows": (None, 1), "tiles": ((16, 32), 1), "one tile": ((32, 48), 1)}


def is_possible(depth, meaning, compression, predictor, fill, planar) -> bool:
    bits, kind = depth
    photometric, samples, extra = MEANINGS[meaning]
    if photometric == 3 and (kind != "u" or bits not in (1, 2, 4, 8)):
        return False
    if (predictor == 2 and (bits not in (8, 16, 32, 64) or kind == "f")) or (predictor == 3 and kind != "f"):
        return False
    if predictor != 1 and compression in (1, 32773):
        return False
    return not (planar and samples == 1) and not (1 in extra and (kind != "u" or bits > 16)) and not (fill == 2 and bits > 8)


COMPRESSIONS = (1, 5, 8, 32946, 32773, 34925, 50000)  # none, LZW, Deflate (two codes), PackBits, LZMA, Zstandard
#: Depth, meaning, compression, predictor, fill order, planes apart, division, byte order, BigTIFF.
EVERY = [
    how
    for how in product(
        DEPTHS, MEANINGS, COMPRESSIONS, (1, 2, 3), (1, 2), (False, True), DIVISIONS, "<>", (False, True)
    )
    if is_possible(*how[:6])
]


def drawn(depth, samples, rng) -> np.ndarray:
    bits, kind = depth
    if kind == "f":
        return rng.normal(0, 1000, (HEIGHT, WIDTH, samples)).astype(f"f{bits // 8}")
    # Of 32 and 64 bits only what 24 hold: more is another test.
    low, high = (0, 2 ** min(bits, 24)) if kind == "u" else (-(2 ** min(bits - 1, 23)), 2 ** min(bits - 1, 23))
    return rng.integers(low, high, (HEIGHT, WIDTH, samples)).astype(f"{kind}{max(8, 1 << (bits - 1).bit_length()) // 8}")


def expected(pixels, depth, meaning, table) -> np.ndarray:
    """What the specification says of the numbers that were written."""
    bits, kind = depth
    photometric, samples, extra = MEANINGS[meaning]
    if photometric == 3:
        return np.stack([column[pixels[..., 0]] for column in table], -1).astype(np.uint8)
    if kind != "u" or bits > 16:
        return np.delete(pixels, [samples - 1] if extra in ((1,), (2,)) else [], 2).astype(np.float32)
    top = 2**bits - 1
    values = top - pixels.astype(np.int64) if photometric == 0 else pixels.astype(np.int64)
    if bits < 8:
        values, top = values * 255 // top, 255
    if extra == (1,):
        alpha = values[..., -1:]
        values = np.where(alpha > 0, np.minimum(values * top // np.maximum(alpha, 1), top), 0)
    values = values[..., :-1] if extra in ((1,), (2,)) else values
    return values.astype(np.uint8 if bits <= 8 else np.uint16)


def by_pillow(path, depth, meaning) -> np.ndarray | None:
    """What Pillow reads, None where it cannot or keeps less than the file has."""
    try:
        with Image.open(path) as image:
            image.load()
            mode = image.mode
            if mode in ("1", "L", "LA", "La", "P", "RGB", "RGBA"):
                grey = mode in ("1", "L", "LA", "La")
                return np.asarray(image.convert("L" if grey else "RGB")).reshape(HEIGHT, WIDTH, -1)
            return np.asarray(image).reshape(HEIGHT, WIDTH, -1)
    except Exception:  # Pillow knows fewer layouts; what it refuses says nothing
        return None


def compare(path, how, seed, raw_tiff) -> str:
    """Return "written", or "pillow" where that read it too; assert that there is no difference."""
    Layout, write = raw_tiff
    depth, meaning, compression, predictor, fill, planar, division, order, big = how
    photometric, samples, extra = MEANINGS[meaning]
    rng = np.random.default_rng(seed)
    pixels = drawn(depth, samples, rng)
    table = rng.integers(0, 256, (3, 2 ** depth[0])) if photometric == 3 else None
    if table is not None:
        table[0, 0] = 255  # so that it is clear how many bits its entries have
    stored = table if table is None or meaning.endswith("8 bits") else table * 256 + rng.integers(0, 256, table.shape)
    tile, rows = DIVISIONS[division]
    write(path, (pixels, Layout(
        *depth, photometric, order, big, tile, rows, planar, compression, predictor, fill, extra, stored,
    )))  # fmt: skip
    want = expected(pixels, depth, meaning, table)
    with open_image(path) as picture:
        assert (picture.info.height, picture.info.width, picture.info.channels) == want.shape
        assert picture.info.dtype == str(want.dtype)
        got = picture.project()
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)
        np.testing.assert_array_equal(picture.project("first", (3, 5, 19, 36)), want[3:19, 5:36])
        assert picture.stored is not None
        np.testing.assert_array_equal(picture.stored(0).reshape(pixels.shape), pixels)
    other = by_pillow(path, depth, meaning)
    if other is None or not says_all(other, want, how):
        return "written"
    if want.dtype == np.uint16 and other.dtype == np.uint8:
        want = want >> 8  # of 16-bit colours Pillow keeps the high byte
    np.testing.assert_array_equal(other, want[..., : other.shape[2]])
    return "pillow"


def says_all(other, want, how) -> bool:
    """Whether Pillow reads this kind by the specification.

    It knows no inversion of 16 bits and no sign of 8, and leaves away the low byte of 16-bit colours that are multiplied by
    alpha before it divides; entries of 8 bits in a colour table become 0; of five planes apart it keeps fewer, and of
    planes apart that are not compressed it leaves the order of bits as it is, and takes 16 bits for 8. Numbers of several bytes in big-endian files
    it swaps once too often (signed, floats) where libtiff decoded them.
    """
    depth, meaning, compression, _, fill, planar, _, order, _ = how
    if planar and compression == 1 and (fill == 2 or depth[0] == 16):
        return False
    if order == ">" and depth[0] > 8 and (depth != (16, "u") or planar):
        return False
    if meaning == "palette of 8 bits" or (meaning == "white" and depth == (16, "u")) or depth == (8, "i"):
        return False
    if depth == (16, "u") and meaning == "rgba premultiplied":
        return False
    return other.shape[2] in (want.shape[2], 3) and other.shape[2] <= want.shape[2]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(EVERY), st.integers(0, 2**32 - 1))
def test_any_layout_gives_the_numbers_that_were_written_and_that_pillow_reads(tmp_path_factory, raw_tiff, how, seed):
    compare(tmp_path_factory.getbasetemp() / "layout.tif", how, seed, raw_tiff)


def test_every_meaning_of_every_depth_is_read_and_every_compression(tmp_path, raw_tiff):
    seen = {}
    for how in EVERY:
        seen.setdefault(how[:2], how)
        seen.setdefault(how[2:5], how)
    readers = [compare(tmp_path / "a.tif", how, i, raw_tiff) for i, how in enumerate(seen.values())]
    assert len(readers) > 150 and readers.count("pillow") > 40


@pytest.mark.slow
def test_layouts_of_every_kind(tmp_path, raw_tiff):
    """Every eleventh, a minute; CELL_LAYOUTS=1 takes all, ten minutes. With -s it says how many there are."""
    some = EVERY[:: int(os.environ.get("CELL_LAYOUTS", "11"))]
    readers = [compare(tmp_path / "a.tif", how, i, raw_tiff) for i, how in enumerate(some)]
    print(f"{len(readers):,} layouts, {readers.count('pillow'):,} of them read by Pillow too, none differs")
