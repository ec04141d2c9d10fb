"""What data are called, which names the folder of their runs."""

from __future__ import annotations

import pytest

from bench.data.datasets import load_dataset


@pytest.mark.parametrize(("folder_name", "name"), [("-nuc", "nuc"), (".cells", "cells"), ("--", "data"), ("a-b", "a-b")])
def test_data_are_never_called_like_an_option_or_a_hidden_folder(tmp_path, save_png, folder_name, name):
    for label in "ab":
        save_png(tmp_path / folder_name / label / "0.png", seed=ord(label))
    assert load_dataset(tmp_path / folder_name).name == name
