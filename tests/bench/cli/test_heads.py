"""The listing of heads: every one with its settings, and what it can do, as a table, CSV, Markdown and JSON."""

from __future__ import annotations

import csv
import io
import json

import pytest

from bench.cli.list_heads import as_csv, as_markdown, grid_text, range_text, record
from bench.heads import all_heads
from bench.heads.contract import Range
from bench.products import backend


def test_every_head_is_listed_with_what_it_can_do(bench):
    code, text = bench("heads")
    assert code == 0 and f"{len(all_heads())} heads." in text
    for head in all_heads().values():
        assert f"{head.name} {head.summary.split()[0]}" in text
    assert (
        record(all_heads()["xgboost"])["leaves groups out"] == "no"
        and record(all_heads()["knn"])["leaves groups out"] == "yes"
    )


def test_a_head_in_full_says_its_default_and_what_tuning_searches(bench):
    code, text = bench("heads", "knn")
    assert code == 0 and "default k=5" in text and "bench tune searches k 1 to 50 (in its logarithm)" in text
    code, text = bench("heads", "knnn")
    assert code == 2 and "Got head 'knnn', did you mean 'knn'?" in text


def test_csv_markdown_and_json_hold_all_heads(bench):
    heads = list(all_heads().values())
    assert [row["head"] for row in csv.DictReader(io.StringIO(as_csv(heads)))] == [head.name for head in heads]
    assert len(as_markdown(heads).splitlines()) == len(heads) + 2
    code, text = bench("heads", "--csv")
    assert code == 0 and text.startswith("head,what,settings,leaves groups out,GPU,")
    code, text = bench("heads", "logreg", "--json")
    assert [row["head"] for row in json.JSONDecoder().raw_decode(text)[0]] == ["logreg"]


def test_a_grid_is_told_by_what_differs_in_it():
    assert grid_text(({"a": 1, "b": 0.25}, {"a": 1, "b": 1e-6})) == "b 0.25, 1e-06"
    assert grid_text(()) == ""
    assert range_text(Range(choices=("cosine", "euclidean"))) == "cosine or euclidean"
    assert range_text(Range(0.0, 0.5)) == "0 to 0.5"


@pytest.mark.parametrize("name", sorted(all_heads()))
def test_a_head_says_that_a_gpu_solves_it_where_its_solver_asks_for_the_device(name, monkeypatch):
    import numpy as np

    from bench.heads.support import Support

    class Asked(Exception):
        pass

    real = backend.backend_of

    def asked(what):
        if isinstance(what, str) and what == "elsewhere":
            raise Asked
        return real(what)

    for module in (
        "bench.heads.logreg",
        "bench.heads.support",
        "bench.heads.ridge",
        "bench.solvers.linalg",
        "bench.solvers.rows",
        "bench.heads.pool",
    ):
        import importlib

        room = importlib.import_module(module)
        if hasattr(room, "backend_of"):
            monkeypatch.setattr(room, "backend_of", asked)
    rng = np.random.default_rng(0)
    support = Support(rng.normal(size=(12, 6)).astype("f4"), rng.normal(size=(4, 6)).astype("f4"), device="elsewhere")
    head = all_heads()[name]
    Y = np.tile(np.arange(2), 6)[None]
    try:
        head.scores(support, Y, 2, [dict(head.default)])
        used = False
    except Asked:
        used = True
    assert used == head.gpu or name == "ridge"  # which is solved on the CPU, and only multiplies on the device
