"""What every command has in common: bundles of options, help in groups, examples, how loud it is, a file of options."""

from __future__ import annotations

import inspect
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup

from bench.cli.config import read_config
from bench.cli.console import speak
from bench.cli.options.groups import GENERAL, GROUPS, option
from bench.cli.options.kinds import with_kinds, without_kinds
from bench.cli.options.output import AsJson, Quiet, Verbose
from bench.errors import BenchError
from bench.storage.buckets.address import refuse_address
from bench.storage.notices import notice

#: Help takes the width of the terminal; -h is --help. What the root says holds for all commands below it.
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 10_000}
#: Where the context of a call holds the names of parameters that were given an empty text, which a path takes for ".".
EMPTY = "bench.empty"
#: What the library's message has for a word that belongs to no option.
EXTRA = "unexpected extra argument"
#: What it has for a word that starts with a dash and is no option.
UNKNOWN = "No such option"
#: What the library's messages, in any version, have for a value that is no number, or one out of its range.
NUMBER_ERROR = re.compile("greater than|less than|not in the range|valid (integer|number|float)")
#: The range that the library appends to the help of a number, e.g. "[default: 20; x>=1]" or "[2<=x<=8192]".
RANGE = re.compile(r"[\[ ](?:([\d.]+)<=)?x(?:>=([\d.]+)|<=([\d.]+))\]$")


def load_config(context: typer.Context, given: Path | None) -> Path | None:
    """Take the options of a file as defaults of the command; what is typed wins."""
    if given is not None and not context.resilient_parsing:
        context.default_map = {**(context.default_map or {}), **read_config(given, context.command)}
    return given


Config = Annotated[
    Path | None,
    option(
        GENERAL,
        "A TOML file of options, e.g. shots = [1, 5]; a table such as [run] is for that command only. Options on the "
        "command line take precedence.",
        "--config", value="FILE", callback=load_config, is_eager=True,
    ),
]  # fmt: skip
ALL_TAKE = {"quiet": (Quiet, False), "verbose": (Verbose, False), "config": (Config, None)}


def write_options(command: TyperCommand | TyperGroup, context: Any, formatter: Any) -> None:
    """Write the arguments and options of a command, group by group; those of no group last, with the general ones."""
    grouped: dict[str, list[tuple[str, str]]] = {"Arguments": [], **{group: [] for group in GROUPS}}
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            names, text = record
            if is_argument(parameter):
                names = argument_name(parameter)
            grouped[group_of(parameter)].append((names, with_kinds(text)))
    for group, records in grouped.items():
        if records:
            with formatter.section(group):
                formatter.write_dl(records)


def group_of(parameter: Any) -> str:
    """Return the group in which help shows a parameter."""
    if is_argument(parameter):
        return "Arguments"
    panel = getattr(parameter, "rich_help_panel", None)  # of what the library adds, such as --help
    return panel if panel in GROUPS else GENERAL


def is_argument(parameter: Any) -> bool:
    """Return whether a parameter is told by its place, and not by a name."""
    return bool(parameter.param_type_name == "argument")


def argument_name(parameter: Any) -> str:
    """Return how help and usage show an argument, e.g. [RUN...]: one way, whatever the version of the library."""
    name = (parameter.metavar or parameter.name.upper()) + "..." * (parameter.nargs == -1)
    return name if parameter.required else f"[{name}]"


def name_of(context: Any, name: str) -> str:
    """Return how a parameter is called by who types it: --group-pattern, or IMAGES where its place tells."""
    [one] = [one for one in context.command.params if one.name == name]
    return argument_name(one).strip("[].") if is_argument(one) else str(max(one.opts, key=len))


def write_examples(command: TyperCommand | TyperGroup, formatter: Any) -> None:
    """Write the examples of a command as they are typed, however narrow the terminal."""
    if command.epilog:
        with formatter.section("Examples"):
            for line in command.epilog.splitlines():
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


def range_of(text: str) -> str:
    """Return in words the range that the help of a number ends with: "[x>=1]" is " of at least 1"."""
    found = RANGE.search(text)
    if found is None:
        return ""
    low, high = found[1] or found[2], found[3]
    if low and high:
        return f" from {low} to {high}"
    return f" of at least {low}" if low else f" of at most {high}"


