"""Images without labels, through a classifier."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

from bench.data.reading import Reading
from bench.embeddings.embed import DataSpec
from bench.errors import BenchError
from bench.studies.classifier.card import card, use_of
from bench.studies.classifier.fit import FitRequest, fit
from bench.studies.classifier.folder import load_model, save_model
from bench.studies.classifier.model import Asked, Model
from bench.studies.classifier.predict import PredictRequest, predict
from bench.studies.classifier.reference import remember
from bench.studies.classifier.table import writing
from bench.studies.classifier.words import cautions


def answers(model: Model, *images: Path, out: Path, **asked: object) -> tuple[pd.DataFrame, object]:
    blocks: list[pd.DataFrame] = []
    found = predict(model, PredictRequest(images=images, asked=Asked(**asked), out=out), lambda block: blocks.append(block.rows))
    return pd.concat(blocks, ignore_index=True), found


def test_every_image_of_a_folder_has_a_row_of_probabilities_a_set_and_its_nearest(made, tmp_path):
    folder, model = made
    table, found = answers(model, folder / "demo" / "raw", out=tmp_path / "out")
    assert len(table) == found.instances == found.images == 48
    P = table[[f"p_{name}" for name in model.about.classes]].to_numpy()
    np.testing.assert_allclose(P.sum(1), 1)
    assert (table["class"] == np.array(model.about.classes)[P.argmax(1)]).all()
    assert (table["probability"] == P.max(1)).all()
    assert all(row["class"] in row["set"].split("|") for row in table.to_dict("records"))
    assert (table["nearest_1"] == table["path"]).all()  # they are what it learned from
    assert (table["path"].str.split("/").str[0] == table["class"]).mean() > 0.8
    assert sum(found.classes.values()) == 48
    assert found.seen == 48
    assert "trained on all of these" in " ".join(cautions(model, Asked(), found))


def test_images_that_it_learned_from_are_counted_and_no_others(made, tmp_path):
    folder, model = made
    images = sorted((folder / "demo" / "raw").glob("rbc/*.png"))[:4]
    for i, path in enumerate(images):
        pixels = np.asarray(Image.open(path)).copy()
        pixels[:8, :8] = 255 * (i < 2)
        Image.fromarray(pixels).save(tmp_path / f"new{i}.png")
    new = [tmp_path / f"new{i}.png" for i in range(4)]
    _, found = answers(model, *new, out=tmp_path / "out")
    assert found.seen == 0 and "was trained on" not in " ".join(cautions(model, Asked(), found))
    _, found = answers(model, *new, *images, out=tmp_path / "out")
    assert found.seen == 4 and "trained on 4 of these 8" in " ".join(cautions(model, Asked(), found))


def test_where_many_remembered_rows_are_equal_an_equal_one_tells_nothing():
    rows = np.repeat(np.eye(4, dtype=np.float32), 5, axis=0)
    reference = remember(rows, np.zeros(20, int), np.arange(20), tuple(map(str, range(20))))
    assert not reference.holds(rows, reference.nearest(rows)[0]).any()


def test_a_csv_single_images_and_a_folder_give_the_same_rows(made, tmp_path):
    folder, model = made
    raw = folder / "demo" / "raw"
    images = sorted(raw.glob("rbc/*.png"))[:4]
    (raw.parent / "new.csv").write_text("path\n" + "".join(f"raw/{path.relative_to(raw)}\n" for path in images))
    whole, _ = answers(model, raw, out=tmp_path / "out")
    want = whole[whole["path"].isin([path.relative_to(raw).as_posix() for path in images])]
    numbers = ["probability", "unlike_p", *(f"p_{name}" for name in model.about.classes)]
    for given in ((raw.parent / "new.csv",), tuple(images), (raw / "rbc" / images[0].name,)):
        table, _ = answers(model, *given, out=tmp_path / "out")
        np.testing.assert_allclose(table[numbers], want[numbers][: len(table)], rtol=1e-12)
        assert len(table) == (1 if given == (images[0],) else 4)


def test_a_second_call_embeds_nothing_again(made, tmp_path, monkeypatch):
    folder, model = made
    first, _ = answers(model, folder / "demo" / "raw" / "rbc", out=tmp_path / "out")
    monkeypatch.setattr("encoders.spec.EncoderSpec.load", lambda *a: pytest.fail("loaded"))
    again, _ = answers(model, folder / "demo" / "raw" / "rbc", out=tmp_path / "out")
    pd.testing.assert_frame_equal(first, again)


def test_what_is_unlike_all_that_is_known_gets_no_answer_and_the_reason(made, tmp_path):
    folder, model = made
    (tmp_path / "new").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "new" / "noise.png")
    shutil.copy(next((folder / "demo" / "raw" / "rbc").glob("*.png")), tmp_path / "new" / "rbc.png")
    table, found = answers(model, tmp_path / "new", out=tmp_path / "out")
    assert table["answer"].isna().tolist() == [True, False]
    assert table["why_no_answer"][0] == "unlike all training images" and found.unlike == 1
    everything, _ = answers(model, tmp_path / "new", out=tmp_path / "out", unlike=0)
    assert everything["answer"].notna().all()


def test_a_rate_of_errors_that_cannot_be_promised_answers_nothing(made, tmp_path):
    folder, model = made
    assert model.answer_from(0.001) == np.inf
    table, found = answers(model, folder / "demo" / "raw" / "rbc", out=tmp_path / "out", errors=0.001)
    assert table["answer"].isna().all() and found.refused == {"not sure enough": 12}


def test_images_of_other_channels_or_another_scale_are_refused_by_name(made, tmp_path):
    folder, model = made
    (tmp_path / "grey").mkdir()
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(tmp_path / "grey" / "one.png")
    with pytest.raises(BenchError, match=r"one\.png, which has 1 channel; expected 3, .* Give images"):
        answers(model, tmp_path / "grey", out=tmp_path / "out")
    image = next((folder / "demo" / "raw" / "rbc").glob("*.png"))
    shutil.copy(image, tmp_path / "a.png")
    (tmp_path / "scaled.csv").write_text("path,um_per_px\na.png,0.5\n")
    scaled = replace(model, about=replace(model.about, um_per_px=(0.1, 0.12)))
    with pytest.raises(BenchError, match=r"a\.png, which has 0\.5 micrometres per pixel; expected 0\.1 to 0\.12"):
        answers(scaled, tmp_path / "scaled.csv", out=tmp_path / "out")
    answers(scaled, image, out=tmp_path / "out")  # a scale that is not known is not refused


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_bytes_and_numbers_whose_contrast_is_stretched_are_two_kinds(made, tmp_path, dtype):
    folder, model = made
    pixels = np.asarray(Image.open(next((folder / "demo" / "raw" / "rbc").glob("*.png"))).convert("RGB"))
    tifffile.imwrite(tmp_path / "deep.tif", pixels.astype(dtype) * dtype(3), photometric="rgb")
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert model.about.dtypes == ("uint8",)
    name = np.dtype(dtype).name
    with pytest.raises(BenchError, match=f"deep.tif, which has pixels of type {name}; expected uint8, as the classifier"):
        answers(model, tmp_path / "deep.tif", out=tmp_path / "out")
    deep = replace(model, about=replace(model.about, dtypes=("uint16",)))
    with pytest.raises(BenchError, match="a.png, which has pixels of type uint8; expected uint16"):
        answers(deep, tmp_path / "a.png", out=tmp_path / "out")
    assert len(answers(deep, tmp_path / "deep.tif", out=tmp_path / "out")[0]) == 1
    for dtypes in (("uint16", "uint8"), ()):  # of both, or made when that was not kept
        either = replace(model, about=replace(model.about, dtypes=dtypes))
        assert len(answers(either, tmp_path, out=tmp_path / "out")[0]) == 2


def test_images_far_larger_or_smaller_than_all_that_it_learned_from_are_said(made, tmp_path):
    folder, model = made
    assert model.about.sides == (64, 64) and not model.about.regions
    image = Image.open(next((folder / "demo" / "raw" / "rbc").glob("*.png")))
    for size in (40, 64, 96, 97):
        image.resize((size, 20)).save(tmp_path / f"{size}.png")
    notes = " ".join(answers(model, tmp_path, out=tmp_path / "out")[1].notes)
    assert "1 of 4 images is much larger than all that the classifier learned from (64 px along" in notes
    assert "e.g. 97.png with 97 px" in notes and "if they show many cells, give their boxes" in notes
    assert "1 of 4 images is much smaller than all that the classifier learned from" in notes and "40.png" in notes
    unknown = replace(model, about=replace(model.about, sides=(0, 0)))  # made when that was not kept
    assert not answers(unknown, tmp_path, out=tmp_path / "out")[1].notes


def test_a_classifier_of_regions_says_so_where_it_gets_whole_images(made, tmp_path):
    raw = shutil.copytree(made[0] / "demo" / "raw", tmp_path / "raw")
    rows = [f"{path.relative_to(raw)},{path.parent.name},0,0,20,16" for path in sorted(raw.glob("*/*.png"))]
    (raw / "regions.csv").write_text("\n".join(["path,label,x0,y0,x1,y1", *rows]))
    source = DataSpec(raw / "regions.csv", group_pattern=r"([^/]+)__")
    model = fit(FitRequest(source=source, encoders=("color-stats",), heads=("centroid",), out=tmp_path / "out")).model
    assert model.about.sides == (20, 20) and model.about.regions
    assert use_of(model.about, "m") == "bench predict m BOXES.csv --to predictions.csv"
    text = " ".join(card(model).split())
    assert "3 channels of uint8, instances `whole` (regions (boxes of a CSV) of 20 px along" in text
    assert not answers(model, raw / "regions.csv", out=tmp_path / "out")[1].notes
    assert load_model(save_model(model, tmp_path / "m")).about == model.about
    notes = " ".join(answers(model, raw / "rbc", out=tmp_path / "out")[1].notes)
    assert "12 of 12 images have no box, and the classifier learned from regions of images" in notes


def test_some_images_of_another_kind_are_left_out_by_name_and_the_others_answered(made, tmp_path):
    folder, model = made
    image = next((folder / "demo" / "raw" / "rbc").glob("*.png"))
    for name in ("a.png", "b.png", "c.png"):
        shutil.copy(image, tmp_path / name)
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(tmp_path / "grey.png")
    (tmp_path / "mixed.csv").write_text("path,um_per_px\na.png,0.11\nb.png,0.5\nc.png,\ngrey.png,0.5\n")
    scaled = replace(model, about=replace(model.about, um_per_px=(0.1, 0.12)))
    table, found = answers(scaled, tmp_path / "mixed.csv", out=tmp_path / "out")
    assert table["path"].tolist() == ["a.png", "c.png"] and found.instances == 2
    assert found.problems.to_numpy().tolist() == [
        ["b.png", "has 0.5 micrometres per pixel; expected 0.1 to 0.12, as the classifier was made for"],
        ["grey.png", "has 1 channel; expected 3, as the classifier was made for"],
    ]


def test_another_encoder_and_an_encoder_that_is_code_are_refused(made, tmp_path):
    folder, model = made
    raw = folder / "demo" / "raw"
    for changes, typed, told in (
        ({}, "raw-pixels", "expected"),
        ({"encoder": "evil.py:embed"}, None, "not in the catalogue"),
        ({"encoder": "timm:resnet18"}, None, "not in the catalogue"),
        ({"encoder": "./checkpoint"}, None, "not in the catalogue"),
        ({"weights": "0" * 64}, None, "expected 000000000000"),
    ):
        other = replace(model, about=replace(model.about, **changes))
        with pytest.raises(BenchError, match=told):
            predict(other, PredictRequest(images=(raw,), encoder=typed, out=tmp_path / "out"), lambda rows: None)


@pytest.mark.parametrize("given", [("nowhere",), (), ("demo", "demo")])
def test_images_that_are_not_there_are_named(made, tmp_path, given):
    folder, model = made
    with pytest.raises(BenchError, match="expected"):
        answers(model, *(folder / name for name in given), out=tmp_path / "out")


def test_an_image_that_cannot_be_read_is_named_and_the_others_are_answered(made, tmp_path):
    folder, model = made
    shutil.copytree(folder / "demo" / "raw" / "rbc", tmp_path / "new")
    (tmp_path / "new" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    table, found = answers(model, tmp_path / "new", out=tmp_path / "out")
    assert len(table) == 12 and found.problems["path"].tolist() == ["broken.png"]


def test_rows_come_block_by_block_and_as_one_table(made, tmp_path, monkeypatch):
    folder, model = made
    whole, _ = answers(model, folder / "demo" / "raw", out=tmp_path / "out")
    monkeypatch.setattr("bench.studies.classifier.predict.BLOCK", 7)
    for name in ("p.csv", "p.parquet"):
        with writing(tmp_path / name) as write:
            predict(model, PredictRequest(images=(folder / "demo" / "raw",), out=tmp_path / "out"), lambda block: write(block.rows))
    from_csv, from_parquet = pd.read_csv(tmp_path / "p.csv"), pd.read_parquet(tmp_path / "p.parquet")
    for table in (from_csv, from_parquet):
        assert list(table) == list(whole) and len(table) == 48
        np.testing.assert_allclose(table["probability"], whole["probability"], atol=1e-5)
        assert table["path"].tolist() == whole["path"].tolist()


def test_a_file_of_another_kind_is_refused_and_a_failure_leaves_none(tmp_path):
    with pytest.raises(BenchError, match=r"p\.xlsx"), writing(tmp_path / "p.xlsx"):
        pass
    with pytest.raises(RuntimeError), writing(tmp_path / "p.csv") as write:
        write(pd.DataFrame({"a": [1]}))
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_the_request_reads_images_without_labels():
    assert PredictRequest(images=()).reading == Reading(labelled=False)
