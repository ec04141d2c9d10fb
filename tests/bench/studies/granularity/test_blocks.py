"""Fits are stored in blocks named by content: a kill loses what is unfinished, others share the work, figures stay."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from bench.cli.app import app
from bench.embeddings.inventory import check_study_predictions, find_leftovers
from bench.errors import BenchError
from bench.fitting.views import Embedded
from bench.heads import get_heads
from bench.storage.notices import take_notices
from bench.storage.shards import header
from bench.studies.granularity import blocks as blocks_module
from bench.studies.granularity import schedule
from bench.studies.granularity.blocks import cut_blocks, describe
from bench.studies.granularity.design import Levels, design_images
from bench.studies.granularity.exchange import findings_of, measure
from bench.studies.granularity.fits import fit_methods
from bench.studies.granularity.heads import get_bag_heads
from bench.studies.granularity.methods import Method, plan_methods
from bench.studies.granularity.outcome import count_outcome, fit_design
from bench.studies.granularity.predictions import Predictions, write_predictions
from bench.studies.granularity.schedule import EncoderDesign, make_missing
from bench.studies.granularity.simulate import Recipe, simulate_images

CLASSES = ("a", "b")
LEVELS = Levels((0, 1, 2), (0, 1, 2), 12)
HEADS = ("mean-pool:centroid", "inherit:centroid")
MINUTES = {"image": 0.1, "cell": 0.5}
fork = multiprocessing.get_context("fork")  # what is imported already need not be again


def images_table(official: bool = False) -> pd.DataFrame:
    """12 images of either class of 4 cells, of which one is of the other class and one of no class; an image a group."""
    kinds = {"a": ("a", "a", "b", "debris"), "b": ("b", "b", "a", "debris")}
    rows = [
        (f"{name}{i}-{j}", f"{name}{i}", f"d{name}{i}", name, f"{name}{i}", kinds[name][j])
        for name in CLASSES for i in range(12) for j in range(4)
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["instance", "image", "digest", "label", "group", "cell_label"])
    split = np.where(table["image"].str[1:].astype(int) < 6, "train", "test") if official else pd.NA
    return table.assign(split=split, cell_label=table["cell_label"].astype("string"))


def view_of(table: pd.DataFrame, name: str = "x") -> Embedded:
    X = np.random.default_rng(len(name)).standard_normal((len(table), 6)) / 2
    X[:, 0] += (table["cell_label"] == "a").to_numpy(float)
    return Embedded(name, f"key of {name}", "unit", X.astype("f4"))


def part_of(
    levels: Levels = LEVELS, heads: Sequence[str] = HEADS, *, encoder: str = "x", none: str = "", official: bool = False
) -> EncoderDesign:
    table = images_table(official)
    design = design_images(table, CLASSES, levels, none)
    planned, _ = plan_methods(get_bag_heads(heads), design)
    view = view_of(table, encoder)
    blocks = cut_blocks(planned, design, view, describe(table, design, None))
    return EncoderDesign(design=design, view=view, purity=np.nan, blocks=tuple(blocks))


def stored(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "predictions").iterdir())}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A folder in which everything was made without a disturbance. Not to be changed."""
    folder = tmp_path_factory.mktemp("whole")
    assert make_missing([part_of()], folder) == (0, 12)  # 6 methods, in blocks of 10 and of 2 draws
    return folder


@pytest.fixture
def copied(whole, tmp_path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "copied"))


