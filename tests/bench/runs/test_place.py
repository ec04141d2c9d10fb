"""Where a run lies: a folder is one dataset's, and tables that would be lost are kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from bench.errors import BenchError
from bench.runs.place import content_in, forget_copy, give_back, keep_earlier, place_run
from bench.storage.tables import csv_bytes
from bench.storage.together import put_together


def test_a_folder_is_of_the_dataset_that_had_it_first(tmp_path):
    first, said = place_run(tmp_path, "cells", "a" * 32)
    assert first == tmp_path / "cells" and said == ""
    other, said = place_run(tmp_path, "cells", "b" * 32)
    assert other == tmp_path / "cells-bbbbbbbb" and str(first) in said and str(other) in said
    assert place_run(tmp_path, "cells", "a" * 32)[0] == first
    assert place_run(tmp_path, "cells", "b" * 32)[0] == other


def test_asking_where_a_run_would_lie_writes_nothing(tmp_path):
    assert place_run(tmp_path, "cells", "a" * 32, take=False)[0] == tmp_path / "cells"
    assert not list(tmp_path.iterdir())


def test_of_many_that_begin_at_once_one_gets_the_name(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda k: place_run(tmp_path, "cells", f"{k}" * 32)[0], range(8)))
    assert len(set(taken)) == 8 and sum(path.name == "cells" for path in taken) == 1
    assert {content_in(path) for path in taken} == {f"{k}" * 32 for k in range(8)}


def test_a_request_that_is_refused_leaves_no_folder_and_one_with_fits_keeps_it(tmp_path):
    runs = tmp_path / "runs"
    folder, _ = place_run(runs, "cells", "a" * 32)
    give_back(folder)
    assert not runs.exists()
    folder, _ = place_run(runs, "cells", "a" * 32)
    (folder / "predictions").mkdir()
    give_back(folder)
    assert content_in(folder) == "a" * 32


def written(folder, signature, units):
    (folder / "predictions").mkdir(parents=True, exist_ok=True)
    for unit in units:
        (folder / "predictions" / f"{unit}.safetensors").write_text(unit)
    rows = [(unit, "dino", "knn", "auto", 1, 2, "none", "[0.0]", "balanced") for unit in units]
    columns = ["unit", "encoder", "head", "selection", "shots", "seeds", "noise_kind", "rates", "series"]
    units = csv_bytes(pd.DataFrame(rows, columns=columns))
    put_together(folder, {"units.csv": units, "leaderboard.csv": signature.encode()}, {"signature": signature})


def test_tables_with_rows_that_the_next_request_lacks_are_kept_whole(tmp_path):
    folder = tmp_path / "cells"
    written(folder, "1" * 32, ["u1", "u2"])
    (folder / "leak.csv").write_text("of the first")
    said = keep_earlier(folder, {"u2", "u3"})
    kept = tmp_path / "cells-earlier-11111111"
    assert str(kept) in said and "of dino" in said
    assert (kept / "leaderboard.csv").read_text() == "1" * 32
    assert {path.stem for path in (kept / "predictions").iterdir()} == {"u1", "u2"}
    assert (kept / "leak.csv").exists() and not (folder / "leak.csv").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    forget_copy(folder, "2" * 32)
    assert kept.exists()
    forget_copy(folder, "1" * 32)
    assert not kept.exists() and (folder / "predictions" / "u1.safetensors").exists()


@pytest.mark.parametrize("units", [{"u1", "u2"}, {"u1", "u2", "u3"}])
def test_nothing_is_kept_where_nothing_would_be_lost(tmp_path, units):
    folder = tmp_path / "cells"
    written(folder, "1" * 32, ["u1", "u2"])
    assert keep_earlier(folder, units) == "" and [path.name for path in tmp_path.iterdir()] == ["cells"]


def test_a_folder_that_cannot_be_written_is_an_error_in_words(tmp_path):
    (tmp_path / "runs").touch()
    with pytest.raises(BenchError, match="cannot be written"):
        place_run(tmp_path / "runs", "cells", "a" * 32)
