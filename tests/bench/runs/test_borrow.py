"""Fits of the runs beside are used again: linked, copied where there are no links, and left where they cannot be read."""

from __future__ import annotations

import os

import pytest

from bench.fitting.head_fits import HeadFits
from bench.protocol.protocol import Protocol
from bench.runs.borrow import borrow_units


@pytest.fixture
def runs(make_sweep, tmp_path):
    sweep, views = make_sweep(Protocol(shots=(1,), draws=2), ["knn", "centroid"], groups=6)
    HeadFits(views=views).make(sweep, sweep.blocks, tmp_path / "one")
    return sweep, views, tmp_path


@pytest.mark.parametrize("links", [True, False])
def test_a_run_gets_the_fits_of_the_runs_beside_it_and_makes_none(runs, monkeypatch, links):
    sweep, views, folder = runs

    def refuse(*_: object) -> None:
        raise PermissionError(1, "no links")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    assert borrow_units(folder / "two", sweep.blocks) == 2 == len(sweep.blocks)
    assert HeadFits(views=views).make(sweep, sweep.blocks, folder / "two") == (2, 0)
    first = sweep.blocks[0]
    assert first.path(folder / "two").read_bytes() == first.path(folder / "one").read_bytes()
    assert first.path(folder / "two").samefile(first.path(folder / "one")) == links
    assert borrow_units(folder / "two", sweep.blocks) == 0


def test_a_damaged_one_is_made_again_and_that_of_the_other_run_stays(runs):
    sweep, views, folder = runs
    first = sweep.blocks[0]
    first.path(folder / "one").write_bytes(b"cut")
    borrow_units(folder / "two", sweep.blocks)
    assert HeadFits(views=views).make(sweep, sweep.blocks, folder / "two") == (1, 1)
    assert first.path(folder / "one").read_bytes() == b"cut"


def test_what_cannot_be_read_is_left_to_be_made(runs, monkeypatch):
    sweep, _, folder = runs

    def refuse(*_: object) -> None:
        raise PermissionError(13, "denied")

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    assert borrow_units(folder / "two", sweep.blocks) == 0 and not list((folder / "two").rglob("*.safetensors"))
