"""Take docs/label.png of the page of labels: `python docs/make_label_picture.py bench-quickstart/demo`.

Needs selenium, and chromium with its chromedriver. The folder is one of `bench.write_demo`.
"""

from __future__ import annotations

import base64
import io
import shutil
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from PIL import Image

from bench.embeddings.embed import DataSpec
from bench.instances.cell_boxes import CellFiles
from bench.studies.label.items import LabelRequest, read_task
from bench.studies.label.pictures import Pictures
from bench.studies.label.server import LabelServer
from bench.studies.label.labelling import Labelling
from bench.studies.label.table import about_labels, opened_for

PICTURE = Path(__file__).with_name("label.png")
WIDTH, HEIGHT, SCALE, COLOURS = 1100, 720, 0.8, 256
PRESSED = 9


def take(address: str) -> bytes:
    """Return the page, after some presses, as the bytes of a PNG."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for one in ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={WIDTH},{HEIGHT}"):
        options.add_argument(one)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        driver.get(address)
        time.sleep(1)
        clip = {"x": 0, "y": 0, "width": WIDTH, "height": HEIGHT, "scale": SCALE}
        taken = driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "clip": clip})
        return base64.b64decode(taken["data"])
    finally:
        driver.quit()


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
                        picture = Image.open(io.BytesIO(take(server.address))).convert("RGB")
        finally:
            for file in demo.glob("*picture-labels.csv*"):
                file.unlink()
    picture.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
