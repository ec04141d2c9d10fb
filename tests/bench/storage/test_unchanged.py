"""The fingerprint of files: the same as long as none changes, another as soon as one does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.storage.unchanged import FOLDER, Fingerprint, fingerprint_of, keep_answer, key_of, recall_answer


@pytest.fixture
def tree(tmp_path) -> Path:
    for name in ("a/1.png", "a/b/2.png", "c/3.png"):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "away").mkdir()
    (tmp_path / "away" / "4.png").write_text("4")
    (tmp_path / "tree" / "link").symlink_to(tmp_path / "away")
    (tmp_path / "tree" / "a" / "around").symlink_to(tmp_path / "tree")
    (tmp_path / "tree" / "lost").symlink_to(tmp_path / "nowhere")
    return tmp_path / "tree"


CHANGES = {
    "content": lambda at: (at / "a/b/2.png").write_text("other"),
    "times set back": lambda at: os.utime(at / "c/3.png", (1, 1)),
    "a file more": lambda at: (at / "c/5.png").touch(),
    "a file less": lambda at: (at / "c/3.png").unlink(),
    "a name": lambda at: (at / "c/3.png").rename(at / "c/4.png"),
    "a folder's name": lambda at: (at / "c").rename(at / "d"),
    "another folder": lambda at: (at / "c/3.png").rename(at / "a/3.png"),
    "where a link leads": lambda at: (at / "link" / "4.png").write_text("44"),
    "a lost link that is found": lambda at: (at.parent / "nowhere").touch(),
    "all of it": lambda at: at.rename(at.parent / "elsewhere"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_gives_another_fingerprint(tree, change):
    before = fingerprint_of([tree])
    assert fingerprint_of([tree]) == before
    CHANGES[change](tree)
    assert fingerprint_of([tree]).digest != before.digest


def test_the_memory_itself_is_no_part_of_what_it_remembers(tree):
    before = fingerprint_of([tree])
    (tree / FOLDER).mkdir()
    (tree / FOLDER / "x.json").touch()
    assert fingerprint_of([tree]) == before


def test_names_that_no_text_can_hold_are_names(tree):
    os.close(os.open(os.fsencode(tree) + b"/\xff.png", os.O_CREAT))
    before = fingerprint_of([tree])
    os.unlink(os.fsencode(tree) + b"/\xff.png")
    assert fingerprint_of([tree]).digest != before.digest


def test_an_answer_holds_for_its_question_its_fingerprint_and_its_files_alone(tree, tmp_path):
    fingerprint, file = fingerprint_of([tree]), tree / "a/1.png"
    later = fingerprint.latest + 60
    assert keep_answer(tmp_path, "key", fingerprint, since=later, files=[str(file)], text="said")
    assert recall_answer(tmp_path, "key", fingerprint) == "said"
    assert recall_answer(tmp_path, "other", fingerprint) is None
    assert recall_answer(tmp_path, "key", Fingerprint(digest="0", latest=0)) is None
    file.write_text("changed")
    assert recall_answer(tmp_path, "key", fingerprint) is None


def test_nothing_is_kept_of_what_changed_within_the_last_seconds(tree, tmp_path):
    fingerprint = fingerprint_of([tree])
    assert not keep_answer(tmp_path, "key", fingerprint, since=fingerprint.latest + 1, files=[], text="said")
    assert keep_answer(tmp_path, "key", fingerprint, since=fingerprint.latest + 3, files=[], text="said")


def test_a_place_that_cannot_be_written_to_keeps_nothing_and_is_no_error(tree):
    fingerprint = fingerprint_of([tree])
    assert not keep_answer(tree / "a/1.png", "key", fingerprint, since=fingerprint.latest + 60, files=[], text="said")


def test_keys_differ_with_every_part():
    assert key_of("run", ("a", 1)) == key_of("run", ("a", 1))
    assert len({key_of("run", ("a", 1)), key_of("run", ("a", 2)), key_of("fit", ("a", 1)), key_of("run", "a", 1)}) == 4
