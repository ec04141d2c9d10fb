"""Ctrl-C is heeded also where a library drops what the handler of the signal raised."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from bench.cli import console
from bench.cli.console import Interrupted, interrupt, progress_bars


@pytest.fixture(autouse=True)
def _not_asked_yet(monkeypatch):
    monkeypatch.setattr(console, "_asked", threading.Event())


def test_an_interrupt_that_was_dropped_is_raised_at_the_next_report():
    with pytest.raises(Interrupted), progress_bars() as report:
        report("embedding", 1, 3)
        with suppress(Interrupted):
            interrupt(2, None)
        report("embedding", 2, 3)
        raise AssertionError("it went on")


def test_an_interrupt_that_was_dropped_after_the_last_report_is_raised_at_the_end():
    with pytest.raises(Interrupted), progress_bars() as report:
        report("embedding", 3, 3)
        with suppress(Interrupted):
            interrupt(2, None)


def test_other_threads_are_not_interrupted():
    with suppress(Interrupted):
        interrupt(2, None)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(console.heed_interrupt).result()
    with pytest.raises(Interrupted):
        console.heed_interrupt()
