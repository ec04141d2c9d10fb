"""What `bench next` proposed is on the report of a run of the same images: its rows as they are, and of no other images."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from bench.data.chosen_by import BY_LOT, CHOSEN_BY
from bench.data.label_boxes import BOX
from bench.demo import DemoSpec, write_demo
from bench.embeddings.embed import DataSpec
from bench.pipeline import run
from bench.protocol.protocol import Protocol
from bench.report.html import proposed
from bench.report.html.context import ReportContext
from bench.report.html.parts.proposed import PROPOSED
from bench.report.html.read import Look, read_report
from bench.report.html.render import render
from bench.report.html.report import write_report
from bench.request import Request
from bench.storage.tables import csv_bytes, parse_csv, read_csv, write_csv
from bench.storage.together import put_together
from bench.studies.label_next import table as of_next
from bench.studies.label_next.run import NextRequest, next_labels

from .browser import Opened
from .conftest import take_apart
from .test_numbers_of_reports import is_field
from .test_report import WORST

PATTERN = r"(slide\d+)__"


@pytest.fixture(scope="module")
def listed(tmp_path_factory) -> Path:
    """The folder of a run of labels.csv, which has labels of half of the files of images/; what else to label is listed."""
    here = tmp_path_factory.mktemp("listed")
    rows = write_demo(here / "demo", DemoSpec(images=24, size=(48, 48)))
    (here / "images").mkdir()
    for path in rows["path"]:
        shutil.copy(here / "demo" / path, here / "images")
    names = [f"images/{Path(path).name}" for path in rows["path"]]
    table = rows.assign(path=names)[["path", "label", "group"]].sample(frac=1, random_state=0)
    write_csv(here / "labels.csv", table.head(56))
    labels = DataSpec(here / "labels.csv")
    request = Request(source=labels, protocol=Protocol(shots=(1,), draws=2), encoders=("texture",), heads=("knn",),
                      out=here / "results", name="labelled", baselines=False)  # fmt: skip
    folder = run(request, command=f"bench run --data '{here / 'labels.csv'}'").folder
    source = DataSpec(here / "images", group_pattern=PATTERN)
    next_labels(NextRequest(source=source, labels=here / "labels.csv", count=8, encoders=("texture",), out=here / "results"))
    return folder


@pytest.fixture
def copied(listed, tmp_path) -> Path:
    """The same once more, in which a test may change the list."""
    return shutil.copytree(listed.parents[2], tmp_path / "copy") / "results" / "runs" / listed.name


def context_of(folder: Path, look: Look | None = None) -> ReportContext:
    return read_report(folder, replace(look or Look(), images=folder.parents[2]))


def with_list(folder: Path, rows: pd.DataFrame, name: str = "images") -> None:
    table = pd.DataFrame(rows, columns=list(proposed.COLUMNS)).astype(dict.fromkeys(BOX, "Int64"))
    put_together(folder.parents[1] / "next" / name, {"next.csv": csv_bytes(table)}, {})


def list_of(folder: Path) -> pd.DataFrame:
    return read_csv(folder.parents[1] / "next" / "images" / "next.csv")


def section(page: bytes) -> str:
    [found] = re.findall(rb'<section id="next".*?</section>', page, re.DOTALL)
    return found.decode()


def test_a_list_is_read_as_it_is_written():
    assert (proposed.FOLDER, proposed.TABLE, proposed.NEW, proposed.CHECK, proposed.NEAR) == (
        of_next.FOLDER, of_next.TABLE, of_next.NEW, of_next.CHECK, of_next.NEAR
    )  # fmt: skip
    assert list(proposed.COLUMNS) == of_next.COLUMNS


def test_every_row_of_a_list_is_shown_in_its_order_with_its_mark_and_its_picture(listed):
    table = list_of(listed)
    new = table[table["task"] == "new"]
    page = write_report(listed).read_bytes()
    boxes = re.findall(r"<li><img src=.data:image/webp;base64,[^>]*>(.*?)</li>", section(page))
    assert len(new) == 8 and len(boxes) >= 8
    for row, box in zip(new.to_dict("records"), boxes[:8], strict=True):
        assert f'title="{row["path"]}"' in box and (">◆ random<" in box) == (row[CHOSEN_BY] == BY_LOT)
        assert row["group"] in box and f"nearest: {row['near1_label']}, {row['near2_label']}, {row['near3_label']}" in box
    drawn = int((new[CHOSEN_BY] == BY_LOT).sum())
    assert f"8 images to label next: {drawn} drawn at random, {8 - drawn} by maxherding (" in section(page)
    assert drawn >= 2 and "<code>bench label --order next:images</code>" in section(page)


def test_every_number_of_a_list_equals_its_field(listed):
    table = list_of(listed)
    numbers = [(one["data-field"], text) for one, text in take_apart(write_report(listed).read_bytes()).having("data-field")]
    own = [(field.split("/"), text) for field, text in numbers if field.startswith("next/")]
    assert len(own) == int(table["task"].isin(["new", "check"]).sum())
    for (_, row, column), text in own:
        assert column == "order" and is_field(text, float(table.loc[int(row), column]), share=False)


def test_a_run_of_other_images_or_other_labels_shows_no_list(copied, context):
    assert context.proposed is None and PROPOSED.make(context) is None
    table = list_of(copied)
    assert context_of(copied).proposed is not None
    with_list(copied, table.assign(path="other/" + table["path"], near1=None, near2=None, near3=None))
    assert context_of(copied).proposed is None
    others = table.assign(**{f"near{k}_label": "of another study" for k in (1, 2, 3)}, label=None)
    with_list(copied, others)
    assert context_of(copied).proposed is None
    with_list(copied, table)
    assert read_report(copied, Look(images=copied / "nothing here")).proposed is None


def test_images_that_have_a_label_by_now_are_counted_and_not_shown(copied):
    table = list_of(copied)
    with_label = pd.read_parquet(copied / "instances.parquet")["path"].iloc[:3].str.removeprefix("images/")
    rows = table.head(5).assign(path=[*with_label, *table["path"].iloc[3:5]])
    with_list(copied, rows)
    found = context_of(copied).proposed
    assert found is not None and found.labelled == 3 and len(found.new) == 2
    assert "3 images of the list have a label by now and are not shown." in section(render(context_of(copied)))
    with_list(copied, rows.head(3))
    assert "All images of the list are labelled by now. <code>bench next</code> proposes others." in section(
        render(context_of(copied))
    )


def test_of_several_lists_the_one_with_most_left_is_shown(copied):
    with_list(copied, list_of(copied).head(3), "a-short-one")
    assert context_of(copied).proposed.name == "images"
    file = copied.parents[1] / "next" / "images" / "next.csv"
    changed = file.read_bytes() + b"\n"
    file.write_bytes(changed)
    assert context_of(copied).proposed.name == "a-short-one" and file.read_bytes() == changed  # not ours any more
    with_list(copied, list_of(copied))
    (copied.parents[1] / "next" / "broken").mkdir()
    (copied.parents[1] / "next" / "broken" / "next.csv").write_text("path\nx.png\n")
    assert context_of(copied).proposed.name == "images"


def test_an_anonymous_page_and_one_without_images_keep_the_list_and_not_the_names(copied):
    table = list_of(copied)
    again = {**table.iloc[0].to_dict(), "task": "check", "order": 99, "label": "rbc",
             "path": table["path"].iloc[0], "why": f"labelled rbc, unlike {table['path'].iloc[0]}"}  # fmt: skip
    with_list(copied, pd.concat([table, pd.DataFrame([again])]))
    shown = section(render(context_of(copied, Look(anonymous=True, pictures=False))))
    assert "<img" not in shown and "next:images" not in shown and "labelled rbc, unlike (name)" in shown
    assert not re.search(r"slide\d", shown) and "8 images to label next" in shown


@pytest.mark.parametrize("name", [*WORST, "ש" * 40 + ".png", "x" * 300])
def test_a_list_with_hostile_names_is_shown_as_text_and_nothing_outside_is_read(copied, name):
    """The list is a file that anybody may have written: its names are text, and its paths stay below the images."""
    table = list_of(copied)
    secret = copied.parents[3] / "secret.png"
    shutil.copy(copied.parents[2] / "images" / table["path"].iloc[0], secret)
    bad = table.iloc[[0, 1]].assign(path=["../../secret.png", f"{name}.png"], why=name, group=name, **{CHOSEN_BY: name},
                                    near1_label=name)  # fmt: skip
    with_list(copied, pd.concat([table, bad]))
    page = render(context_of(copied))
    seen, own = take_apart(page), section(page)
    assert not {key for _, attributes, _ in seen.elements for key in attributes if key.startswith("on")}
    assert own.count("<script") == 0 and all(c not in own for c in "\u202e\u200f\u2028")
    [box] = re.findall(r'<li>(?:(?!</li>).)*title="../../secret.png".*?</li>', own)
    assert "<img" not in box and len(re.findall("<img", own)) == table["task"].isin(["new", "check"]).sum()


def test_cells_of_a_list_are_told_apart_by_their_place(copied):
    table = pd.read_parquet(copied / "instances.parquet").head(2)
    cells = table.assign(x0=[0, 0], y0=[0, 0], x1=[10, 20], y1=[10, 20]).astype(dict.fromkeys(BOX, "Int64"))
    listed = pd.DataFrame({"path": [cells["path"].iloc[0]] * 2, "x0": [0, 5], "y0": [0, 5], "x1": [10, 9], "y1": [10, 9],
                           "order": [1, 2], "task": "new", CHOSEN_BY: BY_LOT, "why": "drawn at random"})  # fmt: skip
    with_list(copied, listed, "of-cells")
    root = copied.parents[2]
    [lists] = [proposed.read_proposed(root / "results" / "next", cells, root)]
    assert lists is not None and lists.name == "images"  # has more left
    shutil.rmtree(root / "results" / "next" / "images")
    found = proposed.read_proposed(root / "results" / "next", cells, root)
    assert found is not None and found.labelled == 1 and found.new["x0"].tolist() == [5]
    made = proposed.with_pictures(found, root, root / "results" / "store", follow_links=False)
    assert len(made.pictures) == 1


def test_a_list_fits_a_phone_and_a_reader_of_screens_names_its_images(browser, listed, tmp_path):
    page = Opened(browser, write_report(listed), width=390, height=844)
    assert page.run("return document.documentElement.scrollWidth") <= 390
    assert page.errors() == [] and page.requests() == []
    assert len(page.all("#next .gallery img")) >= 8 and page.text("#next h2") == "What to label next"


def test_a_list_is_parsed_as_a_table_of_ours(listed):
    data = (listed.parents[1] / "next" / "images" / "next.csv").read_bytes()
    assert {*proposed.COLUMNS} == {*parse_csv(data)}


def test_classes_and_slides_that_are_called_by_numbers_keep_their_names(copied):
    table = list_of(copied)
    numbers = {"neuron": "01", "phloem": "02", "rbc": "03", "xylem": "04"}
    path = copied / "instances.parquet"
    known = pd.read_parquet(path)
    named = {name: table[name].map(numbers) for name in ("label", "near1_label", "near2_label", "near3_label")}
    with_list(copied, table.assign(**named, group="007"))
    root = copied.parents[2]
    found = proposed.read_proposed(root / "results" / "next", known.assign(label=known["label"].map(numbers)), root)
    assert found is not None and set(found.new["near1_label"]) <= set(numbers.values())
    assert set(found.new["group"]) == {"007"}
