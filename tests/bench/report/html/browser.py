"""A browser without a window and without a network, for tests of pages; see `browser` in conftest.py."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
           "--disable-background-networking", "--disable-component-update",
           "--enable-precise-memory-info", "--js-flags=--expose-gc")  # fmt: skip


def start(*, reaches: str = "") -> Any:
    """Return a driver, or skip; with CELL_BROWSER_REQUIRED=1 the lack of a browser is a failure.

    reaches: the only host that it finds, as 127.0.0.1.
    """
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    try:
        from selenium import webdriver
    except ImportError:
        return lacking("selenium is not installed (pip install '.[dev]')")
    if not found or not driver:
        return lacking("no chromium with its chromedriver (apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = found
    but = f", EXCLUDE {reaches}" if reaches else ""
    for option in (*OPTIONS, f"--host-resolver-rules=MAP * ~NOTFOUND{but}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))


def lacking(why: str) -> None:
    if os.environ.get("CELL_BROWSER_REQUIRED") == "1":
        pytest.fail(f"a browser is required here: {why}")
    pytest.skip(why)


class Opened:
    """A page that is open, and what the browser noted of it."""

    def __init__(self, driver: Any, path: Path | str, *, width: int = 1200, height: int = 900, dark: bool = False) -> None:
        self.driver = driver
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": [scheme]})
        driver.get("about:blank")
        driver.get_log("browser"), driver.get_log("performance")
        started = time.monotonic()
        self.address = path if isinstance(path, str) else path.resolve().as_uri()
        driver.get(self.address)
        self.run("return document.documentElement.classList.contains('js')")
        self.seconds = time.monotonic() - started
        self.path = path

    def run(self, script: str, *given: Any) -> Any:
        """Run a script on the page and return what it returns."""
        return self.driver.execute_script(script, *given)

    def all(self, selector: str) -> list[Any]:
        return self.driver.find_elements("css selector", selector)

    def one(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    def click(self, selector: str) -> None:
        """Click an element where it is, brought into view."""
        element = self.one(selector)
        self.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
        element.click()

    def text(self, selector: str) -> str:
        return self.run("return document.querySelector(arguments[0]).textContent", selector)

    def set(self, selector: str, value: object) -> None:
        """Set a field, as a hand would."""
        self.run(
            "const e = document.querySelector(arguments[0]); e.value = arguments[1];"
            "for (const kind of ['input', 'change']) e.dispatchEvent(new Event(kind, {bubbles: true}))",
            selector, str(value),
        )  # fmt: skip

    def keys(self, selector: str, *keys: str) -> None:
        self.one(selector).send_keys(*keys)

    def requests(self) -> list[str]:
        """Return the addresses that were asked for since the page was opened, but its own and data within it."""
        notes = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        asked = [note["params"]["request"]["url"] for note in notes if note["method"] == "Network.requestWillBeSent"]
        return [url for url in asked if not url.startswith(("data:", "about:")) and url != self.address]

    def errors(self) -> list[str]:
        """Return what the console says."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def serious(self, within: str = "") -> list[tuple[str, str]]:
        """Return (rule, element) of what axe finds serious, in all or within an element; nothing without CELL_AXE."""
        file = os.environ.get("CELL_AXE", "")
        if not file:
            return []
        self.run(Path(file).read_text())
        found = self.driver.execute_async_script(
            "const [within, done] = arguments; axe.run(within || document, {resultTypes: ['violations']})"
            ".then(r => done(r.violations))", within
        )  # fmt: skip
        return [(v["id"], v["nodes"][0]["html"][:200]) for v in found if v["impact"] in ("serious", "critical")]