@pytest.mark.parametrize("official", [False, True])
@pytest.mark.parametrize("none", ["", "debris"])
def test_tables_of_stored_predictions_are_those_of_the_fits_to_the_last_bit(tmp_path, official, none):
    levels = Levels((0, 2), (0, 1), 3)
    part = part_of(levels, ("mean-pool", "inherit-vote", "noisy-or"), none=none, official=official)
    make_missing([part], tmp_path)
    planned, heads = (
        {block.method: block.head for block in part.blocks},
        get_bag_heads(["mean-pool", "inherit-vote", "noisy-or"]),
    )
    direct, read = fit_design(part.design, part.scaled, planned), count_outcome(part.design, part.predictions(tmp_path))
    assert direct.methods == read.methods
    for level in ("image", "cell"):
        np.testing.assert_array_equal(getattr(direct, level).right, getattr(read, level).right)
        np.testing.assert_array_equal(getattr(direct, level).total, getattr(read, level).total)
        lucks = getattr(direct, f"{level}_luck"), getattr(read, f"{level}_luck")
        assert (lucks[0] is not None) == official
        if official:
            np.testing.assert_array_equal(*lucks)
    one, other = measure(part.design, heads, part.scaled, MINUTES), findings_of(read, part.design, heads, MINUTES)
    for name in ("curves", "rates", "frontier"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), check_exact=True)


def test_probabilities_are_stored_as_the_head_gave_them(tmp_path):
    part = part_of(Levels((0, 2), (0, 1), 3), ("mean-pool:centroid", "noisy-or"))
    make_missing([part], tmp_path)
    planned = {block.method: block.head for block in part.blocks}
    fitted = fit_methods(part.design, part.scaled, planned, range(3))
    types = set()
    for method, predicted in part.predictions(tmp_path):
        for what in ("images", "cells"):
            kept, given = getattr(predicted, what), getattr(fitted[method], what)
            assert kept.dtype == given.dtype and kept.tobytes() == given.tobytes()
            types.add(kept.dtype.name)
        assert predicted.images.shape == (3, 24, 2) and predicted.cells.shape == (3, 72, 2)
    assert types == {"float32", "float64"}


def test_what_is_there_is_not_fitted_again(whole, copied, monkeypatch):
    monkeypatch.setattr(schedule, "fit_methods", lambda *_: pytest.fail("it fits again"))
    assert make_missing([part_of()], copied) == (12, 0)
    assert stored(copied) == stored(whole)


def test_a_narrower_request_fits_nothing_and_has_the_first_draws(copied, monkeypatch):
    monkeypatch.setattr(schedule, "fit_methods", lambda *_: pytest.fail("it fits again"))
    full = dict(part_of().predictions(copied))
    for levels, blocks in ((Levels((2,), (1,), 12), 6), (Levels((1,), (2,), 10), 3), (Levels((1,), (2,), 5), 3)):
        part = part_of(levels)
        assert make_missing([part], copied) == (blocks, 0)
        for method, predicted in part.predictions(copied):
            np.testing.assert_array_equal(predicted.cells, full[method].cells[: levels.seeds])
            np.testing.assert_array_equal(predicted.images, full[method].images[: levels.seeds])


def test_a_wider_request_fits_what_is_new_alone(copied):
    assert make_missing([part_of(Levels((0, 1, 2), (0, 1, 2, 3), 12))], copied) == (12, 2)
    assert make_missing([part_of(Levels((0, 1, 2), (0, 1, 2), 14))], copied) == (6, 6)  # draws 10 to 13 of 6 methods
    assert make_missing([part_of(heads=(*HEADS, "inherit-vote:centroid"))], copied) == (12, 4)
    assert make_missing([part_of(), part_of(encoder="other")], copied) == (12, 12)


def test_one_head_by_two_names_is_fitted_once(tmp_path):
    part = part_of(Levels((1,), (1,), 2), ("mean-pool", "mean-pool:logreg"))
    assert len(part.blocks) == 3 and make_missing([part], tmp_path) == (0, 2)
    predicted = dict(part.predictions(tmp_path))
    np.testing.assert_array_equal(
        predicted[Method("mean-pool", 1, 0)].cells, predicted[Method("mean-pool:logreg", 1, 0)].cells
    )


def names(part: EncoderDesign) -> set[str]:
    return set(part.by_name)


