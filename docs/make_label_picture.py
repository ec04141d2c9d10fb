"""Take docs/label.png of the page of labels: `python docs/make_label_picture.py bench-quickstart/demo`.

Needs selenium, and chromium with its chromedriver. The folder is one of `bench.write_demo`.
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from photographed import photographed
from PIL import Image

from bench.embeddings.embed import DataSpec
from bench.instances.cell_boxes import CellFiles
from bench.studies.label.items import LabelRequest, read_task
from bench.studies.label.labelling import Labelling
from bench.studies.label.pictures import Pictures
from bench.studies.label.server import LabelServer
from bench.studies.label.table import about_labels, opened_for

PICTURE = Path(__file__).with_name("label.png")
WIDTH, HEIGHT, COLOURS = 1100, 720, 256
PRESSED = 9


def main() -> None:
    """Write the picture: cells of drawn images, some of which have a label."""
    demo = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as there:
        source = DataSpec(
            demo / "index.csv", "boxes:48", cells=CellFiles(demo / "cells.csv", "label", None, None, "pixels")
        )
        task, to = read_task(LabelRequest(source=source, out=Path(there))), demo / "picture-labels.csv"
        truth = read_task(LabelRequest(source=source, out=Path(there), keep=True))
        known = dict(zip(truth.keys, truth.given, strict=True))
        try:
            with opened_for(to, about_labels(task.root, to, "boxes:48")) as journal:
                labelling = Labelling(task, journal, to)
                for i, key in enumerate(task.keys[:PRESSED]):
                    label = known[key]
                    labelling.press([i], -1 if label is None or i == PRESSED // 2 else labelling.classes.index(label))
                with closing(labelling):
                    server = LabelServer(labelling, Pictures(task.rows, task.root, Path(there) / "store"))
                    with server.answering():
                        picture = photographed(server.address, WIDTH, HEIGHT, lambda driver: time.sleep(1))
        finally:
            for file in demo.glob("*picture-labels.csv*"):
                file.unlink()
    picture.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
