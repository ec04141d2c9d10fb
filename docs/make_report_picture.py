"""Take docs/report.png of the report of a quickstart: `python docs/make_report_picture.py quickstart`.

Needs selenium, and chromium with its chromedriver. Two methods are ticked, so that their difference is seen.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from photographed import photographed
from PIL import Image

from bench.report.html.report import write_report

PICTURE = Path(__file__).with_name("report.png")
WIDTH, HEIGHT, COLOURS = 1164, 1300, 128


def tick_two(driver: Any) -> None:
    """Tick the first two methods, so that their difference is seen."""
    for box in driver.find_elements("css selector", "#board tbody input")[:2]:
        driver.execute_script("arguments[0].click()", box)


def main() -> None:
    """Write the picture."""
    folder = Path(sys.argv[1]) / "results" / "runs" / "quickstart"
    with tempfile.TemporaryDirectory() as there:
        picture = photographed(
            write_report(folder, Path(there) / "report.html").resolve().as_uri(), WIDTH, HEIGHT, tick_two
        )
    picture.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
