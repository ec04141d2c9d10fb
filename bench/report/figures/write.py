"""The door for figures: a folder with every figure of a run in every format, the table, and the captions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.data.paths import refuse_among_images
from bench.report.figures.captions import FIRST, Caption, captions_md
from bench.report.figures.latex import leaderboard_tex
from bench.report.figures.plots import PLOTS
from bench.report.figures.sheet import FORMATS, drawn, not_in_font
from bench.report.html.context import ReportContext, noise_words
from bench.report.html.read import Look, data_of, read_report
from bench.report.html.words import shown_text
from bench.report.pages.model import Words, say
from bench.runs.record import read_record_of
from bench.storage.atomic import check_writable, write_beside

CAPTIONS, TABLE = "captions.md", "leaderboard.tex"
NO_LETTERS = "PNG and PDF show a box for letters that their font lacks ({letters}); SVG has them as text."
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class Written:
    """What was written: where, the names of the figures, and (figure, why it is missing)."""

    folder: Path
    made: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]


def write_figures(
    folder: Path, to: Path, formats: Sequence[str], *, anonymous: bool = False,
    report: Progress = lambda what, done, of: None,
) -> Written:  # fmt: skip
    """Write the figures of a run to a folder, all or none. Nothing is fitted.

    folder: of the run. Figures that an earlier call wrote there, and that this one has not, go. Raises BenchError where
    tables, predictions or the place to write to are missing.
    """
    check_writable(to / CAPTIONS)
    refuse_among_images(data_of(read_record_of(folder).command, folder), to, "figures")
    context = read_report(folder, Look(pictures=False, anonymous=anonymous))
    files: dict[str, bytes] = {}
    captions: list[Caption] = []
    left_out: list[tuple[str, str]] = []
    names: list[str] = []
    made: list[str] = []
    for i, plot in enumerate(PLOTS):
        report("draw figures", i, len(PLOTS))
        shown = plot.make(context)
        if shown is None:
            left_out.append((plot.key, plot.empty(context)))
            continue
        own = {f"{plot.key}.{name}": data for name, data in drawn(shown.draw, formats).items()}
        files |= own
        made.append(plot.key)
        names += shown.names
        captions.append(Caption(key=plot.key, words=shown.caption, files=list(own)))
    table = leaderboard_tex(context)
    if table is not None:
        files[TABLE] = table.encode("utf-8", "backslashreplace")
        captions.append(Caption(key="leaderboard, as a table", words=_of_table(context), files=[TABLE]))
    page = captions_md(context, captions, left_out, _notes(names))
    files[CAPTIONS] = page.encode("utf-8", "backslashreplace")
    stale = _stale(to, files)
    write_beside({to / name: data for name, data in files.items()})
    for path in stale:
        path.unlink(missing_ok=True)
    return Written(folder=to, made=tuple(made), left_out=tuple(left_out))


def _stale(to: Path, files: dict[str, bytes]) -> list[Path]:
    """Return figures of an earlier call in a folder that has captions of ours, and so is one of figures."""
    try:
        ours = (to / CAPTIONS).read_bytes().startswith(f"# {FIRST}".encode())
    except OSError:
        return []
    known = [TABLE, *(f"{plot.key}.{name}" for plot in PLOTS for name in FORMATS)]
    return [to / name for name in known if ours and name not in files]


def _of_table(context: ReportContext) -> Words:
    level = context.level
    return say(
        "Balanced accuracy in percent with its 95% interval at every number of labels, {noise}: the best head of every "
        "encoder. It needs the LaTeX package booktabs.", noise="" if level is None else noise_words(level),
    )  # fmt: skip


def _notes(names: Sequence[str]) -> list[Words]:
    letters = not_in_font([shown_text(name) for name in names])
    return [say(NO_LETTERS, letters=" ".join(letters[:8]))] if letters else []
