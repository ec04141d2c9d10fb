"""The shell completes commands, options, and names of encoders and heads, without a heavy library."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cli.complete import continued, encoder_words, head_words

ROOT = Path(__file__).resolve().parents[3]
CODE = """
import sys
sys.argv = ["bench"]
from bench.cli.app import main
try:
    main()
finally:
    print("imported", sorted({"torch", "timm", "open_clip", "pandas", "scipy", "sklearn"} & set(sys.modules)), file=sys.stderr)
"""


def completed(line: str) -> list[str]:
    words = line.split(" ")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "_BENCH_COMPLETE": "complete_bash", "COMP_WORDS": line,
                   "COMP_CWORD": str(len(words) - 1)}  # fmt: skip
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr.endswith("imported []\n"), done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "some"),
    [
        ("bench qu", {"quickstart"}), ("bench data ", {"check"}), ("bench run --support", {"--support-groups"}),
        ("bench run --encoder color-s", {"color-stats"}), ("bench run -e dino,text", {"dino,texture"}),
        ("bench tune --head xg", {"xgboost"}), ("bench heads cen", {"centroid"}), ("bench encoders virchow", {"virchow2"}),
    ],
)  # fmt: skip
def test_a_word_is_completed_and_nothing_heavy_is_imported(line, some):
    assert some <= set(completed(line))


def test_the_last_of_several_names_is_completed_and_none_is_proposed_twice():
    assert continued("dino,resnet1", ["resnet18", "resnet101", "dino"]) == ["dino,resnet101", "dino,resnet18"]
    assert continued("knn,", ["knn", "lda"]) == ["knn,lda"]
    assert continued("", ["b", "a"]) == ["a", "b"]
    assert "baselines" in encoder_words("basel") and head_words("logreg-s") == ["logreg-smooth"]


def test_the_script_for_the_shell_is_shown(bench, monkeypatch):
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    code, text = bench("--show-completion", "bash")
    assert code == 0 and "_BENCH_COMPLETE=complete_bash" in text
