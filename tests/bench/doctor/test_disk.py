"""Places to write: named where one is no folder, may not be written, or is full."""

from __future__ import annotations

import os
import shutil
from collections import namedtuple

import pytest

from bench.doctor import disk
from bench.doctor.disk import look_at_disk

Usage = namedtuple("Usage", "total used free")


def found(out) -> dict:
    return {one.what.partition(" ")[0]: one for one in look_at_disk(out)}


def test_a_results_folder_that_is_not_there_is_judged_by_the_folder_above_and_not_made(tmp_path):
    one = found(tmp_path / "a" / "b")["results"]
    assert one.state == "ok" and "not made yet" in one.found and not (tmp_path / "a").exists()


def test_a_file_in_the_place_of_the_results_folder_stops_a_run(tmp_path):
    (tmp_path / "results").write_text("")
    one = found(tmp_path / "results")["results"]
    assert one.state == "problem" and one.stops and "is a file" in one.found


def test_a_folder_that_may_not_be_written_stops_a_run(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    one = found(tmp_path)["results"]
    assert one.state == "problem" and one.stops and "cannot be written" in one.found and "--out" in one.do


@pytest.mark.parametrize(("free", "state"), [(50e6, "problem"), (1e9, "note"), (50e9, "ok")])
def test_little_space_is_said_and_none_is_a_problem(tmp_path, monkeypatch, free, state):
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(1e12, 1e12 - free, free))
    one = found(tmp_path)["results"]
    assert one.state == state and one.stops == (state == "problem")


def test_a_temporary_folder_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "gone"))
    one = found(tmp_path)["temporary"]
    assert one.state == "problem" and "gone is no folder" in one.found and "TMPDIR" in one.do


def test_a_cache_that_cannot_be_written_is_a_note_as_a_run_may_do_without_downloads(tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "cache_folder", lambda: tmp_path / "hub")
    (tmp_path / "hub").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: path.name != "hub")
    one = found(tmp_path)["downloads"]
    assert one.state == "note" and not one.stops and "HF_HOME" in one.do
