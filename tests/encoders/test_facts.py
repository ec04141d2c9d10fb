"""What a library says is asked once, and believed only while everything it depends on is the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from encoders import facts
from encoders.facts import remembered
from encoders.spec import Preprocess

ROOT = Path(__file__).resolve().parents[2]
ASK = "import sys; from encoders import resolve; print(resolve(sys.argv[1]), sorted({'torch', 'timm', 'open_clip'} & set(sys.modules)))"


@dataclass(frozen=True)
class Told:
    dim: int
    preprocess: Preprocess


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """A fresh process, as it were: returns the answer and whether the library was asked."""
    monkeypatch.setenv("CELL_CLASSIFIER_CACHE", str(tmp_path))
    asked = []

    def library(*question: str) -> Told:
        asked.append(question)
        return Told(7, Preprocess(224, mean=(0.5, 0.25, 0.1)))

    def once(*question: str, library_name: str = "numpy") -> tuple[Told, bool]:
        before = len(asked)
        return remembered(Told, library_name)(library)(*question), len(asked) > before

    return once


def test_the_second_process_has_the_same_answer_without_asking(ask, tmp_path):
    first = ask("resnet18", "a")
    assert first == (Told(7, Preprocess(224, mean=(0.5, 0.25, 0.1))), True)
    assert ask("resnet18", "a") == (first[0], False)
    assert ask("resnet18", "b")[1]
    assert [path.suffix for path in (tmp_path / "facts").iterdir()] == [".json"] * 2


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"about": 1}', None])
def test_content_that_is_not_as_written_is_asked_again(ask, tmp_path, content):
    ask("resnet18")
    [path] = (tmp_path / "facts").iterdir()
    path.write_text(path.read_text().replace('"dim": 7', '"dim": 8') if content is None else content)
    assert ask("resnet18") == (Told(7, Preprocess(224, mean=(0.5, 0.25, 0.1))), True)
    assert not ask("resnet18")[1]


def test_an_answer_of_other_fields_is_asked_again(ask, tmp_path):
    ask("resnet18")
    [path] = (tmp_path / "facts").iterdir()
    record = json.loads(path.read_text())
    record["facts"] = {"width": 7, "preprocess": {}}
    path.write_text(json.dumps({**record, "sha256": facts._digest([record["about"], record["facts"]])}))
    assert ask("resnet18")[1]


def test_another_version_of_the_library_is_asked_again_and_one_without_a_version_always(ask, monkeypatch):
    ask("resnet18")
    monkeypatch.setattr(facts.metadata, "version", lambda name: "999")
    assert ask("resnet18")[1]
    monkeypatch.undo()
    assert [ask("resnet18", library_name="no-such-library")[1] for _ in range(2)] == [True, True]


def test_a_cache_that_cannot_be_written_changes_nothing(ask, tmp_path):
    (tmp_path / "facts").write_text("a file")
    assert ask("resnet18")[0].dim == 7


@pytest.mark.parametrize("name", ["timm:resnet18.a1_in1k", "open_clip:ViT-B-32/laion2b_s34b_b79k"])
def test_the_second_command_imports_neither_torch_nor_the_library(tmp_path, name):
    environment = {**os.environ, "CELL_CLASSIFIER_CACHE": str(tmp_path)}
    said = [
        subprocess.run(
            [sys.executable, "-c", ASK, name], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert "torch" in said[0].rpartition("[")[2]
    assert said[1].endswith(" []\n")
    assert said[0].rpartition(" [")[0] == said[1].rpartition(" [")[0]
