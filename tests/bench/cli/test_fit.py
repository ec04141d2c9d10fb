"""`bench fit` and `bench predict`: from labelled images to a classifier, and from new ones to a table."""

from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd
import pytest

from bench.demo import DemoSpec, write_demo
from bench.studies.classifier import advice
from bench.studies.classifier.card import use_of
from bench.studies.classifier.folder import load_model

PATTERN = ("--group-pattern", r"([^/]+)__")
SMALL = ("--encoder", "color-stats,texture", "--head", "centroid,ridge")


@pytest.fixture
def fitted(bench, tmp_path):
    write_demo(tmp_path / "demo", DemoSpec(images=10, size=(48, 48)))
    code, text = bench("fit", "--data", "demo/raw", *PATTERN, *SMALL, "--save", "cells.model")
    assert code == 0, text
    return text


def test_a_classifier_is_made_and_says_what_to_expect_and_what_to_type_next(fitted, tmp_path):
    text = " ".join(fitted.split())
    assert "the best of 4 on left-out groups" in text
    assert "Balanced accuracy to expect on new slides: " in text and "On the next 10 groups" in text and "Guessing gives 25%" in text
    assert "Next: bench predict cells.model IMAGES --to predictions.csv" in text
    card = (tmp_path / "cells.model" / "README.md").read_text()
    for part in ("**In short:**", "What to expect on new slides", "How it was chosen", "Licence of the encoder's weights"):
        assert part in card


@pytest.mark.parametrize(
    ("instances", "said"),
    [
        ("masks:8", "bench predict 'my cells.model' IMAGES --masks MASKS --to predictions.csv"),
        ("boxes:8", "bench predict 'my cells.model' IMAGES --cells CELLS.csv --to predictions.csv"),
        ("tiles:8", "bench predict 'my cells.model' IMAGES --to predictions.csv"),
    ],
)
def test_the_command_that_classifies_can_be_typed(fitted, tmp_path, instances, said):
    about = replace(load_model(tmp_path / "cells.model").about, instances=instances)
    assert use_of(about, "my cells.model") == said


def test_new_images_get_a_table_and_a_summary(fitted, bench, tmp_path):
    code, text = bench("predict", "cells.model", "demo/raw/rbc", "--to", "p.csv")
    assert code == 0, text
    table = pd.read_csv(tmp_path / "p.csv")
    assert len(table) == 10 and (table["class"] == "rbc").sum() >= 8
    assert "10 instances of 10 images" in text and "Predictions: p.csv" in text


def test_the_candidates_of_a_run_are_its_encoders_and_heads_without_baselines(bench, tmp_path):
    write_demo(tmp_path / "demo", DemoSpec(images=10, size=(48, 48)))
    words = ("--data", "demo/raw", *PATTERN)
    code, text = bench(
        "run", *words, "--encoder", "random-resnet18,lite0-cells", "--head", "centroid,knn", "--shots", "2", "--draws", "3",
        "--name", "mine",
    )  # fmt: skip
    assert code == 0, text
    code, text = bench("fit", *words, "--from", "mine", "--save", "cells.model")
    assert code == 0, text
    assert "Encoder lite0-cells" in text and "the best of 2 on" in " ".join(text.split())
    code, text = bench("audit", *words, "--from", "mine", "--draws", "2")
    assert code == 0 and "lite0-cells" in (tmp_path / "results" / "audit" / "demo" / "audit.md").read_text(), text
    code, text = bench("fit", *words, "--from", "yours", "--save", "cells.model")
    assert code == 2 and "Got run yours" in text


def test_what_a_run_calls_by_an_alias_is_a_candidate_of_its_classifier(bench, tmp_path):
    write_demo(tmp_path / "demo", DemoSpec(images=4, size=(48, 48)))
    words = ("--data", "demo/raw", *PATTERN)
    asked = ("--head", "centroid", "--shots", "1", "--draws", "2", "--no-baselines")
    small = "small=lite0-cells@size=64"
    code, text = bench("run", *words, "--encoder", f"{small},lite0-cells", *asked, "--name", "mine")
    assert code == 0, text
    code, text = bench("fit", *words, "--from", "mine", "--save", "cells.model")
    assert code == 0 and "the best of 2 on" in " ".join(text.split()), text
    code, text = bench("audit", *words, "--from", "mine", "--draws", "2")
    assert code == 0, text
    code, text = bench("run", *words, "--encoder", "color-stats", *asked, "--name", "cheap")
    assert code == 0, text
    code, text = bench("fit", *words, "--from", "cheap", "--save", "cells.model")
    assert code == 2 and "(color-stats: baselines, which are not taken over)" in " ".join(text.split())