class BenchCommand(TyperCommand):
    """A command whose help has groups and examples."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return what follows the command's name in its usage."""
        options = [self.options_metavar] if self.options_metavar else []
        return options + [argument_name(one) for one in self.get_params(ctx) if is_argument(one)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options in groups."""
        write_options(self, ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples."""
        write_examples(self, formatter)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read what was typed; an error for a stray word, a missing option or a wrong number says what to do."""
        words = list(args)  # the library takes them out of args one by one
        try:
            self._look_over(ctx, args)
            return super().parse_args(ctx, args)
        except Exception as error:  # its class is at another place in every version of the library
            said = getattr(error, "message", "")
            if UNKNOWN in said and (named := [word for word in words if word[:1] == "-" and os.path.lexists(word)]):
                return ctx.fail(f"{said}. If you mean the file or folder {named[0]}, write ./{named[0]}.")
            if EXTRA not in said or not any("--data" in one.opts for one in self.params):
                if getattr(error, "param", None) in self.params:
                    error.message = self._what_to_do(ctx, words, error)  # type: ignore[attr-defined]
                raise
            return ctx.fail(
                f"{said}; expected only options. To name your folder or table of images, write --data before it."
            )

    def _what_to_do(self, ctx: Any, words: list[str], error: Any) -> str:
        """Return what an error about one parameter says after its name: the value, what is expected, an example."""
        one, said = error.param, str(error.message)
        if hasattr(error, "param_type"):  # it is missing
            typed = one.opts[0] if not is_argument(one) else ""
            lines = [line for line in (self.epilog or "").splitlines() if typed in line]
            example = f" For example: {lines[0]}" if lines else ""
            return f"Expected {argument_name(one).strip('[]')}: {(one.help or '').removesuffix('.')}.{example}"
        if not NUMBER_ERROR.search(said):
            return said
        value = self.make_parser(ctx).parse_args(args=words)[0].get(one.name)
        if value is None:
            value = (ctx.default_map or {}).get(one.name)
        kind = "a whole number" if "integer" in said else "a number"
        return f"Got {value}; expected {kind}{range_of(one.get_help_record(ctx)[1])}."

    def _look_over(self, ctx: Any, args: list[str]) -> None:
        """Note which parameters were given an empty text, and which options were typed several times and count once."""
        values, _, typed = self.make_parser(ctx).parse_args(args=list(args))
        several = {name: given if isinstance(given, list | tuple) else [given] for name, given in values.items()}
        ctx.meta[EMPTY] = {name for name, texts in several.items() if "" in texts}
        times = Counter(one.name for one in typed)
        for one in self.params:
            if times[one.name] > 1 and not (one.multiple or getattr(one, "is_flag", False) or is_argument(one)):
                notice(f"{max(one.opts, key=len)} was typed {times[one.name]} times; only the last one counts.")

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Return what a word may be completed to; a key that is pressed waits for no list of kinds."""
        found = super().shell_complete(ctx, incomplete)
        for one in found:
            one.help = without_kinds(one.help) if one.help else one.help
        return found


class BenchGroup(TyperGroup):
    """A command with commands below it; their help has groups and examples."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, by what they are for, and the options in groups."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for name, command in leaves(self):
            panels.setdefault(getattr(command, "rich_help_panel", None) or "Commands", []).append(
                (name, about(command))
            )
        width = max((len(name) for own in panels.values() for name, _ in own), default=0)
        for panel, own in panels.items():
            with formatter.section(panel):
                formatter.write_dl([(f"{name:<{width}}", text) for name, text in own])
        write_options(self, ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples."""
        write_examples(self, formatter)


def leaves(group: TyperGroup) -> Iterator[tuple[str, Any]]:
    """Yield (name, command) of a group, and of the groups below it, whose own name comes first: 'store', 'store check'.

    A group that does nothing by itself is left out.
    """
    for name in group.commands:
        command = group.commands[name]
        below = getattr(command, "commands", {})
        if not below or getattr(command, "invoke_without_command", False):
            yield name, command
        yield from ((f"{name} {one}", own) for one, own in below.items())


def about(command: Any) -> str:
    """Return the first line of a command's help, without its full stop."""
    return inspect.cleandoc(command.help or "").partition("\n")[0].removesuffix(".")


def command(
    app: typer.Typer,
    name: str,
    *,
    examples: Sequence[str],
    panel: str | None = None,
    rows: bool = False,
    addresses: Sequence[str] = (),
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that makes a function a command.

    A parameter that is a dataclass of options stands for all of them, in the order of the function's parameters.
    examples: lines that can be typed. panel: what it is listed under. rows: it prints a table, and so takes --json.
    addresses: parameters that may be addresses of object stores; others are refused where they are.
    """

    def mark(function: Callable[..., None]) -> Callable[..., None]:
        app.command(name, cls=BenchCommand, epilog="\n".join(examples), rich_help_panel=panel)(
            flatten(function, rows=rows, addresses=addresses)
        )
        return function

    return mark


def flatten(function: Callable[..., None], *, rows: bool = False, addresses: Sequence[str] = ()) -> Callable[..., None]:
    """Return the function with the options of its bundles, and those that all commands take, as its parameters."""
    hints = get_type_hints(function, include_extras=True)
    taken: dict[str, tuple[Any, Any]] = {}
    bundles: dict[str, tuple[type, list[str]]] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if is_dataclass(kind := hints[name]) or hasattr(kind, "options"):
            options = options_of(kind)
            bundles[name] = (kind, list(options))
            taken |= options
        else:
            taken[name] = (hints[name], parameter.default)
    own = set(taken)
    shared = {**({"as_json": (AsJson, False)} if rows else {}), **ALL_TAKE}

    def call(**given: Any) -> None:
        speak(
            quiet=given["quiet"], verbose=given["verbose"], json=given.get("as_json", False), context=given["the_call"]
        )
        empty = given["the_call"].meta.get(EMPTY, ())
        for name, value in given.items():
            if name in empty and (isinstance(value, Path) or (isinstance(value, list) and Path() in value)):
                raise BenchError(
                    f"Got an empty text for {name_of(given['the_call'], name)}; expected a path. A variable of the "
                    "shell that is not set gives an empty text; this folder is called '.'."
                )
            if isinstance(value, Path) and name not in addresses:
                refuse_address(f"--{name.replace('_', '-')}", value)
        values = {name: kind(**{one: given[one] for one in names}) for name, (kind, names) in bundles.items()}
        bundled = {one for _, names in bundles.values() for one in names}
        function(**values, **{name: given[name] for name in own - bundled})

    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in {**taken, **shared, "the_call": (typer.Context, inspect.Parameter.empty)}.items()
    ]
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    call.__name__, call.__doc__ = function.__name__, function.__doc__
    return call


@cache
def options_of(bundle: type) -> dict[str, tuple[Any, Any]]:
    """Return the options of a bundle: name -> (annotation, default), of its fields or as it says itself."""
    if hasattr(bundle, "options"):
        return dict(bundle.options())
    hints = get_type_hints(bundle, include_extras=True)
    return {field.name: (hints[field.name], field.default) for field in fields(bundle)}
