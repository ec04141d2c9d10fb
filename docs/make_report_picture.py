"""Take docs/report.png of the report of a quickstart: `python docs/make_report_picture.py quickstart`.

Needs selenium, and chromium with its chromedriver. Two methods are ticked, so that their difference is seen.
"""

from __future__ import annotations

import base64
import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image

from bench.report.html.report import write_report

PICTURE = Path(__file__).with_name("report.png")
WIDTH, HEIGHT, SCALE, COLOURS = 1164, 1300, 0.8, 128


def take(page: Path) -> bytes:
    """Return the top of a page as the bytes of a PNG."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for one in ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={WIDTH},{HEIGHT}"):
        options.add_argument(one)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        driver.get(page.resolve().as_uri())
        for box in driver.find_elements("css selector", "#board tbody input")[:2]:
            driver.execute_script("arguments[0].click()", box)
        clip = {"x": 0, "y": 0, "width": WIDTH, "height": HEIGHT, "scale": SCALE}
        taken = driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "clip": clip})
        return base64.b64decode(taken["data"])
    finally:
        driver.quit()


def main() -> None:
    """Write the picture."""
    folder = Path(sys.argv[1]) / "results" / "runs" / "quickstart"
    with tempfile.TemporaryDirectory() as there:
        picture = Image.open(io.BytesIO(take(write_report(folder, Path(there) / "report.html")))).convert("RGB")
    picture.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
