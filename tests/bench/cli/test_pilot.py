"""`bench pilot`: from labelled and unlabelled images to whether learning on pays."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest

from bench.demo import DemoSpec, write_demo
from bench.studies.pilot.page import PAGE, TABLE

SMALL = ("--size", "32", "--batch", "8", "--shots", "1,2", "--draws", "2", "--head", "knn", "--workers", "1", "--name", "n")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Return the folders of labelled images, and of others with two of them in between."""
    folder = tmp_path_factory.mktemp("pilot")
    write_demo(folder / "labelled", DemoSpec(images=6, slides=6, size=(64, 64)))
    write_demo(folder / "others", DemoSpec(images=6, slides=6, size=(64, 64), seed=3))
    pool = folder / "others" / "raw"
    for i, path in enumerate(sorted((folder / "labelled" / "raw" / "rbc").iterdir())[:2]):
        shutil.copy(path, pool / f"copy{i}.png")
    return folder / "labelled" / "raw", pool


def asked(images, *more):
    data, pool = images
    return ("pilot", "--data", data, "--pool", pool, "--group-pattern", r"([^/]+)__", *SMALL, *more)


def test_arms_are_made_once_judged_and_told(bench, images, tmp_path):
    given = asked(images, "--arms", "imagenet,continued,dictionary", "--steps", "2", "--trainings", "2")
    code, text = bench(*given)
    assert code == 0 and "Against ImageNet weights as they are" in text
    assert "2 of 26 images to learn from are also labelled ones" in text
    folder = tmp_path / "results" / "pilot" / "n"
    made = {path.name: (path / "weights.safetensors").read_bytes() for path in (folder / "encoders").iterdir()}
    assert set(made) == {"imagenet-0", "continued-0", "continued-1", "dictionary-0", "dictionary-1"}
    assert len(set(made.values())) == 5
    table = pd.read_csv(folder / TABLE)
    assert set(table["arm"]) == {"continued", "dictionary"} and set(table["shots"]) == {0, 1, 2}
    assert (table["ci_low"] <= table["difference"]).all() and (table["difference"] <= table["ci_high"]).all()
    board = pd.read_csv(tmp_path / "results" / "runs" / "n" / "leaderboard.csv").set_index(["encoder", "shots"])
    for row in table[table["shots"] > 0].to_dict("records"):
        own = [board["balanced_accuracy"][f"{row['arm']}-{seed}", row["shots"]] for seed in (0, 1)]
        assert row["balanced_accuracy"] == pytest.approx(sum(own) / 2, abs=1e-4)
        assert row["difference"] == pytest.approx(row["balanced_accuracy"] - row["base"], abs=1e-4)
    page = (folder / PAGE).read_text()
    assert page.startswith("# Does learning on your own images pay on labelled?") and "mean over all" in page
    code, text = bench(*given)
    assert code == 0 and "0 made; nothing to embed" in text
    assert made == {path.name: (path / "weights.safetensors").read_bytes() for path in (folder / "encoders").iterdir()}
    code, _ = bench(*asked(images, "--arms", "imagenet,continued", "--steps", "3", "--trainings", "2"))
    assert code == 0  # with other settings the encoder is made again
    assert (folder / "encoders" / "continued-0" / "weights.safetensors").read_bytes() != made["continued-0"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--arms", "continued"), "expected imagenet among them"),
        (("--arms", "imagenet,contined"), "did you mean"),
        (("--method", "dictionary"), "Expected a method for networks"),
        (("--trainings", "1"), "Got --trainings 1; expected 2 or more"),
        (("--head", "finetune"), "expected heads on frozen vectors"),
        (("--pool", "nowhere"), "nowhere"),
    ],
)
def test_a_mistake_is_told_before_anything_is_made(bench, images, tmp_path, more, said):
    code, text = bench(*asked(images, *more))
    assert code == 2 and said in " ".join(text.split())
    assert not (tmp_path / "results" / "pilot").exists()


def test_a_pool_of_labelled_images_alone_is_refused(bench, images):
    data, _ = images
    code, text = bench(*asked((data, data), "--arms", "imagenet,dictionary"))
    assert code == 2 and "24 are labelled images too" in " ".join(text.split())
