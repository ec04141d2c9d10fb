"""The groups in which help shows options, in their order, and how an option is declared in one."""

from __future__ import annotations

from typing import Any

import typer

BASIC = "Basic options"
DATA = "Data"
INSTANCES = "Instances"
ENCODERS = "Encoders"
LABELS = "Labels and draws"
NOISE = "Wrong labels"
HEADS = "Heads and their settings"
STUDY = "This question"
COMPUTER = "Computer"
OUTPUT = "Output"
GENERAL = "General"
GROUPS = (BASIC, DATA, INSTANCES, ENCODERS, LABELS, NOISE, HEADS, STUDY, COMPUTER, OUTPUT, GENERAL)


def option(group: str, help_text: str, *names: str, value: str | None = None, **how: Any) -> Any:
    """Return the declaration of an option; value: the word that stands for its value, how: of `typer.Option`.

    Give its name, "--seed", where that is the word for its value too: typer 0.27 takes such an option for an argument.
    """
    return typer.Option(*names, help=help_text, rich_help_panel=group, metavar=value, **how)
