"""The closing line of a command: what the data can tell by now, and what to type next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bench.cli.console import console, speech

if TYPE_CHECKING:
    import pandas as pd

SUGGESTED = "efficientnet-lite0,lite0-cells"  # proposed to who named no encoder: both come along


def say_next(
    after: str,
    table: pd.DataFrame,
    classes: Sequence[str],
    lost: Mapping[str, str] | None = None,
    board: pd.DataFrame | None = None,
    run: str = "",
) -> None:
    """Print it, after 'data check', 'extract', 'dry run' or 'run'.

    lost: class -> why it has no usable image; board: of the run, whose curves say what more labels bring.
    run: its name.
    """
    if speech.quiet or speech.context is None or not classes:
        return
    from bench.cli import next_step

    if next_step.typed_options(speech.context).get("--split") == ["source"]:  # sources are held out, not slides
        from bench.protocol.split_kinds import regroup

        table = regroup(table, "source")
    evidence = next_step.evidence_of(table, classes)
    typed, known = next_step.typed_options(speech.context), next_step.options_of(speech.context, "run")
    shots = ",".join(map(str, next_step.levels(evidence)))
    if after == "run":
        command = next_step.after_run(evidence, typed, known)
    elif after == "dry run":
        command = f"Next, run it: {next_step.proposal('run', typed, known, {'--dry-run': None})}"
    else:
        more = {"--shots": shots}
        if "--encoder" not in typed:
            more["--encoder"] = SUGGESTED
        if lost:
            more.update(next_step.with_lost(lost, typed))
        obstacle = next_step.obstacle(table, classes)
        command = f"`bench run` cannot use this yet. {obstacle}" if obstacle else (
            f"Next: {next_step.proposal('run', typed, known, more)}"
        )  # fmt: skip
    console.print("")
    console.print(next_step.verdict(evidence, board))
    if board is not None:
        from bench.report.pages.more_labels import more_labels

        forecast = more_labels(board)
        if forecast:
            console.print(forecast)
    console.print(command)
    if after == "run" and not next_step.names_address(typed):
        fitted = next_step.options_of(speech.context, "fit")
        diagnostic = _diagnostic(board)
        if diagnostic is not None:
            console.print(f"To classify new images: {next_step.take_home(typed, fitted, run, diagnostic)}")


def _diagnostic(board: pd.DataFrame | None) -> set[str] | None:
    """Return the encoders of a leaderboard that are diagnostics; None where no row is anything else."""
    from bench.report.tables.rows import is_diagnostic

    if board is None or board.empty:
        return set()
    found = is_diagnostic(board)
    return None if found.all() else set(board.loc[found, "encoder"])
