"""Who finds the cells of an image: boxes in a file, masks, the classical segmenter, Cellpose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench.data.datasets import Dataset
from bench.errors import BenchError
from bench.instances.blank import mode_of
from bench.instances.cell_boxes import CellFiles, FoundCells, boxes_of
from bench.instances.cellpose import load_cellpose, read_cellpose
from bench.instances.masks import masks_of
from bench.instances.segment import Segmenter, segment
from bench.instances.segmented import segments_of

DEFAULT_MOST = 200  # cells of one image
EXPECTED = (
    "expected whole (each labelled region); tiles:SIZE[:STRIDE][:fg] in pixels, e.g. tiles:128 or tiles:128:64 "
    "(fg=0.1: only those of which a tenth is foreground); or a window around each cell of boxes, masks, segments or "
    "cellpose:model=FILE: boxes:64 (pixels), boxes:10um, boxes:fit, or boxes (the size comes from the data). "
    "masks:64:only blanks all but the cell, masks:64:without the cell, masks:64:cutout makes all but the cell black "
    "(not with boxes, which have no outlines). "
    "Options of segments: foreground=dark|bright, threshold=otsu, min=AREA, border=drop"
)
OnProgress = Callable[[str, int, int], None]  # what, done, total


@dataclass(frozen=True)
class InstanceRequest:
    """What is asked of a kind of instances: the words after its name, where cells are told, and what has been noted."""

    kind: str
    words: tuple[str, ...]
    source: CellFiles
    cache: Path | None = None
    on_progress: OnProgress | None = None
    notes: list[str] = field(default_factory=list)

    def tell(self, what: str) -> Callable[[int, int], None]:
        """Return what counts (done, total) of something that takes time."""
        return lambda done, total: self.on_progress(what, done, total) if self.on_progress else None

    def options(self) -> tuple[str, ...]:
        """Return the words that are name=value."""
        return tuple(word for word in self.words if "=" in word)

    @property
    def blanked(self) -> str | None:
        """The word that says what is blanked, the last that is no option."""
        return mode_of([word for word in self.words if "=" not in word])

    @property
    def beside(self) -> list[str]:
        """What of an image is needed later."""
        return ["labels"] * (bool(self.blanked) or self.source.every)

    def refuse(self) -> BenchError:
        """Return the error for words that are not understood."""
        return BenchError(f"Got instances '{self.kind}'; {EXPECTED}.")


def _boxes(dataset: Dataset, asked: InstanceRequest) -> FoundCells:
    if asked.options() or asked.blanked:
        raise asked.refuse()
    return boxes_of(dataset, asked.source)


def _masks(dataset: Dataset, asked: InstanceRequest) -> FoundCells:
    if asked.options():
        raise asked.refuse()
    return masks_of(dataset, asked.source, asked.cache, asked.tell("read masks"), asked.beside)


def _segments(dataset: Dataset, asked: InstanceRequest) -> FoundCells:
    how = Segmenter.parse(asked.options())
    if how is None:
        raise asked.refuse()
    find = partial(segment, how=how)
    return segments_of(dataset, how.identity(), find, asked.cache, asked.tell("segment images"), asked.beside)


def _cellpose(dataset: Dataset, asked: InstanceRequest) -> FoundCells:
    model = read_cellpose(asked.options())
    if model is None:
        raise asked.refuse()
    return segments_of(dataset, *load_cellpose(model), asked.cache, asked.tell("segment images"), asked.beside)


#: How cells are found, by the name of a kind.
FINDERS: dict[str, Callable[[Dataset, InstanceRequest], FoundCells]] = {
    "boxes": _boxes,
    "masks": _masks,
    "segments": _segments,
    "cellpose": _cellpose,
}
SEARCHES = ("segments", "cellpose")  # those that look for cells
