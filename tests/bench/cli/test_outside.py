"""`--encoder file:...`: what was exported comes back as the same row, and a classifier of it takes new files."""

from __future__ import annotations

import pandas as pd
import pytest

import bench as bench_in_python
from bench.demo import DemoSpec, write_demo

PATTERN = ("--group-pattern", r"([^/]+)__")
#: What is not of the vectors: where they are from, what it took to make them, and what the encoder is called.
OF_THE_FILE = ["encoder", "family", "ms_per_image"]


@pytest.fixture
def exported(bench, tmp_path):
    write_demo(tmp_path / "demo", DemoSpec(images=8, size=(48, 48)))
    words = ("--data", "demo/raw", *PATTERN, "--encoder", "efficientnet-lite0")
    assert bench("extract", *words)[0] == 0
    for name in ("emb.parquet", "emb.npz"):
        code, text = bench("export", *words, "--to", name)
        assert code == 0, text


def run(bench, tmp_path, encoder: str, name: str) -> pd.DataFrame:
    code, text = bench(
        "run", "--data", "demo/raw", *PATTERN, "--encoder", encoder, "--head", "knn,centroid", "--shots", "1,2", "--draws", "3",
        "--no-baselines", "--workers", "1", "--name", name,
    )  # fmt: skip
    assert code == 0, text
    return pd.read_csv(tmp_path / "results" / "runs" / name / "leaderboard.csv")


@pytest.mark.parametrize("name", ["emb.parquet", "emb.npz"])
def test_the_leaderboard_of_exported_embeddings_is_that_of_the_encoder(exported, bench, tmp_path, name):
    want = run(bench, tmp_path, "efficientnet-lite0", "itself")
    found = run(bench, tmp_path, f"file:{name}", "outside")
    assert len(want) == len(found) == 4
    pd.testing.assert_frame_equal(found.drop(columns=OF_THE_FILE), want.drop(columns=OF_THE_FILE))


def test_a_classifier_of_vectors_takes_a_new_file_with_new_images_and_says_what_it_cannot_check(exported, bench, tmp_path):
    code, text = bench("fit", "--data", "demo/raw", *PATTERN, "--encoder", "file:emb.parquet", "--head", "centroid", "--save", "o.model")
    assert code == 0 and "Next: bench predict o.model IMAGES --encoder file:NEW.parquet" in " ".join(text.split()), text
    assert "To predict, compute those of the new images by the same program" in (tmp_path / "o.model" / "README.md").read_text()
    table = pd.read_parquet(tmp_path / "emb.parquet").drop(columns="instance")
    rbc = table[table["path"].str.startswith("rbc/")]
    rbc.assign(path=rbc["path"].str.removeprefix("rbc/")).to_parquet(tmp_path / "new.parquet")
    words = ("predict", "o.model", "demo/raw/rbc", "--to", "p.csv")
    code, text = bench(*words, "--encoder", "file:new.parquet")
    assert code == 0 and "nothing here can check that the program which made file:new.parquet" in " ".join(text.split()), text
    found = pd.read_csv(tmp_path / "p.csv")
    assert (found["class"] == "rbc").mean() > 0.7
    in_python = bench_in_python.load_model("o.model").predict("demo/raw/rbc", encoder="file:new.parquet", progress=False)
    assert in_python["class"].tolist() == found["class"].tolist()
    (tmp_path / "p.csv").unlink()
    short = pd.DataFrame({"path": rbc["path"].str.removeprefix("rbc/"), "u": 1.0, "v": 2.0})
    short.to_csv(tmp_path / "short.csv", index=False)
    for more, told in (
        ((), "Got images alone for a classifier of embeddings that another program computed (file:emb.parquet)"),
        (("--encoder", "color-stats"), "Got encoder color-stats for a classifier of embeddings that another program computed"),
        (("--encoder", "file:short.csv"), "Got embeddings of 2 numbers in file:short.csv; expected 1,280"),
    ):
        code, text = bench(*words, *more)
        assert code == 2 and told in " ".join(text.split()), text
        assert not (tmp_path / "p.csv").exists()


def test_a_classifier_is_never_of_a_file_that_nobody_named(exported, bench, tmp_path):
    assert bench("extract", "--data", "demo/raw", *PATTERN, "--encoder", "file:emb.parquet")[0] == 0
    code, text = bench("fit", "--data", "demo/raw", *PATTERN, "--head", "centroid", "--save", "c.model")
    assert code == 0, text
    assert "file:emb.parquet" not in (tmp_path / "c.model" / "README.md").read_text()


def test_a_mistake_in_a_file_ends_a_run_with_its_name(exported, bench, tmp_path):
    table = pd.read_parquet(tmp_path / "emb.parquet").drop(columns="instance")
    table.iloc[3:].to_parquet(tmp_path / "less.parquet")
    words = ("run", "--data", "demo/raw", *PATTERN, "--head", "knn", "--shots", "1", "--draws", "2", "--encoder")
    for encoder, told in (
        ("file:less.parquet", "Got no embedding in less.parquet for 3 of 32 images, e.g. neuron/"),
        ("file:emb.parquet@intervene=shuffle", "no pixels that could be changed"),
        ("file:emb.txt", "Expected a name ending in .parquet, .csv, .npz"),
    ):
        (tmp_path / "emb.txt").write_text("path\n")
        code, text = bench(*words, encoder)
        assert code == 2 and told in " ".join(text.split()) and "Traceback" not in text, text
