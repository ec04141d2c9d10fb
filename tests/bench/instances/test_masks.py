"""Cells by masks: every kind of file that holds labels, and a plain reason for those that do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from bench.data.datasets import BOX, load_dataset
from bench.errors import BenchError
from bench.images import ImageError
from bench.images.label_values import read_label_values as read_mask
from bench.instances import cell_cache, masks
from bench.instances.cell_boxes import CellFiles
from bench.instances.cell_cache import cells_of, look_at, read_kept
from bench.instances.cut import cut_instances


def labels(dtype: type, *values: int) -> np.ndarray:
    """An image 40 x 60 with squares of 6 pixels of these values in a row."""
    mask = np.zeros((40, 60), dtype)
    for i, value in enumerate(values):
        mask[10:16, 8 * i + 1 : 8 * i + 7] = value
    return mask


@pytest.fixture
def data(tmp_path, save_png):
    for seed, path in enumerate(("a/1.png", "a/2.png", "b/3.png", "b/4.png")):
        save_png(tmp_path / "raw" / path, seed, (40, 60))
    return tmp_path / "raw"


@pytest.fixture
def folder(tmp_path):
    """A folder of good masks, named as the images."""
    (tmp_path / "masks").mkdir()
    for i in (1, 2, 3, 4):
        Image.fromarray(labels(np.uint8, *range(1, i + 1))).save(tmp_path / "masks" / f"{i}.png")
    return tmp_path / "masks"


def cut(data: Path, folder: Path | None, kind: str = "masks:8", **more: object):
    return cut_instances(load_dataset(data), kind, CellFiles(masks=folder), **more)


def test_every_value_is_one_cell_with_the_window_around_its_box(data, folder):
    made = cut(data, folder)
    assert made.table.groupby("path").size().to_dict() == {"a/1.png": 1, "a/2.png": 2, "b/3.png": 3, "b/4.png": 4}
    assert made.table.loc[made.table["path"] == "a/2.png", BOX].to_numpy(int).tolist() == [
        [0, 9, 8, 17],
        [8, 9, 16, 17],
    ]
    assert made.table["cell_label"].isna().all() and set(made.table["level"]) == {"inherited"}
    assert made.dataset.problems.empty


@pytest.mark.parametrize("values", [(1, 2, 3), (300, 7, 65535), (2**20, 5, 2**24 - 1)])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_masks_of_8_16_and_32_bits_hold_the_same_cells(tmp_path, values, ending):
    dtype = next(kind for kind in (np.uint8, np.uint16, np.uint32) if max(values) <= np.iinfo(kind).max)
    mask = labels(dtype, *values)
    path = tmp_path / f"m.{ending}"
    if ending == "tif":
        tifffile.imwrite(path, mask)
    elif dtype == np.uint32:
        pytest.skip("PNG has 16 bits at most")
    else:
        Image.fromarray(mask).save(path)
    assert np.array_equal(read_mask(path), mask)
    found = cells_of(read_mask(path))
    order = np.argsort(np.argsort(values))
    assert found["box"][order].tolist() == [[8 * i + 1, 10, 8 * i + 7, 16] for i in range(3)]
    assert found["area"].tolist() == [36] * 3


def test_a_mask_without_background_and_an_empty_one():
    assert cells_of(np.full((4, 5), 7))["box"].tolist() == [[0, 0, 5, 4]]
    assert len(cells_of(np.zeros((4, 5), int))["box"]) == 0
    assert cells_of(np.array([[3, 3], [9, 0]]))["labels"].tolist() == [[1, 1], [2, 0]]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda p: Image.fromarray(labels(np.uint8)).save(p), "no cell: its mask 2.png is empty"),
        (
            lambda p: Image.fromarray(labels(np.uint8, 1)[:30]).save(p),
            "its mask 2.png is 60 x 30 pixels, the image 60 x 40",
        ),
        (
            lambda p: Image.fromarray(np.stack([labels(np.uint8, 1), labels(np.uint8, 2), labels(np.uint8, 1)], 2)).save(p),
            "its mask 2.png: 3 channels that differ; expected one",
        ),
        (lambda p: Image.fromarray(labels(np.uint8, 1)).save(p, "JPEG"), "its mask 2.png: a JPEG, which may change values"),
        (lambda p: p.write_bytes(p.read_bytes()[:80]), "its mask 2.png: "),
        (lambda p: p.write_text("no"), "its mask 2.png: not an image"),
        (lambda p: p.unlink(), "no cell: no mask in masks has its name"),
    ],
)
def test_a_mask_that_is_none_is_listed_with_the_reason_and_its_image_falls_out(data, folder, spoil, reason):
    spoil(folder / "2.png")
    made = cut(data, folder)
    assert made.dataset.problems["path"].tolist() == ["a/2.png"]
    assert made.dataset.problems["reason"].iloc[0].startswith(reason)
    assert "a/2.png" not in set(made.table["path"]) | set(made.dataset.table["path"])
    (folder / "1.png").unlink()
    with pytest.raises(
        BenchError, match=r"Got --instances masks:8, which leaves no instance of class 'a' \(a/1.png: no"
    ):
        cut(data, folder)


@pytest.mark.parametrize(
    ("values", "message"), [(0.5, "no whole numbers"), (-1.0, "from -1 to 0"), (2.0**24, "0 to 16777215")]
)
def test_values_that_cannot_be_labels_are_refused(tmp_path, values, message):
    tifffile.imwrite(tmp_path / "m.tif", labels(np.float32, values))
    with pytest.raises(ImageError, match=message):
        read_mask(tmp_path / "m.tif")


@pytest.mark.parametrize("value", [1, 255, True])
def test_a_mask_that_marks_all_cells_alike_gives_its_pieces_and_a_note_that_touching_cells_are_one(data, folder, value):
    Image.fromarray(labels(type(value) if value is True else np.uint8, value, value)).save(folder / "3.png")
    made = cut(data, folder)
    assert (made.table["path"] == "b/3.png").sum() == 2
    [note] = [note for note in made.notes if "mark all cells with one value" in note]
    assert note.startswith("1 masks mark") and "e.g. 3.png: each of the 2 pieces" in note
    assert "cells that touch cannot be told apart" in note


def test_a_cell_that_another_one_cuts_in_two_is_one_cell_and_a_note(data, folder):
    crossed = np.zeros_like(labels(np.uint8, 1, 2, 3))
    crossed[2:14, 4:7], crossed[7:10, 1:12], crossed[2:6, 20:24] = 1, 2, 3  # 2 lies over 1
    Image.fromarray(crossed).save(folder / "3.png")
    made = cut(data, folder)
    assert (made.table["path"] == "b/3.png").sum() == 3
    [note] = [note for note in made.notes if "several pieces" in note]
    assert note.startswith("1 masks hold cells in several pieces, 1 in all, e.g. 3.png, as where cells overlap")


def test_masks_are_found_by_the_names_that_people_have(data, tmp_path):
    folder = tmp_path / "named"
    folder.mkdir()
    Image.fromarray(labels(np.uint16, 1)).save(folder / "1_cp_masks.png")
    tifffile.imwrite(folder / "2_masks.ome.tif", labels(np.uint16, 1, 2))
    np.save(folder / "3_seg.npy", {"masks": labels(np.int32, 1, 2, 3)}, allow_pickle=True)
    np.save(folder / "4.npy", labels(np.int32, 1, 2, 3, 4))
    assert cut(data, folder).table.groupby("path").size().tolist() == [1, 2, 3, 4]


def test_masks_beside_the_images_need_no_folder(tmp_path, save_png):
    lines = ["path,label"]
    for i, name in enumerate(("a", "b")):
        save_png(tmp_path / f"{name}.png", i, (40, 60))
        Image.fromarray(labels(np.uint8, 1, 2)).save(tmp_path / f"{name}_mask.png")
        lines.append(f"{name}.png,{name}")
    (tmp_path / "index.csv").write_text("\n".join(lines))
    for folder in (None, tmp_path):
        assert cut(tmp_path / "index.csv", folder).table.groupby("path").size().tolist() == [2, 2]


def test_two_masks_of_one_image_are_refused_by_name_unless_they_hold_the_same_labels(data, folder):
    tifffile.imwrite(folder / "1.tif", labels(np.uint16, 1))
    tifffile.imwrite(folder / "2.tif", labels(np.uint16, 1))
    np.save(folder / "3_seg.npy", {"masks": labels(np.uint16, 1, 2, 3)}, allow_pickle=True)
    (folder / "4_mask.png").write_text("no picture")
    made = cut(data, folder)
    assert made.table.groupby("path").size().to_dict() == {"a/1.png": 1, "b/3.png": 3}
    assert made.dataset.problems.to_numpy().tolist() == [
        ["a/2.png", "several masks have its name, 2.png and 2.tif, and which is meant is not told; keep one of them"],
        ["b/4.png", "several masks have its name, 4.png and 4_mask.png, and which is meant is not told; keep one of them"],
    ]


def test_a_copy_of_the_image_in_the_folder_of_masks_is_not_taken_for_its_mask(data, folder):
    (folder / "1.png").rename(folder / "1_mask.png")
    (folder / "1.png").write_bytes((data / "a" / "1.png").read_bytes())
    assert cut(data, folder).table.groupby("path").size().tolist() == [1, 2, 3, 4]


def test_a_volume_of_labels_is_refused_and_images_of_slices_are_noted(data, folder):
    tifffile.imwrite(folder / "2.tif", np.stack([labels(np.uint8, 1)] * 5))
    (folder / "2.png").unlink()
    (data / "b" / "3.png").unlink()
    tifffile.imwrite(data / "b" / "3.tif", np.zeros((4, 40, 60), np.uint8), metadata={"axes": "ZYX"})
    made = cut(data, folder)
    [reason] = made.dataset.problems["reason"]
    assert reason.startswith("its mask 2.tif: 5 planes, and which belongs to the image is not told; expected one")
    assert any(note.startswith("1 image has several pages, and a mask has one") for note in made.notes)


def test_a_mask_drawn_before_its_image_was_turned_upright_is_told_so(data, folder):
    exif = Image.Exif()
    for name, orientation in (("a/1", 6), ("a/2", 3)):
        exif[0x0112] = orientation
        image = Image.open(data / f"{name}.png").convert("RGB")
        (data / f"{name}.png").unlink()
        image.save(data / f"{name}.jpg", exif=exif)
    made = cut(data, folder)
    [reason] = made.dataset.problems["reason"]
    assert reason.startswith("its mask 1.png is 60 x 40 pixels, the image 40 x 60 once turned upright")
    [note] = [note for note in made.notes if "upright" in note]
    assert note.startswith("1 image was turned upright") and "e.g. a/2.jpg" in note
    Image.fromarray(np.rot90(labels(np.uint8, 1), -1)).save(folder / "1.png")
    assert cut(data, folder).dataset.problems.empty


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (np.where(labels(np.uint8, 1, 2) == 0, 9, labels(np.uint8, 1, 2)), "one value covers more than half of the picture"),
        (np.kron(np.arange(1, 7).reshape(2, 3), np.ones((20, 20))).astype(np.uint8), "no pixel is 0, the background"),
        (np.random.default_rng(0).integers(0, 200, (40, 60)).astype(np.uint8), "masks hold 199 values of which most"),
        (np.asarray(Image.fromarray(labels(np.uint8, 255, 255)).resize((37, 25)).resize((60, 40), 3)), "of which most have fewer"),
    ],
)
def test_a_mask_that_hardly_holds_cells_is_doubted_aloud(data, folder, mask, said):
    Image.fromarray(mask).save(folder / "3.png")
    [note] = [note for note in cut(data, folder).notes if said in note]
    assert "e.g. 3.png" in note


def voc_colours() -> bytes:
    """The colours of VOC: the bits of the label, three by three, from the top of red, green and blue down."""
    bit = lambda value, at: value >> at & 1  # noqa: E731
    return bytes(
        sum(bit(label, 3 * step + channel) << 7 - step for step in range(3)) for label in range(256) for channel in range(3)
    )


@pytest.mark.parametrize("most", [2, 254])
def test_borders_in_masks_of_voc_are_background_and_that_is_said(data, folder, most):
    mask = labels(np.uint8, 1, most)
    mask[9, :20] = 255
    image = Image.frombytes("P", (60, 40), mask.tobytes())
    image.putpalette(voc_colours())
    image.save(folder / "3.png")
    made = cut(data, folder)
    said = [note for note in made.notes if "e.g. 3.png: 20 such pixels are taken for background" in note]
    assert len(said) == (most == 2) and (made.table["path"] == "b/3.png").sum() == (2 if most == 2 else 3)


def test_good_masks_are_not_doubted(data, folder):
    assert not [note for note in cut(data, folder).notes if "mask" in note]


def test_masks_of_the_csv_and_masks_that_are_nowhere(data, folder, tmp_path):
    lines = [f"raw/{path},{path[0]},masks/{path[2]}.png" for path in ("a/1.png", "a/2.png", "b/3.png")]
    (tmp_path / "index.csv").write_text("\n".join(["path,label,mask", *lines, "raw/b/4.png,b,"]) + "\n")
    made = cut(tmp_path / "index.csv", None)
    assert len(made.table) == 6
    assert made.dataset.problems.to_numpy().tolist() == [["raw/b/4.png", "no cell: it has no mask in the CSV"]]
    with pytest.raises(BenchError, match="no image of .* has a mask. Expected a column mask in the CSV, or --masks"):
        cut(data, None)
    with pytest.raises(BenchError, match="which is no folder"):
        cut(data, tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BenchError, match="where no file is named as an image, e.g. as a/1.png"):
        cut(data, tmp_path / "empty")


def test_masks_in_folders_of_the_classes_are_not_mixed_up(data, folder, save_png):
    save_png(data / "b" / "1.png", 9, (40, 60))
    for name, value in (("a", (1, 2)), ("b", (1, 2, 3, 4, 5))):
        (folder / name).mkdir()
        Image.fromarray(labels(np.uint8, *value)).save(folder / name / "1.png")
    count = cut(data, folder).table.groupby("path").size()
    assert count["a/1.png"] == 2 and count["b/1.png"] == 5 and count["b/4.png"] == 4


def test_what_was_found_is_kept_by_content_and_made_again_when_damaged(data, folder, tmp_path, monkeypatch):
    store = tmp_path / "store"
    first = cut(data, folder, cache=store).table
    monkeypatch.setattr(masks, "read_label_image", lambda *of: pytest.fail("a mask was read again"))
    assert cut(data, folder, cache=store).table.equals(first)
    monkeypatch.undo()
    kept = sorted((store / cell_cache.FOLDER).glob("*.npz"))
    assert len(kept) == 4
    for path, damage in zip(kept, (b"", b"x" * 99, kept[2].read_bytes()[:-30], kept[3].read_bytes()), strict=True):
        path.write_bytes(damage)
    assert cut(data, folder, cache=store).table.equals(first)
    Image.fromarray(labels(np.uint8, 9)).save(folder / "4.png")
    assert (cut(data, folder, cache=store).table["path"] == "b/4.png").sum() == 1


def test_a_kept_file_with_any_damaged_byte_is_made_again_or_is_as_it_was(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {"box": rng.integers(0, 9, (40, 4)), "area": rng.integers(0, 9, 40)}
    cell_cache.keep(tmp_path, "x", arrays)
    path = tmp_path / cell_cache.FOLDER / "x.npz"
    whole = path.read_bytes()
    for at in range(0, len(whole), 3):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xA5]) + whole[at + 1 :])
        ((_, found),) = look_at(tmp_path, {"p": "x"}, arrays, lambda path: arrays, lambda done, total: None)
        assert all(np.array_equal(found[key], arrays[key]) for key in arrays)


def test_an_image_that_cannot_be_read_is_told_and_not_kept(tmp_path):
    def make(path: str) -> dict[str, np.ndarray]:
        if path == "bad":
            raise ImageError("damaged")
        return {"box": np.zeros((1, 4)), "other": np.zeros(3)}

    told: list[tuple[int, int]] = []
    for _ in range(2):
        found = dict(look_at(tmp_path, {"bad": "x", "good": "y"}, ("box",), make, lambda *at: told.append(at)))
        assert found["bad"] == "damaged" and list(found["good"]) == ["box"]
    assert told == [(1, 2), (2, 2), (1, 1)]
    assert read_kept(tmp_path, "x", ("box",)) is None and read_kept(tmp_path, "y", ("none",)) is None


def test_real_masks_give_the_cells_that_were_counted(shared):
    import pandas as pd

    folder = shared / "data" / "nuclei_fields"
    index = pd.read_csv(folder / "index.csv").set_index("file").iloc[:6]
    dataset = load_dataset(folder / "index.csv")
    few = dataset.table[dataset.table["path"].isin(index.index)]
    for row in few.to_dict("records"):
        assert len(cells_of(read_mask(folder / row["mask"]))["box"]) == index.loc[row["path"], "n_nuclei"]


@pytest.mark.parametrize("kinds", [2, 3])
def test_values_that_lie_in_several_pieces_in_most_masks_may_be_types_of_cell(data, folder, kinds):
    for i in (1, 2, 3, 4):
        Image.fromarray(labels(np.uint8, *(1 + k % kinds for k in range(2 * kinds)))).save(folder / f"{i}.png")
    made = cut(data, folder)
    assert any("in 4 of 4 masks" in note and "are the values types of cell?" in note for note in made.notes)
    assert not any("as where cells overlap" in note for note in made.notes)
    for i in (1, 2, 3):
        Image.fromarray(labels(np.uint8, *range(1, kinds + 1))).save(folder / f"{i}.png")
    made = cut(data, folder)
    assert not any("types of cell" in note for note in made.notes)
    assert any("as where cells overlap" in note for note in made.notes)


def test_masks_that_nothing_would_read_are_refused(data, folder):
    with pytest.raises(BenchError, match=r"Got --masks .* for --instances tiles:8, which reads no masks"):
        cut(data, folder, "tiles:8")


def test_a_column_of_cells_is_refused_where_there_are_no_cells(data):
    with pytest.raises(BenchError, match=r"Got --cell-column kind for --instances whole, which looks for no cells"):
        cut_instances(load_dataset(data), "whole", CellFiles(column="kind"))
