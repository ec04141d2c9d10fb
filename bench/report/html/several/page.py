"""The page of several runs: what they share, one method in all of them, and the verdict of each. It has no script.

Every number of a run says which field of which table it is, as in the report of one run, and data-run says of which.
A difference names both fields: data-minus is the one that is taken away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

from markupsafe import Markup

from bench.report.html.badges import TIP, check_html
from bench.report.html.cells import ROW, Column, Value, in_percent, in_points, number_html, table_html
from bench.report.html.context import Level, labels_words
from bench.report.html.parts.verdict import verdict_html
from bench.report.html.several.read import RULES, OneRun, Several, differing, methods_in, read_several
from bench.report.html.several.shared import BOARD, WORDS, shared_html
from bench.report.html.still.page import Section, page_bytes, sentences_html
from bench.report.html.words import blocks_html, shown_text, text_html
from bench.report.pages.model import Row
from bench.report.pages.numbers import decimal, gain
from bench.report.pages.sections.across import across_datasets
from bench.report.tables.rows import head_label
from bench.storage.atomic import write_atomically
from bench.text import counted, sentence

SHOWN = 15  # rows of a table that are open
NOT_HERE = ("C10",)  # checks that need more than the tables of a run
PAIRED = (
    "A difference is paired where data and protocol are equal: both runs were trained on the same draws and tested on "
    "the same images. Otherwise it is unpaired: it then also comes from other draws, groups or splits, so it is not a "
    "difference between methods. Differences are from the first run that has the row."
)
NO_ORDER = (
    "Different data ask different questions: a higher score here does not mean that a run or a dataset is better. "
    "Rows are in the order of their names."
)


def write_several(
    folders: Sequence[Path], to: Path, links: dict[Path, str] | None = None, *, anonymous: bool = False
) -> Path:
    """Write the page of several runs and return where it is; see `read_several`."""
    write_atomically(to, several_page(read_several(folders, links, anonymous=anonymous)))
    return to


def several_page(found: Several) -> bytes:
    """Return the page, the same bytes for the same runs."""
    datasets = len({run.content for run in found.runs})
    title = f"{counted(len(found.runs), 'run')} of {counted(datasets, 'dataset')}"
    sections = [
        Section(key="together", title="What can be compared", brief="In short", html=_together(found)),
        Section(key="shared", title="What the runs share", brief="Shared", html=shared_html(found.runs),
                lead="Whatever is not the same in all runs contributes to the differences between them."),
        *_same_data(found.runs), *_other_data(found.runs), *_across(found),
        *(Section(key=f"run{run.number}", title=shown_text(_title(run)), brief=run.called, html=_verdict(run))
          for run in found.runs),
    ]  # fmt: skip
    return page_bytes(kind="Several runs", title=title, sections=sections, closing="It was made by bench report.")


def _title(run: OneRun) -> str:
    return f"{run.called}: {run.name}, data {run.dataset}" if run.name else f"{run.called}: {run.dataset}"


def _together(found: Several) -> Markup:
    """Return which runs may be compared, and what is to be known."""
    lead = [_of_dataset(runs) for runs in _by(found.runs, lambda run: run.content)]
    if len(lead) > 1:
        lead.append("Scores of different data are shown side by side; they do not say which is better.")
    notes = Markup("").join(
        check_html(TIP, f"N{number}", "", text_html(sentence(note))) for number, note in enumerate(found.notes, 1)
    )
    return sentences_html(lead) + (Markup('<ul class="checks">{}</ul>').format(notes) if notes else Markup(""))


def _of_dataset(runs: Sequence[OneRun]) -> str:
    names = _listed(runs)
    if len(runs) == 1:
        return f"R{names[1:]} is the only one of its data ({runs[0].dataset})."
    rules = [{at: {one[at] for one in run.rules} for at in range(len(RULES))} for run in runs]
    differ = [WORDS[name] for at, name in enumerate(RULES) if any(own[at] != rules[0][at] for own in rules)]
    how = f"; they differ in: {', '.join(differ)}" if differ else " and one protocol: their differences are paired"
    return f"R{names[1:]} are of the same data ({runs[0].dataset}){how}."


def _listed(runs: Sequence[OneRun]) -> str:
    names = [f"run {run.number}" for run in runs]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _by(runs: Sequence[OneRun], key: Callable[[OneRun], str]) -> list[list[OneRun]]:
    """Return runs in groups of one key, in the order of the first of each."""
    found: dict[str, list[OneRun]] = {}
    for run in runs:
        found.setdefault(key(run), []).append(run)
    return list(found.values())


def _level(row: Row) -> Level:
    return Level(str(row["series"]), int(row["shots"]), "none", 0.0)


def _same_data(runs: Sequence[OneRun]) -> list[Section]:
    """Return a section per dataset that several runs have: one method in all of them, and by how much it differs."""
    sections = []
    for number, own in enumerate((own for own in _by(runs, lambda run: run.content) if len(own) > 1), 1):
        rows = _lines(own)
        columns = [*_names(), *map(_score, own), Column(heading="difference in points", texts=_differences)]
        html = _tables(columns, rows, f"Methods of {_listed(own)}") if rows else _none()
        sections.append(Section(
            key=f"data{number}", title=shown_text(f"The same data: {own[0].dataset}"), brief=f"Same data {number}",
            html=html, lead=PAIRED,
        ))  # fmt: skip
    return sections


def _other_data(runs: Sequence[OneRun]) -> list[Section]:
    """Return the section of runs of different data, the first of each; none where all are of one dataset."""
    first = [own[0] for own in _by(runs, lambda run: run.content)]
    if len(first) < 2:
        return []
    rows = sorted(_lines(first), key=lambda row: row["key"])
    columns = [*_names(), *map(_score, first)]
    html = _tables(columns, rows, f"Methods of {_listed(first)}") if rows else _none()
    return [Section(key="other", title="Different data side by side", brief="Other data", html=html, lead=NO_ORDER)]


def _none() -> Markup:
    return Markup('<p class="missing">No encoder with the same head and number of labels is in several of them.</p>')


def _lines(runs: Sequence[OneRun]) -> list[Row]:
    """Return a row per method and labels, the most labels first, and of them the best of the first run."""
    found = [{"key": key, "runs": rows, **next(iter(rows.values()))} for key, rows in methods_in(runs).items()]
    return sorted(found, key=lambda row: (row["series"], -row["shots"], -row["balanced_accuracy"], row["key"]))


def _names() -> list[Column]:
    return [
        Column(heading="encoder", texts=lambda row: str(row["encoder"])),
        Column(heading="head", texts=lambda row: head_label(row)),
    ]


def _score(run: OneRun) -> Column:
    def text(row: Row) -> Markup:
        own = row["runs"].get(run.number)
        if own is None:
            return Markup("")
        score, low, high = (
            _number(value, own, run.number) for value in (in_points("balanced_accuracy"), in_percent("ci_low"),
                                                          in_percent("ci_high"))
        )  # fmt: skip
        return Markup('<span data-run="{}">{} [{} to {}]</span>').format(run.number, score, low, high)

    meaning = shown_text(f"balanced accuracy in percent, {run.name}")
    return Column(heading=f"{run.called} [95%]", meaning=meaning, texts=text)


def _number(value: Value, row: Row, run: int) -> Markup:
    return number_html(value.text(float(row[value.column])), value, BOARD, row[ROW])


def _differences(row: Row) -> Markup:
    """Return by how much each run differs from the first that has the row, and whether that is paired."""
    (base, first), *others = row["runs"].items()
    return Markup("<br>").join(
        Markup(
            '<span data-run="{0}" data-minus="{1}:{2}/{3}/balanced_accuracy"><span data-field="{2}/{4}/'
            'balanced_accuracy" data-difference data-share>{5}</span></span> {6}'
        ).format(
            number, base, BOARD, first[ROW], own[ROW], gain(own["balanced_accuracy"] - first["balanced_accuracy"]),
            _kind(first, own, f"run {number} - run {base}" if len(others) > 1 else ""),
        )
        for number, own in others
    )  # fmt: skip


def _kind(first: Row, own: Row, pair: str) -> str:
    differ = differing(first, own)
    kind = f"unpaired: {', '.join(WORDS[name] for name in differ)}" if differ else "paired"
    return f"{kind} ({pair})" if pair else kind


def _tables(columns: Sequence[Column], rows: Sequence[Row], caption: str) -> Markup:
    """Return a table per number of labels; all but the one of the most labels are folded."""
    out: list[Markup] = []
    order = sorted(rows, key=lambda row: (row["series"], -row["shots"]))
    for words, part in groupby(order, key=lambda row: labels_words(_level(row))):
        own = list(part)
        table = table_html(columns, own[:SHOWN], BOARD, caption=f"{caption}, {words}, no wrong labels")
        if rest := own[SHOWN:]:
            more = table_html(columns, rest, BOARD, caption=f"{caption}, {words}: the others")
            table += Markup("<details><summary>{}</summary>{}</details>").format(counted(len(rest), "more row"), more)
        out.append(table if not out else Markup("<details><summary>{}</summary>{}</details>").format(words, table))
    return Markup("").join(out)


def _across(found: Several) -> list[Section]:
    blocks = across_datasets(found.overview)
    if not blocks:
        return []
    html = blocks_html(blocks)
    lead = (
        "A method that every dataset has, over all of them: this compares methods, and neither runs nor datasets. Its "
        "tables are those that bench leaderboard writes."
    )
    return [Section(key="across", title="Across datasets", brief="Across", html=html, lead=lead)]


def _verdict(run: OneRun) -> Markup:
    inner = verdict_html(run.context, left_out=NOT_HERE)
    link = Markup("")
    if run.link:
        link = Markup('<p><a href="{}">The whole report of run {}</a></p>').format(run.link, decimal(run.number, 0))
    return Markup('<div data-run="{}">{}{}</div>').format(run.number, inner, link)
