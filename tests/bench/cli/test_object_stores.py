"""Commands whose data and results are in a bucket, and those that take no address."""

import re

import pytest

import bench as api
from bench.errors import BenchError
from bench.storage.verified import parse_json
from tests.bench.buckets import Bucket, another_machine
from tests.bench.data.test_in_bucket import fill

WHAT = (
    "--encoder",
    "color-stats",
    "--no-baselines",
    "--head",
    "centroid",
    "--draws",
    "2",
    "--workers",
    "1",
    "--no-report",
)


@pytest.fixture
def place(bucket: Bucket) -> str:
    fill(bucket)
    return f"s3://{bucket.name}"


def table(bucket: Bucket, folder: str, name: str) -> bytes:
    """Return a file that counts, of a folder of the results."""
    from bench.storage.buckets.together import place_of_tables

    stored = bucket.stored()
    return stored[f"out/{folder}{place_of_tables(stored[f'out/{folder}run.json'])}/{name}"]


def test_a_run_in_a_bucket_has_the_bytes_of_a_run_on_a_disk_and_is_nothing_to_do_elsewhere(
    bench, bucket: Bucket, place, tmp_path, monkeypatch
):
    for key, data in bucket.stored().items():
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_bytes(data)
    cost = "bench.embeddings.store.EmbeddingStore.note_cost"
    monkeypatch.setattr(cost, lambda *_: None)
    code, _ = bench("run", "--data", tmp_path / "cells" / "raw", "--out", tmp_path / "local", *WHAT, "--shots", "1")
    assert code == 0
    code, said = bench("run", "--data", f"{place}/cells/raw", "--out", f"{place}/out", *WHAT, "--shots", "1")
    assert code == 0 and re.search(rf"Leaderboard: {place}/out/runs/cells/tables/\w+/leaderboard\.md", said), said
    for name in ("leaderboard.csv", "units.csv", "instances.parquet"):
        assert table(bucket, "runs/cells/", name) == (tmp_path / "local" / "runs" / "cells" / name).read_bytes()
    assert table(bucket, "", "leaderboard.csv") == (tmp_path / "local" / "leaderboard.csv").read_bytes()
    units = [path for path in (tmp_path / "local").rglob("*.safetensors")]
    assert len(units) == 2 and all(path.read_bytes() in bucket.stored().values() for path in units)
    assert not [key for key in bucket.stored() if ".claim" in key or "clock" in key]
    before = bucket.stored()
    with another_machine(tmp_path, "two", monkeypatch):
        code, said = bench("run", "--data", f"{place}/cells/raw", "--out", f"{place}/out", *WHAT, "--shots", "1")
        assert code == 0 and f"Nothing to do: {place}/out/runs/cells is up to date" in said, said
        code, said = bench("leaderboard", "--out", f"{place}/out")
        assert code == 0 and "1 row of 1 run (cells)" in said, said
    assert {key: data for key, data in bucket.stored().items() if key.startswith("out/runs")} == {
        key: data for key, data in before.items() if key.startswith("out/runs")
    }


def test_a_request_for_less_keeps_the_tables_of_the_one_before_in_the_bucket(
    bench, bucket: Bucket, place, tmp_path, monkeypatch
):
    assert bench("run", "--data", f"{place}/cells/raw", "--out", f"{place}/out", *WHAT, "--shots", "1,2")[0] == 0
    first = table(bucket, "runs/cells/", "leaderboard.csv")
    with another_machine(tmp_path, "two", monkeypatch):
        code, said = bench("run", "--data", f"{place}/cells/raw", "--out", f"{place}/out", *WHAT, "--shots", "1")
    assert code == 0 and "1 block of fits reused, 0 made" in said, said
    [kept] = {key.split("/")[2] for key in bucket.stored() if "-earlier-" in key}
    assert table(bucket, f"runs/{kept}/", "leaderboard.csv") == first
    assert len([key for key in bucket.stored() if f"{kept}/predictions/" in key]) == 2
    assert table(bucket, "runs/cells/", "leaderboard.csv").count(b"\n") == 2


def test_other_data_of_the_same_name_get_a_folder_of_their_own(bench, bucket: Bucket, place, tmp_path, monkeypatch):
    assert bench("run", "--data", f"{place}/cells/raw", "--out", f"{place}/out", *WHAT, "--shots", "1")[0] == 0
    for key, data in bucket.stored().items():
        if key.startswith("cells/raw/") and not key.endswith("2.png"):
            bucket.put(f"other/{key}", data)
    with another_machine(tmp_path, "two", monkeypatch):
        code, said = bench("run", "--data", f"{place}/other/cells/raw", "--out", f"{place}/out", *WHAT, "--shots", "1")
    assert code == 0 and "is of other images or labels" in said, said
    marks = [key for key in bucket.stored() if key.endswith("dataset.json")]
    assert len(marks) == 2 and len({parse_json(bucket.stored()[key])["content"] for key in marks}) == 2


def test_what_cannot_be_used_ends_with_2_and_leaves_nothing(bench, bucket: Bucket, place):
    before = bucket.stored()
    code, said = bench("run", "--data", f"{place}/cells/raw", "--out", "s3://nobody/out", *WHAT)
    assert code == 2 and "no bucket of that name" in said
    code, said = bench("extract", "--data", "s3://nobody/cells", "--encoder", "color-stats", "--out", f"{place}/out")
    assert code == 2 and "no bucket of that name" in said
    bucket.fail(("403 Forbidden", False))
    code, said = bench("extract", "--data", f"{place}/cells/raw", "--encoder", "color-stats", "--out", f"{place}/out")
    assert code == 2 and "these credentials" in said
    assert bucket.stored() == before


@pytest.mark.parametrize("words", [
    ("fit", "--data", "s3://lab/cells", "--save", "a.model"),
    ("fit", "--data", "raw", "--save", "s3://lab/a.model"),
    ("report", "--out", "s3://lab/out"),
    ("store", "--out", "s3://lab/out"),
    ("store", "clean", "--out", "s3://lab/out"),
    ("tune", "--data", "raw", "--out", "s3://lab/out"),
    ("data", "check", "--data", "s3://lab/raw"),
    ("run", "--data", "raw", "--masks", "s3://lab/masks"),
    ("leaderboard", "--config", "s3://lab/a.toml"),
])  # fmt: skip
def test_other_options_and_commands_refuse_an_address_by_name_and_write_nothing(bench, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    code, said = bench(*words)
    assert code == 2 and re.search(r"Got --\w+ s3://?lab/", said) and "expected a" in said, said
    assert not list(tmp_path.rglob("*"))


def test_python_functions_refuse_an_address():
    with pytest.raises(BenchError, match="expected a local path"):
        api.run("s3://lab/cells")
    with pytest.raises(BenchError, match="expected a local path"):
        api.load_data("s3://lab/cells")


def test_without_the_extra_it_is_said_what_to_install(bench, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "obstore.store", None)
    code, said = bench("leaderboard", "--out", "s3://lab/out")
    assert code == 2 and "pip install 'cell-classifier[buckets]'" in said
