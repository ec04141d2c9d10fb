"""One list of what is to be known of a dataset: `data check`, `extract` and `run` print the same."""

from __future__ import annotations

import os
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

from bench.data import manifest
from bench.data.datasets import load_dataset
from bench.data.warnings import data_warnings, skipped, skipped_warning


def notes_of(text: str) -> list[str]:
    return [re.split(r" (Comparable|Multi-source|Case study)\. ", part)[0].strip() for part in text.split("Note: ")[1:]]


@pytest.fixture
def folder(tmp_path, save_png):
    for c, label in enumerate("ab"):
        for i in range(12):
            save_png(tmp_path / "d" / label / f"s{i // 6}__{i}.png", seed=20 * c + i, size=(20 + 9 * c, 30))
    (tmp_path / "d" / "b" / "broken.png").write_bytes(b"")
    (tmp_path / "d" / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "d" / "index.csv").write_text("path,label\na/s0__0.png,a\n")
    return tmp_path / "d"


def test_run_and_extract_print_before_all_else_what_the_check_warns_of(folder, bench):
    warned = notes_of(bench("data", "check", "--data", folder)[1])
    assert any("image size alone" in note for note in warned) and any("Thumbs.db" in note for note in warned)
    run = (
        "run",
        "--data",
        folder,
        "--shots",
        "1",
        "--draws",
        "2",
        "--head",
        "knn",
        "-e",
        "color-stats",
        "--no-baselines",
    )
    code, text = bench(*run, "--workers", "1")
    assert code == 0
    before, _, after = text.partition("1 label per class")
    assert all(note in before for note in warned) and not any(note in after for note in warned)
    assert "Skipped b/broken.png: empty file" in before and text.count("broken.png") == 1
    extracted = bench("extract", "--data", folder, "-e", "color-stats")[1]
    assert all(note in extracted for note in warned)
    assert all(note in bench(*run, "--dry-run")[1] for note in warned)
    page = (folder.parent / "results" / "runs" / "d" / "leaderboard.md").read_text()
    assert "index.csv is not used" in page and "1 file was skipped (b/broken.png: empty file" in page


def test_what_files_say_of_themselves_is_counted_with_an_example(tmp_path, monkeypatch):
    for c, label in enumerate("ab"):
        (tmp_path / "d" / label).mkdir(parents=True)
        for i in range(2):
            stack = np.random.default_rng(10 * c + i).integers(0, 99, (3, 4, 20, 30), dtype=np.uint8)
            path = tmp_path / "d" / label / f"{i}.tif"
            tifffile.imwrite(path, stack, imagej=True, metadata={"axes": "ZCYX"})
            os.utime(path, (1e9, 1e9))
    real = manifest.probe_image
    said = {"um_per_px": 0.5, "remarks": ("of 3 series number 1 ('x') is read",)}
    names = {"a/0.tif": ("red", "far red")}

    def probe(path):
        return replace(real(path), **said, names=names.get(f"{path.parent.name}/{path.name}", ("DAPI", "", "GFP")))

    monkeypatch.setattr(manifest, "probe_image", probe)
    dataset = load_dataset(tmp_path / "d", cache=tmp_path / "cache")
    warned = data_warnings(dataset)
    assert any(note.startswith("4 images, e.g. a/0.tif: of 3 series") for note in warned)
    assert any("4 images have several pages (up to 3 slices along z)" in note for note in warned)
    assert any("4 images have more than three channels" in note for note in warned)
    assert "4 of 4 images state their scale, 0.5 um per pixel" in warned
    assert "the channels of 3 images are called 0 DAPI, 1, 2 GFP; @channels= takes names and numbers" in warned
    assert dataset.table["um_per_px"].tolist() == [0.5] * 4
    monkeypatch.undo()
    assert data_warnings(load_dataset(tmp_path / "d", cache=tmp_path / "cache")) == warned  # as the manifest keeps it


def test_the_scale_of_a_csv_counts_more_than_that_of_the_file_and_that_is_said(tmp_path):
    for i in range(4):
        pixels = np.random.default_rng(i).integers(0, 99, (20, 30), dtype=np.uint8)
        resolution = (1e4 / (0.5 if i else 0.25),) * 2  # pixels per centimetre
        tifffile.imwrite(tmp_path / f"{i}.tif", pixels, resolution=resolution, resolutionunit=3)
    (tmp_path / "l.csv").write_text("path,label,um_per_px\n0.tif,a,0.25\n1.tif,a,\n2.tif,b,2\n3.tif,b,NA\n")
    dataset = load_dataset(tmp_path / "l.csv")
    assert dataset.table["um_per_px"].round(6).tolist() == [0.25, 0.5, 2, 0.5]
    assert any(note.startswith("2.tif states 0.5 um per pixel, the CSV 2 (1 row differs so)") for note in dataset.notes)
    assert any("state their scale, and it differs, 0.25 to 0.5 um" in note for note in data_warnings(dataset))


def test_many_files_skipped_for_one_reason_are_one_line():
    rows = [(f"a/{i}.png", f"truncated: {i} of 99 bytes") for i in range(5)] + [("b/1.png", "empty file (0 bytes)")]
    problems = pd.DataFrame(rows, columns=["path", "reason"])
    assert skipped(problems) == [
        "5 files, e.g. a/0.png, a/1.png, a/2.png: truncated: 0 of 99 bytes", "b/1.png: empty file (0 bytes)",
    ]  # fmt: skip
    assert skipped(problems.iloc[3:]) == [f"{path}: {reason}" for path, reason in rows[3:]]
    assert skipped_warning(problems)[0].startswith("6 files were skipped (5 files, e.g. a/0.png")
    assert skipped_warning(problems.iloc[:0]) == []


def test_slices_are_offered_only_of_images_that_have_slices(tmp_path):
    for c, label in enumerate("ab"):
        for i in range(2):
            frames = np.random.default_rng(10 * c + i).integers(0, 99, (3, 20, 30), dtype=np.uint8)
            (tmp_path / label).mkdir(exist_ok=True)
            tifffile.imwrite(tmp_path / label / f"{i}.tif", frames, imagej=True, metadata={"axes": "TYX"})
    warned = data_warnings(load_dataset(tmp_path))
    assert any(note.startswith("4 images hold several pictures, such as time points") for note in warned)
    assert not any("@stack" in note for note in warned)


def mixed(folder, tell: bool, n: int = 12):
    """Make two classes of n images; if told, one is of TIFF of 16 bits and one of PNG, else both are of both."""
    rng = np.random.default_rng(0)
    for c, label in enumerate("ab"):
        (folder / label).mkdir(parents=True)
        for i in range(n):
            pixels = rng.integers(0, 255, (12, 12)).astype(np.uint8)
            if (c if tell else i % 2) == 0:
                Image.fromarray(pixels).save(folder / label / f"{i}.png")
            else:
                tifffile.imwrite(folder / label / f"{i}.tif", pixels.astype(np.uint16) * 16)
    return data_warnings(load_dataset(folder))


def test_files_of_one_kind_in_one_class_and_of_another_in_the_other_are_warned_of(tmp_path):
    said = [warning for warning in mixed(tmp_path / "told", True) if "kind of file" in warning]
    assert said == [
        "the kind of file goes with the class: 12 of 12 of class 'a' and 0 of the 12 others are PNG of uint8 with 1 "
        "channel. A score may come from how files were made, as compression and depth change pixels: save all in one "
        "way, from the same originals"
    ]
    assert not any("kind of file" in warning for warning in mixed(tmp_path / "mixed", False))
    assert not any("kind of file" in warning for warning in mixed(tmp_path / "few", True, n=2))  # it may be chance
