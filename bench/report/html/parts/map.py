"""The embeddings as a map: instances that an encoder finds alike lie close together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from markupsafe import Markup

from bench.report.html.context import PCA, UMAP, ReportContext, encoder_html
from bench.report.html.embedding_map import NEIGHBOURS
from bench.report.html.part import Made, Part
from bench.report.html.words import shown_text, text_html
from bench.report.pages.numbers import rate
from bench.report.pictures.axes import SERIES, mark_of
from bench.report.pictures.map import EncoderMap, best_map

WIDTH, HEIGHT, MARGIN = 680, 460, 14
SCALE = 1000  # coordinates are whole numbers from 0 to this
OTHER = (SERIES - 1, SERIES - 1, False)  # of another class


@dataclass(frozen=True, kw_only=True)
class MapWords:
    """name: of a way to draw a map. meaning: what stands behind the share that it keeps, and what distances mean."""

    name: str
    meaning: str


SAYS: Mapping[str, MapWords] = MappingProxyType({
    PCA: MapWords(
        name="Two principal components",
        meaning="of the variance. Distances hold for these two directions only: images far apart here are truly "
        "different, but images close together may differ in other directions.",
    ),
    UMAP: MapWords(
        name="UMAP",
        meaning=f"of the {NEIGHBOURS} nearest neighbours of an image are among its {NEIGHBOURS} nearest on the map. "
        "Only the neighbourhood of images has a meaning: axes, sizes of clusters and distances between them have "
        "none, and clusters may appear where there are none.",
    ),
})  # fmt: skip


def make(context: ReportContext) -> Made | None:
    """Return the map of the best encoder coloured by label, and the others as data."""
    found, best = context.map, best_map(context)
    if found is None or best is None:
        return None
    says = SAYS[found.way]
    encoders = list(found.at)
    first = best.encoder
    place = {row: i for i, row in enumerate(context.shown)}
    points = Markup("").join(
        _point(place[int(row)], int(label), at) for row, label, at in zip(best.rows, best.label, best.at, strict=True)
    )
    html = Markup(
        '{}<div class="map"><div class="wide" tabindex="-1"><svg id="map-picture" class="chart" viewBox="0 0 {} {}" '
        'tabindex="0" role="img" aria-label="Map of the embeddings of {}. Arrow keys go from image to image." '
        'aria-describedby="map-point"><rect class="frame" x="1" y="1" width="{}" height="{}"/>{}'
        '<circle id="map-ring" r="9" cx="-20" cy="-20"/></svg></div>'
        '<div class="beside"><div id="map-legend" class="legend">{}</div><div id="map-point" class="panel" '
        'role="status" aria-live="polite"><p class="small js-only">Point at an image, or move between images with '
        'the arrow keys.'
        "</p></div>"
        '<p class="small"><strong>{}</strong> of <span id="map-encoder">{}</span>: '
        '<span id="map-kept">{}</span> {}{}</p></div></div>'
    ).format(
        _choices(context, encoders), WIDTH, HEIGHT, shown_text(first), WIDTH - 2, HEIGHT - 2, points,
        legend(context.classes), says.name, encoder_html(context, first), rate(best.kept), says.meaning, _sample(best),
    )  # fmt: skip
    data = {
        "points": [place[int(row)] for row in found.rows],
        "encoders": [context.encoders.index(name) for name in encoders],
        "at": [[round(SCALE * float(value)) for value in found.at[name].ravel()] for name in encoders],
        "kept": [rate(found.kept[name]) for name in encoders],
        "methods": [next((i for i, method in enumerate(context.detailed) if method.encoder == name), -1)
                    for name in encoders],
        "size": [WIDTH, HEIGHT, MARGIN],
    }  # fmt: skip
    return Made(html=html, data={"map": data})


def _point(number: int, label: int, at: object) -> Markup:
    x, y = (round(SCALE * float(value)) for value in at)  # type: ignore[attr-defined]
    colour, shape, hollow = mark_of(label) if label >= 0 else OTHER
    return Markup('<use href="#m{}" class="{}" x="{:.1f}" y="{:.1f}" width="8" height="8" data-p="{}"/>').format(
        shape, _look(colour, hollow), MARGIN + (WIDTH - 2 * MARGIN) * x / SCALE - 4,
        MARGIN + (HEIGHT - 2 * MARGIN) * (1 - y / SCALE) - 4,
        number,
    )  # fmt: skip


def _choices(context: ReportContext, encoders: list[str]) -> Markup:
    options = Markup("").join(
        Markup('<option value="{}" data-option="{}" data-head="">{}</option>').format(
            i, context.encoders.index(name), shown_text(name)
        )
        for i, name in enumerate(encoders)
    )
    return Markup(
        '<form class="controls js-only"><label>Encoder <select id="map-pick">{}</select></label><label>Colour by '
        '<select id="map-colour"><option value="label">class</option><option value="group">group</option>'
        '<option value="right">right or wrong</option></select></label></form>'
    ).format(options)


def legend(classes: Sequence[str]) -> Markup:
    """Return shape and colour of every class."""
    return Markup("").join(
        Markup(
            '<span class="key"><svg width="11" height="11" viewBox="0 0 11 11" aria-hidden="true"><use href="#m{}" '
            'class="{}" width="11" height="11"/></svg>{}</span>'
        ).format(shape, _look(colour, hollow), text_html(name))
        for (colour, shape, hollow), name in zip(map(mark_of, range(len(classes))), classes, strict=True)
    )


def _look(colour: int, hollow: bool) -> str:
    return f"p s{colour}{' hollow' if hollow else ''}"


def _sample(found: EncoderMap) -> str:
    if len(found.rows) == found.of:
        return ""
    return f" {len(found.rows):,} of {found.of:,} images are shown, drawn by hash."


MAP = Part(
    key="map", title="Map of the embeddings", brief="Map", make=make,
    lead="Images that an encoder finds similar lie close together. Clusters by group instead of class are a warning: "
    "the encoder recognises the slide.",
    empty=lambda context: context.why.get("map", "no embedding is stored"),
)  # fmt: skip
