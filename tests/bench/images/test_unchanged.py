"""What is hashed is what is decoded, for small files that are held and for large ones that are read in place."""

from __future__ import annotations

import os
from functools import partial

import numpy as np
import pytest
import tifffile

from bench.data.manifest import scan
from bench.images import PASSING, ImageError, open_image, read_image, unchanged

SMALL, LARGE = unchanged.HELD, 100


@pytest.fixture
def image(tmp_path):
    """A TIFF in tiles, and what writes another picture of the same size into the same file."""
    write = partial(tifffile.imwrite, tmp_path / "a.tif", tile=(32, 32), photometric="minisblack")
    write(np.arange(96 * 96, dtype=np.uint16).reshape(96, 96))
    return tmp_path / "a.tif", lambda: write(np.ones((96, 96), np.uint16))


def digest_of(path):
    return scan(path.parent, [path.name], None)["digest"].iloc[0]


@pytest.mark.parametrize("held", [SMALL, LARGE])
def test_pixels_of_the_content_that_was_listed_are_given(image, held, monkeypatch):
    monkeypatch.setattr(unchanged, "HELD", held)
    path, _ = image
    assert (read_image(path, digest=digest_of(path)) == read_image(path)).all()


@pytest.mark.parametrize("held", [SMALL, LARGE])
def test_another_content_is_refused_for_now_and_not_for_good(image, held, monkeypatch):
    monkeypatch.setattr(unchanged, "HELD", held)
    path, rewrite = image
    digest = digest_of(path)
    rewrite()
    with pytest.raises(ImageError, match="changed after it was listed") as refusal:
        read_image(path, digest=digest)
    assert str(refusal.value).startswith(PASSING)


def test_a_held_picture_is_what_was_hashed_whatever_is_written_to_its_file_meanwhile(image):
    path, rewrite = image
    whole = read_image(path)
    with open_image(path, digest_of(path)) as picture:
        rewrite()
        assert (picture.project() == whole).all()


@pytest.mark.parametrize("replaced", [False, True])
def test_a_large_file_that_changes_while_it_is_read_by_region_is_refused(image, replaced, monkeypatch, tmp_path):
    monkeypatch.setattr(unchanged, "HELD", LARGE)
    path, rewrite = image
    with open_image(path, digest_of(path)) as picture:
        picture.project("first", (0, 0, 32, 32))
        old = os.stat(path)
        rewrite()
        if replaced:
            os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))  # by a program that keeps the time
        with pytest.raises(ImageError, match="changed while it was being read"):
            picture.project("first", (32, 32, 64, 64))


def test_a_large_file_is_hashed_once_however_often_it_is_opened(image, monkeypatch):
    monkeypatch.setattr(unchanged, "HELD", LARGE)
    path, _ = image
    digest, hashed = digest_of(path), []
    whole = unchanged.content_digest
    monkeypatch.setattr(unchanged, "content_digest", lambda file: hashed.append(1) or whole(file))
    for _ in range(3):
        read_image(path, digest=digest)
    assert len(hashed) == 1


def test_a_picture_turned_upright_is_checked_by_the_name_that_tells_it(tmp_path):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.arange(600, dtype=np.uint8).reshape(20, 30)).save(tmp_path / "a.jpg", exif=exif)
    assert read_image(tmp_path / "a.jpg", digest=digest_of(tmp_path / "a.jpg")).shape[:2] == (30, 20)
