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
    option(DATA, "Check every file and every stored embedding again, even those that seem unchanged.", "--verify"),
]
Masks = Annotated[
    Path | None,
    option(
        INSTANCES,
        "Folder of masks for --instances masks. A mask is named like its image and has one pixel value per cell.",
        value="FOLDER",
    ),
]
Cells = Annotated[
    Path | None,
    option(
        INSTANCES,
        "Cells for --instances boxes: a CSV with columns path,x0,y0,x1,y1 (pixels), or annotations from QuPath "
        "(.geojson), Fiji (.roi, .zip) or napari (.csv of shapes), in a file named like its image or a folder of such "
        "files.",
        value="FILE|FOLDER",
    ),
]  # fmt: skip
MaxInstances = Annotated[
    int | None,
    option(
        INSTANCES,
        "At most so many instances per image, a fixed random choice (default: 200 cells, all tiles).",
        value="N",
        min=1,
    ),
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
        DATA, "Also follow links to files outside the data folder, as in a Hugging Face snapshot.",
        "--follow-links",
    ),
]  # fmt: skip
Series = Annotated[
    int | None,
    option(
        DATA, "Which picture (series, scene) to read if a file has several, counted from 1 (default: the largest).",
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
        DATA, "Use only labels of images that were drawn at random, not of those that `bench next` picked (column "
        "chosen_by), so that scores and intervals hold for all images.", "--drawn-only",
    ),
]  # fmt: skip
GroupPattern = Annotated[
    str | None,
    option(
        BASIC, "Regular expression for the path of an image; its first (...) is the slide or patient. E.g. "
        "'([^/]+)__': what precedes __ in the file name.",
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
            "What gets one embedding: whole images; tiles:SIZE[:STRIDE] in pixels (tiles:128:fg leaves out empty "
            "ones); or a window around each cell: boxes (--cells), masks (--masks, or the column mask), segments "
            "(found by a threshold), cellpose:model=FILE. Window size: boxes:64 is 64 pixels, boxes:10um 10 "
            "micrometres (needs a scale, in the files or a column um_per_px), boxes:fit as large as each cell, boxes "
            "one size taken from the data. Not with boxes: masks:64:only blanks all but the cell, masks:64:without "
            "blanks the cell, masks:64:cutout makes all but the cell black.",
            value="KIND",
        ),
    ] = "whole"
    cells: Cells = None
    cell_column: Annotated[
        str | None,
        option(
            INSTANCES,
            "Column of --cells with an expert's label of each cell; for annotations: classification, group or name.",
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
