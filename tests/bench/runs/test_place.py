"""Where a run lies: a folder is one dataset's, and tables that would be lost are kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from bench.errors import BenchError
from bench.runs import place
from bench.runs.blocks import part_name
from bench.runs.place import (
    content_in,
    content_of_run,
    forget_copy,
    give_back,
    keep_earlier,
    keep_tables,
    place_run,
    write_leak,
)
from bench.storage.tables import csv_bytes
from bench.storage.together import put_together, unsound


def test_a_folder_is_of_the_dataset_that_had_it_first(tmp_path):
    first, said = place_run(tmp_path, "cells", "a" * 32)
    assert first == tmp_path / "cells" and said == ""
    other, said = place_run(tmp_path, "cells", "b" * 32)
    assert other == tmp_path / "cells-bbbbbbbb" and str(first) in said and str(other) in said
    assert place_run(tmp_path, "cells", "a" * 32)[0] == first
    assert place_run(tmp_path, "cells", "b" * 32)[0] == other


def test_a_mark_that_was_exchanged_does_no_harm_where_the_record_names_the_content(tmp_path):
    for name, content in (("one", "a" * 32), ("two", "b" * 32)):
        place_run(tmp_path, name, content)
        put_together(tmp_path / name, {"curves.csv": b"1"}, {"content": content})
    (tmp_path / "two" / "dataset.json").replace(tmp_path / "one" / "dataset.json")
    assert place_run(tmp_path, "one", "a" * 32) == (tmp_path / "one", "")
    (tmp_path / "one" / "curves.csv").write_bytes(b"2")
    assert content_in(tmp_path / "one") == "b" * 32  # nothing vouches for the record any more


def test_one_sound_table_vouches_for_a_record_and_a_record_without_a_table_for_nothing(tmp_path):
    place_run(tmp_path, "cells", "a" * 32)
    put_together(tmp_path / "cells", {"curves.csv": b"1", "leaderboard.csv": b"1"}, {"content": "b" * 32})
    (tmp_path / "cells" / "curves.csv").write_bytes(b"2")
    assert content_in(tmp_path / "cells") == "b" * 32
    place_run(tmp_path, "empty", "a" * 32)
    put_together(tmp_path / "empty", {}, {"content": "b" * 32})
    assert content_in(tmp_path / "empty") == "a" * 32


def test_a_run_is_of_the_content_that_its_facts_name_where_its_instances_are_sound(tmp_path):
    put_together(tmp_path, {"instances.parquet": b"1"}, {"facts": {"content": "a" * 32}})
    assert content_of_run(tmp_path) == "a" * 32
    (tmp_path / "instances.parquet").write_bytes(b"2")
    assert content_of_run(tmp_path) == ""


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
    assert (kept / "leak.csv").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert not forget_copy(folder, "2" * 32) and kept.exists()
    assert forget_copy(folder, "1" * 32) and not kept.exists() and (folder / "predictions" / "u1.safetensors").exists()


def test_a_copy_holds_the_fits_of_its_request_and_no_others(tmp_path):
    folder = tmp_path / "cells"
    written(folder, "1" * 32, ["u1", "u2"])
    (folder / "ledger").mkdir()
    for unit in ("u1", "u2", "u3"):
        (folder / "ledger" / f"{part_name(unit)}.parquet").write_text(unit)
    keep_earlier(folder, {"u3"})
    parts = (tmp_path / "cells-earlier-11111111" / "ledger").iterdir()
    assert {path.read_text() for path in parts} == {"u1", "u2"}


def test_of_several_that_keep_the_same_tables_at_once_none_fails_and_they_are_kept_once(tmp_path):
    folder = tmp_path / "cells"
    written(folder, "1" * 32, ["u1", "u2"])
    with ThreadPoolExecutor(6) as pool:
        said = list(pool.map(lambda _: keep_earlier(folder, {"u3"}), range(6)))
    assert len(set(said)) == 1 and sorted(path.name for path in tmp_path.iterdir()) == ["cells", "cells-earlier-11111111"]
    assert unsound(tmp_path / "cells-earlier-11111111") == []


@pytest.mark.parametrize("more", [{}, {"gap": [0.1, 0.2]}])
def test_a_table_with_rows_that_the_next_one_lacks_is_kept_whatever_else_it_tells(tmp_path, more):
    folder, table = tmp_path / "cells", pd.DataFrame({"encoder": ["dino", "colour"], **more})
    put_together(folder, {"curves.csv": csv_bytes(table)}, {})
    assert keep_tables(folder, "curves.csv", table[::-1], ["encoder"]) == ""
    said = keep_tables(folder, "curves.csv", table[1:], ["encoder"])
    [kept] = tmp_path.glob("cells-earlier-*")
    assert str(kept) in said and (kept / "curves.csv").read_bytes() == csv_bytes(table)


def test_a_leak_is_written_beside_the_tables_it_is_of_and_no_others(tmp_path):
    folder, table = tmp_path / "cells", pd.DataFrame({"leak": [0.25]})
    written(folder, "1" * 32, ["u1"])
    assert write_leak(folder, table, "1" * 32) and (folder / "leak.csv").read_text() == "leak\n0.25\n"
    assert not write_leak(folder, table * 2, "2" * 32) and (folder / "leak.csv").read_text() == "leak\n0.25\n"


def test_a_leak_that_is_there_is_not_written_again(tmp_path, monkeypatch):
    folder, table = tmp_path / "cells", pd.DataFrame({"leak": [0.25]})
    written(folder, "1" * 32, ["u1"])
    write_leak(folder, table, "1" * 32)
    monkeypatch.setattr(place, "write_atomically", lambda *_: pytest.fail("written again"))
    assert write_leak(folder, table, "1" * 32)


@pytest.mark.parametrize("units", [{"u1", "u2"}, {"u1", "u2", "u3"}])
def test_nothing_is_kept_where_nothing_would_be_lost(tmp_path, units):
    folder = tmp_path / "cells"
    written(folder, "1" * 32, ["u1", "u2"])
    assert keep_earlier(folder, units) == "" and [path.name for path in tmp_path.iterdir()] == ["cells"]


def test_a_folder_that_cannot_be_written_is_an_error_in_words(tmp_path):
    (tmp_path / "runs").touch()
    with pytest.raises(BenchError, match="cannot be written"):
        place_run(tmp_path / "runs", "cells", "a" * 32)


def test_tables_that_cannot_be_kept_are_an_error_in_words(tmp_path, monkeypatch):
    folder = tmp_path / "cells"
    written(folder, "1" * 32, ["u1"])
    monkeypatch.setattr(place, "temporary", lambda folder, name: folder / "cells" / "leaderboard.csv" / name)
    with pytest.raises(BenchError, match="cells-earlier-11111111.* cannot be written"):
        keep_earlier(folder, {"u2"})
    assert (folder / "leaderboard.csv").read_text() == "1" * 32
