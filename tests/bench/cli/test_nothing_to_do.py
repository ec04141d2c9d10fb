"""A command with nothing to do, or with a slip to tell, does so without what it does not need."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.data.warnings import find_slips
from bench.embeddings.embed import DataSpec
from bench.pipeline import run
from bench.protocol.protocol import Protocol
from bench.request import Request

ROOT = Path(__file__).resolve().parents[3]
HEAVY = (
    "torch", "timm", "open_clip", "torchvision", "scipy.stats", "sklearn", "numba", "joblib", "pyarrow.dataset", "rich.progress",
)  # fmt: skip
LIBRARIES = (*HEAVY, "numpy", "pandas", "pyarrow", "scipy", "encoders", "rich.table")
CODE = """
import sys
from collections import Counter
opened, listed = [], Counter()
def hear(event, args):
    if event == "open" and str(args[0]).endswith(".png"):
        opened.append(str(args[0]))
    if event == "os.scandir":
        listed[str(args[0])] += 1
sys.addaudithook(hear)
from bench.cli.app import main
try:
    main()
finally:
    sys.stderr.flush()
    print("opened", sorted(opened), "listed", sorted(listed.items()))
    print("imported", sorted(set(%r) & set(sys.modules)))
"""


def bench(folder: Path, *words: str, code: int = 0, among: tuple[str, ...] = HEAVY) -> str:
    done = subprocess.run(
        [sys.executable, "-c", CODE % (among,), *words], cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return " ".join((done.stderr + done.stdout).split())


@pytest.fixture
def old_images(tmp_path, save_png) -> Path:
    """Eight images of two classes that were written some time ago: one written just now would be read again."""
    for i in range(8):
        path = save_png(tmp_path / "raw" / f"class{i % 2}" / f"{i}.png", seed=i)
        os.utime(path, (1.7e9, 1.7e9))
    return tmp_path


RUN = [
    "run",
    "--no-report",
    "--data",
    "raw",
    "--encoder",
    "color-stats",
    "--no-baselines",
    "--head",
    "centroid",
    "--shots",
    "1",
    "--draws",
    "2",
]


def test_extracting_what_is_there_imports_nothing_heavy_and_no_name_turns_into_a_picture(tmp_path, save_png):
    for i in range(4):
        save_png(tmp_path / "raw" / f"class{i % 2}" / f"{i}.png", seed=i)
    (tmp_path / "mine.py").write_text(
        "from encoders import descriptor\n\n@descriptor('five', dim=3)\ndef five(image):\n    return image.mean((0, 1))\n"
    )
    words = ["extract", "--data", "raw", "--encoder", "random-resnet18,mine.py:five", "--out", "out"]
    first = bench(tmp_path, *words)
    assert "8 made" in first
    assert "'torch'" in first
    assert "mine.py:five: 0 reused, 4 made" in first
    second = bench(tmp_path, *words)
    assert "8 embeddings reused, 0 made; nothing to embed" in second
    assert second.endswith("imported []")


def test_a_run_with_the_panel_and_nothing_to_do_imports_nothing_heavy(tmp_path, save_png):
    for i in range(8):
        save_png(tmp_path / "raw" / f"class{i % 2}" / f"{i}.png", seed=i)
    words = ["run", "--data", "raw", "--encoder", "baselines", "--head", "centroid", "--shots", "1", "--draws", "2"]
    assert "72 made" in bench(tmp_path, *words)
    second = bench(tmp_path, *words)
    assert "72 embeddings reused, 0 made; nothing to embed" in second
    assert second.endswith("imported []")


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["store", "check", "--help"]])
def test_help_imports_none_of_the_libraries_that_work_takes(tmp_path, words):
    assert bench(tmp_path, *words, among=LIBRARIES).endswith("imported []")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--shotz", "3"], "No such option: --shotz"),
        (["run", "--shots", "one"], "Got --shots 'one'"),
        (["run", "--data", "nosuch"], "Got --data nosuch, which does not exist"),
        (["data", "check", "--data", "nosuch"], "Got --data nosuch, which does not exist"),
        (["prompts", "--data", "nosuch"], "Got --data nosuch, which does not exist"),
        (["segment", "--to", "x", "--data", "nosuch"], "Got --data nosuch, which does not exist"),
        (["granularity", "--data", "nosuch"], "Got --data nosuch, which does not exist"),
        (["proxies", "--data", "nosuch"], "Got --data nosuch, which does not exist"),
        (["export", "--to", "x.npz", "-e", "dino", "--data", "nosuch"], "Got --data nosuch, which does not exist"),
    ],
)
def test_a_slip_is_told_before_any_library_is_imported(tmp_path, words, said):
    told = bench(tmp_path, *words, code=2, among=LIBRARIES)
    assert said in told and told.endswith("imported []")


def test_the_package_itself_imports_no_library():
    code = f"import sys, bench; print(sorted(set({LIBRARIES!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_run_with_nothing_to_do_opens_no_image_and_lists_each_folder_of_data_to_compare_and_to_read(old_images):
    assert "8 made" in bench(old_images, *RUN)
    second = bench(old_images, *RUN)
    assert "Nothing to do" in second and "opened [] listed" in second
    for folder in ("raw", "raw/class0", "raw/class1"):
        assert f"('{folder}', 2)" in second


def test_a_run_that_had_nothing_to_do_says_so_again_without_any_library(old_images):
    bench(old_images, *RUN)
    time.sleep(2.5)  # of what was changed just now nothing is remembered
    second = bench(old_images, *RUN)
    third = bench(old_images, *RUN, among=LIBRARIES)
    assert third.partition("opened")[0] == second.partition("opened")[0]
    assert third.endswith("imported []") and "('raw/class0', 1)" in third


def test_of_files_that_were_read_before_only_one_that_changed_is_opened(old_images, save_png):
    bench(old_images, *RUN)
    os.utime(save_png(old_images / "raw" / "class1" / "3.png", seed=99), (1.7e9, 1.7e9))  # of the same size and time
    third = bench(old_images, *RUN)
    assert "7 embeddings reused, 1 made" in third
    assert "opened ['raw/class1/3.png'" in third
    assert "class0/" not in third.partition("opened")[2].partition("listed")[0]


def test_what_is_to_be_known_of_data_is_found_once_and_told_before_the_work(old_images, monkeypatch):
    asked, told = [], []
    monkeypatch.setattr("bench.data.warnings.find_slips", lambda table: asked.append(len(table)) or find_slips(table))
    request = Request(
        source=DataSpec(old_images / "raw"),
        protocol=Protocol(shots=(1,), draws=2),
        encoders=["color-stats"],
        heads=["centroid"],
        out=old_images / "out",
        baselines=False,
    )
    for _ in range(2):
        result = run(request, on_data=lambda dataset, warned: told.append((len(asked), *warned)))
    assert asked == [8, 8]
    assert [count for count, *_ in told] == [1, 2]
    assert "no groups were given" in told[0][1]
    assert told[0][1] in (result.folder / "leaderboard.md").read_text()
