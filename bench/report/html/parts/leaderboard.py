"""The leaderboard at every level of labels and noise: sorted, filtered, and re-ranked as labels go wrong."""

from __future__ import annotations

from math import isnan
from typing import Any

from markupsafe import Markup

from bench.report.html.cells import (
    ROW,
    Column,
    Value,
    as_it_is,
    cell_html,
    in_gain,
    in_percent,
    in_points,
    in_whole_gain,
    value_text,
)
from bench.report.html.context import (
    Level,
    Method,
    ReportContext,
    encoder_html,
    head_of,
    labels_words,
    level_of_row,
    method_of,
    noise_words,
    rows_of,
)
from bench.report.html.part import Made, Part
from bench.report.html.words import shown_text, text_html
from bench.report.pages.model import Row
from bench.report.pages.numbers import decimal

TABLE = "leaderboard"
SCORE = in_points("balanced_accuracy")


#: Beside encoder, head and kind, which are texts.
COLUMNS = (
    Column(heading="rank", meaning="the ranks that a method may truly have; in 19 of 20 studies they are right for "
        "all methods at once",
           values=(Value(column="rank_low", text=lambda x: decimal(x, 0)),
                   Value(column="rank_high", text=lambda x: decimal(x, 0))),
           pattern="{0} to {1}", sort="rank_low", down=False),
    Column(heading="balanced accuracy", meaning="mean recall of the classes in percent, mean over draws",
           values=(SCORE,), sort="balanced_accuracy"),
    Column(heading="95% interval", meaning="for new training and test slides",
           values=(in_percent("ci_low"), in_percent("ci_high")), pattern="{0} to {1}", sort="ci_low"),
    Column(heading="0 to 100", meaning="balanced accuracy with its interval",
           interval=("balanced_accuracy", "ci_low", "ci_high"), sort="balanced_accuracy"),
    Column(heading="P(best)", meaning="how likely it is the best", values=(as_it_is("p_best"),), sort="p_best"),
    Column(heading="over baselines", meaning="points above the best baseline, which knows no biology, with 95% "
        "interval",
           values=(in_gain("delta_trivial"), in_whole_gain("delta_low"), in_whole_gain("delta_high")),
           pattern="{0} [{1} to {2}]",
           sort="delta_trivial"),
    Column(heading="spread", meaning="standard deviation between draws: the luck of what you happened to label",
           values=(in_points("spread"),), sort="spread", down=False),
    Column(heading="AUROC", meaning="area under the ROC curve of a class against the others",
           values=(as_it_is("auroc", 3),), sort="auroc"),
    Column(heading="log loss", meaning="mean negative log probability of the true class; lower is better",
           values=(as_it_is("log_loss", 3),), sort="log_loss", down=False),
    Column(heading="ms/image", meaning="milliseconds to embed an image on the machine that did it",
           values=(as_it_is("ms_per_image", 1),), sort="ms_per_image", down=False),
)  # fmt: skip
ROLES = {
    "encoder": "encoder",
    "baseline": "baseline: knows no biology",
    "diagnostic": "diagnostic: something was removed",
}


def make(context: ReportContext) -> Made | None:
    """Return the table at the headline level with its controls, and all levels as data."""
    if context.level is None:
        return None
    levels = levels_of(context)
    here = {method_of(row): row for row in context.at_level()}
    roles = {method_of(row): str(row["role"]) for row in context.board.to_dict("records")}
    body = Markup("\n").join(_row(context, method, here.get(method), roles[method]) for method in context.methods)
    caption = f"Methods with {labels_words(context.level)}, {noise_words(context.level)}, the best first"
    html = Markup(
        '{}<div class="wide" tabindex="0" role="group" aria-label="Leaderboard"><table id="board"><caption '
        'id="board-caption" aria-live="polite">{}</caption><thead><tr>{}</tr></thead><tbody>{}</tbody></table>'
        "</div>{}{}{}"
    ).format(_controls(levels), caption, _head(), body, MORE, PAIR, _data_links())
    return Made(html=html, data={"board": _data(context, levels)})


MORE = Markup('<button type="button" id="board-more" class="js-only" hidden>Show all</button>')
PAIR = Markup(
    '<div id="pair" class="panel js-only" role="status" aria-live="polite"><p>Tick two methods under <em>pair</em> '
    "to see how much they differ.</p></div>"
)


def levels_of(context: ReportContext) -> list[Level]:
    """Return all levels of the board, more labels first, then less noise."""
    found = {level_of_row(row) for row in context.board.to_dict("records")}
    return sorted(found, key=lambda level: (level.series, -level.shots, level.noise, level.noise_kind))


