"""What is in a dataset, as a page: what it can support, what to know of it, its classes with pictures, lost files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd
from markupsafe import Markup

from bench.data.check import CASE_STUDY, DataCheck
from bench.embeddings.thumbnails import thumbnails
from bench.report.html.anonymous import DATASET, hidden
from bench.report.html.badges import ISSUE, TIP
from bench.report.html.read import Look
from bench.report.html.still.draw import in_turn
from bench.report.html.still.page import (
    Check,
    Section,
    Tile,
    files_html,
    outcomes_html,
    page_bytes,
    pictures_html,
    sentences_html,
    table_html,
)
from bench.report.html.words import text_html
from bench.text import counted

SHOWN = 12  # pictures of a class
SIDE = 144  # pixels of a picture
CLASSES = 60  # classes that are shown with pictures


@dataclass(frozen=True, kw_only=True)
class CheckPage:
    """What a page of a dataset is made of.

    table: its instances; counts: how many there are of each class, None where they are the images themselves.
    evidence: what the data can tell by now, in a sentence. store: where cells are kept that were found.
    """

    check: DataCheck
    table: pd.DataFrame
    counts: pd.DataFrame | None
    evidence: str
    store: Path
    follow_links: bool = False


CHECKS: tuple[Check[DataCheck], ...] = (
    Check(code="D1", asks="Has every class an image that can be used?", level=ISSUE,
          found=lambda check: [f"{name}: {why}" for name, why in check.dataset.lost.items()],
          passed=lambda check: f"All {len(check.classes)} have."),
    Check(code="D2", asks="Are there enough groups to compare encoders?", level=TIP,
          found=lambda check: [check.tier_reason] if check.tier == CASE_STUDY else [],
          passed=lambda check: check.tier_reason),
    Check(code="D3", asks="Can every file be used?", level=TIP,
          found=lambda check: _skipped(check), passed=lambda check: "Every image was read."),
    Check(code="D4", asks="Does any label look like a slip?", level=TIP,
          found=lambda check: _slips(check), passed=lambda check: "None stands alone in its group."),
    Check(code="D5", asks="What else is to be known?", level=TIP,
          found=lambda check: check.warnings, passed=lambda check: "Nothing unusual was found in the files."),
)  # fmt: skip


def check_page(page: CheckPage, look: Look) -> bytes:
    """Return the page of a dataset."""
    check, dataset = page.check, page.check.dataset
    hide = _hider(page) if look.anonymous else str
    images = counted(dataset.table["path"].nunique(), "image")
    counts = f"{images} in {counted(check.n_groups, 'group')}, {counted(len(check.classes), 'class', 'classes')}."
    sections = [
        Section(key="verdict", title=f"The verdict: {check.tier}", brief="Verdict",
                html=sentences_html([hide(page.evidence)]) + outcomes_html(CHECKS, check, hide)),
        Section(key="classes", title="Classes and files", brief="Classes", lead=counts,
                html=_tables(page)),
    ]  # fmt: skip
    if look.pictures:
        sections.append(
            Section(
                key="pictures", title="What the classes look like", brief="Pictures", html=_pictures(page, look),
                lead=f"Up to {SHOWN} of each class, drawn by hash and spread over groups: not the best ones. Each "
                "is cut to the square that most encoders see.",
            )
        )  # fmt: skip
    if len(dataset.problems):
        sections.append(
            Section(key="files", title="Files that are not used", brief="Files", html=_files(check, look, hide))
        )
    return page_bytes(
        kind="What is in the data", title=DATASET if look.anonymous else dataset.name, sections=sections,
        closing="It was made by bench data check.",
    )  # fmt: skip


def _skipped(check: DataCheck) -> list[str]:
    count = check.problems["path"].nunique()
    return [f"{counted(count, 'file is', 'files are')} not used; they are listed below"] if count else []


def _slips(check: DataCheck) -> list[str]:
    return [
        f"{path}: {row['label']} in slide {row['group']}, with {row['among']} of {row['of']}"
        for row in check.slips.to_dict("records")
        for path in row["paths"]
    ]


def _tables(page: CheckPage) -> Markup:
    check = page.check
    names = ["rows", "images", "groups", "sources"]
    sizes = check.dataset.table.drop_duplicates(["path", "label"]).groupby("label")[["width", "height"]].median()
    classes = [
        [row["class"], *(f"{row[name]:,}" for name in names), "{:.0f} x {:.0f}".format(*sizes.loc[row["class"]])]
        for row in check.classes.to_dict("records")
    ]
    formats = [
        [row["dtype"], *(f"{row[name]:,}" for name in ("channels", "pages", "images"))]
        for row in check.formats.to_dict("records")
    ]
    low, mid, high = (f"{row['width']:.0f} x {row['height']:.0f}" for row in check.sizes.to_dict("records"))
    html = table_html(("class", "labelled regions", "images", "groups", "sources", "median pixels"), classes,
                      caption="Every class, with its median width x median height")  # fmt: skip
    html += table_html(("values", "channels", "pages", "images"), formats, caption="Kinds of images")
    html += Markup(
        '<p class="small">Width x height in pixels: smallest {}, median {}, largest {} (width and height each by '
        "itself).</p>"
    ).format(low, mid, high)
    if page.counts is not None:
        heads = ("class", "images", "instances", "least", "median", "most")
        rows = [[row["class"], *(f"{row[name]:,g}" for name in heads[1:])] for row in page.counts.to_dict("records")]
        html += table_html(heads, rows, caption="Instances, and how many an image has")
    return html


def _pictures(page: CheckPage, look: Look) -> Markup:
    """Return each class with pictures of some of its instances."""
    table = page.table.reset_index(drop=True)
    labels = sorted(set(table["label"]))
    rows: dict[str, list[int]] = {}
    for label in labels[:CLASSES]:
        own = table[table["label"] == label]
        drawn = in_turn(own["instance"].tolist(), own["group"].astype(str).tolist())[:SHOWN]
        rows[label] = sorted(int(row) for row in own.index[drawn])
    made, _ = thumbnails(
        table, page.check.dataset.root, [row for some in rows.values() for row in some], store=page.store, side=SIDE,
        follow_links=page.follow_links,
    )  # fmt: skip
    grouped = (table["group"].astype(str) != table["path"].astype(str)).any() and not look.anonymous
    html = Markup("")
    for label, shown in rows.items():
        count = int((table["label"] == label).sum())
        tiles = [
            Tile(picture=made.get(row), name=f"image {row + 1}" if look.anonymous else _name(table, row),
                 about=f"group {table['group'].iloc[row]}" if grouped else "")
            for row in shown
        ]  # fmt: skip
        html += Markup('<h3>{} <span class="small">{} of {}</span></h3>').format(
            text_html(label), len(tiles), f"{count:,}"
        )
        html += pictures_html(tiles)
    if len(labels) > CLASSES:
        html += Markup("<p>And {} more classes.</p>").format(len(labels) - CLASSES)
    return html


def _name(table: pd.DataFrame, row: int) -> str:
    """Return the name of the file of an instance, and where in it, where it is a part."""
    one = table.iloc[row]
    name = PurePosixPath(str(one["path"])).name
    return name if pd.isna(one["x0"]) else f"{name} at {one['x0']}, {one['y0']}"


def _files(check: DataCheck, look: Look, hide: Callable[[str], str]) -> Markup:
    listed = check.problems[["path", "reason"]].itertuples(index=False)
    files = [
        (f"file {i + 1}" if look.anonymous else str(path), hide(str(reason).replace(str(path), "it")))
        for i, (path, reason) in enumerate(listed)
    ]
    return files_html(files)


def _hider(page: CheckPage) -> Callable[[str], str]:
    """Return what takes names of files, groups, sources and the dataset out of a text."""
    dataset = page.check.dataset
    paths = [PurePosixPath(str(path)) for path in (*dataset.table["path"], *dataset.problems["path"])]
    secret = [dataset.name, str(dataset.root)]
    secret += [name for path in paths for name in (str(path), path.name, path.stem)]
    secret += dataset.table["group"].astype(str).tolist() + dataset.table["source"].dropna().astype(str).tolist()
    return hidden(secret, keep={*dataset.classes, *dataset.lost})
