"""What `bench` writes so that no spreadsheet runs it, `--data` reads as it was."""

from __future__ import annotations

import pandas as pd
import pytest

from bench.data.datasets import load_dataset
from bench.storage.tables import write_csv


@pytest.mark.parametrize("name", ["=1+1", "+", "-", "@x", "'=1", "'", "a'b"])
def test_a_name_comes_back_to_the_letter_as_label_group_and_path(tmp_path, save_png, name):
    paths = [f"{name}{i}.png" for i in range(2)]
    for i, path in enumerate(paths):
        save_png(tmp_path / path, seed=i)
    write_csv(tmp_path / "set.csv", pd.DataFrame({"path": paths, "label": [name, "other"], "group": [f"{name}g", "h"]}))
    table = load_dataset(tmp_path / "set.csv").table.set_index("path")
    assert table.loc[paths[0], ["label", "group"]].tolist() == [name, f"{name}g"]
    assert table.loc[paths[1], "label"] == "other"
