"""Write docs/options.md, every command with every option, by asking the program: `python docs/make_options.py`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from bench.cli.app import app
from bench.cli.options.kinds import with_kinds

PAGE = Path(__file__).with_name("options.md")
OF_THE_MACHINE = {"workers": "the number of cores"}  # defaults that differ from machine to machine
HEAD = """# Every command and every option

[Documentation](README.md). Made by `python docs/make_options.py` from the command line itself: do not edit this page.
A test fails where it is not up to date. The same text is shown by `bench COMMAND --help`.
"""


def commands(group: Any = None, above: str = "bench") -> Iterator[tuple[str, Any]]:
    """Yield every command that does something, by the words that call it, such as "bench data check"."""
    for name, command in (group or get_command(app)).commands.items():
        words = f"{above} {name}"
        inner = getattr(command, "commands", {})
        if not inner or command.invoke_without_command:
            yield words, command
        if inner:
            yield from commands(command, words)


def options(command: Any) -> list[Any]:
    """Return the options of a command, without `--help`."""
    return [param for param in command.params if param.param_type_name == "option" and param.name != "help"]


def names(param: Any) -> list[str]:
    """Return all names of an option, such as -e, --encoder, or --baselines, --no-baselines."""
    return [*param.opts, *param.secondary_opts]


def page() -> str:
    """Return docs/options.md as text."""
    texts = defaultdict(list)
    for words, command in commands():
        for param in options(command):
            texts[_row(param)].append(words)
    shared = [row for row, users in texts.items() if len(users) > 1]
    program = [_row(param) for param in options(get_command(app))]
    parts = [HEAD] + ["## Options of the program\n", _table(program)] * bool(program)
    parts += ["## Options that several commands share\n", _table(sorted(shared))]
    for words, command in commands():
        own = [row for param in options(command) if (row := _row(param)) not in shared]
        also = [f"`{max(param.opts, key=len)}`" for param in options(command) if _row(param) in shared]
        arguments = [
            f"`{param.name}`: {_help(param)}" for param in command.params if param.param_type_name == "argument"
        ]
        parts.append(f"## {words}\n\n{_paragraphs(command.help or '')}\n")
        parts += [f"{text}\n" for text in arguments]
        parts.append(_table(own))
        if also:
            parts.append(f"Shared, [see above](#options-that-several-commands-share): {', '.join(also)}.\n")
    return "\n".join(part for part in parts if part).rstrip() + "\n"


def _table(rows: list[str]) -> str:
    return "| option | meaning | default |\n|---|---|---|\n" + "\n".join(rows) + "\n" if rows else ""


def _row(param: Any) -> str:
    named = " / ".join(f"`{name}`" for name in names(param))
    return f"| {named} | {_help(param)} | {_default(param)} |"


def _default(param: Any) -> str:
    if param.name in OF_THE_MACHINE:
        return OF_THE_MACHINE[param.name]
    if param.required:
        return "required"
    value = param.default() if callable(param.default) else param.default
    if isinstance(value, bool):
        return "on" if value else ""
    return (
        f"`{value}`" if value is not None and str(value) not in ("", "()", "[]") and "UNSET" not in repr(value) else ""
    )


def _help(param: Any) -> str:
    return " ".join(with_kinds(param.help or "").split()).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def _paragraphs(text: str) -> str:
    """Return a docstring with a line per paragraph; what stands below a form feed is for readers of the code."""
    parts = text.partition("\f")[0].replace("\b", "").strip().split("\n\n")
    return "\n\n".join(" ".join(part.split()) for part in parts).replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
