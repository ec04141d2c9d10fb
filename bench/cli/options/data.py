"""Options on the data: where the images are, how they are read, and what one instance of them is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from bench.cli.console import progress_bars
from bench.cli.options.groups import BASIC, DATA, INSTANCES, STUDY, option
from bench.data.layout import existing
from bench.data.reading import Reading, check_units
from bench.storage.buckets.address import is_address

if TYPE_CHECKING:
    from bench.embeddings.embed import DataSpec
    from bench.instances.cell_boxes import CellFiles

Source = TypeVar("Source", bound="ReadOptions")
Verify = Annotated[
    bool,
    option(DATA, "Read every file and every stored embedding again, also those that did not change.", "--verify"),
]
Masks = Annotated[
    Path | None,
    option(
        INSTANCES, "Folder of masks for --instances masks, named as their images; one value per cell.", value="FOLDER"
    ),
]
Cells = Annotated[
    Path | None,
    option(
        INSTANCES,
        "Cells for --instances boxes: a CSV path,x0,y0,x1,y1 (pixels), or what was drawn in QuPath (.geojson), "
        "Fiji (.roi, .zip) or napari (.csv of shapes): a file named as its image, or a folder of them.",
        value="FILE|FOLDER",
    ),
]  # fmt: skip
MaxInstances = Annotated[
    int | None,
    option(INSTANCES, "Instances kept of one image, drawn by hash (default: 200 cells, all tiles).", value="N", min=1),
]
BoxUnits = Annotated[
    str,
    option(
        INSTANCES, "What boxes are given in: pixels, fractions (0 to 1) or percent of the image's size.",
        value="UNITS",
    ),
]  # fmt: skip
FollowLinks = Annotated[
    bool,
    option(
        DATA, "Also read what links lead to outside of the data folder, as in a Hugging Face snapshot.",
        "--follow-links",
    ),
]  # fmt: skip
Series = Annotated[
    int | None,
    option(
        DATA, "Which of several pictures (series, scenes) of a file is read, from 1 (default: the largest).",
        value="N", min=1,
    ),
]  # fmt: skip
Classes = Annotated[
    str,
    option(
        STUDY, "Only these classes, e.g. a,b (default: those of the data; for `bench granularity` those with labels "
        "enough).", "--classes", value="CLASSES",
    ),
]  # fmt: skip
DrawnOnly = Annotated[
    bool,
    option(
        DATA, "Use only the labels that were drawn at random, not those that `bench next` picked (column chosen_by), "
        "so that scores and intervals are those of all images.", "--drawn-only",
    ),
]  # fmt: skip
GroupPattern = Annotated[
    str | None,
    option(
        BASIC, "Regular expression on the path whose first (...) names the slide or patient, e.g. '([^/]+)__'.",
        value="REGEX",
    ),
]  # fmt: skip


def fetched(source: Source) -> Source:
    """Return the options with data that lie on this machine: those of an address of an object store are fetched."""
    if not is_address(source.data):
        existing(source.data)
        return source
    from bench.data.in_bucket import local_data

    with progress_bars() as report:
        return replace(source, data=local_data(source.data, report))


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """Where the images are and how they are read."""

    data: Annotated[
        Path,
        option(BASIC, "A folder with one sub-folder per class, or a CSV with columns path,label.", value="FOLDER|CSV"),
    ] = Path("Data/raw")
    leave_out: Annotated[
        list[str] | None,
        option(DATA, "Classes to leave out, comma-separated or repeated.", "--leave-out", value="CLASSES"),
    ] = None
    follow_links: FollowLinks = False
    series: Series = None

    def reading(self) -> Reading:
        """Return how files are to be read."""
        units = getattr(self, "box_units", "pixels")
        check_units(units)
        return Reading(
            leave_out=tuple(self.leave_out or ()), follow_links=self.follow_links, box_units=units, series=self.series
        )


@dataclass(frozen=True, kw_only=True)
class InstanceOptions(ReadOptions):
    """Where the images are, how they are read, and what is cut out of them."""

    instances: Annotated[
        str,
        option(
            INSTANCES,
            "What gets one embedding: whole; tiles:SIZE[:STRIDE] in pixels, tiles:128:fg without empty ones; or a "
            "window around each cell: boxes (--cells), masks (--masks, or the column mask), segments (found by a "
            "threshold), cellpose:model=FILE. boxes:64 is in pixels, boxes:10um needs a scale (in the files, or a "
            "column um_per_px), boxes:fit is as large as the cell, boxes alone takes one size from the data. "
            "masks:64:only blanks what is not of the cell, masks:64:without blanks the cell, masks:64:cutout makes "
            "what is not of the cell black (not with boxes).",
            value="KIND",
        ),
    ] = "whole"
    cells: Cells = None
    cell_column: Annotated[
        str | None,
        option(
            INSTANCES,
            "Column of --cells with an expert's label of each cell; of annotations classification, group or name.",
            value="COLUMN",
        ),
    ] = None
    masks: Masks = None
    max_instances: MaxInstances = None
    box_units: BoxUnits = "pixels"

    def cell_files(self) -> CellFiles:
        """Return where cells are told."""
        from bench.instances.cell_boxes import CellFiles

        return CellFiles(self.cells, self.cell_column, self.masks, self.max_instances, self.box_units)

    def spec(self, *, verify: bool = False) -> DataSpec:
        """Return where the images are and what one instance of them is."""
        from bench.embeddings.embed import DataSpec

        return DataSpec(self.data, self.instances, verify=verify, cells=self.cell_files(), reading=self.reading())


@dataclass(frozen=True, kw_only=True)
class DataOptions(InstanceOptions):
    """The same, and which images are of one slide."""

    group_pattern: GroupPattern = None
    group_column: Annotated[
        str | None, option(DATA, "Column of the CSV that names the slide or patient.", value="COLUMN")
    ] = None
    drawn_only: DrawnOnly = False

    def reading(self) -> Reading:
        """Return how files are to be read, and which labels of them count."""
        return replace(super().reading(), drawn_only=self.drawn_only)

    def spec(self, *, verify: bool = False) -> DataSpec:
        """Return where the images are, what one instance of them is, and which of them are of one slide."""
        return replace(super().spec(verify=verify), group_pattern=self.group_pattern, group_column=self.group_column)
