"""A picture of a page in a browser without a window, for the documentation. Needs selenium, chromium, chromedriver."""

from __future__ import annotations

import base64
import io
import shutil
from collections.abc import Callable
from typing import Any

from PIL import Image

SCALE = 0.8


def photographed(address: str, width: int, height: int, first: Callable[[Any], object]) -> Image.Image:
    """Return the top of a page, width x height CSS pixels, at `SCALE`. first: what the driver does on it before."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for one in ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={width},{height}"):
        options.add_argument(one)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        driver.get(address)
        first(driver)
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": SCALE}
        taken = driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "clip": clip})
        return Image.open(io.BytesIO(base64.b64decode(taken["data"]))).convert("RGB")
    finally:
        driver.quit()
