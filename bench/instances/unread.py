"""What is given with --instances and would not be read: an error, and never left out in silence."""

from __future__ import annotations

from bench.errors import BenchError
from bench.instances.cell_boxes import CellFiles
from bench.instances.finders import FINDERS


def refuse_unread(name: str, kind: str, source: CellFiles, *, boxed: bool) -> None:
    """Raise BenchError for what was given and no instance would depend on. boxed: whether labels are of boxes."""
    reads = "finds its cells elsewhere" if name in FINDERS else "looks for no cells"
    if name != "boxes" and source.file is not None:
        raise BenchError(
            f"Got --cells {source.file} for --instances {kind}, which {reads}; expected --instances boxes, "
            "and of `bench predict` a classifier that was fitted so. Otherwise leave --cells out."
        )
    if name != "boxes" and source.column is not None:
        raise BenchError(
            f"Got --cell-column {source.column} for --instances {kind}, which {reads}; expected --instances "
            "boxes and --cells FILE. Otherwise leave --cell-column out."
        )
    if name != "masks" and source.masks is not None:
        raise BenchError(
            f"Got --masks {source.masks} for --instances {kind}, which reads no masks; expected --instances masks, "
            "and of `bench predict` a classifier that was fitted so. Otherwise leave --masks out."
        )
    if name == "whole" and source.most is not None and not boxed:
        raise BenchError(
            f"Got --max-instances {source.most} for --instances whole, where an image is one instance; expected tiles "
            "or cells, e.g. --instances tiles:128. Otherwise leave --max-instances out."
        )
    if source.units != "pixels" and source.file is None and not boxed:
        raise BenchError(
            f"Got --box-units {source.units}, and there are no boxes; expected --instances boxes and --cells, or "
            "a CSV of labels with columns x0,y0,x1,y1. Otherwise leave --box-units out."
        )
