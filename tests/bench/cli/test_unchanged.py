"""A command that has nothing to do says again what it said, and asks anew as soon as anything it reads is different."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

RUN = ("run", "--data", "raw", "--encoder", "mine=my.py:mean", "--head", "centroid", "--shots", "1", "--draws", 2,
       "--no-baselines", "--no-report", "--workers", 1)  # fmt: skip
CODE = (
    "from encoders import descriptor\n\n@descriptor('mean', dim=3)\ndef mean(image):\n    return image.mean((0, 1))\n"
)


@pytest.fixture
def settled(tmp_path, save_png, monkeypatch, bench):
    """A folder in which a run has been made, and found that there was nothing to do; every file counts as old."""
    monkeypatch.setattr("bench.storage.unchanged.SETTLED_S", -1e12)
    for i in range(8):
        path = save_png(tmp_path / "raw" / f"class{i % 2}" / f"{i}.png", seed=i)
        os.utime(path, (1.7e9, 1.7e9))  # one written just now would be read again
    (tmp_path / "my.py").write_text(CODE)
    (tmp_path / "options.toml").write_text("noise = [0]\n")
    (tmp_path / "table.csv").write_text(
        "".join(["path,label\n", *(f"raw/class{i % 2}/{i}.png,c{i % 2}\n" for i in range(8))])
    )
    assert bench(*RUN)[0] == 0
    return tmp_path


def asked(monkeypatch) -> list[int]:
    """Return a list that grows with every time that the whole way is gone."""
    import bench.pipeline as pipeline

    calls, whole = [], pipeline.run
    monkeypatch.setattr(pipeline, "run", lambda *args, **how: calls.append(1) or whole(*args, **how))
    return calls


def test_the_same_is_said_without_going_the_whole_way_again(settled, bench, monkeypatch):
    calls = asked(monkeypatch)
    second, third, fourth = bench(*RUN), bench(*RUN), bench(*RUN)
    assert calls == [1]
    assert second == third == fourth
    assert "8 embeddings reused, 0 made; nothing to embed; 1 block of fits reused, 0 made. Nothing to do:" in fourth[1]
    assert "Next" in fourth[1] or "Add images" in fourth[1]


def same_size_and_time(path: Path) -> None:
    stat, data = path.stat(), bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


CHANGES = {
    "an image, with its size and time kept": lambda at: same_size_and_time(at / "raw/class0/0.png"),
    "an image more": lambda at: (at / "raw/class0/more.png").write_bytes((at / "raw/class0/0.png").read_bytes()),
    "an image less": lambda at: (at / "raw/class0/0.png").unlink(),
    "an image with another name": lambda at: (at / "raw/class0/0.png").rename(at / "raw/class0/zero.png"),
    "an image of another class": lambda at: (at / "raw/class0/0.png").rename(at / "raw/class1/0.png"),
    "a table of labels beside": lambda at: (at / "raw/labels.csv").write_text("path,label\nclass0/0.png,other\n"),
    "a result": lambda at: (at / "results/leaderboard.md").write_text("mine"),
    "a result that is gone": lambda at: next((at / "results/runs").glob("*/leaderboard.csv")).unlink(),
    "a stored embedding": lambda at: same_size_and_time(next((at / "results/store").glob("*/*.safetensors"))),
    "a table of fits": lambda at: next((at / "results/runs").glob("*/predictions/*")).unlink(),
    "the encoder's own code": lambda at: (at / "my.py").write_text(CODE.replace("mean((0, 1))", "std((0, 1))")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_of_what_was_read_is_asked_about_anew(settled, bench, monkeypatch, change):
    bench(*RUN)
    calls = asked(monkeypatch)
    CHANGES[change](settled)
    bench(*RUN)
    assert calls == [1]


@pytest.mark.parametrize(
    "more",
    [("--shots", 2), ("--verify",), ("--json",), ("--quiet",), ("--report",), ("--noise", "0,0.2"), ("--out", "other")],
)
def test_another_question_is_not_answered_by_the_memory_of_this_one(settled, bench, monkeypatch, more):
    bench(*RUN)
    calls = asked(monkeypatch)
    bench(*RUN, *more)
    assert calls == [1]


def test_a_file_of_options_is_read_anew(settled, bench, monkeypatch):
    for _ in range(2):
        bench(*RUN, "--config", "options.toml")
    calls = asked(monkeypatch)
    bench(*RUN, "--config", "options.toml")
    assert not calls
    (settled / "options.toml").write_text("noise = [0, 0.3]\n")
    bench(*RUN, "--config", "options.toml")
    assert calls == [1]


@pytest.mark.parametrize("change", ["an image, with its size and time kept", "an image more", "an image less"])
def test_images_that_a_table_names_are_looked_at_and_so_are_those_beside_them(settled, bench, monkeypatch, change):
    words = [*RUN, "--name", "listed"]
    words[words.index("raw")] = "table.csv"
    for _ in range(2):
        assert bench(*words)[0] == 0
    calls = asked(monkeypatch)
    assert bench(*words)[0] == 0 and not calls
    CHANGES[change](settled)
    bench(*words)
    assert calls == [1]


def test_what_was_changed_just_now_is_not_trusted(settled, bench, monkeypatch):
    monkeypatch.setattr("bench.storage.unchanged.SETTLED_S", 3600)
    calls = asked(monkeypatch)
    bench(*RUN), bench(*RUN)
    assert calls == [1, 1]


def memory_of(folder: Path) -> Path:
    (place,) = (folder / "results" / ".unchanged").iterdir()
    return place


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b'{"fingerprint": 1}', b'{"text": "Best: mine"}'])
def test_a_damaged_memory_is_no_answer(settled, bench, monkeypatch, data):
    right = bench(*RUN)
    memory_of(settled).write_bytes(data)
    calls = asked(monkeypatch)
    assert bench(*RUN) == right
    assert calls == [1]


def test_a_memory_cannot_steer_the_terminal(settled, bench):
    bench(*RUN)
    kept = json.loads(memory_of(settled).read_bytes())
    memory_of(settled).write_text(json.dumps(kept | {"text": "a\x1b]0;title\x07b\x1b[2Jc\x1b[1md\x9b2J\r\n"}))
    text = bench(*RUN)[1]
    assert "d" in text and not {"\x1b]", "\x1b[2J", "\x07", "\x9b", "\r"} & {
        text[i : i + n] for i in range(len(text)) for n in (1, 2, 4)
    }


def test_nothing_is_kept_while_an_encoder_could_not_be_loaded(settled, bench, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(settled / "hub"))
    words = [*RUN, "--encoder", "dino", "--allow-missing"]
    for _ in range(2):
        code, text = bench(*words)
        assert code == 0 and "dino" in text
    calls = asked(monkeypatch)
    bench(*words)
    assert calls == [1]  # it may be loaded next time


def test_few_memories_are_kept(settled, bench, monkeypatch):
    monkeypatch.setattr("bench.storage.unchanged.KEPT", 2)
    for name in ("a", "b", "c"):
        bench(*RUN, "--name", name), bench(*RUN, "--name", name), bench(*RUN, "--name", name)
    assert len(list((settled / "results" / ".unchanged").iterdir())) == 2
