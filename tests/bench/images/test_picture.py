"""A picture is read whole or by region; what is decoded at once is limited, and what a file may claim."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.images.limits import MAX_CLAIMED, claims_too_much
from bench.images.picture import ImageError, ImageInfo, Picture

PLANES = np.random.default_rng(0).integers(0, 60_000, (3, 40, 50, 2)).astype(np.uint16)
INFO = ImageInfo(40, 50, 2, 3, "uint16", "TIFF", slices=3)


def never(*_: object) -> np.ndarray:
    pytest.fail("more was read than was asked for")


WHOLE = Picture(INFO, lambda z: PLANES[z])
IN_PARTS = Picture(INFO, never, lambda z, part: PLANES[z, part[0] : part[2], part[1] : part[3]])


@pytest.mark.parametrize("picture", [WHOLE, IN_PARTS], ids=["whole", "in parts"])
@pytest.mark.parametrize("stack", ["first", "middle", "max", "mean"])
def test_a_region_is_that_part_of_the_whole(picture, stack):
    got = picture.project(stack, (5, 0, 9, 50))
    assert got.flags.c_contiguous and np.array_equal(got, WHOLE.project(stack)[5:9])


@pytest.mark.parametrize("region", [(0, 0, 41, 5), (-1, 0, 4, 5), (3, 3, 3, 9), (0, 45, 9, 51)])
def test_a_region_that_is_not_inside_the_picture_is_refused(region):
    with pytest.raises(ImageError, match="asked for; the picture is 50 x 40"):
        IN_PARTS.project("first", region)


def test_a_picture_too_large_to_be_read_at_once_offers_tiles_and_is_read_by_region():
    large = replace(IN_PARTS, info=replace(INFO, height=16_000, width=24_000))
    assert not large.fits
    with pytest.raises(ImageError, match="too many pixels to read at once: 24000 x 16000 .* use --instances tiles:512"):
        large.project()
    assert np.array_equal(large.project("first", (0, 0, 4, 4)), PLANES[0, :4, :4])
    with pytest.raises(ImageError, match="too many pixels to read at once"):
        large.project("first", (0, 0, 16_000, 20_000))


def test_without_partial_reading_a_region_does_not_lift_the_limit():
    large = Picture(replace(INFO, height=16_000, width=24_000), never)
    with pytest.raises(ImageError, match="too many pixels to read at once"):
        large.project("first", (0, 0, 4, 4))


def test_what_a_file_may_claim_is_limited_even_where_it_is_read_in_parts():
    assert not claims_too_much(16_000, 24_000, 3, in_parts=True)
    assert claims_too_much(16_000, 24_000, 3, in_parts=False)
    assert claims_too_much(MAX_CLAIMED, 2, 1, in_parts=True) and claims_too_much(200_000, 200_000, 40, in_parts=True)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_pixel_that_is_not_finite_in_one_slice_is_made_of_the_others(value):
    planes = np.arange(24, dtype=np.float32).reshape(3, 2, 4, 1)
    planes[0, 0, 0], planes[2, 1, 1], planes[:, 1, 3] = value, value, value
    picture = Picture(ImageInfo(2, 4, 1, 3, "float32", "TIFF", slices=3), lambda z: planes[z])
    rest = np.where(np.isfinite(planes), planes, np.nan)
    with np.errstate(all="ignore"):
        most, mean = np.fmax.reduce(rest), np.nansum(rest, 0) / np.isfinite(planes).sum(0)
    np.testing.assert_array_equal(picture.project("max"), most)
    np.testing.assert_allclose(picture.project("mean"), mean)
    assert np.isnan(picture.project("mean")[1, 3]).all() and np.isfinite(picture.project("mean")[0, 0]).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_picture_without_a_number_is_refused_and_a_part_or_a_slice_of_one_is_not(value):
    empty, info = np.full((4, 4, 1), value, np.float32), ImageInfo(4, 4, 1, 1, "float32", "TIFF")
    with pytest.raises(ImageError, match="no pixel of it is a number"):
        Picture(info, lambda z: empty).project()
    assert not np.isfinite(Picture(info, lambda z: empty).project(region=(0, 0, 2, 2))).any()
    assert not np.isfinite(Picture(replace(info, pages=2, slices=2), lambda z: empty).project()).any()
    one = empty.copy()
    one[3, 3] = 1
    assert Picture(info, lambda z: one).project()[3, 3] == 1
