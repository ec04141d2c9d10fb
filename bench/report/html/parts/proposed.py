"""What `bench next` proposed on the same images, where it did: what to label next, and labels to look at again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from markupsafe import Markup

from bench.data.chosen_by import BY_LOT, CHOSEN_BY
from bench.report.html.cells import ROW, as_it_is, number_html
from bench.report.html.context import Proposed, ReportContext
from bench.report.html.part import Made, Part
from bench.report.html.proposed import FOLDER, NEAR, SHOWN
from bench.report.html.words import blocks_html, short, shown_text, text_html, words_html
from bench.report.pages.model import Bullets, Code, Inline, Row, listed, say
from bench.text import counted

LONGEST = 40  # letters of the name of a file
PLACE = as_it_is("order", digits=0)


def make(context: ReportContext) -> Made | None:
    """Return how many were picked how, the images in the order of the list, and labels to look at again."""
    found = context.proposed
    if found is None:
        return None
    rows, checks = found.new.to_dict("records"), found.checks.to_dict("records")
    html = Markup("<p>{}</p>").format(words_html(_summary(rows)))
    html += _gallery([_new(found, row) for row in rows[:SHOWN]], len(rows))
    if checks:
        again = _gallery([_check(found, row) for row in checks[:SHOWN]], len(checks))
        html += Markup("<h3>Labels to look at again</h3><p>{}</p>{}").format(
            "Each is more likely wrong than right, so a second look is worth more than a new label.", again
        )
    return Made(html=html + blocks_html([Bullets(_to_know(found))]))


def _summary(rows: Sequence[Row]) -> Inline:
    """Return how many images were picked how, and why."""
    if not rows:
        return say("All images of the list are labelled by now. {command} proposes others.", command=Code("bench next"))
    ways = Counter((str(row[CHOSEN_BY]), str(row["why"])) for row in rows)
    said = [
        say("{count} drawn at random", count=count) if by == BY_LOT else
        say("{count} by {by} ({why})", count=count, by=by, why=why)
        for (by, why), count in sorted(ways.items(), key=lambda one: one[0][0] != BY_LOT)
    ]  # fmt: skip
    count = counted(len(rows), "image to label next", "images to label next")
    return say("{count}: {ways}.", count=count, ways=listed(said, ", "))


def _to_know(found: Proposed) -> tuple[Inline, ...]:
    word = f"{FOLDER}:{found.name}" if found.name else FOLDER
    says: list[Inline] = [say("{command} shows them in this order.", command=Code(f"bench label --order {word}"))]
    if found.labelled:
        there = counted(found.labelled, "image of the list has", "images of the list have")
        says.append(f"{there} a label by now and {'is' if found.labelled == 1 else 'are'} not shown.")
    if found.counts:
        there = counted(found.counts, "labelled image comes", "labelled images come")
        says.append(
            f"{there} next in the random order and {'counts' if found.counts == 1 else 'count'} as drawn at random."
        )
    return tuple(says)


def _gallery(boxes: list[Markup], count: int) -> Markup:
    if not boxes:
        return Markup("")
    more = f"Shown are {len(boxes)} of {count:,}; all of them are in next.csv." if count > len(boxes) else ""
    return Markup('<ul class="gallery">{}</ul>{}').format(
        Markup("").join(boxes), Markup('<p class="small">{}</p>').format(more) if more else ""
    )


def _new(found: Proposed, row: Row) -> Markup:
    by = str(row[CHOSEN_BY])
    mark = Markup('<span class="badge">◆ {}</span>') if by == BY_LOT else Markup('<span class="by">{}</span>')
    near = [str(row[f"near{k}_label"]) for k in range(1, NEAR + 1) if isinstance(row[f"near{k}_label"], str)]
    lines = [_name(row), _slide(row), text_html(f"nearest: {', '.join(near)}") if near else Markup("")]
    return _box(found, row, mark.format(text_html(by)), lines)


def _check(found: Proposed, row: Row) -> Markup:
    return _box(found, row, Markup(""), [_name(row), _slide(row), text_html(row["why"])])


def _box(found: Proposed, row: Row, mark: Markup, lines: list[Markup]) -> Markup:
    picture = found.pictures.get(int(row[ROW]), "")
    image = Markup('<img src="{}" width="56" height="56" alt="">').format(picture) if picture else Markup("")
    place = number_html(PLACE.text(float(row["order"])), PLACE, FOLDER, int(row[ROW]))
    said = Markup("<br>").join(line for line in lines if line)
    return Markup('<li>{}<span title="{}"><strong>{}</strong> {}<br>{}</span></li>').format(
        image, shown_text(row["path"]), place, mark, said
    )


def _name(row: Row) -> Markup:
    return text_html(short(PurePosixPath(str(row["path"])).name, LONGEST))


def _slide(row: Row) -> Markup:
    """Return the slide, unless every image is its own."""
    group = "" if row["group"] in (row["path"], "") else short(str(row["group"]), LONGEST)
    return Markup('<span class="by">{}</span>').format(text_html(group)) if group else Markup("")


PROPOSED = Part(
    key="next", title="What to label next", brief="Next", make=make,
    lead="What bench next proposed for these images. Only those drawn at random represent all of them, so estimates "
    "should rest on those alone (--drawn-only).",
)  # fmt: skip
