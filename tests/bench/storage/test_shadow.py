"""A look at a folder: all of it is there, and nothing that is done to it reaches the folder."""

from __future__ import annotations

from bench.storage.atomic import write_atomically
from bench.storage.shadow import shadow


def test_all_of_a_folder_is_there_and_what_is_written_stays_in_the_look(tmp_path):
    (tmp_path / "out" / "a" / "b").mkdir(parents=True)
    (tmp_path / "out" / "a" / "b" / "old").write_bytes(b"old")
    (tmp_path / "out" / "gone").write_bytes(b"damaged")
    with shadow(tmp_path / "out") as look:
        assert look.name == "out" and (look / "a" / "b" / "old").read_bytes() == b"old"
        write_atomically(look / "a" / "b" / "old", b"new")
        write_atomically(look / "c" / "made", b"new")
        (look / "gone").rename(look / "gone.corrupt")
        assert (look / "a" / "b" / "old").read_bytes() == b"new"
    assert not look.exists()
    assert (tmp_path / "out" / "a" / "b" / "old").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "gone", "old", "out"]


def test_a_folder_that_is_not_there_is_an_empty_look_and_is_not_made(tmp_path):
    with shadow(tmp_path / "none" / "out") as look:
        assert look.is_dir() and not list(look.iterdir())
    assert not (tmp_path / "none").exists()


def test_folders_that_are_links_are_followed_once(tmp_path):
    (tmp_path / "disk" / "store").mkdir(parents=True)
    (tmp_path / "disk" / "store" / "shard").write_bytes(b"x")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "store").symlink_to(tmp_path / "disk" / "store")
    (tmp_path / "disk" / "store" / "round").symlink_to(tmp_path / "out")
    with shadow(tmp_path / "out") as look:
        assert (look / "store" / "shard").read_bytes() == b"x"
