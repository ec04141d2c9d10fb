"""The manifest: nothing is read twice, and nothing that changed is taken for known."""

from __future__ import annotations

import os
import shutil
import time
from types import SimpleNamespace

import numpy as np
import pytest

from bench.data import manifest
from bench.data.manifest import COLUMNS, forgotten_manifests, record_problems, scan
from bench.errors import BenchError

PATHS = ["a/0.png", "a/1.png", "b/0.png"]


@pytest.fixture
def root(tmp_path, save_png):
    old = time.time() - 1000
    for i, path in enumerate(PATHS):
        os.utime(save_png(tmp_path / "data" / path, seed=i), (old, old))
    return tmp_path / "data"


@pytest.fixture
def reads(monkeypatch):
    """The names of the files read since the test began, in any order."""
    read = []
    real = manifest._read_facts
    monkeypatch.setattr(manifest, "_read_facts", lambda path: read.append(path.name) or real(path))
    return read


def test_rows_come_in_the_order_asked_for_with_header_facts(root):
    table = scan(root, PATHS[::-1], None)
    assert list(table.columns) == COLUMNS
    assert table["path"].tolist() == PATHS[::-1]
    assert table[["height", "width", "channels", "pages"]].drop_duplicates().to_numpy().tolist() == [[20, 30, 3, 1]]
    assert table["digest"].str.fullmatch("[0-9a-f]{32}").all()
    assert [problem is None for problem in table["problem"]] == [True] * 3


def test_a_second_scan_reads_nothing_and_says_the_same(root, tmp_path, reads):
    first = scan(root, PATHS, tmp_path / "c")
    assert len(reads) == 3
    assert scan(root, PATHS, tmp_path / "c").equals(first)
    assert len(reads) == 3
    scan(root, PATHS, tmp_path / "c", verify=True)
    assert len(reads) == 6


def test_a_file_as_young_as_its_reading_is_read_again(root, tmp_path, reads):
    os.utime(root / PATHS[0])
    scan(root, PATHS, tmp_path / "c")
    reads.clear()
    scan(root, PATHS, tmp_path / "c")
    assert reads == ["0.png"]


def test_rewriting_the_manifest_does_not_make_a_young_file_look_settled(root, tmp_path, reads):
    os.utime(root / PATHS[0])
    scan(root, PATHS, tmp_path / "c")
    record_problems(root, tmp_path / "c", {PATHS[2]: "truncated: test"})
    later = time.time() + 100
    for place in (tmp_path / "c" / "manifests").iterdir():
        os.utime(place, (later, later))
    reads.clear()
    scan(root, PATHS, tmp_path / "c")
    assert reads == ["0.png"]


def test_two_lists_of_files_of_one_folder_keep_each_others_rows(root, tmp_path, reads):
    scan(root, PATHS[:2], tmp_path / "c")
    scan(root, PATHS[2:], tmp_path / "c")
    reads.clear()
    scan(root, PATHS, tmp_path / "c")
    assert reads == []


def test_a_recorded_problem_outlives_rereading_and_ends_with_a_new_content(root, tmp_path, save_png):
    scan(root, PATHS, tmp_path / "c")
    record_problems(root, tmp_path / "c", {PATHS[0]: "truncated: test"})
    os.utime(root / PATHS[0])  # touched, same content
    assert scan(root, PATHS, tmp_path / "c")["problem"].tolist() == ["truncated: test", None, None]
    assert scan(root, PATHS, tmp_path / "c", verify=True)["problem"].tolist() == ["truncated: test", None, None]
    save_png(root / PATHS[0], seed=99)
    assert scan(root, PATHS, tmp_path / "c")["problem"].tolist() == [None] * 3


def test_a_reason_that_lies_in_the_machine_is_not_remembered_and_no_file_is_read_again_for_it(root, tmp_path, reads):
    scan(root, PATHS, tmp_path / "c")
    reads.clear()
    record_problems(root, tmp_path / "c", {PATHS[0]: "missing codec: test", PATHS[1]: "cannot be opened: test"})
    assert scan(root, PATHS, tmp_path / "c")["problem"].tolist() == [None] * 3 and reads == []


def test_a_missing_file_has_a_reason_until_it_is_there(root, tmp_path, save_png):
    [problem] = scan(root, ["a/9.png"], tmp_path / "c")["problem"]
    assert problem.startswith("cannot be opened")
    save_png(root / "a/9.png")
    assert scan(root, ["a/9.png"], tmp_path / "c")["problem"].tolist() == [None]


@pytest.mark.parametrize("content", [b"", b"PAR1 but not really", None])
def test_a_manifest_that_cannot_be_read_or_is_of_another_form_is_made_again(root, tmp_path, content):
    first = scan(root, PATHS, tmp_path / "c")
    [place] = (tmp_path / "c" / "manifests").iterdir()
    if content is None:
        first[["path", "digest"]].to_parquet(place)
    else:
        place.write_bytes(content)
    assert scan(root, PATHS, tmp_path / "c").equals(first)


def test_a_manifest_is_forgotten_once_its_folder_is_gone_and_no_sooner(root, tmp_path, save_png):
    other = save_png(tmp_path / "other" / "0.png").parent
    for folder, paths in ((root, PATHS), (other, ["0.png"])):
        scan(folder, paths, tmp_path / "c")
    assert forgotten_manifests(tmp_path / "c") == []
    shutil.rmtree(other)
    assert [folder for _, folder in forgotten_manifests(tmp_path / "c")] == [str(other)]


def test_a_cache_that_cannot_be_written_is_named(root, tmp_path):
    (tmp_path / "c").write_text("a file, not a folder")
    with pytest.raises(BenchError, match=r"manifests, where .* cannot be written .*expected a folder"):
        scan(root, PATHS, tmp_path / "c")


@pytest.mark.parametrize("seconds", [-(2**33), -1, 0, 2**34, 16_725_225_600, 2**40, 10**12])
def test_a_time_of_any_year_is_no_matter(tmp_path, save_png, monkeypatch, seconds):
    """A camera with a broken clock, a server that says 1601 or 30828: times that some file systems cannot keep are given
    here by os.stat."""
    path = save_png(tmp_path / "a.png")
    before = manifest.scan(tmp_path, ["a.png"], tmp_path / "c")

    class Entry:
        name = "a.png"

        def stat(self):
            s = os.stat(path)
            return SimpleNamespace(
                st_mode=s.st_mode, st_size=s.st_size, st_mtime_ns=seconds * 10**9, st_ctime_ns=seconds * 10**9
            )

    known = np.array([manifest.stat_entry(Entry())])
    assert abs(int(known[0, 1])) < 2**63
    for _ in range(2):
        again = manifest.scan(tmp_path, ["a.png"], tmp_path / "c", stat=known)
        assert again["digest"].tolist() == before["digest"].tolist() and again["problem"].isna().all()
    read = []
    monkeypatch.setattr(manifest, "_read_facts", read.append)
    manifest.scan(tmp_path, ["a.png"], tmp_path / "c", stat=known)
    assert read == []  # nothing is read twice


def test_a_folder_and_a_pipe_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    found = manifest.scan(tmp_path, ["pipe.png", "folder.png", "none.png"], None).set_index("path")["problem"]
    assert "no regular file" in found["pipe.png"] and found["folder.png"] == "is a folder"
    assert found["none.png"].startswith("cannot be opened")
