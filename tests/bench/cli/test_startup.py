"""How a command imports what it needs."""

from __future__ import annotations

import gc

import pytest

from bench.cli.startup import imports


def test_the_garbage_collector_rests_during_imports_and_works_afterwards():
    frozen = gc.get_freeze_count()
    try:
        with imports():
            assert not gc.isenabled()
        assert gc.isenabled()
        assert gc.get_freeze_count() > frozen
    finally:
        gc.unfreeze()


def test_the_garbage_collector_works_after_an_import_that_fails():
    try:
        with pytest.raises(ImportError), imports():
            raise ImportError
        assert gc.isenabled()
    finally:
        gc.unfreeze()


def test_a_garbage_collector_that_was_off_stays_off():
    gc.disable()
    try:
        with imports():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()
