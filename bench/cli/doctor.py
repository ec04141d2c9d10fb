"""`bench doctor`: what of this machine and installation works, and what to do about the rest."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from bench.cli.console import console, print_rows, speech
from bench.cli.options.groups import STUDY, option
from bench.cli.options.output import DEFAULT_OUT, Out
from bench.cli.startup import imports
from bench.cli.tables import make_column, make_table

EXAMPLES = ("bench doctor", "bench doctor --online --load", "bench doctor --out results --json")


def doctor(
    out: Out = DEFAULT_OUT,
    online: Annotated[
        bool, option(STUDY, "Also check whether the hub answers; otherwise nothing goes over a network.", "--online")
    ] = False,
    load: Annotated[
        bool,
        option(STUDY, "Also import all libraries, as a run does, and ask PyTorch for its GPUs: seconds.", "--load"),
    ] = False,
) -> None:
    """Say what works here and what is missing, each with what to do: libraries, devices, disk, hub, store.

    Nothing is changed. The exit code is 1 only where `bench run` cannot work.
    """
    with imports():
        from bench.doctor.look import look

    found = look(out, online=online, load=load)
    print_rows([asdict(one) for one in found])
    columns = (make_column(name, overflow="fold", no_wrap=name == "state") for name in ("what", "state", "found", "do"))
    table = make_table(*columns, pad_edge=False)
    part = ""
    for one in found:
        if speech.quiet and one.state == "ok":
            continue
        if one.part != part:
            part = one.part
            table.add_section()
            table.add_row(part, style="bold")
        table.add_row(one.what, one.state, one.found, one.do)
    console.print(table, soft_wrap=False)
    problems, notes = (sum(one.state == state for one in found) for state in ("problem", "note"))
    stops = [one.what for one in found if one.stops]
    if stops:
        console.print(f"`bench run` cannot work: {', '.join(stops)}.")
        raise typer.Exit(1)
    console.print(f"`bench run` can work. Problems: {problems}; notes: {notes}.")
