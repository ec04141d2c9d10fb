"""The public functions: what they return, that nothing is done twice, and what wrong arguments are told."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer.main

import bench
from bench.api.words import PARAMETERS, in_python, parameter
from bench.cli.app import app

ROOT = Path(__file__).resolve().parents[3]
GROUPS = r"([^/]+)__"
QUICK = dict(heads="centroid", shots=[1, 2], draws=2, baselines=False, workers=1)
HOSTILE = "<b onmouseover=alert(1)>x"


def test_importing_bench_imports_nothing_else_and_yet_names_everything():
    code = "import sys, bench; print(len([m for m in sys.modules if m.startswith('bench.')]), 'numpy' in sys.modules, "
    code += "set(bench.__all__) <= set(dir(bench)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "False", "True"]
    assert all(getattr(bench, name).__name__ == name for name in bench.__all__)
    with pytest.raises(AttributeError, match="no attribute 'lod_data'"):
        bench.lod_data  # noqa: B018


def test_data_knows_its_rows_its_classes_and_what_it_can_support(here):
    data = bench.load_data("demo/raw", group_pattern=GROUPS)
    assert (len(data), data.classes) == (48, ("neuron", "phloem", "rbc", "xylem"))
    assert isinstance(data.table, pd.DataFrame) and len(data.instances) == 48
    check = data.check()
    assert check.tier == "comparable" and check.classes["images"].tolist() == [12] * 4
    for shown in (repr(check), check._repr_html_()):
        assert "48 images in 12 groups" in shown and "Comparable" in shown and "neuron" in shown
    tiles = bench.load_data("demo/raw", instances="tiles:32")
    assert (len(tiles), len(tiles.instances)) == (48, 192) and "192" not in repr(data)
    assert "tiles:32" in repr(tiles) and tiles.check().classes["images"].sum() == 48


def test_what_is_said_of_cells_is_said_once(here):
    data = bench.load_data("demo/raw", group_pattern=GROUPS, instances="masks:32", masks="demo/masks")
    assert data.warnings and data.check().warnings == data.warnings == tuple(dict.fromkeys(data.warnings))


def test_a_class_without_an_image_is_shown_and_stops_what_embeds(here):
    (here / "demo" / "raw" / "blasts").mkdir()
    data = bench.load_data("demo/raw", group_pattern=GROUPS)
    for shown in (data, data.check()):
        assert "blasts: it is an empty folder" in repr(shown) and "blasts" in shown._repr_html_()
    for stopped in (lambda: bench.embed(data, "color-stats"), lambda: bench.run(data, encoders="texture", **QUICK)):
        with pytest.raises(bench.BenchError, match="leave_out blasts"):
            stopped()
    assert bench.embed(bench.load_data("demo/raw", leave_out="blasts"), "color-stats").X.shape == (48, 27)


def test_an_embedding_is_made_once_and_its_rows_are_those_of_its_instances(here):
    data = bench.load_data("demo/raw", group_pattern=GROUPS)
    first, again = (bench.embed(data, "color-stats") for _ in range(2))
    assert first.X.dtype == np.float32 and len(first.X) == len(first.instances) == len(first.y) == len(first.groups)
    assert (first.made, again.made) == (48, 0) and np.array_equal(first.X, again.X)
    assert "48 instances x 27 dimensions" in repr(first) and "<table>" in first._repr_html_()
    path = here / "demo" / "raw" / first.instances["path"][0]
    path.write_bytes((here / "demo" / "raw" / first.instances["path"][1]).read_bytes())
    changed = bench.embed(data, "color-stats")  # of data that was loaded before
    assert np.array_equal(changed.X[0], first.X[1]) and changed.encoder == "color-stats"


def test_copies_among_the_rows_of_an_embedding_are_no_vectors_that_were_stored_before(here):
    first, *_ = sorted(Path("demo/raw").rglob("*.png"))
    (first.parent / "copy.png").write_bytes(first.read_bytes())
    text = str(bench.embed("demo/raw", "color-stats"))
    assert "0 of the vectors were stored before" in text and "1 row is a copy of another." in text
    assert " 0 were made. 1 row is a copy of another." in str(bench.embed("demo/raw", "color-stats"))


def test_a_run_is_tables_of_pandas_that_lie_in_a_folder_and_are_not_made_twice(here):
    data = bench.load_data("demo/raw", group_pattern=GROUPS)
    run = bench.run(data, encoders="texture,color-stats", noise=[0, 0.4], **QUICK)
    assert isinstance(run.leaderboard, pd.DataFrame) and len(run) == len(run.leaderboard) == 8
    assert set(run.leaderboard["encoder"]) == {"texture", "color-stats"}
    assert run.leaderboard["balanced_accuracy"].between(0, 1).all()
    assert len(run.pairs) == 2 and len(run.robustness) and len(run.efficiency)
    assert run.folder == Path("results/runs/demo") and (run.folder / "leaderboard.md").exists()
    typed = "bench.run(bench.load_data('demo/raw', group_pattern='([^/]+)__'), encoders='texture,color-stats', "
    assert typed in (run.folder / "leaderboard.md").read_text()
    again = bench.run(data, encoders=["texture", "color-stats"], noise=(0.4, 0), **QUICK)
    assert "Nothing to do" in again.notes[-1]
    for name in ("leaderboard", "pairs", "robustness", "efficiency"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(run, name))
        pd.testing.assert_frame_equal(getattr(bench.load_run(run.folder), name), getattr(run, name))
    assert run.leaderboard["noise"].dtype == float


def test_a_run_shows_its_verdict_first_and_then_its_best_row(here):
    run = bench.run("demo/raw", encoders=["texture", "color-stats"], **QUICK)
    board = run.leaderboard[run.leaderboard["shots"] == 2]
    best = board.sort_values("balanced_accuracy").iloc[-1]
    assert run.verdict.startswith(f"Best at 2 labels per class: {best['encoder']} with centroid")
    for shown in (repr(run), run._repr_html_()):
        verdict, table = shown.index(run.verdict), shown.index("balanced accuracy")
        first = shown.index(best["encoder"], table)
        assert verdict < shown.index("Read this first") < table < first
        assert shown.index("color-stats" if best["encoder"] == "texture" else "texture", table) > first
        assert f"{100 * best['balanced_accuracy']:.1f}" in shown[first:]


def test_no_name_of_a_class_or_a_file_is_html(here):
    (here / "demo" / "raw" / "neuron").rename(here / "demo" / "raw" / HOSTILE)
    (here / "demo" / "raw" / HOSTILE / "bad<i>.png").write_bytes(b"no image")
    data = bench.load_data("demo/raw", group_pattern=r"slide\d+|bad")
    run = bench.run(data, encoders="color-stats", name="a", **QUICK)
    for shown in (data, data.check(), bench.embed(data, "color-stats"), run):
        html = shown._repr_html_()
        assert "<b on" not in html and "bad<i>" not in html and "bad&lt;i&gt;" in html
        assert html.count("<div") == 1
    assert "&lt;b onmouseover=alert(1)&gt;x" in data._repr_html_()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (dict(shots="5"), r"Got shots='5'; expected whole numbers from 1, e.g. shots=\[1, 5, 10\]."),
        (dict(shots=[1, 2.5]), r"Got shots=\[1, 2.5\]; expected whole"),
        (dict(shots=True), "Got shots=True"),
        (dict(shots=[0]), "Got shots=0; expected whole numbers from 1, e.g. shots 1,5,10."),
        (dict(shots=None), "Got shots=None"),
        (dict(noise="0.2"), "Got noise='0.2'; expected numbers from 0 to 1"),
        (dict(noise=[0, 1.5]), "Got noise rate 1.5; expected a share of wrong labels"),
        (dict(draws=0), "Got draws=0; expected a whole number from 1, or None."),
        (dict(draws="3"), "Got draws='3'"),
        (dict(encoders=3), r"Got encoders=3; expected names as text, e.g. encoders=\['dino', 'texture'\]."),
        (dict(encoders=["texture", 3]), r"Got encoders=\['texture', 3\]"),
        (dict(encoders="textur"), "did you mean 'texture'"),
        (dict(heads="knnn"), "Got head 'knnn', did you mean 'knn'"),
        (dict(heads={"knn": 1}), "Got heads={'knn': 1}"),
        (dict(heads=[]), "Got no head; expected some of: centroid, "),
        (dict(select="best"), "Got select='best'"),
        (dict(split="slide"), "Got split='slide'"),
        (dict(support_groups="few"), "few"),
        (dict(baselines="no"), "Got baselines='no'; expected True or False."),
        (dict(progress=1), "Got progress=1; expected True or False."),
        (dict(workers=0), "Got workers=0"),
        (dict(memory="8 GB"), "Got memory='8 GB'; expected a number"),
        (dict(ensembles="sum:a,b"), "Got ensembles='sum:a,b'; expected concat or mean"),
        (dict(name="a/b"), "Got run name 'a/b'"),
        (dict(name=7), "Got name=7; expected a text, or None."),
        (dict(out=7), "Got out=7; expected a path"),
        (dict(params=3), "Got params=3; expected paths"),
        (dict(precision=16), "Got precision=16; expected a text, e.g. 'auto'."),
        (dict(precision="bf16"), "Got precision bf16; expected named"),
        (dict(precision="auto", heads="finetune"), "Got precision auto with head"),
        (dict(device=0), "Got device=0; expected a text, e.g. 'cuda'."),
        (dict(device="gpu"), "Got device 'gpu'; expected auto, cpu, cuda, or cuda:N."),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_named_with_what_was_expected_before_anything_is_made(wrong, told, here):
    with pytest.raises(bench.BenchError, match=told) as caught:
        bench.run("demo/raw", **{"encoders": "texture", **QUICK, **wrong})
    assert "--" not in str(caught.value)
    assert not (here / "results" / "runs").exists()


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: bench.load_data("demo/rwa"), "Got path demo/rwa, which does not exist, did you mean 'raw'?"),
        (lambda: bench.load_data(None), "Got path=None; expected a path"),
        (lambda: bench.load_data("demo/raw", group_pattern="(", group_column=None), r"Got group_pattern='\('"),
        (lambda: bench.load_data("demo/raw", group_pattern="a", group_column="b"), "both group_pattern and group_column"),
        (lambda: bench.load_data("demo/raw", instances="tils:3"), "Got instances 'tils:3'"),
        (lambda: bench.load_data("demo/raw", instances="boxes"), "Got instances boxes without boxes"),
        (lambda: bench.load_data("demo/raw", box_units="px"), "Got box_units px"),
        (lambda: bench.load_data("demo/raw", leave_out="none"), "Got leave_out='none'"),
        (lambda: bench.load_data("demo/raw", leave_out="neuron,phloem,rbc,xylem"), "which are all classes"),
        (lambda: bench.load_data("demo/raw", drawn_only=True), "Got drawn_only=True for folder demo/raw"),
        (lambda: bench.fit("demo/raw", heads=[]), "Got no head; expected some of"),
        (lambda: bench.audit("demo/raw", encoders="texture", heads=[]), "Got no head; expected some of"),
        (lambda: bench.embed("demo/raw", "texture", device="gpu"), "Got device 'gpu'; expected auto, cpu, cuda"),
        (lambda: bench.fit("demo/raw", device="gpu"), "Got device 'gpu'; expected auto, cpu, cuda"),
        (lambda: bench.load_data("demo/raw", max_instances=-1), "Got max_instances=-1"),
        (lambda: bench.embed("demo/raw", "baselines"), "Got encoder='baselines'; expected one encoder"),
        (lambda: bench.embed("demo/raw", ["texture", "color-stats"]), r"Got encoder=\['texture', 'color-stats'\]"),
        (lambda: bench.embed(pd.DataFrame({"path": range(500)}), "texture"), "Got data=.{1,90}; expected a path"),
        (lambda: bench.load_run("results/runs/nothing"), "which holds no whole run"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_in_the_words_of_the_function(call, told, here):
    with pytest.raises(bench.BenchError, match=told) as caught:
        call()
    assert "--" not in str(caught.value)


def test_one_value_stands_for_a_list_of_one_and_numbers_of_numpy_are_numbers(here):
    one = bench.run("demo/raw", encoders="color-stats", **{**QUICK, "shots": 1})
    other = bench.run("demo/raw", encoders=("color-stats",), **{**QUICK, "shots": np.array([1]), "draws": np.int64(2)})
    assert "Nothing to do" in other.notes[-1] and one.leaderboard.equals(other.leaderboard)


@pytest.mark.parametrize("command", ["run", "extract"])
def test_the_words_are_those_of_the_command_line(command):
    not_here = {"dry_run", "leak", "keep_pixels=True", "help", "quiet", "verbose", "config", "json", "report",
                "no_report", "engine", "address", "slurm", "slurm_set", "slurm_max_array"}  # of a terminal; a result has .report()
    known = {name for one in (bench.load_data, bench.embed, bench.run) for name in inspect.signature(one).parameters}
    options = [
        text
        for one in typer.main.get_command(app).commands[command].params
        for text in (*one.opts, *one.secondary_opts)
    ]
    asked = {parameter(text.removeprefix("--")) for text in options if text.startswith("--")}
    assert len(asked) > 10 and {text.partition("=")[0] for text in asked - not_here} <= known


def test_messages_call_parameters_by_their_name_and_leave_commands_as_they_are():
    said = "Got --encoder a--b with --no-baselines; give --group-pattern, or type `bench run --out DIR`."
    assert (
        in_python(said) == "Got encoders a--b with baselines=False; give group_pattern, or type `bench run --out DIR`."
    )
    assert in_python("give --group-pattern '([^/]+)__'; Got --leave-out 'x', did") == (
        "give group_pattern='([^/]+)__'; Got leave_out='x', did"
    )
    assert in_python("with --support-groups 'spread' and --name NAME") == "with support_groups='spread' and name=NAME"
    assert not [name for name in PARAMETERS if name.startswith("-")]


def test_a_script_that_guards_nothing_may_fit_in_several_processes(here):
    script = here / "script.py"
    script.write_text(
        "import bench\n"
        "run = bench.run('demo/raw', encoders='color-stats', heads='centroid', shots=1, draws=4, baselines=False, workers=2)\n"
        "print(len(run.leaderboard))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_a_classifier_answers_in_the_order_of_the_images_that_it_is_given(here):
    clf = bench.fit(bench.load_data("demo/raw"), encoders="color-stats", heads="centroid")
    files = sorted(Path("demo/raw").rglob("*.png"))
    given = [files[-1], files[0], files[3], files[0]]
    told = clf.predict(given)
    assert [str(Path("demo/raw", path)) for path in told["path"]] == [str(path) for path in given]
    one_by_one = [clf.predict(path)["probability"].iloc[0] for path in given]
    # What a row gets depends on the others by rounding alone, as `Fitted.scores` says.
    np.testing.assert_allclose(told["probability"], one_by_one, rtol=1e-12)
    broken = Path("demo/raw/broken.png")
    broken.write_text("no image")
    assert len(clf.predict([files[-1], broken, files[0]])) == 2


@pytest.mark.parametrize("images", [None, 3, pd.DataFrame({"path": ["a.png"]}), np.zeros((8, 8, 3))])
def test_what_names_no_images_is_refused(here, images):
    clf = bench.fit(bench.load_data("demo/raw"), encoders="color-stats", heads="centroid")
    with pytest.raises(bench.BenchError, match="Got images="):
        clf.predict(images)