def test_a_name_depends_on_everything_that_the_numbers_depend_on(monkeypatch):
    levels = Levels((1,), (1,), 2)
    usual = names(part_of(levels))
    assert names(part_of(levels)) == usual
    table = images_table()
    design = design_images(table, CLASSES, levels)
    planned, _ = plan_methods(get_bag_heads(HEADS), design)

    usual_view = view_of(table)

    def named(changed: pd.DataFrame = table, view: Embedded = usual_view, recipe: Recipe | None = None) -> set[str]:
        return {block.name for block in cut_blocks(planned, design, view, describe(changed, design, recipe))}

    assert named() == usual
    other_labels = table.assign(cell_label=table["cell_label"].where(table.index > 0, "b"))
    others = [
        named(other_labels), named(table.assign(group="g")), named(table.assign(label=table["label"].where(table.index > 3, "b"))),
        named(table.assign(image="one")), named(table.assign(split="test")), named(view=replace(view_of(table), key="k")),
        named(view=replace(view_of(table), scaling="standard")), named(recipe=Recipe(0.8, 3)), named(recipe=Recipe(0.8, 4)),
        named(recipe=Recipe(1, 3)), names(part_of(levels, none="debris")), names(part_of(Levels((2,), (3,), 2))),
        names(part_of(Levels((1,), (1,), 3))), names(part_of(levels, ("mean-pool", "inherit"))),
        names(part_of(levels, official=True)),
    ]  # fmt: skip
    for other in others:
        assert not usual & other
    renamed = table.assign(image="folder/" + table["image"])
    assert named(renamed) == usual  # which cells share an image is what counts
    for what in ("VERSION", "PROTOCOL_VERSION", "FORMAT"):
        with monkeypatch.context() as patch:
            patch.setattr(blocks_module, what, "another")
            assert not names(part_of(levels)) & usual
    [block, *_] = part_of(levels).blocks
    newer = replace(block, head=replace(block.head, version=2))
    stronger = replace(block, head=replace(block.head, settings={**block.head.settings, "l2": 1.0}))
    assert len({block.name, newer.name, stronger.name}) == 3
    [base] = get_heads(["centroid"])
    monkeypatch.setattr(blocks_module, "get_heads", lambda asked: [replace(base, version=base.version + 1)])
    assert replace(block).name not in usual


