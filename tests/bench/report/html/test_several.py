"""The page of several runs: numbers are those of their tables, differences are called what they are, nothing is asked for."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from bench.demo import DemoSpec, write_demo
from bench.embeddings.embed import DataSpec
from bench.errors import BenchError
from bench.pipeline import run
from bench.protocol.protocol import Protocol
from bench.report.html.several.page import several_page, write_several
from bench.report.html.several.read import Several, differing, methods_in, read_several
from bench.request import Request
from bench.storage.tables import read_csv

from .browser import Opened
from .conftest import EMPTY, take_apart
from .test_numbers_of_reports import is_field
from .test_report import WORST


class Numbers(HTMLParser):
    """Every number with a field: (run, field, attributes, text, (run, field) that is taken away)."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[tuple[str, dict[str, str]]] = []
        self.found: list[list] = []

    def handle_starttag(self, tag, attrs):
        if tag in EMPTY:
            return
        attributes = {name: value or "" for name, value in attrs}
        self.open.append((tag, attributes))
        if "data-field" in attributes:
            around = {name: value for _, one in self.open for name, value in one.items() if name in ("data-run", "data-minus")}
            self.found.append([around["data-run"], attributes["data-field"], attributes, "", around.get("data-minus", "")])

    def handle_endtag(self, tag):
        if tag not in EMPTY:
            self.open.pop()

    def handle_data(self, data):
        if self.open and "data-field" in self.open[-1][1]:
            self.found[-1][3] += data


@pytest.fixture(scope="module")
def folders(small_run, tmp_path_factory) -> list[Path]:
    """A run, another of the same data and protocol, one of the same data with fewer draws, and one of other data."""
    here = tmp_path_factory.mktemp("several")
    write_demo(here / "other" / "cells", DemoSpec(images=24, size=(64, 64), seed=5))
    made = [small_run]
    data = small_run.parents[2] / "demo" / "raw"
    for name, folder, draws in (("repeated", data, 4), ("fewer", data, 3), ("farrun", here / "other" / "cells" / "raw", 4)):
        request = Request(
            source=DataSpec(folder, group_pattern=r"([^/]+)__"), protocol=Protocol(shots=(1, 2), noise=(0.0, 0.4), draws=draws),
            encoders=("texture", "thumbnail"), heads=("knn", "centroid"), out=here / "results", name=name, baselines=False,
        )  # fmt: skip
        made.append(run(request, command=f"bench run --data '{folder}'").folder)
    return made


@pytest.fixture(scope="module")
def found(folders) -> Several:
    return read_several(folders)


@pytest.fixture(scope="module")
def page(found) -> bytes:
    return several_page(found)


def test_every_number_equals_its_field_and_every_difference_its_two(page, folders):
    reader = Numbers()
    reader.feed(page.decode())
    tables = {(str(i), path.stem): read_csv(path) for i, folder in enumerate(folders, 1) for path in folder.glob("*.csv")}

    def value(number: str, field: str) -> float:
        table, row, column = field.split("/")
        return float(tables[number, table].loc[int(row), column])

    differences = 0
    for number, field, attributes, text, minus in reader.found:
        share = "data-share" in attributes
        if minus:
            base, other = minus.split(":")
            assert is_field(text, value(number, field) - value(base, other), share), (field, text)
            differences += 1
        else:
            assert is_field(text, value(number, field), share), (field, text)
    assert differences > 10 and len(reader.found) > 100


def test_a_difference_is_paired_only_where_data_and_protocol_are_equal(found, page):
    one, again, fewer, elsewhere = found.runs
    assert one.content == again.content == fewer.content != elsewhere.content
    for rows in methods_in([one, again]).values():
        assert differing(*rows.values()) == []
        assert rows[1]["balanced_accuracy"] == rows[2]["balanced_accuracy"]  # the same draws and images give the same score
    for rows in methods_in([one, fewer]).values():
        assert differing(*rows.values()) == ["seeds"]
    text = take_apart(page).text()
    assert "+0.0 paired (run 2 - run 1)" in text and "unpaired: draws (run 3 - run 1)" in text
    assert "paired (run 4" not in text  # other data have no difference at all


