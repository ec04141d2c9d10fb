"""Bars of progress, where they are seen and where they are not."""

from __future__ import annotations

import io

from rich.console import Console

from bench import progress
from bench.progress import bars, stage_of, terminal_bars


def test_a_stage_is_a_word_and_every_head_one_of_its_own():
    assert [stage_of(text) for text in ("extract dino", "extract <b>", "fit knn", "fit logreg")] == [
        "extract", "extract", "fit knn", "fit logreg",
    ]  # fmt: skip


def test_nothing_is_drawn_where_nobody_looks(capsys):
    with bars() as report:
        assert report is None
    with bars(False) as report:
        assert report is None
    assert capsys.readouterr() == ("", "")


def test_a_terminal_sees_what_is_done_and_no_control_of_a_name():
    file, calls = io.StringIO(), []
    console = Console(file=file, force_terminal=True, width=100)
    with terminal_bars(console, lambda: calls.append(1)) as report:
        report("extract a\x1b]0;title\x07[red]", 3, 7)
        report("fit knn", 1, 2)
    drawn = file.getvalue()
    assert "extract a\\x1b]0;title\\x07[red]" in drawn and "3/7" in drawn and "fit knn" in drawn and "1/2" in drawn
    assert "\x1b]0;" not in drawn and len(calls) == 2


def test_a_notebook_sees_one_bar_per_stage_and_no_html_of_a_name(monkeypatch):
    shown: list[str] = []

    class Handle:
        def update(self, html) -> None:
            shown.append(html.data)

    monkeypatch.setattr("IPython.display.display", lambda html, display_id: shown.append(html.data) or Handle())
    monkeypatch.setattr(progress, "in_notebook", lambda: True)
    with bars() as report:
        report("extract <i>a</i>", 3, 6)
        report("extract b", 6, 6)
        report("fit knn", 0, 2)
    assert "reading images" in shown[0]
    assert shown[-1].count("<progress") == 2 and 'value="6" max="6"' in shown[-1] and "0/2" in shown[-1]
    assert not any("<i>a" in html for html in shown)
