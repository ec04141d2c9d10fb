"""Small noisy images that were saved again, cropped, lit or turned to grey are told by their pixels at full size."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from bench.embeddings.embed import DataSpec, prepare
from bench.studies.audit.copies import SIDE, find_copies
from bench.studies.audit.full_size import _saving, full_size
from bench.studies.audit.placed import placed
from bench.studies.audit.saved_again import ANOTHER_LIGHT, AS_JPEG, LARGEST, WITHOUT_COLOURS, Full

SIZE = 40


def noisy_cell(seed):
    """A cell of one form in three colours with as much noise as cell: coarse parts are those of all others."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE - 0.5
    r = 0.3 + rng.normal(0, 0.01)
    inside = 1 / (1 + np.exp((np.hypot(x, y) - r) / 0.04))
    tilt = rng.normal(0, 6, (3, 2))
    colours = [90 + a * inside + t[0] * x + t[1] * y for a, t in zip((50, -20, 25), tilt, strict=True)]
    return np.clip(np.stack(colours, -1) + rng.normal(0, 9, (SIZE, SIZE, 3)), 0, 255).astype(np.uint8)


def jpeg(pixels, **saving):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", **saving)
    return np.asarray(Image.open(file))


def grey_of(pixels):
    return np.asarray(Image.fromarray(pixels).convert("L"))


def copies_among(images):
    rgb = [Image.fromarray(image).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR) for image in images]
    pixels = np.stack([np.asarray(image).mean(-1) for image in rgb])
    found = find_copies(pixels, full_size=lambda i: Full(pixels=images[i]))
    return {(row["first"], row["second"]): row["how"] for row in found.to_dict("records")}


@pytest.fixture(scope="module")
def cells():
    return [noisy_cell(seed) for seed in range(60)]


def test_cells_of_one_form_are_no_copies_even_where_all_are_jpegs(cells):
    assert copies_among(cells) == {}
    assert copies_among([jpeg(cell, quality=40 + seed % 50) for seed, cell in enumerate(cells)]) == {}


CHANGES = {
    "JPEG 30": (lambda cell: jpeg(cell, quality=30), AS_JPEG),
    "JPEG 51 of whole colours": (lambda cell: jpeg(cell, quality=51, subsampling=0), AS_JPEG),
    "grey by luma": (grey_of, WITHOUT_COLOURS),
    "grey and JPEG": (lambda cell: jpeg(grey_of(cell), quality=40), AS_JPEG),
    "too bright": (lambda cell: np.clip(2.0 * cell.astype(float), 0, 255).astype(np.uint8), ANOTHER_LIGHT),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_made_of_another_is_found(cells, change):
    make, how = CHANGES[change]
    found = copies_among([*cells, *(make(cell) for cell in cells[:6])])
    assert sorted(found) == [(i, 60 + i) for i in range(6)]
    assert set(found.values()) <= {how, "the same view", "the same view, with other detail"}
    assert how in found.values() or change == "too bright"


@pytest.mark.parametrize("k", range(8))
def test_a_crop_lies_within_its_image_and_in_no_other(cells, k):
    from encoders.orientations import orientation

    crop = Full(pixels=orientation(cells[0][3:35, 5:39], k))
    back = (4 - k) % 4 if k < 4 else k
    assert placed(Full(pixels=cells[0]), crop, back) == pytest.approx(1)
    assert placed(Full(pixels=cells[1]), crop, back) is None
    assert placed(Full(pixels=cells[0][:, :24]), Full(pixels=cells[0][:, 16:]), 0) is None  # they share too little
    assert placed(Full(pixels=cells[0][:, :30]), Full(pixels=cells[0][:, 10:]), 0) == pytest.approx(1)


def test_images_are_given_as_their_files_are(tmp_path, cells):
    folder, other = tmp_path / "data" / "a", tmp_path / "data" / "b"
    folder.mkdir(parents=True)
    other.mkdir()
    Image.fromarray(cells[1]).save(other / "0.png")
    Image.fromarray(cells[0]).save(folder / "0.png")
    Image.fromarray(cells[0]).save(folder / "1.jpg", quality=35)
    Image.fromarray(grey_of(cells[0])).save(folder / "2.png")
    Image.fromarray(np.zeros((300, 300), np.uint8)).save(folder / "3.png")
    Image.fromarray(cells[0][..., 0].astype(np.uint16) * 200).save(folder / "4.png")
    assert LARGEST < 300 * 300
    prepared = prepare(DataSpec(tmp_path / "data"), tmp_path / "out", None)
    table, root = prepared.instances, prepared.dataset.root
    given = [full_size(table, root, row) for row in range(5)]
    assert given[3] is None and given[4] is None
    np.testing.assert_array_equal(given[0].pixels, cells[0])
    np.testing.assert_array_equal(given[2].pixels, grey_of(cells[0]))
    assert given[0].saving is None
    np.testing.assert_array_equal(jpeg(cells[0], **given[1].saving), given[1].pixels)
    (root / "a" / "0.png").write_bytes((folder / "2.png").read_bytes())
    assert full_size(table, root, 0) is None  # another file by now
    assert full_size(table.assign(x0=1, y0=1, x1=9, y1=9), root, 2) is None  # a part of an image


def test_a_jpeg_whose_tables_cannot_be_saved_with_is_told_by_its_pixels(tmp_path, cells):
    file, coarse, bare = (tmp_path / name for name in ("a.jpg", "coarse.jpg", "bare.jpg"))
    Image.fromarray(cells[0]).save(file, quality=60)
    assert _saving(file)["subsampling"] == 2
    Image.fromarray(cells[0]).save(coarse, qtables=[[300] * 64])
    assert _saving(coarse) is None
    data = file.read_bytes()
    while (at := data.find(b"\xff\xdb")) >= 0:  # as a lossless one, which has no tables
        data = data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]
    bare.write_bytes(data)
    assert _saving(bare) is None