def _controls(levels: list[Level]) -> Markup:
    """Return what chooses labels, noise and rows."""
    labels = list(dict.fromkeys((level.series, level.shots) for level in levels))
    kinds = sorted({level.noise_kind for level in levels if level.noise})
    rates = sorted({level.noise for level in levels})
    options = Markup("").join(
        Markup('<option value="{}/{}">{}</option>').format(
            series, shots, labels_words(Level(series, shots, "none", 0.0))
        )
        for series, shots in labels
    )
    kind_options = Markup("").join(
        Markup('<option value="{}">{}</option>').format(shown_text(kind), text_html(kind)) for kind in kinds
    )
    parts = [
        Markup('<label>Labels <select id="pick-labels">{}</select></label>').format(options) if len(labels) > 1 else "",
        Markup('<label>Kind of wrong labels <select id="pick-kind">{}</select></label>').format(kind_options)
        if len(kinds) > 1
        else "",
        Markup(
            '<label class="slide">Wrong labels <input id="pick-noise" type="range" min="0" max="{}" step="1" value="0" '
            'aria-describedby="noise-now"> <output id="noise-now" for="pick-noise">{:.0f}%</output></label>'
        ).format(len(rates) - 1, 100 * rates[0])
        if len(rates) > 1
        else "",
        Markup('<label>Show only <input id="filter" type="search" placeholder="a name, a head" size="14"></label>'),
        Markup('<label class="tick"><input id="baselines-too" type="checkbox" checked> baselines</label>'),
    ]
    return Markup('<form class="controls js-only" id="board-controls">{}</form>').format(
        Markup("").join(part for part in parts if part)
    )


def _head() -> Markup:
    texts = ("encoder", "head", "kind")
    cells = [Markup('<th scope="col" class="js-only" title="tick two to see their difference">pair</th>')]
    cells += [_heading(text, f"text{i}", "", right=False) for i, text in enumerate(texts)]
    cells += [_heading(column.heading, str(i), column.meaning, right=True) for i, column in enumerate(COLUMNS)]
    return Markup("").join(cells)


def _heading(text: str, key: str, meaning: str, *, right: bool) -> Markup:
    title = Markup(' title="{}"').format(meaning) if meaning else Markup("")
    return Markup('<th scope="col"{}{} data-key="{}">{}</th>').format(
        Markup(' class="n"') if right else "", title, key, text
    )


def _row(context: ReportContext, method: Method, row: Row | None, role: str) -> Markup:
    number = context.methods.index(method)
    name = f"{shown_text(method.encoder)} {head_of(method)}"
    cells = Markup("").join(
        Markup('<td{}>{}</td>').format(
            Markup(' class="n"') if column.values else "", cell_html(column, row, TABLE) if row else ""
        )
        for column in COLUMNS
    )  # fmt: skip
    return Markup(
        '<tr data-m="{}" data-encoder="{}" data-role="{}"{}><td class="js-only"><input type="checkbox" '
        'aria-label="compare {}"></td><th scope="row">{}</th><td>{}</td><td class="role {}" title="{}">{}</td>{}</tr>'
    ).format(
        number, context.encoders.index(method.encoder), role, "" if row else Markup(" hidden"), name,
        encoder_html(context, method.encoder), head_of(method), role, ROLES.get(role, ""), role, cells,
    )  # fmt: skip


def _data(context: ReportContext, levels: list[Level]) -> dict[str, Any]:
    """Return every row of the board, as its cells are printed, and how they stand together."""
    number = {method: i for i, method in enumerate(context.methods)}
    at = {level: i for i, level in enumerate(levels)}
    rows = [
        [
            at[level_of_row(row)], number[method_of(row)], row[ROW],
            [[value_text(value, row) for value in column.values] for column in COLUMNS if column.values],
            [_sortable(row.get(column.sort)) for column in COLUMNS],
            [_sortable(row[name]) for name in ("balanced_accuracy", "ci_low", "ci_high")],
        ]
        for row in rows_of(context.board)
    ]  # fmt: skip
    columns = [
        {
            "pieces": column.pieces, "down": column.down,
            "values": [[value.column, value.share] for value in column.values],
        }
        for column in COLUMNS
    ]  # fmt: skip
    return {
        "levels": [[*level, labels_words(level), noise_words(level)] for level in levels], "columns": columns,
        "rows": rows, "methods": [[context.encoders.index(m.encoder), head_of(m)] for m in context.methods],
        "level": at[context.level] if context.level else 0,
    }  # fmt: skip


def _sortable(value: Any) -> float | None:
    return None if value is None or isinstance(value, str) or isnan(value) else float(f"{value:.5g}")


def _data_links() -> Markup:
    return Markup(
        '<p class="small">Scores in percent. All columns: <code>leaderboard.csv</code> beside the run. What a word '
        'means: <a href="#glossary">glossary</a>.</p>'
    )


LEADERBOARD = Part(
    key="leaderboard", title="Leaderboard", brief="Leaderboard", make=make,
    lead="Every encoder with every head. Two methods whose ranks overlap may be equally good on new slides.",
    empty=lambda context: "no row of this run was scored",
)  # fmt: skip