def test_an_encoder_of_a_run_that_is_not_known_here_is_not_left_out_in_silence(bench, tmp_path):
    write_demo(tmp_path / "demo", DemoSpec(images=4, size=(48, 48)))
    words = ("--data", "demo/raw", *PATTERN)
    assert bench("extract", "--data", "demo/raw", "--encoder", "color-stats")[0] == 0
    assert bench("export", "--data", "demo/raw", "--encoder", "color-stats", "--to", "e.parquet")[0] == 0
    asked = ("--head", "centroid", "--shots", "1", "--draws", "2", "--no-baselines")
    code, text = bench("run", *words, "--encoder", "lite0-cells@size=64,file:e.parquet", *asked, "--name", "mine")
    assert code == 0, text
    (tmp_path / "e.parquet").unlink()
    code, text = bench("fit", *words, "--from", "mine", "--save", "cells.model")
    assert code == 2 and "Got run mine, whose encoder 'file:e.parquet' is not known here." in " ".join(text.split())


def test_a_classifier_becomes_onnx_and_says_what_is_not_in_it(bench, tmp_path):
    pytest.importorskip("onnx")
    write_demo(tmp_path / "demo", DemoSpec(images=4, size=(48, 48)))
    words = ("--data", "demo/raw", *PATTERN, "--encoder", "random-resnet18@size=32", "--head", "ridge", "--save", "r.model")
    assert bench("fit", *words)[0] == 0
    code, text = bench("export", "r.model", "--to", "cells.onnx")
    assert code == 0 and (tmp_path / "cells.onnx").stat().st_size > 40_000_000, text
    text = " ".join(text.split())
    assert "from uint8 (N, 32, 32, 3) to the probabilities of neuron, phloem, rbc, xylem" in text and "cells.onnx.json" in text
    assert "Licence of the encoder's weights: " in text and "Not in it: sets of classes" in text


def test_labels_of_images_make_a_classifier_of_cells_with_a_table_for_images(bench, tmp_path):
    write_demo(tmp_path / "demo", DemoSpec(images=3, size=(64, 64)))
    words = ("--data", "demo/raw", *PATTERN, "--encoder", "color-stats", "--instances", "tiles:32", "--save", "cells.model")
    code, text = bench("fit", *words, "--bag-head", "mean-pool,attention")
    text = " ".join(text.split())
    assert code == 0, text
    assert "attention is left out: it takes 50 images of every class, and neuron has 3" in text
    assert "head mean-pool: nothing else was compared" in text and "Balanced accuracy of images to expect" in text
    assert "Nothing is promised of single tiles" in text and "label 16 cells of each class first" in text
    code, text = bench("predict", "cells.model", "demo/raw", "--to", "p.csv", "--also", "qupath,anndata", "--errors", "0.05")
    text = " ".join(text.split())
    assert code == 0, text
    assert "48 instances of 12 images" in text and "Predictions of images: p-images.csv" in text
    assert "Sets and --errors hold for images here" in text
    cells, images = pd.read_csv(tmp_path / "p.csv"), pd.read_csv(tmp_path / "p-images.csv")
    assert len(cells) == 48 and len(images) == 12 and images["cells"].eq(4).all()
    assert cells["set"].isna().all() and (images["class"] == images["path"].str.split("/").str[0]).mean() > 0.5
    assert (tmp_path / "p-qupath").is_dir() and (tmp_path / "p-anndata" / "cells.h5ad").is_file()