def test_runs_of_different_data_stand_in_the_order_of_names(page):
    [section] = re.findall(r'<section id="other".*?</section>', page.decode(), re.DOTALL)
    first = re.search(r"<tbody>(.*?)</tbody>", section, re.DOTALL)[1]
    rows = [re.sub("<[^>]+>", " ", cells).split()[:2] for cells in re.findall(r"<tr>(.*?)</tr>", first, re.DOTALL)]
    assert len(rows) > 2 and rows == sorted(rows) and "difference" not in section
    assert "does not mean that a run or a dataset is better" in section


def test_what_runs_share_is_told_from_what_they_do_not(page):
    [section] = re.findall(r'<section id="shared".*?</section>', page.decode(), re.DOTALL)
    said = dict(re.findall(r'<th scope="row">(.*?)</th><td>.*?</span> (same|differs)</span>', section))
    assert said["split"] == said["classes"] == said["heads"] == "same"
    assert said["data"] == said["draws"] == said["encoders"] == "differs"


def test_the_page_has_the_verdict_of_every_run_and_says_what_is_of_one_dataset(page, found):
    text = take_apart(page).text()
    for one in found.runs:
        assert f'id="run{one.number}"' in page.decode() and one.name in text
    assert text.count("Best at 2 labels per class:") == len(found.runs)
    assert "Run 1, run 2 and run 3 are of the same data (drawn); they differ in: draws." in text.replace("demo", "drawn").replace("(raw)", "(drawn)")


def test_the_same_runs_give_the_same_bytes_without_script_or_request(folders, page, tmp_path):
    assert write_several(folders, tmp_path / "a.html").read_bytes() == page
    assert b"<script" not in page and b"default-src 'none'" in page
    assert not re.findall(rb'(?:src|href)="(?!#|data:)', page)


def test_an_anonymous_page_says_no_name_and_no_path(folders, page):
    hidden = several_page(read_several(folders, {folders[0]: "secret/report.html"}, anonymous=True)).decode()
    text = take_apart(hidden.encode()).text()
    for name in ("repeated", "farrun", "Run 1: drawn", "secret", str(folders[0]), "__"):
        assert name in take_apart(page).text() or name in ("secret", str(folders[0]), "__")
        assert name not in text
    assert "dataset 1" in text and "dataset 2" in text and "texture" in text and "href=\"secret" not in hidden


def test_a_run_links_to_its_own_report(folders):
    linked = several_page(read_several(folders, {folders[0]: "runs/a%20b/report.html"})).decode()
    assert linked.count('<a href="runs/a%20b/report.html">') == 1


def test_names_of_others_are_shown_as_text(found):
    runs = [dataclasses.replace(one, name=name, dataset=name) for one, name in zip(found.runs, [*WORST, "a"], strict=True)]
    swapped = several_page(dataclasses.replace(found, runs=tuple(runs), notes=tuple(WORST)))
    plain = several_page(dataclasses.replace(found, runs=tuple(dataclasses.replace(one, name="a", dataset="a") for one in runs), notes=("x",) * 3))
    tags = [[tag for tag in take_apart(one).tags if tag != "bdi"] for one in (swapped, plain)]
    assert tags[0] == tags[1] and "\u202e" not in swapped.decode()


def test_a_run_that_cannot_be_read_is_named_and_without_any_there_is_no_page(folders, tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "leaderboard.csv").write_text("encoder\n")
    with pytest.raises(BenchError, match="Got no run that can be used|missing"):
        read_several([tmp_path / "broken"])


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_nothing_is_wider_than_the_screen_and_axe_finds_nothing_serious(browser, page, tmp_path, width, dark):
    (tmp_path / "several.html").write_bytes(page)
    opened = Opened(browser, tmp_path / "several.html", width=width, dark=dark)
    opened.run("for (const one of document.querySelectorAll('details')) one.open = true")
    assert opened.run("return document.documentElement.scrollWidth") <= width
    assert opened.requests() == [] and opened.errors() == []
    assert opened.serious() == []


def test_methods_across_runs_leave_out_what_is_no_result(found):
    board = pd.concat([pd.DataFrame(one.rows) for one in found.runs])
    assert not (board["role"] == "diagnostic").any() and not (board["selection"] == "oracle").any()
