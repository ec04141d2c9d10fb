"""An empty text for a path, as of a variable that is not set, is refused; pathlib would take it for this folder."""

from __future__ import annotations

import pytest

import bench as library


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (("data", "check", "--data", ""), "--data"),
        (("run", "--out", ""), "--out"),
        (("fit", "--save", ""), "--save"),
        (("predict", "cells.model", "", "--to", "p.csv"), "IMAGES"),
        (("predict", "", "images", "--to", "p.csv"), "MODEL"),
        (("run", "--instances", "boxes", "--cells", ""), "--cells"),
    ],
)
def test_an_empty_path_is_refused_by_its_name(bench, call, name):
    code, text = bench(*call)
    assert code == 2 and f"Got an empty text for {name}; expected a path." in text, text


def test_this_folder_has_a_name(bench, tmp_path, monkeypatch, save_png):
    for label in "ab":
        save_png(tmp_path / "here" / label / "0.png", seed=ord(label))
    monkeypatch.chdir(tmp_path / "here")
    code, text = bench("data", "check", "--data", ".", "--out", "../out")
    assert code == 0, text


def test_an_empty_path_is_no_path_in_python_either():
    with pytest.raises(library.BenchError, match="Got path=''; expected a path"):
        library.load_data("")


def test_a_file_whose_name_starts_with_a_dash_is_named_with_its_folder(bench, tmp_path, monkeypatch, save_png):
    monkeypatch.chdir(tmp_path)
    save_png(tmp_path / "-nuc.png")
    code, text = bench("predict", "cells.model", "-nuc.png", "--to", "p.csv")
    assert code == 2 and "If you mean the file or folder -nuc.png, write ./-nuc.png." in text, text
    code, text = bench("predict", "cells.model", "./-nuc.png", "--to", "p.csv")
    assert code == 2 and "Got cells.model, which does not exist; expected a folder" in text, text
    code, text = bench("predict", "cells.model", "-mito.png", "--to", "p.csv")
    assert code == 2 and "No such option" in text and "If you mean" not in text, text
