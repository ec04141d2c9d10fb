"""The command line. Each command's help is its function's docstring; the work is done elsewhere."""

from __future__ import annotations

import os
import sys
import time
import traceback
from functools import partial
from typing import Annotated, NoReturn

import typer

from bench import __version__
from bench.cli import (
    ablate,
    audit,
    cite,
    data_check,
    doctor,
    export,
    extract,
    figures,
    fit,
    granularity,
    label,
    leaderboard,
    list_encoders,
    list_heads,
    pilot,
    plan,
    predict,
    pretrain,
    proxies,
    quickstart,
    report,
    run,
    segment,
    store,
    tune,
)
from bench.cli import next as next_labels
from bench.cli.command import SETTINGS, BenchGroup, command
from bench.cli.console import (
    console,
    errors,
    print_error,
    print_notes,
    speak,
    speak_for_libraries,
    speech,
)
from bench.cli.interrupts import Interrupted, asked_to_end, heed_no_more, heed_signals
from bench.cli.options.groups import GENERAL, option
from bench.cli.renamed import by_new_names
from bench.cli.streams import flush_all, open_missing
from bench.errors import BenchError
from bench.storage.atomic import refused
from bench.storage.notices import take_notices

START, WORK, TAKE = "Start here", "From images to a leaderboard", "A classifier to take home"
ASK, KEEP = "More questions", "What is stored"

app = typer.Typer(
    cls=BenchGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings=SETTINGS,
    epilog="bench quickstart\nbench data check --data Data/raw\nbench run --data Data/raw --encoder dino,texture",
)
data_app = typer.Typer(
    cls=BenchGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Look at a dataset before using it.",
    epilog="bench data check --data Data/raw",
)


def _print_version(asked: bool) -> None:
    if asked:
        console.print(f"Cell-Classifier {__version__}")
        raise typer.Exit


@app.callback()
def bench(
    version: Annotated[
        bool, option(GENERAL, "Print the version.", "--version", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Which frozen encoder, with which classical head, can you trust on your cell images, with how many labels?"""


add = partial(command, app)
command(data_app, "check", examples=data_check.EXAMPLES, panel=START, rows=True)(data_check.data_check)
add("quickstart", examples=quickstart.EXAMPLES, panel=START, rows=True)(quickstart.quickstart)
app.add_typer(data_app, name="data", rich_help_panel=START)
add("encoders", examples=list_encoders.EXAMPLES, panel=START, rows=True)(list_encoders.list_encoders)
add("heads", examples=list_heads.EXAMPLES, panel=START, rows=True)(list_heads.list_heads)
add("doctor", examples=doctor.EXAMPLES, panel=START, rows=True)(doctor.doctor)
add("label", examples=label.EXAMPLES, panel=START)(label.label)
add("next", examples=next_labels.EXAMPLES, panel=START, rows=True)(next_labels.next_up)
add("extract", examples=extract.EXAMPLES, panel=WORK, addresses=("data", "out"))(extract.extract)
add("run", examples=run.EXAMPLES, panel=WORK, rows=True, addresses=("data", "out"))(run.run)
add("leaderboard", examples=leaderboard.EXAMPLES, panel=WORK, rows=True, addresses=("out",))(leaderboard.leaderboard)
add("report", examples=report.EXAMPLES, panel=WORK)(report.report)
add("figures", examples=figures.EXAMPLES, panel=WORK)(figures.figures)
add("cite", examples=cite.EXAMPLES, panel=WORK)(cite.cite)
add("fit", examples=fit.EXAMPLES, panel=TAKE, rows=True)(fit.fit)
add("predict", examples=predict.EXAMPLES, panel=TAKE, rows=True)(predict.predict)
add("pretrain", examples=pretrain.EXAMPLES, panel=ASK, rows=True)(pretrain.pretrain)
add("tune", examples=tune.EXAMPLES, panel=ASK, rows=True)(tune.tune)
add("proxies", examples=proxies.EXAMPLES, panel=ASK, rows=True)(proxies.proxies)
add("plan", examples=plan.EXAMPLES, panel=ASK, rows=True)(plan.plan)
add("pilot", examples=pilot.EXAMPLES, panel=ASK, rows=True)(pilot.pilot)
add("ablate", examples=ablate.EXAMPLES, panel=ASK, rows=True)(ablate.ablate)
add("audit", examples=audit.EXAMPLES, panel=ASK, rows=True)(audit.audit)
add("granularity", examples=granularity.EXAMPLES, panel=ASK, rows=True)(granularity.granularity)
add("segment", examples=segment.EXAMPLES, panel=ASK, rows=True)(segment.segment)
add("prompts", examples=export.PROMPTS_EXAMPLES, panel=ASK)(export.prompts)
add("export", examples=export.EXAMPLES, panel=KEEP)(export.export)
app.add_typer(store.app, name="store", rich_help_panel=KEEP)


def main() -> None:
    """Run the command line; foreseeable mistakes exit with 2, Ctrl-C with 130 and SIGTERM with 143: no traceback."""
    take_notices()  # of what else was done in this process
    open_missing()
    speak()
    speak_for_libraries()
    heed_signals()
    started = time.monotonic()
    words, renamed = by_new_names(sys.argv[1:])
    try:
        app(words, prog_name="bench")
    except (Exception, Interrupted) as error:
        if number := asked_to_end():  # else, of a signal that came during an import, another error than Interrupted
            _end(number)
        if isinstance(error, _foreseeable()):
            print_error(*error.args)
        elif isinstance(error, OSError):  # a file, a folder or a stream that is not as it has to be
            print_error(refused(error))
        else:
            raise
        _print_where(error)
        sys.exit(2)
    finally:
        print_notes([*renamed, *take_notices()])
        if speech.verbose:
            errors.print(f"It took {time.monotonic() - started:.1f} s.")
        flush_all()


def _end(number: int) -> NoReturn:
    """Say that a signal ended the command, and end it."""
    heed_no_more()
    print_error("Interrupted. What was finished is kept; the same command goes on from there.", first="")
    flush_all()
    os._exit(128 + number)  # decode and worker threads must not hold the exit back


def _print_where(error: BaseException) -> None:
    """Print where in the code an error arose, for whoever asked for it by --verbose."""
    if speech.verbose:
        errors.print(*"".join(traceback.format_exception(error)).splitlines(), sep="\n")


def _foreseeable() -> tuple[type[Exception], ...]:
    """Return the errors whose text is for the user; one of encoders can only come of a package that was imported."""
    known = sys.modules.get("encoders.errors")  # not imported for this, as it brings numpy along
    return (BenchError, known.EncoderError) if known else (BenchError,)
