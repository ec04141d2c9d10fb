"""The confusion matrix of the best head of every encoder; a field opens the images that were mistaken so."""

from __future__ import annotations

import numpy as np
import pandas as pd
from markupsafe import Markup

from bench.report.html.cells import Value, number_html
from bench.report.html.context import ReportContext, head_of, labels_words, method_html, noise_words
from bench.report.html.part import Made, Part
from bench.report.html.parts.points import points_data
from bench.report.html.tables import CONFUSION as TABLE
from bench.report.html.words import shown_text, text_html
from bench.report.pages.numbers import points, whole
from bench.report.pictures.items import best_matrix

FIELDS = 4  # of mistakes that are shown without a script
IMAGES = 8  # of each
FEW = 8  # classes whose names stand side by side
SHARE = Value(column="share", text=points, share=True)


def make(context: ReportContext) -> Made | None:
    """Return the matrix of the best method, the images of its most frequent mistakes, and the others as data."""
    table = context.tables.get(TABLE)
    best = best_matrix(context)
    if table is None or best is None:
        return None
    K = len(best.classes)
    html = Markup(
        '{}<p class="figure-title" id="matrix-title">{}</p><div class="wide" tabindex="0" role="group" '
        'aria-label="Confusion matrix"><table class="matrix{}" id="matrix" aria-labelledby="matrix-title">{}'
        "</table></div>{}"
    ).format(
        _choice(context), _caption(context), " many" if K > FEW else "", _matrix(context, best.shares), _images(context)
    )
    shares = [[points(value) for value in part["share"].astype(float)] for part in _parts(table, K)]
    return Made(html=html, data={"confusion": shares, "points": points_data(context)})


def _caption(context: ReportContext) -> Markup:
    assert context.level is not None
    return Markup('<span id="matrix-method">{}</span>, {}, {}').format(
        method_html(context, context.detailed[0]), labels_words(context.level), noise_words(context.level)
    )


def _choice(context: ReportContext) -> Markup:
    """Return the choice of the method, for the matrix and all that is shown of single images."""
    options = Markup("").join(
        Markup('<option value="{}" data-option="{}" data-head="{}">{} {}</option>').format(
            i, context.encoders.index(method.encoder), head_of(method), shown_text(method.encoder), head_of(method)
        )
        for i, method in enumerate(context.detailed)
    )
    return Markup(
        '<form class="controls js-only"><label>Method <select id="pick-method">{}</select></label></form>'
    ).format(options)


def _parts(table: pd.DataFrame, K: int) -> list[pd.DataFrame]:
    return [table.iloc[i : i + K * K] for i in range(0, len(table), K * K)]


def _matrix(context: ReportContext, shares: np.ndarray) -> Markup:
    """Return the head and the body of the matrix of shares (K, K)."""
    classes = context.classes
    head = Markup("").join(Markup('<th scope="col" class="n">{}</th>').format(text_html(name)) for name in classes)
    rows = Markup("\n").join(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(
            text_html(name), Markup("").join(_field(context, i, j, shares[i, j]) for j in range(len(classes)))
        )
        for i, name in enumerate(classes)
    )
    return Markup('<thead><tr><th scope="col">class ↓ &nbsp; taken for →</th>{}</tr></thead><tbody>{}</tbody>').format(
        head, rows
    )


def _field(context: ReportContext, i: int, j: int, share: float) -> Markup:
    text = points(share)
    row = i * len(context.classes) + j
    shown = number_html(text, SHARE, TABLE, row) if text else Markup("")
    return Markup('<td class="{}" style="--a:{}%" data-i="{}" data-j="{}">{}</td>').format(
        "right" if i == j else "wrong", whole(share) or "0", i, j, shown
    )


def _images(context: ReportContext) -> Markup:
    """Return the images of the most frequent mistakes, or why there are none."""
    why = context.why.get("pictures", "")
    note = Markup('<p class="small">{}.</p>').format(text_html(why[:1].upper() + why[1:])) if why else Markup("")
    hint = Markup(
        '<p class="small js-only">Choose a field of the matrix (click, or Tab and Enter) to see its images.</p>'
    )
    boxes = Markup("").join(_box(context, i, j) for i, j in worst_fields(context))
    panel = Markup('<div id="field" class="panel" role="status" aria-live="polite" tabindex="-1">{}</div>')
    if not boxes:
        return hint + note + panel.format(Markup("<p>No image was mistaken in most draws.</p>"))
    return hint + note + panel.format(Markup("<h3>What was mistaken most often</h3>{}").format(boxes))


def worst_fields(context: ReportContext) -> list[tuple[int, int]]:
    """Return the fields (true, predicted) off the diagonal with most mistakes of the best method, most first."""
    items = context.items
    if items is None:
        return []
    counts = items.confusion[0] * (1 - np.eye(len(context.classes)))
    order = np.argsort(-counts.ravel(), kind="stable")[:FIELDS]
    found = [(int(n // len(counts)), int(n % len(counts))) for n in order]
    return [(i, j) for i, j in found if counts[i, j] > 0]


def _box(context: ReportContext, i: int, j: int) -> Markup:
    items = context.items
    assert items is not None
    times = np.where(items.y == i, items.named[0][:, j], 0)
    often = np.argsort(-times.astype(int), kind="stable")
    order = [int(n) for n in often if times[n] and int(items.rows[n]) in context.pictures]
    images = Markup("").join(
        Markup('<img src="{}" width="56" height="56" alt="{}, taken for {} in {} of {} draws" title="{}">').format(
            Markup(context.pictures[int(items.rows[n])]), shown_text(context.classes[i]),
            shown_text(context.classes[j]), int(times[n]), items.draws, shown_text(context.names[int(items.rows[n])]),
        )
        for n in order[:IMAGES]
    )  # fmt: skip
    if not images:
        return Markup("")
    return Markup('<figure class="strip"><figcaption>{} taken for {}</figcaption>{}</figure>').format(
        text_html(context.classes[i]), text_html(context.classes[j]), images
    )


CONFUSION = Part(
    key="confusion", title="What is taken for what", brief="Confusion", make=make,
    lead="Percent of the images of each class (rows) that were predicted as each class (columns), mean over draws. "
    "The diagonal is right; every row adds up to 100.",
    empty=lambda context: context.why.get("items", "no predictions are stored"),
)  # fmt: skip
