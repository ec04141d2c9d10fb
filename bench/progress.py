"""Bars of what is being done: in a terminal, in a notebook, or none.

Work reports (what, done, total), as "extract texture", 12, 48. Whatever begins with the same word is one stage with one
bar; each head has a bar of its own.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.shown import html_text
from bench.text import encodable, plain

if TYPE_CHECKING:
    from rich.console import Console

OnProgress = Callable[[str, int, int], None]  # what, done, total
FIRST = "reading images"  # shown until work reports something
REFRESH_S = 0.2  # between two pictures of a notebook's bars


def stage_of(what: str) -> str:
    """Return the name of the stage that a report belongs to."""
    return what if what.startswith("fit ") else what.split()[0]


def in_notebook() -> bool:
    """Return whether this code runs in the kernel of a notebook, which shows HTML."""
    ipython = sys.modules.get("IPython")  # not imported here: where it is not, there is no notebook
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


@contextmanager
def bars(shown: bool = True) -> Iterator[OnProgress | None]:
    """Yield a function (what, done, total) that draws bars here; None where they are not wanted or cannot be seen."""
    if not shown:
        yield None
    elif in_notebook():
        with notebook_bars() as report:
            yield report
    else:
        from rich.console import Console

        console = Console(stderr=True)
        if console.is_terminal:
            with terminal_bars(console) as report:
                yield report
        else:
            yield None


@contextmanager
def terminal_bars(console: Console, on_report: Callable[[], None] = lambda: None) -> Iterator[OnProgress]:
    """Yield a function (what, done, total) that draws a bar with its remaining time per stage; they vanish at the end.

    on_report: is called first at every report. Nothing is drawn where the console is no terminal.
    """
    if not console.is_terminal:  # and nothing is imported for it
        yield lambda what, done, total: on_report()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # A unit of fits may take minutes: the time left is estimated from the last ten.
    with Progress(*columns, console=console, transient=True, speed_estimate_period=600) as drawn:
        first = drawn.add_task(FIRST, total=None)
        tasks = {"": first}

        def report(what: str, done: int, total: int) -> None:
            on_report()
            what = encodable(plain(what), console.encoding)
            stage = stage_of(what)
            if stage not in tasks:
                drawn.update(first, visible=False)
                tasks[stage] = drawn.add_task(what, total=total)
            drawn.update(tasks[stage], description=what, completed=done, total=total)

        yield report


@dataclass
class _Stage:
    what: str
    done: int
    total: int
    began: float
    seconds: float = 0.0

    def html(self) -> str:
        share = self.done / self.total if self.total else 0.0
        if share >= 1:
            left = f"{self.seconds:.0f} s"
        else:
            left = f"{self.seconds / share * (1 - share):.0f} s left" if share else ""
        count = f"{self.done:,}/{self.total:,}"
        bar = f'<progress value="{self.done}" max="{max(self.total, 1)}">{count}</progress>'
        return f"<tr><td>{html_text(self.what)}</td><td>{bar}</td><td>{count}</td><td>{left}</td></tr>"


@contextmanager
def notebook_bars() -> Iterator[OnProgress]:
    """Yield a function (what, done, total) that draws a bar per stage below the cell; they stay, with their times.

    They are plain HTML that is replaced, so that no widget has to be installed.
    """
    from IPython.display import HTML, display

    stages: dict[str, _Stage] = {}
    handle: Any = display(HTML(f"<i>{FIRST} ...</i>"), display_id=True)
    drawn = time.monotonic()

    def draw() -> None:
        nonlocal drawn
        rows = "".join(stage.html() for stage in stages.values())
        handle.update(HTML(f'<table class="bench-progress">{rows}</table>' if rows else ""))
        drawn = time.monotonic()

    def report(what: str, done: int, total: int) -> None:
        now = time.monotonic()
        stage = stages.setdefault(stage_of(what), _Stage(what, done, total, now))
        stage.what, stage.done, stage.total, stage.seconds = what, done, total, now - stage.began
        if now - drawn >= REFRESH_S:
            draw()

    try:
        yield report
    finally:
        draw()
