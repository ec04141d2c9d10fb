"""The journal of labels: whatever is pressed, and wherever a kill falls, at most the press in flight is lost."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import BenchError
from bench.studies.label.journal import Journal, replay
from bench.studies.label.table import journal_of, opened_for

ABOUT = {"data": "raw", "instances": "whole"}
KEYS = st.sampled_from([("a.png",), ("b.png",), ("b.png", 0, 0, 8, 8), ("c\u202e'.png",)])
PRESSES = st.lists(
    st.one_of(
        st.tuples(st.just("press"), st.lists(KEYS, min_size=1, max_size=3, unique=True), st.sampled_from(["x", "y\n", None])),
        st.tuples(st.just("undo")), st.tuples(st.just("class"), st.text(max_size=5)),
    ),
    max_size=25,
)  # fmt: skip


def do(journal: Journal, deed: tuple) -> None:
    if deed[0] == "press":
        journal.press(deed[1], deed[2])
    elif deed[0] == "undo":
        journal.undo()
    else:
        journal.add(**{"class": deed[1]})


def expected(deeds: list[tuple]) -> dict:
    """Labels by the plainest way: all presses that were not taken back, one after the other."""
    stack = []
    for deed in deeds:
        if deed[0] == "press":
            stack.append(deed)
        elif deed[0] == "undo" and stack:
            stack.pop()
    return {key: label for _, keys, label in stack for key in keys}


@given(deeds=PRESSES, cut=st.integers(0, 10_000), junk=st.sampled_from([b"", b"\0\0\0", b'{"n":', b"\xff"]))
def test_a_kill_at_any_byte_loses_at_most_the_press_in_flight(tmp_path_factory, deeds, cut, junk):
    path = tmp_path_factory.mktemp("journal") / "labels.csv.journal"
    journal = Journal.open(path, ABOUT)
    sizes, done = [path.stat().st_size], [[]]
    for deed in deeds:
        do(journal, deed)
        if path.stat().st_size > sizes[-1]:  # to undo nothing writes nothing
            sizes.append(path.stat().st_size)
            done.append([*done[-1], deed])
    journal.close()
    cut = sizes[0] + cut % (sizes[-1] - sizes[0] + 1)
    data = path.read_bytes()[:cut] + junk
    whole = max(i for i, size in enumerate(sizes) if size <= cut)
    path.write_bytes(data)

    again = Journal.open(path, ABOUT)
    assert again.state.labels == expected(done[whole])
    assert path.stat().st_size == sizes[whole]  # what was left of a line is gone
    again.press([("d.png",)], "z")  # and the next press is read back
    again.close()
    assert replay(path.read_bytes())[0].labels == {**expected(done[whole]), ("d.png",): "z"}


def test_a_press_is_on_the_disk_when_it_returns(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append((tmp_path / "j").read_bytes()))
    journal = Journal.open(tmp_path / "j", ABOUT)
    journal.press([("a.png",)], "x")
    assert synced[-1].endswith(b'"items":[["a.png"]],"label":"x"}\n')
    journal.close()


def test_undo_restores_the_label_that_was_there_before_and_of_all_items_of_a_press(tmp_path):
    journal = Journal.open(tmp_path / "j", ABOUT)
    journal.press([("a.png",)], "x")
    journal.press([("a.png",), ("b.png",)], None)
    assert journal.undo() == {("a.png",): ["x"], ("b.png",): []}
    assert journal.undo() == {("a.png",): []} and journal.undo() == {} and journal.state.labels == {}
    journal.close()


@pytest.mark.parametrize(
    "line", [b"no json\n", b"[1]\n", b'{"n":1}\n', b'{"n":9,"undo":1}\n', b'{"n":1,"items":[["a"]]}\n', b'{"n":1,"labels":1}\n',
             b'{"n":1,"items":[[1]],"label":"x"}\n', b'{"n":1,"class":3}\n', b'{"n":true,"class":"a"}\n'],
)  # fmt: skip
def test_damage_within_a_journal_is_named_and_nothing_is_written_over(tmp_path, line):
    journal = Journal.open(tmp_path / "j", ABOUT)
    journal.close()
    data = (tmp_path / "j").read_bytes() + line + b'{"n":1,"class":"a"}\n'
    (tmp_path / "j").write_bytes(data)
    with pytest.raises(BenchError, match="line 2 cannot be read"):
        Journal.open(tmp_path / "j", ABOUT)
    assert (tmp_path / "j").read_bytes() == data


def test_a_disk_that_is_full_leaves_the_journal_as_it_was(tmp_path, monkeypatch):
    journal = Journal.open(tmp_path / "j", ABOUT)
    journal.press([("a.png",)], "x")
    before, write = (tmp_path / "j").read_bytes(), os.write

    def full(handle: int, data: bytes) -> int:
        return write(handle, data[:7])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(BenchError, match="no space left"):
        journal.press([("b.png",)], "y")
    monkeypatch.undo()
    assert (tmp_path / "j").read_bytes() == before and journal.state.labels == {("a.png",): "x"}
    journal.press([("c.png",)], "y")
    journal.close()
    assert replay((tmp_path / "j").read_bytes())[0].labels == {("a.png",): "x", ("c.png",): "y"}


def test_a_journal_of_other_data_or_other_cells_is_refused(tmp_path):
    journal = Journal.open(tmp_path / "j", ABOUT)
    journal.press([("a.png",)], "x")
    journal.close()
    for name, value in (("data", "other"), ("instances", "boxes:64")):
        with pytest.raises(BenchError, match=f"Got --{name} {value}, where j has labels of"):
            Journal.open(tmp_path / "j", {**ABOUT, name: value})


def test_a_journal_in_which_nothing_was_labelled_begins_anew_with_other_data(tmp_path):
    """As after a slip in --data that was seen in time."""
    Journal.open(tmp_path / "j", ABOUT).close()
    journal = Journal.open(tmp_path / "j", {**ABOUT, "data": "other"})
    journal.press([("a.png",)], "x")
    journal.close()
    state, _ = replay((tmp_path / "j").read_bytes())
    assert state.about["data"] == "other" and state.labels == {("a.png",): "x"}


def test_two_processes_never_write_one_table(tmp_path):
    with (
        opened_for(tmp_path / "l.csv", ABOUT),
        pytest.raises(BenchError, match="another `bench label` writes now"),
        opened_for(tmp_path / "l.csv", ABOUT),
    ):
        pass
    with opened_for(tmp_path / "l.csv", ABOUT):
        assert journal_of(tmp_path / "l.csv").exists()
