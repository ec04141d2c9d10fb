"""Help lists every kind of its table, so that a kind that is added needs no text elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from typer.main import get_command

from bench.cli.app import app
from bench.cli.options.kinds import TABLES, with_kinds, without_kinds

ROOT = Path(__file__).resolve().parents[3]
OPTIONS = {"noise kinds": "--noise-kind", "split kinds": "--split", "selection kinds": "--select"}


def help_of(option: str) -> str:
    params = get_command(app).commands["run"].params
    return next(param.help for param in params if option in param.opts)


@pytest.mark.parametrize("name", TABLES)
def test_help_names_every_kind_and_says_what_it_is(name):
    module, table = TABLES[name]
    text = help_of(OPTIONS[name])
    shown = with_kinds(text)
    assert f"{{{name}}}" in text and "{" not in shown
    for kind, known in getattr(import_module(module), table).items():
        assert f"{kind} ({known.brief})" in shown and known.brief == known.brief.strip().rstrip(".")


def test_what_a_key_completes_to_says_what_comes_before_the_list():
    assert without_kinds("How labels go wrong: {noise kinds}.") == "How labels go wrong"
    assert without_kinds("Labels, e.g. {1}.") == with_kinds("Labels, e.g. {1}.") == "Labels, e.g. {1}."


def test_no_help_of_another_command_has_a_list_without_a_table():
    for command in get_command(app).commands.values():
        for param in command.params:
            assert not re.search(r"{[a-z ]+}", with_kinds(getattr(param, "help", None) or "")), param.name


def test_the_tables_of_kinds_are_imported_without_pandas_which_would_make_help_slow():
    code = "import sys; " + "; ".join(f"import {module}" for module, _ in TABLES.values()) + "; print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
