"""With --precision auto an encoder runs in the fastest way that keeps its embeddings, measured once on the images."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import bench
from bench.cli.app import app, main
from bench.embeddings import precision_trial
from bench.embeddings.embed import DataSpec, extract_encoders, prepare
from bench.embeddings.precision_choice import check_precision_word, choose_precisions, variants
from bench.embeddings.precision_trial import Tried, best_of, explain
from bench.errors import BenchError
from bench.request import Request, resolve_request
from bench.storage.verified import json_bytes, parse_json
from encoders import EncoderError, resolve

NETWORK = '''
import time
import numpy as np
from encoders import EncoderSpec, LoadedEncoder, Preprocess, register

SECONDS = {{"float32": 0.05, "bfloat16": {seconds}}}

@register("net")
def net(**options):
    precision = options.get("precision", "float32")
    if set(options) - {{"precision"}} or precision not in SECONDS:
        from encoders import EncoderError
        raise EncoderError("no such option")
    name = "net" if precision == "float32" else "net@precision=bfloat16"
    return EncoderSpec(name=name, family="other", source="mine:net", dim=8, preprocess=Preprocess(size=32),
                       weights="made", precision=precision, build=build)

def build(spec, placement):
    with open({log!r}, "a") as log:
        log.write(spec.precision + "\\n")
    def encode(views):
        time.sleep(SECONDS[spec.precision])
        means = np.stack([view[::8, ::16, 0].ravel().astype(np.float32) for view in views])
        wrong = np.stack([np.random.default_rng(int(view.sum())).normal(size=8).astype(np.float32) for view in views])
        return means + (wrong * {error} * 74 if spec.precision == "bfloat16" else 0)
    return LoadedEncoder(spec, encode, "")
'''


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Return (a function that writes the network and returns how it is typed, one that prepares the data)."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)

    def images(first, last, folder="raw"):
        for label in ("neuron", "rbc"):
            for i in range(first, last):
                path = tmp_path / folder / label / f"{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(rng.integers(0, 255, (32, 32, 3)).astype(np.uint8)).save(path)

    def network(seconds=0.005, error=0.01):
        text = NETWORK.format(seconds=seconds, error=error, log=str(tmp_path / "log"))
        (tmp_path / "net.py").write_text(text)
        return "net.py:net"

    images(0, 6)
    return network, images


def loads(tmp_path):
    log = tmp_path / "log"
    return log.read_text().split() if log.exists() else []


def choose(typed, out="out", data="raw", **how):
    return choose_precisions(prepare(DataSpec(data), out), [(resolve(typed), typed)], "cpu", **how)


def test_the_faster_way_that_keeps_the_embeddings_is_taken_and_said_to_be(world):
    [spec], [said] = choose(world[0]())
    assert spec.name == "net.py:net@precision=bfloat16"
    assert said.startswith("net.py:net: bfloat16, ") and "times as fast as float32, cosine .99" in said
    assert said.endswith("; called net.py:net@precision=bfloat16")


def test_a_faster_way_that_changes_the_embeddings_is_not_taken_nor_timed(world):
    [spec], [said] = choose(world[0](error=1))
    assert spec.name == "net.py:net" and "float32, bfloat16 changes the embeddings (cosine ." in said
    [[kept]] = (record["tried"] for record in records())
    assert kept["speed"] == 0 and not kept["passes"]


@pytest.mark.parametrize("seconds", [0.2, 0.05])
def test_a_way_that_is_no_faster_is_not_taken(world, seconds, monkeypatch):
    monkeypatch.setattr(precision_trial, "FASTER", 3.0)  # a busy machine must not decide this test
    [spec], [said] = choose(world[0](seconds=seconds))
    assert spec.name == "net.py:net" and "float32, bfloat16 is" in said and "times as fast" in said


def records():
    return [json.loads(path.read_text()) for path in sorted(Path("out/store/precision").glob("*.json"))]


def test_a_choice_is_remembered_and_holds_for_a_dataset_that_grows_but_not_for_another_of_its_name(world, tmp_path):
    network, images = world
    first = choose(network())
    before = len(loads(tmp_path))
    images(6, 8)
    again = choose("net.py:net")
    assert again[0] == first[0] and "as measured before" in again[1][0] and len(loads(tmp_path)) == before
    images(0, 6, "elsewhere/raw")
    other, [said] = choose("net.py:net", data="elsewhere/raw")
    assert "as measured before" not in said and len(loads(tmp_path)) > before


def test_a_choice_that_was_damaged_is_measured_again(world, tmp_path):
    choose(world[0]())
    [path] = (tmp_path / "out/store/precision").glob("*.json")
    path.write_text(path.read_text().replace("true", "false"))
    [spec], [said] = choose("net.py:net")
    assert "precision=bfloat16" in spec.name and "as measured before" not in said


def test_a_choice_as_another_version_wrote_it_is_measured_again(world, tmp_path, monkeypatch):
    choose(world[0]())
    [path] = (tmp_path / "out/store/precision").glob("*.json")
    record = parse_json(path.read_bytes())
    path.write_bytes(json_bytes({**record, "tried": [{**one, "later": 1} for one in record["tried"]]}, path.stem))
    [spec], [said] = choose("net.py:net")
    assert "precision=bfloat16" in spec.name and "as measured before" not in said


@pytest.mark.parametrize("stored", ["net.py:net", "net.py:net@precision=bfloat16"])
def test_what_is_stored_is_taken_without_measuring(world, tmp_path, stored):
    world[0](seconds=0.2 if "bfloat16" in stored else 0.005)
    extract_encoders(prepare(DataSpec("raw"), "out"), [resolve(stored)], "cpu")
    before = len(loads(tmp_path))
    [spec], [said] = choose("net.py:net")
    assert spec.name == stored and "as its embeddings are stored" in said
    assert len(loads(tmp_path)) == before and not records()


def test_what_is_chosen_is_not_compared_again_when_it_is_embedded(world, tmp_path):
    specs, _ = choose(world[0]())
    before = len(loads(tmp_path))
    _, report = extract_encoders(prepare(DataSpec("raw"), "out"), specs, "cpu")
    assert report.made == {"net.py:net@precision=bfloat16": 12}
    assert loads(tmp_path)[before:] == ["bfloat16"]


@pytest.mark.parametrize("typed", ["net.py:net@precision=float32", "net.py:net@precision=bfloat16", "color-stats"])
def test_an_encoder_with_a_precision_or_without_that_option_stays_as_it_is(world, tmp_path, typed):
    world[0]()
    assert choose(typed) == ([resolve(typed)], ()) and not loads(tmp_path)


def test_an_alias_stays_the_name_in_tables(world):
    [spec], [said] = choose(f"mine={world[0]()}")
    assert (spec.name, spec.full_name) == ("mine", "net.py:net@precision=bfloat16")
    assert said.startswith("mine: bfloat16, ") and "called" not in said


def test_where_nothing_may_be_measured_it_stays_float32_and_says_so(world, tmp_path):
    assert choose(world[0](), measure=False)[1] == ("net.py:net: float32, not measured yet",)
    assert not loads(tmp_path) and not records()


def test_too_few_images_to_measure_on_leave_float32(world, tmp_path):
    for path in (tmp_path / "raw").rglob("[2-9].png"):
        path.unlink()
    assert choose(world[0]())[1] == ("net.py:net: float32, as only 4 images can be read, too few to measure on",)


def test_variants_are_those_of_the_same_encoder_with_its_other_options():
    found = variants(resolve("mine=random-resnet18@size=64,color=grey"))
    assert [way.shown for way in found] == ["bfloat16", "float32 by OpenVINO", "bfloat16 by OpenVINO"]
    assert {spec.name for spec in found.values()} == {"mine"}
    assert next(iter(found.values())).full_name == "random-resnet18@color=grey,precision=bfloat16,size=64"
    assert variants(resolve("texture")) == {}


def test_the_fastest_that_passes_wins_by_a_margin():
    slow = Tried(way="a", passes=True, cosine=0.999, speed=1.1)
    fast, faster = replace(slow, way="b", speed=1.5), replace(slow, way="c", speed=2.1, cosine=0.99899)
    wrong = Tried(way="d", cosine=0.98996, speed=9.0)
    assert best_of([slow]) is None and best_of([wrong]) is None and best_of([]) is None
    assert best_of([slow, fast, faster, wrong]) == faster
    assert explain([fast, faster]) == "2.1 times as fast as float32, cosine .9989"
    broken = Tried(way="e", why="No room.")
    assert explain([slow, wrong, broken]) == (
        "a is 1.1 times as fast; d changes the embeddings (cosine .9899); e cannot be run (No room)"
    )


def test_a_run_takes_the_choice_for_members_of_ensembles_too(world):
    from bench.fitting.ensembles import Ensemble
    from bench.protocol.protocol import Protocol

    request = Request(
        source=DataSpec("raw"), protocol=Protocol(shots=(1,)), encoders=(world[0](), "texture"), precision="auto", out="out",
        ensembles=(Ensemble("concat", ("net.py:net", "texture")),),
    )  # fmt: skip
    found = resolve_request(request, device="cpu")
    assert [spec.name for spec in found.specs] == ["net.py:net@precision=bfloat16", "texture"]
    assert found.ensembles[0].members == ("net.py:net@precision=bfloat16", "texture")
    assert len(found.precisions) == 1
    with pytest.raises(BenchError, match="Got --precision auto with --head finetune; expected one of them"):
        resolve_request(replace(request, heads=("finetune",)))


def test_a_word_that_is_no_precision_is_refused_with_what_to_type():
    with pytest.raises(BenchError, match="Got --precision bfloat16; expected named .* or auto .*NAME@precision=bfloat16"):
        check_precision_word("bfloat16")


def test_a_way_that_cannot_be_loaded_is_told_and_the_others_go_on(world, monkeypatch):
    world[0]()
    spec = resolve("net.py:net")
    load = type(spec).load

    def load_float32(self, placement=None):
        if self.precision != "float32":
            raise EncoderError("No such engine.")
        return load(self, placement)

    monkeypatch.setattr(type(spec), "load", load_float32)
    assert choose("net.py:net")[1] == ("net.py:net: float32, bfloat16 cannot be run (No such engine)",)


def test_in_python_the_encoder_of_an_embedding_is_what_was_chosen_and_its_notes_say_why(world):
    emb = bench.embed("raw", world[0](), precision="auto", device="cpu", out="out", progress=False)
    assert emb.encoder == "net.py:net@precision=bfloat16" and emb.made == len(emb) == 12
    assert emb.notes[0].startswith("net.py:net: bfloat16, ")
    plain = bench.embed("raw", "net.py:net@precision=float32", device="cpu", out="out", progress=False)
    assert plain.encoder == "net.py:net" and plain.notes == ()


def test_the_command_line_says_what_it_chose_and_takes_it_again(world):
    world[0]()
    for reused, made in ((0, 12), (12, 0)):
        call = ["extract", "--data", "raw", "--encoder", "net.py:net", "--precision", "auto", "--device", "cpu", "--out", "out"]
        done = CliRunner().invoke(app, call)
        assert done.exit_code == 0, done.output
        assert "net.py:net: bfloat16, " in done.output
        assert f"net.py:net@precision=bfloat16: {reused} reused, {made} made" in done.output


def test_a_precision_is_not_measured_where_other_machines_embed(world):
    call = ["extract", "--data", "raw", "--encoder", world[0](), "--precision", "auto", "--engine", "ray"]
    with pytest.raises(BenchError, match="Got --precision auto with --engine ray; expected --engine local"):
        CliRunner().invoke(app, call, catch_exceptions=False)


def test_a_dry_run_says_what_is_not_measured_and_a_classifier_is_proposed_of_what_was_chosen(
    world, capsys, monkeypatch
):
    def typed(*words):
        monkeypatch.setattr("sys.argv", ["bench", *words])
        with suppress(SystemExit):
            main()
        return capsys.readouterr().out

    quick = ["--shots", "1", "--draws", "1", "--head", "centroid", "--no-baselines", "--device", "cpu", "--out", "out"]
    call = ["run", "--data", "raw", "--encoder", world[0](), "--precision", "auto", "--workers", "1", "--no-report", "--name", "mine", *quick]
    assert "Note: net.py:net: float32, not measured yet." in typed(*call, "--dry-run") and not records()
    said = typed(*call)
    assert "Note: net.py:net: bfloat16, " in said and "net.py:net@precision=bfloat16" in said
    [proposed] = [line for line in said.splitlines() if line.startswith("To classify new images: ")]
    assert "--from mine" in proposed and "--encoder" not in proposed
