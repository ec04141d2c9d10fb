"""From images and labels to a list, from the list to labels, and from there to scores on what was drawn at random."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import bench
from bench.cli.app import main
from bench.data.datasets import load_dataset
from bench.data.reading import Reading
from bench.demo import DemoSpec, write_demo
from bench.embeddings.embed import DataSpec
from bench.errors import BenchError
from bench.protocol.split_kinds import SPLIT_KINDS, regroup
from bench.protocol.splits import plan_splits
from bench.storage.tables import read_csv
from bench.studies.label.items import LabelRequest, read_task
from bench.studies.label.labelling import Labelling
from bench.studies.label.table import about_labels, opened_for
from bench.studies.label_next.page import verdict
from bench.studies.label_next.run import NextRequest, next_labels

PATTERN = r"([^/]+)__"


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Path:
    top = tmp_path_factory.mktemp("next")
    write_demo(top / "demo", DemoSpec(images=20, size=(48, 48)))
    return top / "demo"


def source(demo: Path) -> DataSpec:
    return DataSpec(demo / "raw", group_pattern=PATTERN)


def propose(demo: Path, out: Path, **how):
    return next_labels(NextRequest(source=source(demo), encoders=("texture",), out=out, **how))


def label(demo: Path, to: Path, out: Path, count: int, order: str = "next") -> None:
    """Label the first so many images that have no label, as a user would, by the folder that they lie in."""
    request = LabelRequest(source=source(demo), out=out, order=order)
    task = read_task(request)
    with opened_for(to, about_labels(task.root, to, "whole")) as journal:
        labelling = Labelling(task, journal, to)
        left = [i for i, key in enumerate(task.keys) if key not in journal.state.labels][:count]
        for i in left:
            labelling.press([i], labelling.classes.index(str(task.keys[i][0]).split("/")[0]))
        labelling.close()


def test_a_list_is_written_with_a_quarter_drawn_spread_over_slides_and_the_nearest_labels(demo, tmp_path):
    table = demo / "labels-a.csv"
    label(demo, table, tmp_path, 12, order="random")
    found = propose(demo, tmp_path, labels=table, count=20)
    rows = read_csv(found.folder / "next.csv")
    new = rows[rows["task"] == "new"]
    assert len(new) == 20 and (new["chosen_by"] == "random").sum() == 5 and new["path"].is_unique
    assert new["label"].isna().all() and new["near1_label"].notna().all() and new["why"].str.len().min() > 5
    chosen = new[new["chosen_by"] != "random"]
    assert chosen["group"].value_counts().max() <= 2  # 20 slides of four classes each, 15 picks
    known = set(read_csv(table)["path"].str.removeprefix("raw/"))
    assert not known & set(new["path"]) and set(new["near1"]) <= known
    counts = rows[rows["task"] == "labelled"]
    assert len(counts) == found.drawn == 12 and set(counts["path"]) == known  # given in the same random order


def test_the_marks_stay_in_the_label_table_over_rounds_and_orders(demo, tmp_path):
    table = demo / "labels-b.csv"
    for _ in range(3):
        propose(demo, tmp_path, labels=table, count=8)
        label(demo, table, tmp_path, 8)
    label(demo, table, tmp_path, 3, order="path")
    rows = read_csv(table)
    drawn = rows[rows["chosen_by"] == "random"]
    assert len(rows) == 27 and rows["chosen_by"].isna().sum() <= 3 and 6 <= len(drawn) < 27
    random = read_task(LabelRequest(source=source(demo), out=tmp_path, order="random"))
    first = {str(key[0]) for key in random.keys[: len(drawn)]}
    assert set(drawn["path"].str.removeprefix("raw/")) == first


def test_scores_on_picked_labels_are_warned_of_and_those_on_drawn_ones_can_be_asked_for(demo, tmp_path):
    table = demo / "labels-c.csv"
    for _ in range(2):
        propose(demo, tmp_path, labels=table, count=40)
        label(demo, table, tmp_path, 40)
    told = load_dataset(table)
    assert any("were picked by `bench next` and not drawn at random" in note for note in told.notes)
    drawn = load_dataset(table, reading=Reading(drawn_only=True))
    marks = read_csv(table).set_index("path")["chosen_by"]
    assert set(drawn.table["path"]) == set(marks[marks == "random"].index) and 20 <= len(drawn.table) < 80
    assert not any("bench next" in note for note in drawn.notes)
    plain = demo / "plain.csv"
    plain.write_text(
        "path,label\n" + "\n".join(f"{path},{'a' if i % 2 else 'b'}" for i, path in enumerate(marks.index))
    )
    with pytest.raises(BenchError, match="Got --drawn-only, and no line of plain.csv says random"):
        load_dataset(plain, reading=Reading(drawn_only=True))
    assert not any("bench next" in note for note in load_dataset(plain).notes)


def test_a_run_learns_from_all_labels_and_is_tested_on_those_drawn_by_lot_whatever_is_asked(demo, tmp_path):
    table = demo / "labels-learn.csv"
    for _ in range(2):
        propose(demo, tmp_path, labels=table, count=40)
        label(demo, table, tmp_path, 40)
    cut = load_dataset(table, group_pattern=r"([^/]+)__")
    rows = cut.table.assign(instance=[f"i{i}" for i in range(len(cut.table))], image=cut.table["path"])
    marks = read_csv(table).set_index("path")["chosen_by"]
    drawn = (marks.reindex(rows["path"]) == "random").to_numpy()
    assert 20 <= drawn.sum() < 80 and (rows["split"].fillna("") == "learn").to_numpy().tolist() == (~drawn).tolist()
    rows["source"] = [f"lab{i % 4}" for i in np.unique(rows["group"], return_inverse=True)[1]]
    for kind in SPLIT_KINDS:
        of_kind = regroup(rows, kind)
        group = of_kind["group"].to_numpy(str)
        for splits in SPLIT_KINDS[kind].plan(of_kind, cut.classes).repeats:
            tested = np.concatenate([split.test for split in splits])
            assert set(tested.tolist()) <= set(np.flatnonzero(drawn).tolist())
            for split in splits:
                assert not drawn[split.train].all() and not set(group[split.train]) & set(group[split.test])
    assert set(plan_splits(rows, cut.classes).test_rows()) == set(np.flatnonzero(drawn))


def test_where_a_class_has_too_few_drawn_labels_a_run_is_refused(demo):
    rows = pd.DataFrame({"label": list("aaaabbbb"), "group": [f"s{i}" for i in range(8)], "split": ["learn", *[None] * 3] * 2})
    assert plan_splits(rows, ("a", "b")).test_rows().tolist() == [1, 2, 3, 5, 6, 7]
    rows.loc[[1, 2], "split"] = "learn"
    with pytest.raises(BenchError, match="class 'a' with 1 group among the 4 labels that were drawn at random; expected at"):
        plan_splits(rows, ("a", "b"))


def test_the_page_shows_the_list_first_with_its_reasons_and_then_the_others_at_random(demo, tmp_path):
    found = propose(demo, tmp_path, labels=demo / "none.csv", count=6)
    task = read_task(LabelRequest(source=source(demo), out=tmp_path, order="next"))
    assert [key[0] for key in task.keys[:6]] == found.table["path"].tolist()
    assert task.why[0] == "drawn at random" and task.why[6] == "" and task.lead == "Next" and len(task.keys) == 80
    assert task.given[0] is None and not task.keeps
    with pytest.raises(BenchError, match=r"no .*other.*next.csv; expected what `bench next` wrote"):
        read_task(LabelRequest(source=source(demo), out=tmp_path, order="next:other"))


def test_images_of_no_use_and_copies_of_labelled_ones_are_not_proposed(demo, tmp_path):
    raw = tmp_path / "raw"
    for path in sorted((demo / "raw").glob("*/*.png")):
        (raw / path.parent.name).mkdir(parents=True, exist_ok=True)
        (raw / path.parent.name / path.name).write_bytes(path.read_bytes())
    first = sorted((raw / "rbc").glob("*.png"))[0]
    Image.fromarray(np.full((48, 48, 3), 90, np.uint8)).save(raw / "rbc" / "blank__1.png")
    (raw / "rbc" / "copy__1.png").write_bytes(first.read_bytes())
    labels = tmp_path / "labels.csv"
    labels.write_text(f"path,label\nraw/rbc/{first.name},rbc\n")
    ask = NextRequest(source=DataSpec(raw), encoders=("texture",), out=tmp_path / "out", labels=labels, count=200)
    found = next_labels(ask)
    paths = set(found.table.loc[found.table["task"] == "new", "path"])
    assert len(paths) < 80 and not {"rbc/blank__1.png", "rbc/copy__1.png", f"rbc/{first.name}"} & paths
    assert any("left out as useless" in note for note in found.notes)
    kept = next_labels(NextRequest(**{**vars(ask), "any_image": True}))
    assert "rbc/blank__1.png" in set(kept.table["path"])


def test_what_nobody_could_tell_is_not_proposed_again(demo, tmp_path):
    first = propose(demo, tmp_path, labels=demo / "none.csv", count=8).table["path"].tolist()
    labels = demo / "labels-unsure.csv"
    labels.write_text(
        "path,label,unsure\n"
        + "".join(f"raw/{p},{'' if i < 3 else 'x'},{'unsure' if i < 3 else ''}\n" for i, p in enumerate(first))
    )
    found = propose(demo, tmp_path, labels=labels, count=72)
    assert found.labels == 5 and not set(first) & set(found.table.loc[found.table["task"] == "new", "path"])
    assert any("3 images in labels-unsure.csv without a label" in note for note in found.notes)


def test_a_label_that_is_more_likely_wrong_than_right_is_named_for_a_second_look(demo, tmp_path):
    paths = sorted((demo / "raw").glob("*/*.png"))[:72]
    wrong = next(path for path in paths if path.parent.name == "rbc")
    labels = demo / "labels-wrong.csv"
    rows = [(f"raw/{path.parent.name}/{path.name}", "neuron" if path == wrong else path.parent.name) for path in paths]
    pd.DataFrame(rows, columns=["path", "label"]).to_csv(labels, index=False)
    found = propose(demo, tmp_path, labels=labels, count=8)
    checks = found.table[found.table["task"] == "check"]
    assert f"rbc/{wrong.name}" in set(checks["path"]) and len(checks) <= 2
    assert checks.iloc[0]["why"].startswith("labelled neuron, and models not trained on it predict rbc")


def test_what_cannot_be_asked_says_what_to_do(demo, tmp_path):
    with pytest.raises(BenchError, match=r"every image has a label; expected some without"):
        propose(demo, tmp_path)
    with pytest.raises(BenchError, match=r"Got --strategy margn, did you mean 'margin'"):
        propose(demo, tmp_path, strategy="margn")
    other = tmp_path / "other.csv"
    other.write_text("path,label\nx.png,a\ny.png,b\n")
    with pytest.raises(BenchError, match=r"none of whose 2 lines is an image of"):
        propose(demo, tmp_path, labels=other)


def test_an_audit_that_is_applied_keeps_how_images_came_to_be_labelled(demo, tmp_path, monkeypatch):
    table, fix, to = demo / "labels-d.csv", tmp_path / "fix.csv", demo / "corrected-d.csv"
    propose(demo, tmp_path, labels=table, count=12)
    label(demo, table, tmp_path, 12)
    before = read_csv(table)
    one = before.iloc[0]
    fix.write_text(f"path,label,proposed,action,reason\n{one['path']},{one['label']},other,relabel,x\n")
    words = ["bench", "audit", "--data", table, "--apply", fix, "--to", to, "--out", tmp_path]
    monkeypatch.setattr(sys, "argv", list(map(str, words)))
    with contextlib.suppress(SystemExit):
        main()
    after = read_csv(to)
    assert after.set_index("path")["chosen_by"].to_dict() == before.set_index("path")["chosen_by"].to_dict()
    assert after.set_index("path").loc[one["path"], "label"] == "other"
    again = load_dataset(to)
    assert any("scores rest only on the 3 that were drawn" in note for note in again.notes)
    assert (again.table["split"] == "learn").sum() == 9


def test_in_python_it_is_the_same_list(demo, tmp_path):
    by_hand = propose(demo, tmp_path, labels=demo / "none.csv", count=8)
    found = bench.next_labels(
        demo / "raw", labels=demo / "none.csv", n=8, encoders="texture", out=tmp_path / "py", workers=1, progress=False
    )
    assert len(found) == 8 and "drawn at random" in str(found)
    assert set(found.table.columns) == set(by_hand.table.columns)


def test_a_hostile_list_is_refused_or_shown_as_text(demo, tmp_path):
    folder = tmp_path / "next" / "raw"
    folder.mkdir(parents=True)
    (folder / "next.csv").write_text("path,why\n../../etc/passwd,x\n")
    with pytest.raises(BenchError, match="without the column x0"):
        read_task(LabelRequest(source=source(demo), out=tmp_path, order="next:raw"))


def test_a_list_too_short_for_a_strategy_names_none(demo, tmp_path):
    none = demo / "none.csv"
    found = propose(demo, tmp_path, labels=none, count=1)
    assert (found.table["chosen_by"] == "random").all()
    [said] = verdict(found)
    assert said == "Nothing is labelled so far. All of this list is drawn at random."
    assert verdict(propose(demo, tmp_path, labels=none, count=1, strategy="random"))[0].endswith("Picked by random, as asked.")
