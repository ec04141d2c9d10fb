"""A command with nothing to do decides so without a deep-learning library."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CODE = """
import sys
from bench.cli.app import main
try:
    main()
finally:
    print("imported", sorted({"torch", "timm", "open_clip", "torchvision", "scipy.stats", "sklearn"} & set(sys.modules)))
"""


def bench(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", CODE, *words], cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return " ".join(done.stdout.split())


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
    assert "8 embeddings reused, 0 made; nothing to do" in second
    assert second.endswith("imported []")


def test_a_run_with_the_panel_and_nothing_to_do_imports_nothing_heavy(tmp_path, save_png):
    for i in range(8):
        save_png(tmp_path / "raw" / f"class{i % 2}" / f"{i}.png", seed=i)
    words = ["run", "--data", "raw", "--encoder", "trivial", "--head", "centroid", "--shots", "1", "--draws", "2"]
    assert "72 made" in bench(tmp_path, *words)
    second = bench(tmp_path, *words)
    assert "72 embeddings reused, 0 made; nothing to do" in second
    assert second.endswith("imported []")
