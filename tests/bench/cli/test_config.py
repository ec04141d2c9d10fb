"""A file of options: its keys are names of options, what is typed wins, and a slip in it is named."""

from __future__ import annotations

import json

import pytest

DATA = ("--workers", 1, "--draws", 2, "--no-baselines", "--head", "knn", "--dry-run", "--json")


@pytest.fixture
def data(tmp_path, save_png):
    for k, label in enumerate(("neuron", "rbc")):
        for i in range(6):
            save_png(tmp_path / "raw" / label / f"{i}.png", seed=10 * k + i)
    return tmp_path / "raw"


def rows_of(text: str) -> list[dict]:
    return json.JSONDecoder().raw_decode(text)[0]


def test_options_come_from_the_file_and_what_is_typed_wins(bench, data, tmp_path):
    (tmp_path / "c.toml").write_text(
        'data = "raw"\nencoder = ["texture", "color-stats"]\nshots = [1, 2]\n[run]\nnoise = 0.4\n[extract]\nkeep-pixels = true\n'
    )
    code, text = bench("run", "--config", "c.toml", *DATA)
    assert code == 0, text
    assert {row["shots"] for row in rows_of(text)} == {1, 2} and {row["encoders"] for row in rows_of(text)} == {2}
    code, text = bench("run", "--config", "c.toml", "--shots", "1", "--encoder", "texture", *DATA)
    assert {row["shots"] for row in rows_of(text)} == {1} and {row["encoders"] for row in rows_of(text)} == {1}


def test_a_switch_is_true_or_false(bench, data, tmp_path):
    for value, count in (("true", 10), ("false", 1)):
        (tmp_path / "c.toml").write_text(f'data = "raw"\nbaselines = {value}\nencoder = "texture@window=range"\n')
        code, text = bench(
            "run", "--config", "c.toml", "--shots", "1", "--draws", 2, "--head", "knn", "--dry-run", "--json"
        )
        assert code == 0 and {row["encoders"] for row in rows_of(text)} == {count}


def test_what_came_of_the_file_is_in_the_command_that_is_proposed(bench, data, tmp_path):
    (tmp_path / "c.toml").write_text('data = "raw"\nleave-out = ["a", "b"]\n')
    (tmp_path / "raw" / "a").mkdir()
    (tmp_path / "raw" / "b").mkdir()
    code, text = bench("data", "check", "--config", "c.toml")
    assert code == 0 and "bench run --data raw --leave-out a --leave-out b --shots" in text and "--config" not in text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("shotz = 1", "Got 'shotz' in c.toml, which is no option of `run`, did you mean 'shots'?"),
        ("group_pattern = 'x'", "did you mean 'group-pattern'?"),
        ("[run]\nkeep-pixels = true", "Got 'keep-pixels' in c.toml, which is no option of `run`"),
        ("config = 'd.toml'", "Got 'config' in c.toml"),
        ("shots = [true]", "Got [True] for 'shots' in c.toml; expected a text, a number, or a list"),
        ("leak = 'yes'", "Got 'yes' for 'leak' in c.toml; expected true or false"),
        ("shots = ", "Got --config c.toml, which is not TOML"),
        ("workers = 'many'", "Invalid value for '--workers': Got many; expected a whole number of at least 1."),
        ("shots = 'five'", "Got --shots 'five'"),
    ],
)
def test_a_slip_in_the_file_is_named(bench, data, tmp_path, content, said):
    (tmp_path / "c.toml").write_text(content)
    code, text = bench("run", "--data", "raw", "--encoder", "texture", "--config", "c.toml")
    assert code == 2 and said in text and "Traceback" not in text


def test_a_file_that_is_not_there_or_no_text_is_named(bench, data, tmp_path):
    code, text = bench("run", "--config", "none.toml")
    assert code == 2 and "Got --config none.toml, which cannot be read (No such file or directory)" in text
    (tmp_path / "c.toml").write_bytes(b"\xff\xfe\x00")
    code, text = bench("run", "--config", "c.toml")
    assert code == 2 and "which is not TOML" in text


def test_a_file_of_windows_is_read_as_any_other(bench, data, tmp_path):
    (tmp_path / "c.toml").write_bytes(b'\xef\xbb\xbfdata = "raw"\r\nencoder = "texture"\r\nshots = [2]\r\n')
    code, text = bench("run", "--config", "c.toml", *DATA)
    assert code == 0 and {row["shots"] for row in rows_of(text)} == {2}, text