def test_simulated_images_are_stored_as_well(tmp_path):
    table = images_table().query("cell_label != 'debris'").reset_index(drop=True)
    table = table.assign(label=table["cell_label"].astype(str), image=table["instance"])
    design = simulate_images(table, CLASSES, Levels((0, 1), (0, 1), 3), Recipe(1, 2))
    heads = get_bag_heads(HEADS)
    planned, _ = plan_methods(heads, design)
    blocks = cut_blocks(planned, design, view_of(table), describe(table, design, Recipe(1, 2)))
    part = EncoderDesign(design=design, view=view_of(table), purity=1.0, blocks=tuple(blocks))
    make_missing([part], tmp_path)
    read = findings_of(count_outcome(design, part.predictions(tmp_path)), design, heads, MINUTES)
    pd.testing.assert_frame_equal(read.curves, measure(design, heads, part.scaled, MINUTES).curves, check_exact=True)


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("harm", ["flip", "header", "cut", "empty", "swap"])
def test_a_damaged_file_is_set_aside_and_made_again(whole, copied, harm):
    one, other = sorted((copied / "predictions").iterdir())[:2]
    data = one.read_bytes()
    if harm == "flip":
        flip(one, len(data) - 3)
    elif harm == "header":
        flip(one, 20)
    elif harm == "swap":
        one.write_bytes(other.read_bytes())
    else:
        one.write_bytes(data[: len(data) // 2 if harm == "cut" else 0])
    assert make_missing([part_of()], copied) == (11, 1)
    aside = one.with_name(f"{one.name}.corrupt")
    assert aside.exists() and any("set aside" in text for text in take_notices())
    aside.unlink()
    assert stored(copied) == stored(whole)


def test_the_store_checks_predictions_and_calls_sound_ones_no_leftovers(copied, tmp_path):
    folder = tmp_path / "out" / "granularity" / "mine"
    folder.parent.mkdir(parents=True)
    copied.rename(folder)
    (tmp_path / "out" / "store").mkdir()
    out = tmp_path / "out"
    assert find_leftovers(out) == [] and check_study_predictions(out) == (12, [])
    assert "12 files of granularity's predictions" in bench(out, "check")[1]
    first = min((folder / "predictions").iterdir())
    flip(first, first.stat().st_size - 1)
    code, text, error = bench(out, "check")
    assert code != 0 and first.name in text and "Got 1 damaged of 12 files of granularity's predictions" in str(error)
    [left] = find_leftovers(out)
    assert left.path.name == f"{first.name}.corrupt" and left.why == "damaged, set aside"
    assert bench(out, "clean", "--yes")[0] == 0
    assert len(stored(folder)) == 11


def bench(out: Path, *words: str) -> tuple[int, str, BaseException | None]:
    result = CliRunner().invoke(app, ["store", "--out", str(out), *words], catch_exceptions=True)
    return result.exit_code, " ".join(result.output.split()), result.exception


def test_predictions_that_go_while_tables_are_made_are_named(copied):
    part = part_of()
    part.blocks[3].path(copied).unlink()
    with pytest.raises(BenchError, match="Run the same command again"):
        list(part.predictions(copied))


def test_embeddings_that_are_not_finite_are_refused_before_anything_is_fitted(tmp_path):
    part = part_of()
    part.view.X[3, 0] = np.nan
    with pytest.raises(BenchError, match="NaN or infinity"):
        make_missing([part], tmp_path)
    assert not list(tmp_path.iterdir())


def make_until_the_third(folder: Path, reached: Any) -> None:
    """Make blocks; after the third one is committed say so, and hang before its claim is let go of."""
    written = 0

    def write(path: Path, predictions: Predictions, identity: dict[str, Any]) -> None:
        nonlocal written
        write_predictions(path, predictions, identity)
        written += 1
        if written == 3:
            reached.set()
            time.sleep(600)

    schedule.write_predictions = write
    make_missing([part_of()], folder)


def test_after_kill_9_what_was_committed_is_reused_and_the_rest_is_made_with_the_same_bits(whole, tmp_path):
    reached = fork.Event()
    process = fork.Process(target=make_until_the_third, args=(tmp_path, reached))
    process.start()
    assert reached.wait(120)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert len(stored(tmp_path)) == 3 and list((tmp_path / "claims").glob("*.claim"))
    told: list[tuple[str, int, int]] = []
    assert make_missing([part_of()], tmp_path, lambda *progress: told.append(progress)) == (3, 9)
    assert told[0] == ("fit x", 3, 12) and told[-1] == ("fit x", 12, 12)
    assert stored(tmp_path) == stored(whole)
    assert not list((tmp_path / "claims").glob("*.claim"))


def make_beside_another(folder: Path, both: Any, results: Any) -> None:
    """Make blocks; the first fit waits until the other process has claimed its first as well."""
    fit, waited = schedule.fit_methods, []

    def fit_when_both(*what: Any) -> Any:
        if not waited:
            waited.append(both.wait(120))
        return fit(*what)

    schedule.fit_methods = fit_when_both
    results.put(make_missing([part_of()], folder))


def test_two_processes_started_on_one_folder_share_the_work(whole, tmp_path):
    both, results = fork.Barrier(2), fork.Queue()
    processes = [fork.Process(target=make_beside_another, args=(tmp_path, both, results)) for _ in range(2)]
    for process in processes:
        process.start()
    (reused, made), (also_reused, also_made) = (results.get(timeout=240) for _ in processes)
    for process in processes:
        process.join()
    assert made > 0 and also_made > 0 and made + also_made == 12
    assert reused + made == also_reused + also_made == 12
    assert stored(tmp_path) == stored(whole)
    assert not list((tmp_path / "claims").glob("*.claim"))


def test_a_file_says_what_it_is_of(whole):
    for block in part_of().blocks:
        about = json.loads(header(block.path(whole).read_bytes())["block"])
        assert about["identity"] == block.identity
