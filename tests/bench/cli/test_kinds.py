"""Help lists every kind of its table, so that a kind that is added needs no text elsewhere."""

from __future__ import annotations

import re
from importlib import import_module

import pytest
from typer.main import get_command

from bench.cli.app import app
from bench.cli.options.kinds import TABLES, kinds_of, with_kinds, without_kinds

OPTIONS = {"noise kinds": ("run", "--noise-kind"), "split kinds": ("run", "--split"), "selection kinds": ("run", "--select"),
           "orders": ("label", "--order"), "strategies": ("next", "--strategy"), "maps": ("report", "--map"),
           "engines": ("run", "--engine")}  # fmt: skip


def help_of(command: str, option: str) -> str:
    params = get_command(app).commands[command].params
    return next(param.help for param in params if option in param.opts)


@pytest.mark.parametrize("name", TABLES)
def test_help_names_every_kind_and_says_what_it_is(name):
    module, table = TABLES[name]
    text = help_of(*OPTIONS[name])
    shown = with_kinds(text)
    assert f"{{{name}}}" in text and "{" not in shown
    for kind, known in getattr(import_module(module), table).items():
        assert f"{kind} ({known.brief})" in shown and known.brief == known.brief.strip().rstrip(".")


def test_a_dictionary_within_an_entry_is_no_table(monkeypatch, tmp_path):
    code = 'A: dict = {"one": Kind(make=lambda x: {"a": 1}, brief="the first"), "two": Kind({}, brief="the " "second")}\n'
    (tmp_path / "table_of_kinds.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(TABLES, "toys", ("table_of_kinds", "A"))
    assert kinds_of("toys") == {"one": "the first", "two": "the second"}


def test_what_a_key_completes_to_says_what_comes_before_the_list():
    assert without_kinds("How labels go wrong: {noise kinds}.") == "How labels go wrong"
    assert without_kinds("Labels, e.g. {1}.") == with_kinds("Labels, e.g. {1}.") == "Labels, e.g. {1}."


def test_no_help_of_another_command_has_a_list_without_a_table():
    for command in get_command(app).commands.values():
        for param in command.params:
            assert not re.search(r"{[a-z ]+}", with_kinds(getattr(param, "help", None) or "")), param.name


@pytest.mark.parametrize("name", TABLES)
def test_what_is_read_of_a_table_is_what_it_holds(name):
    module, table = TABLES[name]
    assert kinds_of(name) == {kind: known.brief for kind, known in getattr(import_module(module), table).items()}
