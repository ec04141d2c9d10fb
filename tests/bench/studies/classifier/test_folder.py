"""A classifier in a folder: the same to the bit, and never code, a crash or something half-written."""

from __future__ import annotations

import json
import pickle
import random
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.errors import BenchError
from bench.storage.verified import json_bytes, parse_json
from bench.studies.classifier import folder
from bench.studies.classifier.card import card
from bench.studies.classifier.folder import FILE, SEAL, load_model, save_model
from bench.studies.classifier.model import Asked


def rows(model, count: int = 6) -> np.ndarray:
    d = len(model.scale.mean)
    return model.scale.mean + np.random.default_rng(0).normal(size=(count, d)).astype(np.float32)


@pytest.fixture
def saved(made, tmp_path: Path) -> Path:
    return save_model(made[1], tmp_path / "cells.model")


def reseal(folder: Path, **changes: object) -> None:
    """Change what model.json says of a classifier, as somebody would who knows how it is sealed."""
    about = parse_json((folder / FILE).read_bytes())
    about["about"] |= changes
    (folder / FILE).write_bytes(json_bytes(about, SEAL))


def test_a_saved_classifier_answers_as_before_to_the_bit_and_promises_the_same(made, saved):
    model, again = made[1], load_model(saved)
    one, other = model.answer(rows(model)), again.answer(rows(model))
    for name in ("P", "members", "unlike", "nearest"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert again.promise == model.promise and again.about == model.about
    assert again.reference.names == model.reference.names


def test_it_is_saved_to_the_same_bytes_and_replaces_the_one_before(made, saved, tmp_path):
    files = {path.name: path.read_bytes() for path in saved.iterdir()}
    assert len(files) == 3
    (saved / "numbers-0000000000000000.safetensors").write_bytes(b"of an earlier one")
    save_model(made[1], saved)
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == files
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(BenchError, match="holds something other"):
        save_model(made[1], tmp_path / "other")


def test_what_a_kill_left_of_one_is_written_over(made, saved):
    (saved / FILE).unlink()
    save_model(made[1], saved)
    assert load_model(saved).about == made[1].about
    (saved / FILE).unlink()
    (saved / "thesis.txt").write_text("mine")
    with pytest.raises(BenchError, match="holds something other"):
        save_model(made[1], saved)


@pytest.mark.parametrize("moment", ["numbers", "model.json", "after"])
def test_two_that_are_saved_to_one_folder_at_once_leave_one_of_them_whole(made, saved, monkeypatch, moment):
    """As two `bench fit` with one --save: the second writes all of its files at some moment of the first."""
    model = made[1]
    other = replace(model, about=replace(model.about, data="other"), left_out=model.left_out[::-1].copy())
    waiting = [moment]
    write = folder.write_atomically

    def interrupted(path, data):
        if waiting and (path.name.startswith(waiting[0])):
            waiting.clear()
            save_model(other, saved)
        write(path, data)
        if waiting == ["after"] and path.name == FILE:
            waiting.clear()
            save_model(other, saved)

    monkeypatch.setattr(folder, "write_atomically", interrupted)
    save_model(model, saved)
    assert not waiting
    kept = load_model(saved)
    assert kept.about == (other if moment == "after" else model).about
    assert (saved / "README.md").read_text() == card(kept)
    assert len(list(saved.iterdir())) == 3


def test_nothing_is_unpickled_and_torch_is_not_loaded(saved):
    code = (
        "import pickle, sys\n"
        "def never(*a, **k): raise AssertionError('unpickled')\n"
        "pickle.loads = pickle.load = pickle.Unpickler = never\n"
        "from bench.studies.classifier.folder import load_model\n"
        f"model = load_model({str(saved)!r})\n"
        "import numpy as np\n"
        "model.answer(np.zeros((2, len(model.scale.mean)), np.float32))\n"
        "assert not {'torch', 'timm', 'pandas'} & set(sys.modules), set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return bytes with a few of them changed, cut off, added or doubled."""
    at, out = rng.randrange(len(data)), bytearray(data)
    kind = rng.randrange(4)
    if kind == 0:
        for _ in range(rng.randrange(1, 5)):
            out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    elif kind == 1:
        del out[at:]
    elif kind == 2:
        out[at:at] = rng.randbytes(rng.randrange(1, 20))
    else:
        out[at:at] = out[: rng.randrange(1, 50)]
    return bytes(out)


def mutations(saved: Path, place: Path, count: int) -> None:
    want = load_model(saved)
    X = rows(want)
    answers, rng = want.answer(X), random.Random(0)
    for _ in range(count):
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(saved, place)
        path = rng.choice([path for path in sorted(place.iterdir()) if path.name != "README.md"])
        path.write_bytes(mutated(path.read_bytes(), rng))
        try:
            found = load_model(place).answer(X)
        except BenchError:
            continue
        np.testing.assert_array_equal(found.P, answers.P)
        np.testing.assert_array_equal(found.unlike, answers.unlike)


def test_a_damaged_classifier_is_refused_or_answers_the_same(saved, tmp_path):
    mutations(saved, tmp_path / "damaged", 150)


@pytest.mark.slow
def test_of_ten_thousand_damaged_classifiers_none_crashes_or_answers_otherwise(saved, tmp_path):
    mutations(saved, tmp_path / "damaged", 10_000)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"head": "evil.py:HEAD"}, "code in a file"),
        ({"head": "../x"}, "code in a file"),
        ({"head_version": 99}, "of version 99"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": "1"}, "temperature"),
        ({"classes": ["a", "b"]}, "shape|belong together"),
        ({"classes": "neuron"}, "classes"),
        ({"channels": None}, "channels"),
        ({"um_per_px": [1]}, "um_per_px"),
        ({"candidates": [["a"]]}, "candidates"),
        ({"scaling": "pickle"}, "scaling"),
        ({"extra": 1}, "says more"),
    ],
)
def test_what_model_json_says_is_checked_although_its_seal_is_right(saved, changes, told):
    reseal(saved, **changes)
    with pytest.raises(BenchError, match=told):
        load_model(saved)


