"""A script that names options as they were called before goes on working, and is told."""

from __future__ import annotations

from bench.cli.renamed import RENAMED, by_new_names


def test_old_names_of_options_are_taken_for_the_new_ones_and_values_stay():
    words, notes = by_new_names(["run", "--seeds", "3", "--draw=spread", "--data", "--draws"])
    assert words == ["run", "--draws", "3", "--support-groups=spread", "--data", "--draws"]
    assert notes == ["--seeds is called --draws now", "--draw is called --support-groups now"]


def test_where_an_export_names_the_results_as_before_both_of_its_folders_have_their_old_meaning():
    words, notes = by_new_names(["export", "--results=r", "--out", "e.npz"])
    assert words == ["export", "--out=r", "--to", "e.npz"] and len(notes) == 2
    for new in (["export", "--out", "r", "--to", "e.npz"], ["run", "--out", "r"]):
        assert by_new_names(new) == (new, [])


def test_no_new_name_is_an_old_one():
    assert not set(RENAMED) & set(RENAMED.values())


def test_the_command_says_so_once(bench, tmp_path):
    code, text = bench("run", "--data", tmp_path / "nothing", "--seeds", "2", "--seeds", "3")
    assert code == 2 and text.count("--seeds is called --draws now") == 1
