"""Compiled code is kept by the content of all files that it may be made of."""

from __future__ import annotations

from numba.core import config

from bench.solvers import compiling


def test_a_change_of_any_file_gives_another_folder(tmp_path):
    (tmp_path / "a.py").write_text("1")
    before = compiling.content(tmp_path)
    (tmp_path / "b.py").write_text("2")
    more = compiling.content(tmp_path)
    (tmp_path / "a.py").write_text("3")
    assert len({before, more, compiling.content(tmp_path)}) == 3


def test_folders_of_other_contents_are_removed_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    for name in ("kernels-0123456789abcdef", "other"):
        (tmp_path / name).mkdir()
    folder = compiling.cache_folder()
    assert folder == tmp_path / f"kernels-{compiling.content()}"
    assert {path.name for path in tmp_path.iterdir()} == {folder.name, "other"}


def test_where_nothing_can_be_written_code_is_compiled_all_the_same(monkeypatch):
    monkeypatch.setattr(config, "CACHE_DIR", "/dev/null/no")
    assert compiling.cache_folder() is None
    monkeypatch.setattr(compiling, "FOLDER", None)

    def twice(x):
        return 2 * x

    assert compiling._compiler()(twice)(3) == 6


def test_numba_keeps_other_code_where_it_did(tmp_path, monkeypatch):
    before = config.CACHE_DIR
    monkeypatch.setattr(compiling, "FOLDER", tmp_path)
    compiling._compiler()(lambda x: x)
    assert before == config.CACHE_DIR
