"""The page of labels in a browser that finds this computer alone: by keys, by a reader's screen, in the dark, on a phone."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.data.datasets import load_dataset
from bench.instances.cell_boxes import CellFiles
from bench.storage.tables import write_csv
from bench.studies.audit.findings import as_table
from bench.studies.label.journal import replay
from bench.studies.label.table import journal_of

from ...report.html.browser import Opened
from .test_items import WORST

ActionChains = pytest.importorskip("selenium.webdriver.common.action_chains", reason="selenium is not installed").ActionChains
Keys = pytest.importorskip("selenium.webdriver.common.keys", reason="selenium is not installed").Keys
ROOT = Path(__file__).resolve().parents[4]
COUNT = 200


class Page(Opened):
    """The page of a server, used by its keys."""

    def press(self, *keys: str) -> None:
        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def wait(self, script: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not self.run(f"return {script}"):
            assert time.monotonic() < end, f"{script} did not come true: {self.text('#progress')} {self.text('#alert')}"
            time.sleep(0.01)

    def label(self, key: str, labelled: int) -> None:
        """Press a key and wait until so many are said to be labelled."""
        self.press(key)
        self.wait(f"/^(All )?{labelled} /.test(document.querySelector('#progress').textContent)")

    def elsewhere(self, address: str) -> list[str]:
        return [url for url in self.requests() if not url.startswith(address)]


@pytest.fixture
def data(tmp_path, save_png):
    for i in range(30):
        save_png(tmp_path / "raw" / f"{i:02}.png", seed=i, size=(20 + i, 40))
    return tmp_path / "raw"


def opened(browser, asked, **how) -> Page:
    page = Page(browser, asked.server.address, **how)
    page.wait("document.documentElement.classList.contains('js')")
    return page


def test_one_by_one_by_keys_alone(browser, labelling, data):
    with labelling(data, classes=("neuron", "rbc"), order="path") as asked:
        page = opened(browser, asked)
        assert page.text("#progress") == "0 of 30, 30 left" and page.text("#name").startswith("00.png")
        for n, key in enumerate(("1", "2", "u", "?"), start=1):
            page.label(key, n)
        assert page.text("#progress") == "4 of 30, 26 left" and page.text("#name").startswith("04.png")
        assert asked.json("state")["labels"] == {"0": 0, "1": 1, "2": -1, "3": -1}
        page.press("z")
        page.wait("document.querySelector('#name').textContent.startsWith('03.png')")
        page.label(Keys.BACKSPACE, 2)
        page.press(Keys.ARROW_LEFT)
        assert page.text("#name").startswith("01.png") and page.text("#now") == "Label: rbc"
        page.label("1", 2)  # another label for it; then on to the first that has none
        page.wait("document.querySelector('#name').textContent.startsWith('02.png')")
        assert asked.json("state")["labels"] == {"0": 0, "1": 0}
        page.press("n", *"blast", Keys.ENTER)
        page.wait("document.querySelectorAll('.class').length === 4")
        page.label("3", 3)
        assert asked.labelling.classes == ["neuron", "rbc", "blast"] and asked.json("state")["labels"]["2"] == 2
        assert page.errors() == [] and page.elsewhere(asked.server.address) == []


def test_a_page_that_is_open_twice_knows_what_was_done_in_the_other(browser, labelling, data):
    with labelling(data, classes=("neuron", "rbc"), order="path") as asked:
        page = opened(browser, asked)
        asked.json("class", {"name": "blast"})  # another page does this
        asked.json("press", {"items": [0, 5], "label": 2})
        page.label("2", 2)  # of the first image, which the other has labelled meanwhile: the last one is right
        assert [one.text for one in page.all("#strip .chip")] == ["rbc", "blast"] and "blast" in page.text("#classes")
        assert page.text("#name").startswith("01.png")
        asked.json("press", {"items": [1], "label": 0})
        page.run("dispatchEvent(new Event('focus'))")  # somebody comes back to this page
        page.wait("document.querySelector('#progress').textContent.startsWith('3 of 30')")
        page.wait("document.querySelector('#now').textContent === 'Label: neuron'")
        assert page.errors() == []


def test_a_click_on_a_last_label_goes_back_to_it(browser, labelling, data):
    with labelling(data, classes=("neuron", "rbc"), order="path") as asked:
        page = opened(browser, asked)
        page.label("1", 1)
        page.label("2", 2)
        page.click("#strip li:last-child button")
        assert page.text("#name").startswith("00.png") and page.text("#now") == "Label: neuron"
        assert page.one("#classes [data-code='0']").get_attribute("aria-current") == "true"


def test_a_grid_labels_many_with_one_key_and_one_undo_takes_them_back(browser, labelling, data):
    with labelling(data, classes=("neuron", "rbc"), order="path") as asked:
        page = opened(browser, asked)
        page.press("g", " ", Keys.ARROW_RIGHT, " ", Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, " ")
        assert page.text("#page") == "Page 1 of 2, 24 left here, 3 selected"
        page.label("2", 3)
        assert asked.json("state")["labels"] == {"0": 1, "1": 1, "3": 1}
        assert page.run("return document.activeElement.dataset.item") == "4"  # on to what has no label
        page.label("1", 4)  # where none is selected, the one that has the focus
        page.label("z", 3)
        page.label("z", 0)
        page.press(Keys.PAGE_DOWN)
        assert page.text("#page").startswith("Page 2 of 2, 6 left here") and len(page.all(".tile")) == 6
        page.click(".tile[data-item='25']")
        assert page.one(".tile[data-item='25']").get_attribute("aria-pressed") == "true"


def test_enter_says_that_a_label_that_is_there_is_right(browser, labelling, data):
    rows = "\n".join(f"{i:02}.png,{'ab'[i % 2]}" for i in range(30))
    (data / "set.csv").write_text(f"path,label\n{rows}\n")
    with labelling(data / "set.csv", keep=True, order="path") as asked:
        page = opened(browser, asked)
        assert page.text("#now").startswith("Label so far: a") and page.text("#progress") == "0 of 30, 30 left"
        page.label(Keys.ENTER, 1)
        page.press("g", " ", Keys.ARROW_RIGHT, " ")
        page.label(Keys.ENTER, 3)
        assert asked.json("state")["labels"] == {"0": 0, "1": 1, "2": 0}


def test_names_of_any_kind_are_shown_as_text(browser, labelling, tmp_path, save_png):
    names = [name.replace("/", "_") for name in WORST]
    for i, name in enumerate(names):
        save_png(tmp_path / "odd" / f"{name}.png", seed=i)
    classes = tuple(name for name in WORST if "\u202e" not in name)
    with labelling(tmp_path / "odd", classes=classes, order="path") as asked:
        page = opened(browser, asked)
        assert [e.text for e in page.all("#classes .name")] == [*classes, "unsure"]
        for n in range(len(names)):
            assert page.run("return document.querySelector('#picture img').alt") == asked.json("state")["names"][n]
            page.label("123456789abcdefhij"[n % len(classes)], n + 1)
        page.press("g")
        assert page.run("return document.querySelectorAll('b, main script, iframe, [onerror]').length") == 0
        assert "\u202e" not in page.text("main")
        assert page.errors() == [] and page.elsewhere(asked.server.address) == []
    assert set(load_dataset(asked.to).table["label"]) == set(classes)


def test_a_cell_is_shown_within_its_image_by_one_key(browser, labelling, data):
    (data / "cells.csv").write_text("path,x0,y0,x1,y1\n" + "".join(f"{i:02}.png,10,4,20,14\n" for i in range(30)))
    cells = CellFiles(data / "cells.csv", None, None, None, "pixels")
    with labelling(data, instances="boxes:10", cells=cells, classes=("a", "b"), order="path") as asked:
        page = opened(browser, asked)
        page.wait("document.querySelector('#picture img').naturalWidth === 10")
        page.press("w")
        page.wait("document.querySelector('#picture img').naturalWidth === 40")
        mark, image = page.one(".mark").rect, page.one("#picture img").rect
        assert [round((mark[k] - image[k]) / image[size] * n) for k, size, n in (("x", "width", 40), ("y", "height", 20))] == [10, 4]
        assert page.one("#whole").get_attribute("aria-pressed") == "true"
        page.label("1", 1)
        assert page.run("return document.querySelector('#picture img').naturalWidth") == 40  # and so is the next one
        page.press("w")
        page.wait("!document.querySelector('.mark') && document.querySelector('#picture img').naturalWidth === 10")


def test_by_tab_and_enter_alone_and_what_a_screen_reader_is_told(browser, labelling, data):
    with labelling(data, classes=("neuron", "rbc"), order="path") as asked:
        page = opened(browser, asked)
        for _ in range(20):
            page.press(Keys.TAB)
            if page.run("return document.activeElement.dataset.code") == "1":
                break
        page.label(Keys.ENTER, 1)
        assert page.run("return document.activeElement.dataset.code") == "1"  # and stays there for the next image
        page.label(" ", 2)
        assert asked.json("state")["labels"] == {"0": 1, "1": 1}
        page.wait("document.querySelector('#said').textContent === 'rbc for 01.png. 2 of 30, 28 left. Now 02.png'")
        assert page.one("#said").get_attribute("aria-live") == "polite" and page.one("#alert").get_attribute("role") == "alert"
        assert page.one("#picture img").get_attribute("alt") == "02.png"
        assert [e.accessible_name for e in page.all("#classes button")] == ["1 neuron 0 so far", "2 rbc 2 so far", "u unsure 0 so far"]


def test_what_an_audit_doubts_says_why(browser, labelling, data, tmp_path):
    rows = [{"kind": "label", "path": "07.png", "label": "a", "reason": "models take it for b rather than a"}]
    write_csv(tmp_path / "out" / "audit" / "mine" / "audit.csv", as_table(rows))
    (data / "set.csv").write_text("path,label\n" + "".join(f"{i:02}.png,{'ab'[i % 2]}\n" for i in range(30)))
    with labelling(data / "set.csv", order="audit:mine") as asked:
        page = opened(browser, asked)
        assert page.text("#why") == "In doubt: models take it for b rather than a." and page.text("#name").startswith("07.png")
        assert page.text("#now").startswith("Label so far: b")
        page.press(Keys.ARROW_RIGHT)
        assert page.text("#why") == ""


def test_single_keys_can_be_switched_off_and_keys_of_the_browser_are_left_to_it(browser, labelling, data):
    with labelling(data, classes=("a", "b")) as asked:
        page = opened(browser, asked)
        ActionChains(browser).key_down(Keys.CONTROL).send_keys("1").key_up(Keys.CONTROL).perform()
        page.run("document.querySelector('#keys').open = true; document.querySelector('#single').click()")
        page.press("1", "u", "z")
        time.sleep(0.3)
        assert asked.labelling.tally().pressed == 0
        page.click("#classes [data-code='0']")
        page.wait("document.querySelector('#progress').textContent.startsWith('1 ')")


def test_an_image_that_cannot_be_shown_says_why_and_can_be_passed(browser, labelling, data):
    with labelling(data, classes=("a", "b"), order="path") as asked:
        (data / "00.png").write_bytes(b"no image any more")
        page = opened(browser, asked)
        page.wait("document.querySelector('#picture').textContent.startsWith('This image cannot be shown')")
        page.label("u", 1)
        page.wait("document.querySelector('#picture img')?.naturalWidth === 40")


def test_when_the_program_stops_the_page_says_so_and_shows_no_label_that_is_not_saved(browser, labelling, data):
    with labelling(data, classes=("a", "b"), order="path") as asked:
        page = opened(browser, asked)
        page.label("1", 1)
    page.press("2")
    page.wait("document.querySelector('#alert').textContent.startsWith('Not saved')")
    assert page.text("#progress") == "1 of 30, 29 left" and page.text("#name").startswith("01.png")


def test_done_ends_the_page_and_the_program(browser, labelling, data):
    with labelling(data, classes=("a", "b"), order="path") as asked:
        page = opened(browser, asked)
        page.label("1", 1)
        page.click("#done")
        assert asked.server.done.wait(5)
        page.wait("!document.querySelector('#end').hidden")
        assert "1 of 30 are labelled" in page.text("#end-text") and asked.to.is_file()
        assert [e.text for e in page.all("#end-classes li")] == ["a: 1"]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_nothing_is_wider_than_the_screen_and_axe_finds_nothing_serious(browser, labelling, data, width, dark):
    with labelling(data, classes=("neuron", "a_very_long_name_of_a_class_that_does_not_end" + "x" * 30), order="path") as asked:
        page = opened(browser, asked, width=width, height=844, dark=dark)
        page.label("1", 1)
        for mode in ("one", "grid"):
            if mode == "grid":
                page.press("g", " ")
            page.run("document.querySelector('#keys').open = true")
            time.sleep(0.2)
            assert page.run("return document.documentElement.scrollWidth") <= width, mode
            for button in page.all("button"):
                assert button.accessible_name or not button.is_displayed()
            assert page.serious() == [], mode


def start(data: Path, to: Path, cwd: Path) -> tuple[subprocess.Popen, str]:
    """Start the command line and return it with the address that it prints."""
    words = [sys.executable, "-m", "bench", "label", "--data", str(data), "--to", str(to), "--classes", "a,b", "--order", "path", "--no-browser"]
    process = subprocess.Popen(words, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    for line in process.stdout:
        if found := re.search(r"http://127\.0\.0\.1:\S+", line):
            return process, found[0]
    raise AssertionError(process.wait())


@pytest.mark.slow
def test_200_images_by_keys_lose_at_most_one_label_at_each_of_five_kills(browser, tmp_path, save_png):
    for i in range(COUNT):
        save_png(tmp_path / "raw" / f"{i:03}.png", seed=i)
    to, kills, said, lost = tmp_path / "labels.csv", [23, 61, 62, 120, 177], {}, []
    number = 0
    process, address = start(tmp_path / "raw", to, tmp_path)
    page = Page(browser, address)
    page.wait("document.documentElement.classList.contains('js')", 30)
    while number < COUNT:
        key = "12u"[number % 3]
        page.press(key)
        said[f"{number:03}.png"] = {"1": "a", "2": "b", "u": None}[key]
        if kills and number == kills[0]:
            kills.pop(0)
            os.kill(process.pid, signal.SIGKILL)  # while the press is on its way
            process.wait()
            kept = {key[0]: label for key, label in replay(journal_of(to).read_bytes())[0].labels.items()}
            lost.append(len(said) - len(kept))
            assert kept == dict(list(said.items())[: len(kept)]), "a label that was given is another now"
            assert lost[-1] <= 1
            said, number = kept, len(kept)
            process, address = start(tmp_path / "raw", to, tmp_path)
            page = Page(browser, address)
            page.wait(f"document.querySelector('#progress').textContent === '{number} of 200, {COUNT - number} left'", 30)
            continue
        number += 1
        page.wait(f"/^(All )?{number} |^All 200/.test(document.querySelector('#progress').textContent)")
    assert page.elsewhere(address) == []
    process.send_signal(signal.SIGINT)
    rest = process.stdout.read()
    assert process.wait() == 0 and "Labels: a 67, b 67; unsure 66. Left: 0." in rest and "Next: bench run --data" in rest, rest
    table = load_dataset(to).table
    assert {path.removeprefix("raw/"): label for path, label in zip(table["path"], table["label"], strict=True)} == {
        name: label for name, label in said.items() if label
    }
    assert len(lost) == 5
    print("labels lost at each kill:", lost)