def test_the_advice_to_label_cells_can_be_typed_as_it_is_told(bench, tmp_path):
    write_demo(tmp_path / "demo", DemoSpec(images=3, size=(64, 64)))
    table = pd.read_csv(tmp_path / "demo" / "cells.csv").groupby("label").head(16)
    table.to_csv(tmp_path / "demo" / "labelled.csv", index=False, columns=["path", "x0", "y0", "x1", "y1", "label"])
    words = advice.BETTER.replace("labelled.csv", "demo/labelled.csv").split()[1:]
    code, text = bench(*words, "--encoder", "color-stats")
    assert code == 0 and "Balanced accuracy to expect on new slides" in " ".join(text.split()), text
    assert len(json.loads((tmp_path / "better.model" / "model.json").read_text())["about"]["classes"]) == 4


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("fit", "--data", "demo/raw", "--bag-head", "all", "--save", "m"), "Got --bag-head with --instances whole"),
        (("fit", "--data", "demo/raw", "--bag-head", "mean", "--save", "m"), "did you mean 'mean-pool'"),
        (("fit", "--data", "demo/raw", "--head", "knn", "--bag-head", "all", "--save", "m"), "expected one of the two"),
        (("export", "cells.model", "--to", "cells.npz"), "expected a name ending in .onnx for a classifier"),
        (("export", "--to", "cells.onnx"), "expected bench export cells.model --to cells.onnx"),
        (("export", "demo", "--to", "cells.onnx"), "no model.json in it"),
        (("fit", "--data", "nowhere", "--save", "m"), "does not exist"),
        (("fit", "--data", "demo/raw", "--head", "logrg", "--save", "m"), "did you mean 'logreg'"),
        (("fit", "--data", "demo/raw", "--save", "demo"), "holds something other than a classifier"),
        (("predict", "demo", "demo/raw", "--to", "p.csv"), "no model.json in it"),
        (("predict", "cells.model", "nowhere", "--to", "p.csv"), "does not exist"),
        (("predict", "cells.model", "empty", "--to", "p.csv"), "Expected a folder with images in it or in folders below"),
        (("predict", "cells.model", "a.csv", "--to", "p.csv"), "expected a column 'path'. Expected a folder with images"),
        (("predict", "cells.model", "demo/raw", "--to", "p.csv", "--cells", "a.csv"), "Got --cells a.csv for --instances whole"),
        (("predict", "cells.model", "demo/raw", "--to", "p.txt"), "Expected a name ending in .csv or .parquet"),
        (("predict", "cells.model", "demo/raw", "--to", "p.csv", "--errors", "5"), "expected a share between 0 and 1"),
        (("predict", "cells.model", "demo/raw", "--to", "p.csv", "--encoder", "thumbnail"), "expected"),
    ],
)
def test_a_mistake_is_told_and_leaves_no_file(fitted, bench, tmp_path, words, told):
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    code, text = bench(*words)
    assert code == 2 and told in " ".join(text.split()), text
    assert not (tmp_path / "cells.onnx").exists() and not (tmp_path / "p.csv").exists() and not (tmp_path / "m").exists()


def test_a_file_that_cannot_be_used_is_named_once(bench, tmp_path):
    write_demo(tmp_path / "demo", DemoSpec(images=4, size=(48, 48)))
    whole = next((tmp_path / "demo" / "raw" / "rbc").glob("*.png"))
    whole.with_name("slide00__cut.png").write_bytes(whole.read_bytes()[:-40])
    (whole.parent / "slide00__empty.png").write_bytes(b"")
    told = ("--data", "demo/raw", *PATTERN, "--encoder", "color-stats")
    for command in (("fit", *told, "--head", "ridge", "--save", "a.model"), ("proxies", *told)) * 2:
        code, text = bench(*command)
        assert code == 0 and text.count("slide00__empty.png: ") == text.count("slide00__cut.png: ") == 1, text


@pytest.mark.parametrize(
    ("slides", "said"),
    [
        (("s1", "s1"), "is not known: every class lies in a single slide."),
        (("s0", "s{i}"), "is not known: all classes but b lie in a single slide, and who always answers b would be right."),
        (("s0", "s{i}", "s{i}"), "Guessing gives 33%. Groups or errors are so few that every group counts as one observation, "
         "so both intervals are wide. Without a, of which there is a single group."),
    ],
)  # fmt: skip
def test_what_classes_of_a_single_slide_leave_unknown_is_said_where_the_classifier_is_made(bench, tmp_path, save_png, slides, said):
    for k, slide in enumerate(slides):
        for i in range(6):
            save_png(tmp_path / "raw" / "abc"[k] / f"{slide.format(i=i)}__{k}{i}.png", seed=10 * k + i)
    code, text = bench("fit", "--data", "raw", *PATTERN, "--encoder", "color-stats", "--head", "centroid,ridge", "--save", "m")
    text = " ".join(text.split())
    assert code == 0 and said in text, text
    assert ("the first of 2, as left-out groups told nothing" in text) is ("not known" in said)
    card = (tmp_path / "m" / "README.md").read_text()
    assert "accuracy: ." not in card and "1 folds" not in card and said.split(". ")[-1] in card