def test_a_classifier_of_before_there_were_bag_heads_is_read_as_one_without(made, saved):
    about = parse_json((saved / FILE).read_bytes())
    for name in ("bag_head", "bag_head_version", "none_level", "none_share", "most"):
        del about["about"][name]
    (saved / FILE).write_bytes(json_bytes(about, SEAL))
    again = load_model(saved)
    assert again.about == made[1].about and again.about.bag_head == ""
    np.testing.assert_array_equal(again.answer(rows(again)).P, made[1].answer(rows(again)).P)


def test_numbers_of_another_place_or_of_pickles_are_refused(saved, tmp_path):
    about = parse_json((saved / FILE).read_bytes())
    (saved / FILE).write_bytes(json_bytes(about | {"numbers": "../../etc/passwd"}, SEAL))
    with pytest.raises(BenchError, match="digest"):
        load_model(saved)
    shutil.rmtree(saved)
    saved.mkdir()
    (saved / FILE).write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(BenchError, match="not what was written"):
        load_model(saved)


def test_deep_json_and_an_empty_folder_are_refused_in_words(saved, tmp_path):
    with pytest.raises(BenchError, match=r"no model\.json"):
        load_model(tmp_path)
    text = json.dumps({"format": 1}).replace("1", "[" * 100_000 + "]" * 100_000)
    (saved / FILE).write_text(text)
    with pytest.raises(BenchError, match="cannot be used"):
        load_model(saved)


def test_a_classifier_that_promises_sets_of_too_few_slides_says_so(made):
    model = made[1]
    assert model.too_few_for(0.9) == "" and "needs 99 slides" in model.too_few_for(0.99)
    assert model.answer(rows(model), Asked(sets=0.99)).members.all()


@pytest.mark.parametrize("wrong", [{"sets": 1.0}, {"sets": 0.0}, {"errors": 0.0}, {"errors": 2.0}, {"unlike": -0.1}])
def test_a_rate_that_is_none_is_refused(wrong):
    with pytest.raises(BenchError, match="expected"):
        Asked(**wrong)
