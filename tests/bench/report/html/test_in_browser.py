"""What a report answers to a hand, a keyboard and a reader's screen, in a browser without a network."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from bench.embeddings.embed import DataSpec
from bench.pipeline import run
from bench.protocol.protocol import Protocol
from bench.report.html.read import read_report
from bench.report.html.render import render
from bench.report.html.report import write_report
from bench.request import Request
from bench.storage.tables import read_csv

from .browser import Opened
from .test_numbers_of_reports import is_field
from .test_report import WORST, renamed

ENTER = "\ue007"


@pytest.fixture(scope="module")
def path(small_run, small_page, tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_bytes(small_page)
    return file


@pytest.fixture
def page(browser, path) -> Opened:
    return Opened(browser, path)


def shown_rows(page: Opened) -> list[tuple[str, str, float]]:
    """Return (encoder, head, balanced accuracy) of the rows of the leaderboard that are seen, from the top down."""
    rows = page.run(
        "return [...document.querySelectorAll('#board tbody tr')].filter(r => r.offsetParent !== null)"
        ".map(r => [r.cells[1].textContent, r.cells[2].textContent, r.querySelector('[data-field$=balanced_accuracy]').textContent])"
    )
    return [(encoder, head, float(score)) for encoder, head, score in rows]


def assert_numbers(page: Opened, folder: Path, within: str) -> int:
    """Hold every number that is seen within an element against its field; returns how many there are."""
    tables = {file.stem: read_csv(file) for file in folder.glob("*.csv")}
    found = page.run(
        "return [...document.querySelectorAll(arguments[0] + ' [data-field]')]"
        ".map(e => [e.dataset.field, e.textContent, 'share' in e.dataset])", within
    )  # fmt: skip
    for field, text, share in found:
        table, row, column = field.split("/")
        assert is_field(text, float(tables[table].loc[int(row), column]), share), (field, text)
    return len(found)


def use_all_of_it(page: Opened, folder: Path) -> None:
    """Sort, filter, slide, compare, open a field and go over the map; no request, no error, all numbers right."""
    first = shown_rows(page)
    assert first == sorted(first, key=lambda row: -row[2])
    page.click('#board th[data-key="text0"] button')
    by_name = [row[0] for row in shown_rows(page)]
    assert by_name == sorted(by_name, key=str.lower)
    assert page.one('#board th[data-key="text0"]').get_attribute("aria-sort") == "ascending"
    page.click('#board th[data-key="text0"] button')
    assert [row[0] for row in shown_rows(page)] == sorted(by_name, key=str.lower, reverse=True)
    page.set("#filter", first[0][0])
    assert {first[0][0]} == {row[0] for row in shown_rows(page)} or first[0][0] in by_name
    page.set("#filter", "")
    page.click('#board th[data-key="1"] button')
    assert assert_numbers(page, folder, "#board") > 20

    last = page.one("#pick-noise").get_attribute("max")
    page.set("#pick-noise", last)
    board = read_csv(folder / "leaderboard.csv")
    level = board[(board["shots"] == board["shots"].max()) & (board["noise"] == board["noise"].max())]
    ranked = level.sort_values("balanced_accuracy", ascending=False, kind="stable")
    rows = shown_rows(page)
    assert [score for _, _, score in rows] == sorted((score for _, _, score in rows), reverse=True)
    assert rows[0][2] == pytest.approx(100 * ranked["balanced_accuracy"].iloc[0], abs=0.051)
    assert f"{board['noise'].max():.0%} wrong labels" in page.text("#board-caption")
    assert assert_numbers(page, folder, "#board") > 20
    assert [e.get_attribute("data-noise") for e in page.all("#labels [data-noise]") if e.is_displayed()] == [
        f"{board['noise'].max():g}"
    ]  # fmt: skip
    page.set("#pick-noise", 0)

    boxes = "#board tbody tr:not([data-role=diagnostic]):not([hidden])"
    two = page.run("return [...document.querySelectorAll(arguments[0])].slice(0, 2).map(r => r.dataset.m)", boxes)
    page.click(f'#board tr[data-m="{two[0]}"] input')
    page.click(f'#board tr[data-m="{two[1]}"] td.role')  # a click on a row does as well
    assert "points of balanced accuracy, 95% interval" in page.text("#pair")
    assert assert_numbers(page, folder, "#pair") >= 3

    page.click('#matrix td[data-i="0"][data-j="0"] button')
    assert page.all("#field .found img") and "draws" in page.text("#field")
    page.keys('#matrix td[data-i="1"][data-j="0"] button', ENTER)
    assert " taken for " in page.text("#field h3")
    page.set("#pick-method", 1)
    assert assert_numbers(page, folder, "#matrix") > 3

    page.run("document.querySelector('#map-picture').scrollIntoView({block: 'center', behavior: 'instant'})")
    at = page.run(
        "const b = document.querySelector('#map-picture use[data-p]').getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]"
    )
    move = {"type": "mouseMoved", "x": at[0], "y": at[1]}
    page.driver.execute_cdp_cmd("Input.dispatchMouseEvent", move)
    assert page.all("#map-point img") and re.search("draws|not tested", page.text("#map-point"))
    hovered = page.text("#map-point")
    page.keys("#map-picture", "\ue014")
    assert page.text("#map-point") != hovered
    for colour in ("group", "right", "label"):
        page.set("#map-colour", colour)
        assert page.all("#map-legend .key")
    page.set("#map-pick", 1)
    assert page.requests() == [] and page.errors() == []


def test_a_report_answers_to_a_hand_without_a_request_and_without_an_error(page, small_run):
    use_all_of_it(page, small_run)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nuclei_cells", "bccd_cells"])
def test_a_report_of_real_cells_answers_as_well(browser, shared, tmp_path, name):
    request = Request(
        source=DataSpec(shared / "data" / name, group_pattern=r"([^/]+)__"),
        protocol=Protocol(shots=(1, 5), noise=(0.0, 0.2, 0.4), draws=5),
        encoders=("lite0-cells", "lite0-cells@color=grey", "thumbnail", "image-size"), heads=("knn", "logreg"),
        out=tmp_path / "results", name=name, baselines=False,
    )  # fmt: skip
    folder = run(request, command=f"bench run --data {shared / 'data' / name}").folder
    page = Opened(browser, write_report(folder))
    assert len(page.run("return document.documentElement.outerHTML")) < 4_000_000
    use_all_of_it(page, folder)


def test_encoders_are_highlighted_hidden_and_renamed_in_all_parts_at_once(page):
    page.click("#toolbox summary")
    page.set('[data-tool="0"] .rename', "<b>mine</b>")
    named = page.run("return [...document.querySelectorAll('[data-name=\"0\"]')].map(e => e.textContent)")
    assert len(named) > 5 and set(named) == {"<b>mine</b>"}
    assert "<b>mine</b>" in page.text("#pick-method") and "<b>mine</b>" in page.text("#map-pick")
    page.click('[data-tool="0"] .show')
    assert not [e for e in page.all('main [data-encoder="0"]') if e.is_displayed()]
    page.click('[data-tool="1"] .star')
    assert page.run("return document.querySelectorAll('main .series.lit, #board tr.lit').length") > 1
    page.click("#reset")
    assert "<b>mine</b>" not in page.text("body").partition('{"encoders"')[0]
    assert [e for e in page.all('main [data-encoder="0"]') if e.is_displayed()]
    page.keys("body", "\ue00c")
    assert page.one("#toolbox").get_attribute("open") is None


def test_all_can_be_reached_by_keyboard(page):
    """Every control, and every field that can be chosen, is an element that takes the focus."""
    assert page.run(
        "return [...document.querySelectorAll('#matrix td[data-i], #board th[data-key]')].every(e => e.querySelector('button'))"
    )
    assert page.run("return document.querySelector('#map-picture').tabIndex") == 0
    assert page.run(
        "return [...document.querySelectorAll('.wide')].every(e => e.tabIndex === 0 || e.querySelector('[tabindex]'))"
    )


@pytest.mark.parametrize(("width", "dark"), [(1200, False), (1200, True), (390, False)])
def test_axe_finds_nothing_serious(browser, path, width, dark):
    if not os.environ.get("CELL_AXE"):
        pytest.skip("CELL_AXE names no axe.min.js (npm pack axe-core)")
    page = Opened(browser, path, width=width, dark=dark)
    page.run("for (const one of document.querySelectorAll('details')) one.open = true")
    assert page.serious() == []


def test_a_phone_needs_no_scrolling_sideways(browser, path):
    page = Opened(browser, path, width=390, height=844)
    assert page.run("return document.documentElement.scrollWidth") <= 390


def test_it_is_whole_without_a_script(browser, path, tmp_path):
    bare = tmp_path / "bare.html"
    bare.write_text(re.sub(r"<script.*?</script>", "", path.read_text(), flags=re.DOTALL))
    page = Opened(browser, bare)
    assert len(page.run("return [...document.querySelectorAll('#board tbody tr')].filter(r => r.offsetParent)")) > 4
    assert not [e for e in page.all("form, #pair, #toolbox, #map-ring") if e.is_displayed() and e.tag_name != "circle"]
    assert page.all("#confusion img")


def test_hostile_names_run_nothing(browser, small_run, tmp_path):
    context = renamed(
        read_report(small_run), [*WORST, "{{ 7*7 }}"], "</script><script>window.evil=1</script>", WORST[1]
    )
    file = tmp_path / "hostile.html"
    file.write_bytes(render(context))
    page = Opened(browser, file)
    page.click('#matrix td[data-i="0"][data-j="1"] button')
    page.keys("#map-picture", "\ue014")
    page.set("#pick-noise", 1)
    page.click('#board tr[data-m="0"] input')
    page.click('#board tr[data-m="1"] input')
    assert page.run("return window.evil === undefined && !document.querySelector('img[src=x]')")
    assert WORST[0] in page.text("#matrix") and "alert(1)" in page.text("#map-point")
    assert page.errors() == [] and page.requests() == []


def test_files_and_classes_that_are_named_with_quotes_and_markup_have_their_pictures(browser, save_png, tmp_path):
    for i in range(24):
        label = ("it's \"a\" class", "<b>&amp;</b>")[i % 2]
        save_png(tmp_path / "raw" / label / f"s{i // 2}__'{i}\" onerror=\"window.evil=1\" x=<img src=x>.png", seed=i)
    request = Request(
        source=DataSpec(tmp_path / "raw", group_pattern=r"([^_]+)__"), protocol=Protocol(shots=(1,), draws=2),
        encoders=("texture", "thumbnail"), heads=("knn",), out=tmp_path / "out", baselines=False,
    )  # fmt: skip
    folder = run(request, command=f"bench run --data '{tmp_path / 'raw'}'").folder
    page = Opened(browser, write_report(folder))
    page.click('#matrix td[data-i="0"][data-j="1"] button')
    page.keys("#map-picture", "\ue014")
    assert page.all("#map-point img") and 'onerror="window.evil=1"' in page.text("#map-point")
    assert page.run("return [...document.images].every(image => image.naturalWidth > 0)")
    assert page.run("return window.evil === undefined && !document.querySelector('main b, img[src=x]')")
    assert page.errors() == [] and page.requests() == []


@pytest.mark.parametrize("name", ["x" * 300, "ש" * 300, "many words " * 28], ids=["one word", "right to left", "words"])
def test_names_of_300_characters_leave_the_page_as_wide_as_the_screen(browser, small_run, tmp_path, name):
    classes = [f"{name}{k}" for k in range(4)]
    file = tmp_path / "long.html"
    file.write_bytes(render(renamed(read_report(small_run), classes, name, name)))
    for width in (390, 1200):
        page = Opened(browser, file, width=width)
        page.run("for (const one of document.querySelectorAll('details')) one.open = true")
        assert page.run("return document.documentElement.scrollWidth") <= width
        assert page.serious() == [] and page.errors() == []
        assert classes[0].strip() in page.text("#matrix")
    score = "return document.querySelector('#board tbody [data-field$=balanced_accuracy]').getBoundingClientRect().right"
    assert page.run(score) < 1200
