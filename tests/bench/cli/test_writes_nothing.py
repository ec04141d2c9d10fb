"""`data check` and `--dry-run` leave every file and folder as it was, in the data and in the results."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

LOOKS = {
    "doctor": ("doctor",),
    "data check": ("data", "check", "--data", "raw"),
    "data check again": ("data", "check", "--data", "raw", "--verify"),
    "data check of masks": ("data", "check", "--data", "raw", "--instances", "masks:8", "--masks", "masks"),
    "data check of segments": ("data", "check", "--data", "raw", "--instances", "segments:8"),
    "dry run": ("run", "--data", "raw", "--dry-run", "--encoder", "texture", "--shots", "1", "--draws", "2", "--head", "knn"),
    "dry run of masks": ("run", "--data", "raw", "--dry-run", "--encoder", "texture", "--shots", "1", "--draws", "2", "--head",
                         "knn", "--instances", "masks:8", "--masks", "masks"),
}  # fmt: skip


def snapshot(folder: Path) -> dict[str, object]:
    """Return path -> what is there, and when it was last written."""
    found: dict[str, object] = {}
    for at, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(at) / name
            stat = path.lstat()
            kept = path.read_bytes() if path.is_file() else None
            found[str(path.relative_to(folder))] = (stat.st_mtime_ns, stat.st_mode, kept)
    return found


@pytest.fixture
def data(tmp_path, save_png):
    labels = np.zeros((20, 30), np.uint8)
    labels[4:10, 4:12] = 1
    for k, label in enumerate(("neuron", "rbc")):
        for i in range(6):
            save_png(tmp_path / "raw" / label / f"{label}{i}.png", seed=10 * k + i)
            (tmp_path / "masks").mkdir(exist_ok=True)
            Image.fromarray(labels).save(tmp_path / "masks" / f"{label}{i}.png")
    (tmp_path / "raw" / "rbc" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    return tmp_path


@pytest.mark.parametrize("words", LOOKS.values(), ids=LOOKS)
def test_a_look_leaves_an_empty_folder_as_it_was(bench, data, words):
    before = snapshot(data)
    code, text = bench(*words)
    assert code == 0 or "segments" in words[-1], text
    assert snapshot(data) == before


def test_a_look_leaves_what_was_stored_as_it_was_even_where_it_is_damaged(bench, data):
    run = (
        "run",
        "--data",
        "raw",
        "--encoder",
        "texture",
        "--shots",
        "1",
        "--draws",
        "2",
        "--head",
        "knn",
        "--workers",
        "1",
    )
    assert bench(*run)[0] == 0
    for damaged in (False, True):
        if damaged:
            for file in [*(data / "results").rglob("*.safetensors"), *(data / "results").rglob("*.parquet")]:
                file.write_bytes(file.read_bytes()[:-8] + b"damaged!")
        before = snapshot(data)
        for words in LOOKS.values():
            code, _ = bench(*words)
            assert snapshot(data) == before, (damaged, words)


def test_a_dry_run_knows_what_is_done_although_it_writes_nothing(bench, data):
    run = ("run", "--data", "raw", "--encoder", "texture", "--shots", "1", "--draws", "2", "--head", "knn", "--workers", "1",
           "--no-baselines")  # fmt: skip
    assert bench(*run)[0] == 0
    code, text = bench(*run, "--dry-run")
    assert code == 0 and "6 fits, 6 done already" in text and "Not embedded yet" not in text


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="whoever may write everywhere is not held back")
def test_a_look_works_where_nothing_may_be_written(bench, data):
    folders = [data, *(path for path in data.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        for words in (LOOKS["data check"], LOOKS["dry run"]):
            assert bench(*words)[0] == 0
    finally:
        for folder in folders:
            folder.chmod(0o755)
