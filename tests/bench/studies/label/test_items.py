"""What is labelled, in which order and with which classes; and the table that comes out is one that --data takes."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest

from bench.data.datasets import load_dataset
from bench.data.reading import Reading
from bench.demo import DemoSpec, write_demo
from bench.embeddings.embed import DataSpec
from bench.errors import BenchError
from bench.instances.cell_boxes import CellFiles
from bench.instances.cut import make_instances
from bench.storage.tables import write_csv
from bench.studies.audit.findings import as_table
from bench.studies.label.items import LabelRequest, read_task
from bench.studies.label.table import UNSURE

WORST = ("<b>&amp;\"'`", "</script><script>alert(1)<", "=1+1", "+", "-", "@x", "'=1", "a\u202egnp.x", "שלום", "a,b;c", "NA", "None", "{{7*7}}", "neuron")


@pytest.fixture
def folder(tmp_path, save_png):
    for k, label in enumerate(("neuron", "rbc")):
        for i in range(6):
            save_png(tmp_path / "raw" / label / f"{label}{i}.png", seed=10 * k + i)
    return tmp_path / "raw"


def task(data: Path, tmp_path: Path, instances: str = "whole", cells: CellFiles | None = None, reading: Reading | None = None, **how):
    more = ({"cells": cells} if cells else {}) | ({"reading": reading} if reading else {})
    return read_task(LabelRequest(source=DataSpec(data, instances, **more), out=tmp_path / "out", **how))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_classes_are_those_of_the_folders_and_names_do_not_tell_them(folder, tmp_path):
    found = task(folder, tmp_path)
    assert found.classes == ("neuron", "rbc") and len(found.keys) == 12 and set(found.given) == {None}
    assert all("/" not in name for name in found.shown)
    other = task(folder, tmp_path, classes=("x", "y"))
    assert other.classes == ("x", "y") and all("/" in name for name in other.shown)  # which tell nothing of x and y


def test_images_without_any_folder_or_label_can_be_labelled(tmp_path, save_png):
    for i in range(3):
        save_png(tmp_path / "plain" / f"{i}.png", seed=i)
    found = task(tmp_path / "plain", tmp_path, order="path")
    assert found.keys == (("0.png",), ("1.png",), ("2.png",)) and found.classes == ()


def test_a_random_order_is_that_of_its_seed_whatever_else_is_there(folder, tmp_path, save_png):
    first, other = task(folder, tmp_path).keys, task(folder, tmp_path, seed=1).keys
    assert first == task(folder, tmp_path).keys != other and set(first) == set(other)
    save_png(folder / "rbc" / "late.png", seed=99)
    assert [key for key in task(folder, tmp_path).keys if key[0] != "rbc/late.png"] == list(first)


def test_suspects_of_an_audit_come_first_with_the_reason_and_all_other_labels_stay(folder, tmp_path, labelling):
    rows = [{"kind": "slide", "group": "rbc/rbc1.png", "reason": "s"}, {"kind": "label", "path": "rbc/rbc4.png", "label": "rbc", "reason": "models take it for neuron"},
            {"kind": "copy", "path": "neuron/neuron2.png", "reason": "shows the same"}, {"kind": "label", "path": "rbc/rbc4.png", "reason": "again"}]  # fmt: skip
    write_csv(tmp_path / "out" / "audit" / "raw" / "audit.csv", as_table(rows))
    with pytest.raises(BenchError, match=r"no .*audit[/\\]tmp.*expected what `bench audit` wrote"):
        task(folder, tmp_path, order="audit:tmp")
    name = task(folder, tmp_path).name
    with labelling(folder, order="audit:raw" if name != "raw" else "audit") as asked:
        found = asked.labelling.task
        assert [key[0] for key in found.keys[:3]] == ["rbc/rbc4.png", "neuron/neuron2.png", "neuron/neuron0.png"]
        assert found.why[:3] == ("models take it for neuron", "shows the same", "") and found.given[0] == "rbc"
        asked.json("press", {"items": [0], "label": 0})
    table = load_dataset(tmp_path / "labels.csv").table
    assert len(table) == 12 and table.set_index("path").loc["raw/rbc/rbc4.png", "label"] == "neuron"


def test_an_audit_of_other_images_is_refused(folder, tmp_path):
    write_csv(tmp_path / "out" / "audit" / "a" / "audit.csv", as_table([{"kind": "label", "path": "x.png", "reason": "r"}]))
    with pytest.raises(BenchError, match="which is of other images"):
        task(folder, tmp_path, order="audit:a")
    for order in ("radnom", "path:x", "next"):
        with pytest.raises(BenchError, match="Got --order"):
            task(folder, tmp_path, order=order)


def test_labels_that_are_kept_stay_and_what_has_none_comes_first(folder, tmp_path, labelling):
    (folder / "part.csv").write_text("path,label\nneuron/neuron0.png,a\nneuron/neuron1.png,\nrbc/rbc0.png,b\nrbc/rbc1.png,\n")
    with labelling(folder / "part.csv", keep=True) as asked:
        found = asked.labelling.task
        assert found.given[:2] == (None, None) and sorted(found.given[2:]) == ["a", "b"] and found.classes == ("a", "b")
        asked.json("press", {"items": [0], "label": 1})
    assert sorted(row["label"] for row in rows_of(asked.to)) == ["a", "b", "b"]
    with labelling(folder / "part.csv", tmp_path / "bare.csv") as asked:
        asked.json("press", {"items": [0], "label": 1})
    assert len(rows_of(tmp_path / "bare.csv")) == 1


def test_classes_that_are_left_out_are_not_asked_for(folder, tmp_path):
    found = task(folder, tmp_path, reading=Reading(leave_out=("rbc",)))
    assert len(found.keys) == 6 and found.classes == ("neuron",)


def test_the_table_is_one_that_data_takes_and_unsure_takes_no_part(folder, tmp_path, labelling):
    with labelling(folder, order="path") as asked:
        asked.json("press", {"items": [0, 1, 2], "label": 0})
        asked.json("press", {"items": [6, 7], "label": 1})
        asked.json("press", {"items": [8], "label": -1})
    assert [row["unsure"] for row in rows_of(asked.to)] == [""] * 5 + [UNSURE]
    found = load_dataset(asked.to)
    assert found.table["label"].value_counts().to_dict() == {"neuron": 3, "rbc": 2}
    assert any("1 of 6 rows of labels.csv has no label" in note for note in found.notes)


def test_names_of_any_kind_come_back_to_the_letter(tmp_path, save_png, labelling):
    names = [name.replace("/", "_") for name in WORST]
    for i, name in enumerate(names):
        save_png(tmp_path / "odd" / f"{name}.png", seed=i)
    with labelling(tmp_path / "odd", order="path", classes=tuple(name for name in WORST if "\u202e" not in name)) as asked:
        for i in range(len(names)):
            asked.json("press", {"items": [i], "label": i % len(asked.labelling.classes)})
        state, text = asked.json("state"), asked.ask("")[1].decode()
    assert not any("\u202e" in name for name in state["names"]) and "\u202e" not in text
    table = load_dataset(asked.to).table
    assert {path.removeprefix("odd/") for path in table["path"]} == {f"{name}.png" for name in names}
    assert set(table["label"]) == set(asked.labelling.classes)
    in_folder = tmp_path / "odd" / "labels.csv"
    with labelling(tmp_path / "odd", in_folder, order="path", classes=("a", "b"), out=tmp_path / "o") as asked:
        asked.json("press", {"items": list(range(7)), "label": 0})
        asked.json("press", {"items": list(range(7, len(names))), "label": 1})
    assert set(load_dataset(in_folder).table["path"]) == {f"{name}.png" for name in names}
    assert not [row for line in csv.reader(in_folder.open(newline="")) for row in line if row[:1] in ("=", "+", "-", "@")]


def test_a_name_that_no_table_can_hold_is_left_out_and_said(tmp_path, save_png):
    save_png(tmp_path / "odd" / "a\nb.png", seed=1)
    save_png(tmp_path / "odd" / "c.png", seed=2)
    found = task(tmp_path / "odd", tmp_path)
    assert found.keys == (("c.png",),) and any("a\\nb.png" in note for note in found.notes)


def test_cells_are_labelled_by_the_window_that_was_seen(tmp_path, labelling):
    write_demo(tmp_path / "demo", DemoSpec(images=2, slides=2, size=(96, 96), seed=1))
    data, boxes = tmp_path / "demo" / "index.csv", tmp_path / "demo" / "cells.csv"
    with labelling(data, instances="boxes:32", cells=CellFiles(boxes, None, None, 3, "pixels"), classes=("x", "y"), order="path") as asked:
        found = asked.labelling.task
        assert found.regions and len(asked.json("state")["boxes"]) == len(found.keys) > 10
        half = len(found.keys) // 2
        asked.json("press", {"items": list(range(half)), "label": 0})
        asked.json("press", {"items": list(range(half, len(found.keys))), "label": 1})
        assert asked.ask("image/0")[0] == asked.ask("large/0")[0] == 200
    again = make_instances(load_dataset(asked.to))
    cut = {(path, *box) for path, *box in again[["path", "x0", "y0", "x1", "y1"]].itertuples(index=False)}
    before = Path(asked.labelling._before)
    assert cut == {((before / str(key[0])).as_posix(), *key[1:]) for key in found.keys}
    assert set(again["instance"]) == set(found.rows["instance"])


def test_groups_and_splits_of_the_data_are_in_the_table(folder, tmp_path, labelling):
    lines = [f"{path.relative_to(folder).as_posix()},s{i % 3},{'test' if i % 2 else 'train'}" for i, path in enumerate(sorted(folder.rglob("*.png")))]
    (folder / "index.csv").write_text("\n".join(["path,group,split", *lines]))
    with labelling(folder / "index.csv", classes=("a", "b")) as asked:
        asked.json("press", {"items": list(range(6)), "label": 0})
        asked.json("press", {"items": list(range(6, 12)), "label": 1})
    told = pd.read_csv(asked.to).set_index("path")
    assert set(told["group"]) == {"s0", "s1", "s2"} and set(told["split"]) == {"train", "test"}


def test_a_table_that_is_somebody_elses_is_never_written_over(folder, tmp_path, labelling):
    to = tmp_path / "labels.csv"
    to.write_text("path,label\nraw/a.png,x\n")
    with pytest.raises(BenchError, match="is there already; expected a new file"), labelling(folder, to):
        pass
    to.unlink()
    with labelling(folder, to) as asked:
        asked.json("press", {"items": [0], "label": 0})
    with to.open("a") as file:
        file.write("raw/rbc/rbc0.png,rbc\n")
    changed = to.read_bytes()
    with pytest.raises(BenchError, match="which somebody changed since it was written"), labelling(folder, to):
        pass
    assert to.read_bytes() == changed
    for place, said in ((folder / "rbc" / "in.csv", "a table names images below"), (tmp_path, "which is a folder")):
        with pytest.raises(BenchError, match=said), labelling(folder, place):
            pass


def test_labels_of_images_that_are_gone_stay_in_the_table(folder, tmp_path, labelling):
    with labelling(folder, order="path") as asked:
        asked.json("press", {"items": [0, 1], "label": 0})
    (folder / "neuron" / "neuron0.png").unlink()
    with labelling(folder, order="path") as asked:
        assert asked.json("state")["labels"] == {"0": 0}
    assert len(rows_of(asked.to)) == 2
