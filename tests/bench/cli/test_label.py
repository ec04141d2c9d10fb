"""`bench label` as it is typed: the address, the end by Ctrl-C, what to type next, and slips."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


class Running:
    """A `bench label` in a process of its own."""

    def __init__(self, folder: Path, *words: str) -> None:
        command = [sys.executable, "-m", "bench", "label", "--no-browser", *words]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.said, found = "", None
        for line in self.process.stdout:
            self.said += line
            if found := re.search(r"http://127\.0\.0\.1:(\d+)/(\S+)/", line):
                break
        assert found, self.said
        self.port, self.token = int(found[1]), found[2]

    def press(self, what: str, said: dict) -> dict:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        headers = {"Content-Type": "application/json", "Origin": f"http://127.0.0.1:{self.port}"}
        connection.request("POST", f"/{self.token}/{what}", json.dumps(said), headers)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        return json.loads(body)

    def end(self, how: int | None = signal.SIGINT) -> str:
        """End it and return all that it said."""
        if how is not None:
            self.process.send_signal(how)
        self.said += self.process.stdout.read()
        self.process.wait(20)
        return self.said


@pytest.fixture
def folder(tmp_path, save_png):
    for k, label in enumerate(("neuron", "rbc")):
        for i in range(6):
            save_png(tmp_path / "raw" / label / f"{label}{i}.png", seed=10 * k + i)
    return tmp_path


def test_a_signal_of_a_scheduler_ends_it_as_ctrl_c_does(folder):
    running = Running(folder, "--data", "raw", "--to", "labels.csv")
    running.press("press", {"items": [0, 1], "label": 0})
    said = running.end(signal.SIGTERM)
    assert running.process.returncode == 0 and "Labels: neuron 2. Left: 10." in said
    assert (folder / "labels.csv").read_text().count(",neuron\n") == 2


def test_ctrl_c_ends_it_with_the_counts_and_a_command_that_works(folder, bench):
    running = Running(folder, "--data", "raw", "--order", "path")
    running.press("press", {"items": list(range(6)), "label": 0})
    running.press("press", {"items": list(range(6, 11)), "label": 1})
    running.press("press", {"items": [11], "label": -1})
    said = running.end()
    assert running.process.returncode == 0 and "Traceback" not in said
    assert "12 to label; labels go to" in said and "Labels: neuron 6, rbc 5; unsure 1. Left: 0." in said
    command = re.search(r"Next: bench (.*)", said)[1].split()
    assert command[:2] == ["run", "--data"] and command[2].endswith("raw-labels.csv")
    code, text = bench(*command, "--encoder", "thumbnail", "--head", "knn", "--draws", "2", "--workers", "1")
    assert code == 0 and "thumbnail" in text, text


def test_a_run_is_not_proposed_where_a_class_has_labels_in_one_group_only(folder, save_png):
    for i in range(2):
        save_png(folder / "raw" / "glia" / f"s1__{i}.png", seed=90 + i)
    running = Running(folder, "--data", "raw", "--to", "labels.csv", "--order", "path", "--group-pattern", r"(\w+?)(?:__\d)?\.png")
    running.press("press", {"items": [0, 1], "label": 0})  # two images of one slide
    running.press("press", {"items": [2, 3], "label": 1})
    said = " ".join(running.end().split())
    assert "Of glia there are labels in 1 image or group only, and a run needs 2 of every class" in said
    assert "Next:" not in said


def test_done_in_the_page_ends_it_and_the_same_command_goes_on(folder):
    running = Running(folder, "--data", "raw", "--to", "labels.csv")
    running.press("press", {"items": [0], "label": 0})
    running.press("done", {})
    said = running.end(None)
    assert running.process.returncode == 0 and "At least two classes need labels" in said and "Left: 11" in said
    again = Running(folder, "--data", "raw", "--to", "labels.csv")
    assert "1 of 12 are labelled; labels go to labels.csv" in again.said
    again.end()


def test_a_kill_loses_no_label_that_was_answered(folder):
    running = Running(folder, "--data", "raw", "--to", "labels.csv", "-q")
    running.press("press", {"items": [3], "label": 1})
    running.end(signal.SIGKILL)
    again = Running(folder, "--data", "raw", "--to", "labels.csv", "-q")
    assert "1 of 12 are labelled" in again.said
    assert (folder / "labels.csv").read_text().count(",rbc\n") == 1  # the table is made up for at the start
    again.end()


def test_a_second_one_on_the_same_table_is_refused(folder, bench):
    running = Running(folder, "--data", "raw", "--to", "labels.csv")
    code, text = bench("label", "--data", "raw", "--to", "labels.csv", "--no-browser")
    assert code == 2 and "another `bench label` writes now" in text
    running.end()


def test_nothing_that_is_printed_does_anything(tmp_path, save_png):
    save_png(tmp_path / "raw" / "a\x1b[2J" / "x\u202e.png", seed=1)
    save_png(tmp_path / "raw" / "[red]b" / "y.png", seed=2)
    running = Running(tmp_path, "--data", "raw", "--to", "labels.csv")
    running.press("press", {"items": [0, 1], "label": 1})
    said = running.end()
    assert "a\\x1b[2J 2" in said
    assert {c for c in said if unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"}} == {"\n"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--data", "nowhere"), "nowhere"), (("--data", "raw", "--order", "odd"), "Got --order odd"),
        (("--data", "raw", "--order", "audit"), "no results/audit/"), (("--data", "raw", "--classes", "a,nan"), "Got 'nan'"),
        (("--data", "raw", "--classes", "a,A"), "Got the class 'A', which there is already"), (("--data", "raw", "--to", "raw/rbc/l.csv"), "a table names images below"),
        (("--data", "raw", "--port", "99999"), "--port"), (("--data", "raw", "--instances", "boxes"), "boxes"), (("--data", "raw", "--leave-out", "rbc,neuron"), "without an image to label"),
    ],
    ids=str,
)  # fmt: skip
def test_a_slip_is_told_and_nothing_is_written(folder, bench, words, said):
    code, text = bench("label", "--no-browser", *words)
    assert code == 2 and said in text and "Traceback" not in text, text
    assert not list(folder.glob("*labels*")) and not list(folder.rglob("*.journal"))
