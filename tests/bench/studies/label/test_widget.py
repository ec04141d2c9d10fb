"""Labels in a cell of a notebook: messages in, the same journal and table out, in Python and in a browser with a fake kernel."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import bench
from bench.data.datasets import load_dataset
from bench.errors import BenchError
from bench.studies.label.journal import replay
from bench.studies.label.page import cell_module, cell_style, script
from bench.studies.label.table import journal_of

from ...report.html.browser import Opened

pytest.importorskip("anywidget", reason="anywidget is not installed ('.[notebook]')")
ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def data(tmp_path, save_png):
    for i in range(30):
        save_png(tmp_path / "raw" / f"{i:02}.png", seed=i, size=(20 + i, 40))
    return tmp_path / "raw"


def made(data: Path, **how: Any) -> Any:
    """Return a widget whose answers are kept as `heard`."""
    widget = bench.label(data, **{"to": data.parent / "labels.csv", "classes": ["a", "b"], "order": "path",
                                  "out": data.parent / "out", "progress": False, **how})  # fmt: skip
    widget.heard = []
    widget.send = lambda told, buffers: widget.heard.append((told, buffers))
    return widget


def ask(widget: Any, what: str, said: Any = None, number: int = 1) -> dict[str, Any]:
    widget._hear(widget, {"of": "view", "number": number, "ask": what, "said": said or {}}, [])
    return widget.heard[-1][0]


def labels_on_disk(to: Path) -> dict:
    return {key[0]: label for key, label in replay(journal_of(to).read_bytes())[0].labels.items()}


def test_a_press_is_in_the_journal_before_it_is_answered_and_the_table_is_the_same(data):
    widget = made(data)
    widget.send = lambda told, buffers: widget.heard.append((told, labels_on_disk(widget.path)))
    for item, label in ((0, 0), (1, 1), (2, -1)):
        widget._hear(widget, {"of": "v", "number": item, "ask": "press", "said": {"items": [item], "label": label}}, [])
    assert [len(kept) for _, kept in widget.heard] == [1, 2, 3]
    assert [told["number"] for told, _ in widget.heard] == [0, 1, 2] and {told["of"] for told, _ in widget.heard} == {"v"}
    table = widget.table()
    assert table["label"].tolist()[:2] == ["a", "b"] and table["unsure"].tolist()[2] == "unsure"
    widget.done()
    assert widget.counts() == {"a": 1, "b": 1}
    assert load_dataset(widget.path).table["label"].tolist() == ["a", "b"]


def test_undo_and_a_typed_class_are_answered_as_the_server_does(data):
    widget = made(data)
    assert ask(widget, "state")["told"]["classes"] == ["a", "b"]
    ask(widget, "press", {"items": [0, 1], "label": 0})
    assert ask(widget, "undo")["told"]["changed"] == [[0, None], [1, None]]
    assert ask(widget, "class", {"name": "neuron"})["told"]["classes"] == ["a", "b", "neuron"]
    assert "already" in ask(widget, "class", {"name": "Neuron"})["error"]
    ask(widget, "press", {"items": [3], "label": 2})
    assert labels_on_disk(widget.path) == {"03.png": "neuron"}
    widget.done()


def test_a_picture_comes_as_bytes_and_one_that_cannot_be_shown_says_why(data):
    (data / "01.png").write_bytes(b"no image")
    widget = made(data)
    told = ask(widget, "large/0")
    assert told["kind"] == "image/png" and widget.heard[-1][1][0].startswith(b"\x89PNG")
    (data / "02.png").write_bytes(b"no image any more")
    assert ask(widget, "small/1")["error"].startswith("This image cannot be shown")
    assert "no such image" in ask(widget, "large/999")["error"]
    widget.done()


@pytest.mark.parametrize("message", [
    None, [], "press", {"number": 1}, {"ask": 3}, {"ask": "../labels.csv"}, {"ask": "large/../1"}, {"ask": "press", "said": []},
    {"ask": "press", "said": {"items": "all", "label": 0}}, {"ask": "press", "said": {"items": [True], "label": 0}},
    {"ask": "press", "said": {"items": [99], "label": 0}}, {"ask": "press", "said": {"items": [0], "label": 7}},
    {"ask": "class", "said": {"name": 3}}, {"ask": "__init__", "said": {}},
])  # fmt: skip
def test_what_the_page_never_asks_changes_nothing(data, message):
    widget = made(data)
    widget._hear(widget, message, [])
    assert all("error" in told for told, _ in widget.heard)
    assert labels_on_disk(widget.path) == {}
    widget.done()


def test_a_cell_that_is_run_again_goes_on_and_the_one_before_says_that_it_has_ended(data):
    first = made(data)
    ask(first, "press", {"items": [0], "label": 0})
    again = made(data)
    assert ask(again, "state")["told"]["labels"] == {"0": 0}
    assert "after the end" in ask(first, "press", {"items": [1], "label": 0})["error"]
    ask(again, "press", {"items": [1], "label": 1})
    assert labels_on_disk(again.path) == {"00.png": "a", "01.png": "b"}
    assert ask(again, "done")["told"] == {"labels": 2}
    assert load_dataset(again.path).table["label"].tolist() == ["a", "b"]


def test_without_anywidget_the_message_says_what_to_install(data, monkeypatch):
    from bench.studies.label.widget import widget_class

    widget_class.cache_clear()
    monkeypatch.setitem(sys.modules, "anywidget", None)
    with pytest.raises(BenchError, match=r"without anywidget; expected it installed: pip install '\.\[notebook\]'"):
        made(data)
    assert not (data.parent / "labels.csv.journal").exists()
    widget_class.cache_clear()


def test_page_and_cell_share_their_script_and_the_cell_changes_nothing_outside_of_it():
    module, page = cell_module(), script().decode()
    for part in ("function labelOne", "function showGrid", "const KEYS"):
        assert part in module and part in page
    shared = module[module.index("// What is known") :]
    assert "document.querySelector" not in shared and "document.body" not in shared and "fetch(" not in module
    assert ":root" not in cell_style() and "prefers-color-scheme: dark" in cell_style()


class Cell(Opened):
    """A cell of a notebook that is none: the module in a browser, whose messages are taken to a widget and back."""

    def __init__(self, driver: Any, path: Path, widget: Any, **how: Any) -> None:
        path.write_text("<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' content='width=device-width'><title>cell</title></head>"
                        "<body><main><h1>Notebook</h1><div id='cell'></div></main></body></html>")  # fmt: skip
        super().__init__(driver, path, **how)
        self.widget = widget
        self.run(
            """window.sent = []; window.heard = new Set();
            const known = arguments[0];
            window.model = {get: (name) => known[name], send: (told) => sent.push(told),
                            on: (kind, deed) => heard.add(deed), off: (kind, deed) => heard.delete(deed)};
            const url = URL.createObjectURL(new Blob([known._esm], {type: "text/javascript"}));
            import(url).then((found) => { window.end = found.default.render({model, el: document.querySelector("#cell")}); });""",
            {name: getattr(widget, name) for name in ("_esm", "_page", "_look")},
        )
        self.wait("root && root.querySelector('#progress') && root.querySelector('#progress').textContent !== 'Loading'")

    def carry(self) -> None:
        """Take all messages to the widget, and its answers back."""
        for message in self.run("return window.sent.splice(0)"):
            self.widget.heard.clear()
            self.widget._hear(self.widget, message, [])
            for told, buffers in self.widget.heard:
                self.run(
                    "const [told, data] = arguments, bytes = data.map((one) => new DataView(Uint8Array.from(atob(one), (c) => c.charCodeAt(0)).buffer));"
                    "for (const hear of [...window.heard]) hear(told, bytes)",
                    told, [base64.b64encode(one).decode() for one in buffers],
                )  # fmt: skip

    def see(self, script: str) -> Any:
        return self.run(f"const root = document.querySelector('#cell').shadowRoot; return {script}")

    def wait(self, script: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while True:
            self.carry()
            if self.see(script):
                return
            assert time.monotonic() < end, f"{script}: {self.see('root && root.textContent')}"

    def press(self, *keys: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()
            self.carry()


def test_a_cell_labels_by_keys_one_by_one_and_many_at_once_with_undo(browser, data, tmp_path):
    widget = made(data)
    page = Cell(browser, tmp_path / "cell.html", widget)
    page.wait("root.querySelector('#picture img')?.naturalWidth === 40")
    page.run("document.querySelector('#cell').shadowRoot.querySelector('.page').focus()")
    page.press("1")
    page.wait("root.querySelector('#progress').textContent === '1 of 30, 29 left'")
    page.press("2")
    page.wait("root.querySelector('#progress').textContent === '2 of 30, 28 left'")
    page.press("u")
    page.wait("root.querySelector('#progress').textContent === '3 of 30, 27 left'")
    assert labels_on_disk(widget.path) == {"00.png": "a", "01.png": "b", "02.png": None}
    page.press("z")
    page.wait("root.querySelector('#progress').textContent === '2 of 30, 28 left'")
    page.press("g", " ", "\ue014", " ")
    page.wait("root.querySelectorAll('.tile[aria-pressed=true]').length === 2")
    page.press("1")
    page.wait("root.querySelector('#progress').textContent === '4 of 30, 26 left'")
    page.wait("[...root.querySelectorAll('#tiles img, #strip img')].every((one) => one.naturalWidth > 0)")
    assert labels_on_disk(widget.path) == {"00.png": "a", "01.png": "b", "02.png": "a", "03.png": "a"}
    page.press("n", *"glia", "\ue007")
    page.wait("root.querySelectorAll('#classes button').length === 4")
    page.press("3")  # the keys are still those of the cell
    page.wait("root.querySelector('#progress').textContent === '5 of 30, 25 left'")
    assert [url for url in page.requests() if not url.startswith("blob:")] == [] and page.errors() == []  # the module itself
    page.see("root.querySelector('#done').click()")
    page.wait("!root.querySelector('#end').hidden")
    assert sorted(load_dataset(widget.path).table["label"]) == ["a", "a", "a", "b", "glia"]
    assert widget.table()["label"].tolist() == ["a", "b", "a", "a", "glia"]


def test_keys_of_a_cell_do_not_reach_the_notebook_and_its_style_stays_within(browser, data, tmp_path):
    widget = made(data)
    page = Cell(browser, tmp_path / "cell.html", widget)
    page.run("window.keys = []; document.addEventListener('keydown', (event) => window.keys.push(event.key))")
    before = page.run("return getComputedStyle(document.body).display + getComputedStyle(document.querySelector('h1')).fontSize")
    page.run("document.querySelector('#cell').shadowRoot.querySelector('.page').focus()")
    page.press("1", "g")
    assert page.run("return window.keys") == [] and before.startswith("block") and before.endswith("32px")
    page.run("window.end()")
    assert page.run("return window.heard.size") == 0
    widget.done()


def test_what_another_view_of_the_widget_labels_is_seen_here_too(browser, data, tmp_path):
    widget = made(data)
    page = Cell(browser, tmp_path / "cell.html", widget)
    told = ask(widget, "press", {"items": [5], "label": 1})
    page.run("for (const hear of [...window.heard]) hear(arguments[0], [])", told)
    page.wait("root.querySelector('#progress').textContent === '1 of 30, 29 left'")
    widget.done()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_a_cell_is_no_wider_than_its_notebook_and_axe_finds_nothing_serious(browser, data, tmp_path, width, dark):
    widget = made(data, classes=["neuron", "a_very_long_name_of_a_class_that_does_not_end" + "x" * 30])
    page = Cell(browser, tmp_path / "cell.html", widget, width=width, dark=dark)
    page.run("document.querySelector('#cell').shadowRoot.querySelector('.page').focus()")
    for key in ("1", "g"):
        page.press(key)
        page.wait("root.querySelector('#progress').textContent === '1 of 30, 29 left'")
        assert page.run("return document.documentElement.scrollWidth") <= width
        assert page.serious("#cell") == []
    widget.done()


KERNEL = """
import json, sys, bench
widget = bench.label(sys.argv[1], to=sys.argv[2], classes=["a", "b"], order="path", out=sys.argv[3], progress=False)
widget.send = lambda told, buffers: print(json.dumps(told), flush=True)
print("ready", flush=True)
for line in sys.stdin:
    widget._hear(widget, json.loads(line), [])
"""


def test_a_kernel_that_is_killed_loses_at_most_the_press_that_was_on_its_way(data, tmp_path):
    to, sure, said = tmp_path / "labels.csv", 0, {}
    for kill_at in (3, 7):
        kernel = subprocess.Popen(
            [sys.executable, "-c", KERNEL, str(data), str(to), str(tmp_path / "out")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        )  # fmt: skip
        assert kernel.stdin and kernel.stdout and kernel.stdout.readline() == "ready\n"
        for item in range(sure, 30):
            said[f"{item:02}.png"] = "ab"[item % 2]
            message = {"of": "v", "number": item, "ask": "press", "said": {"items": [item], "label": item % 2}}
            kernel.stdin.write(json.dumps(message) + "\n")
            kernel.stdin.flush()
            if item == kill_at:
                os.kill(kernel.pid, signal.SIGKILL)  # while the press is on its way
                kernel.wait()
                break
            assert json.loads(kernel.stdout.readline())["number"] == item
        kept = labels_on_disk(to)
        assert kept == dict(list(said.items())[: len(kept)]) and len(said) - len(kept) <= 1
        said, sure = kept, len(kept)
        kernel.stdin.close(), kernel.stdout.close()
