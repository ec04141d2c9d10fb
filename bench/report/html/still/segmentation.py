"""What a segmentation finds, as a page: counts by class, what to know of it, and images with their outlines."""

from __future__ import annotations

import io
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from bench.data.datasets import Dataset
from bench.images import ImageError, read_image
from bench.instances.outlines import draw_outlines
from bench.instances.segment import Segmenter
from bench.instances.segmented import label_images
from bench.report.html.badges import ISSUE, TIP
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
from bench.text import counted

SHOWN = 40  # images
SIDE = 400  # pixels along the longer side of a picture
QUALITY = 72


@dataclass(frozen=True, kw_only=True)
class Segmented:
    """What a segmentation of a dataset found.

    table: as of `bench.instances.outlines.segment_images`. heads, lines: what is shown of every class.
    """

    dataset: Dataset
    how: Segmenter
    table: pd.DataFrame
    heads: Sequence[str]
    lines: Sequence[Sequence[str]]


def _none_found(found: Segmented) -> list[str]:
    empty = found.table[found.table["cells"] == 0]["path"].tolist()
    return [f"No cell was found in {len(empty):,} of {len(found.table):,} images, e.g. {empty[0]}"] if empty else []


def _unused(found: Segmented) -> list[str]:
    count = len(_unread(found))
    return [f"{counted(count, 'file is', 'files are')} not used; they are listed below"] if count else []


def _uncompared(found: Segmented) -> list[str]:
    if "f1" not in found.table:
        return ["There are no masks of these images to compare with (--masks FOLDER): judge the outlines by eye"]
    lacking = _not_compared(found)
    return [f"{counted(len(lacking), 'image is', 'images are')} not; they are listed below"] if lacking else []


def _compared(found: Segmented) -> str:
    known = found.table["f1"].dropna()
    return f"The mean F1 at an IoU of .5 is {known.mean():.2f} over {counted(len(known), 'image')} with masks."


CHECKS: tuple[Check[Segmented], ...] = (
    Check(code="S1", asks="Are cells found?", level=ISSUE,
          found=lambda found: [] if found.table["cells"].any() else ["None is found in any image"],
          passed=lambda found: f"{counted(int(found.table['cells'].sum()), 'cell')}."),
    Check(code="S2", asks="In every image?", level=TIP, found=_none_found,
          passed=lambda found: "Every image that can be read has at least one."),
    Check(code="S3", asks="Can every file be used?", level=TIP,
          found=lambda found: _unused(found), passed=lambda found: "Every image was read."),
    Check(code="S4", asks="Were they compared with masks?", level=TIP, found=_uncompared, passed=_compared),
)  # fmt: skip


def segment_page(found: Segmented, cache: Path | None) -> bytes:
    """Return the page of a segmentation. cache: where its labels are kept, so that nothing is found again."""
    table = found.table
    cells, images = counted(int(table["cells"].sum()), "cell"), counted(len(table), "image")
    lead = [f"{cells} in {images}, {table['cells'].median():g} in the median image."]
    lead += [_compared(found)] if "f1" in table else []
    settings = ", ".join(f"{name}={value}" for name, value in vars(found.how).items())
    tiles = _tiles(found, cache)
    part = f"{len(tiles)} of {images}, drawn by hash with the classes taking turns"
    many = part if len(tiles) < len(table) else images
    sections = [
        Section(key="verdict", title="What was found", brief="Found",
                html=sentences_html(lead) + outcomes_html(CHECKS, found)),
        Section(key="classes", title="Cells by class", brief="Classes",
                lead="A program found these cells, and it errs: look at its outlines before you use it.",
                html=table_html(found.heads, found.lines, caption=f"Settings: {settings}")),
        Section(key="pictures", title="Outlines over images", brief="Outlines", html=pictures_html(tiles, wider=True),
                lead=f"{many}. At full size they lie in the folder outlines."),
    ]  # fmt: skip
    files = [*_unread(found), *_not_compared(found)]
    if files:
        sections.append(
            Section(key="files", title="Files that are not used", brief="Files", html=files_html(files))
        )
    return page_bytes(kind="Outlines of cells", title=found.dataset.name, sections=sections,
                      closing="It was made by bench segment.")  # fmt: skip


def _unread(found: Segmented) -> list[tuple[str, str]]:
    """Return (path, why) of every image that was not segmented."""
    problems = found.dataset.problems
    known = list(zip(problems["path"].astype(str), problems["reason"].astype(str), strict=True))
    left = sorted({*found.dataset.table["path"]} - {*found.table["path"]} - {*problems["path"]})
    return known + [(path, "it cannot be decoded, or changed while it was read") for path in left]


def _not_compared(found: Segmented) -> list[tuple[str, str]]:
    if "mask_problem" not in found.table:
        return []
    lacking = found.table[["path", "mask_problem"]].dropna()
    return [(path, f"not compared, {why}") for path, why in lacking.itertuples(index=False)]


def _tiles(found: Segmented, cache: Path | None) -> list[Tile]:
    """Return some images with the outlines of their cells."""
    images = found.dataset.table.drop_duplicates("path").set_index("path")
    known = found.table.reset_index(drop=True)
    digests = [str(images.loc[path, "digest"]) for path in known["path"]]
    drawn = sorted(in_turn(digests, known["label"].astype(str).tolist())[:SHOWN].tolist(),
                   key=lambda at: (str(known["label"].iloc[at]), str(known["path"].iloc[at])))  # fmt: skip
    wanted = known["path"].iloc[drawn].tolist()
    part = found.dataset.table[found.dataset.table["path"].isin(wanted)]
    made = {
        path: _picture(found.dataset.root / path, str(images.loc[path, "digest"]), labels)
        for path, labels in label_images(replace(found.dataset, table=part), found.how, cache)
    }
    rows = known.iloc[drawn].to_dict("records")
    return [Tile(picture=made.get(row["path"]), name=str(row["path"]), about=_about(row)) for row in rows]


def _about(row: dict[Hashable, Any]) -> str:
    cells = counted(int(row["cells"]), "cell") if row["cells"] else "no cell found"
    f1 = float(row.get("f1", "nan"))
    return cells if isnan(f1) else f"{cells}, F1 {f1:.2f}"


def _picture(path: Path, digest: str, labels: np.ndarray) -> bytes | None:
    """Return a small WebP of an image, with outlines as thin as they are in the large one."""
    try:
        pixels = read_image(path, digest=digest)
    except ImageError:  # it changed since
        return None
    image = Image.fromarray(draw_outlines(pixels, np.zeros_like(labels)))
    height, width = labels.shape
    share = min(1.0, SIDE / max(height, width))
    size = max(1, round(share * width)), max(1, round(share * height))
    rows = (np.arange(size[1]) + 0.5) * height // size[1]
    columns = (np.arange(size[0]) + 0.5) * width // size[0]
    small = labels[rows.astype(int)][:, columns.astype(int)]
    shown = draw_outlines(np.asarray(image.resize(size, Image.Resampling.BOX)), small)
    file = io.BytesIO()
    Image.fromarray(shown).save(file, format="WEBP", quality=QUALITY, method=4)
    return file.getvalue()
