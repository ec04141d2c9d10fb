"""A dataset whose names are attacks, through every command that shows names."""

from __future__ import annotations

import csv
import re
import unicodedata
from pathlib import Path

import pytest

ESC = "\x1b[2J\x1b]0;pwned\x07"
CLASSES = (
    "[/CD4]",
    "[red]x|`y`<b>",
    "=1+1",
    f"a{ESC}",
    "b\nINJECTED: all fine",
    "e\u202efdp.exe",
    "![x](http://x.org/a.png)",
)
RUN = ("--encoder", "e[/y]/mi|ne.py:m,thumbnail", "--no-baselines", "--head", "knn", "--shots", "1", "--noise", "0,0.4",
       "--draws", 2, "--workers", 1)  # fmt: skip
ENCODER = """
from encoders import descriptor
@descriptor("m", dim=3)
def m(image): return image.mean((0, 1))
"""


@pytest.fixture
def data(tmp_path, save_png):
    rows = []
    for k, label in enumerate(CLASSES):
        for i in range(4):
            save_png(tmp_path / "img" / f"{k}-{i}.png", seed=10 * k + i, size=(12, 12))
            rows.append([f"img/{k}-{i}.png", label, f"=slide[/b]|{k}\x1b[1m{i}"])
    broken = tmp_path / "img" / f"bad{ESC}[red].png"
    broken.write_bytes(b"no image")
    rows.append([f"img/{broken.name}", CLASSES[0], "g"])
    with (tmp_path / "set.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "label", "group"], *rows])
    place = tmp_path / "e[/y]"
    place.mkdir(parents=True)
    (place / "mi|ne.py").write_text(ENCODER)
    return "set.csv"


@pytest.fixture
def raw(monkeypatch, capfd, tmp_path):
    """Return a function that runs a command and gives its exit code and every byte that it printed, as text."""
    import sys

    from bench.cli import app

    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["bench", *map(str, arguments)])
        code = 0
        try:
            app.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capfd.readouterr()
        return code, out + err

    return call


def unseen(text: str) -> set[str]:
    return {c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"}} - {"\n"}


def test_no_command_prints_a_name_that_does_anything(raw, data):
    said = {}
    for command in (
        ("data", "check", "--data", data),
        ("run", "--data", data, *RUN, "--dry-run"),
        ("run", "--data", data, *RUN),
        ("run", "--data", data, *RUN[2:], "--encoder", "e[/y]/mi|ne.py:m", "--name", "other"),
        ("leaderboard",),
        ("report",),
        ("store",),
        ("store", "check"),
        ("proxies", "--data", data, "--encoder", "e[/y]/mi|ne.py:m,thumbnail", "--to", "p.csv"),
        ("prompts", "--data", data),
    ):
        code, text = raw(*command)
        assert code == 0, (command, text)
        assert not unseen(text), (command, unseen(text))
        assert not re.search("^INJECTED", text, re.MULTILINE)
        said.setdefault(command[0], text)
    assert "[/CD4]" in said["data"] and "a\\x1b[2J" in said["data"]
    assert "e[/y]/mi|ne.py:m" in said["store"]


def test_no_page_or_table_holds_a_name_that_does_anything(raw, data):
    assert raw("run", "--data", data, *RUN)[0] == 0 and raw("leaderboard")[0] == 0
    assert raw("report")[0] == 0
    for path in Path("results").rglob("*.html"):
        page = path.read_text()
        assert not unseen(page) and "<b>" not in page and page.count("<script") == page.count("</script>") == 2
    for path in Path("results").rglob("*.md"):
        page = path.read_text()
        assert (
            not unseen(page)
            and "<b>" not in page
            and not re.search(r"(?<!\\)\]\(http", page)
            and not re.search("^INJECTED", page, re.MULTILINE)
        )
        for line in page.splitlines():
            if line.startswith("|") and "ne.py" in line:
                assert "`e[/y]/mi\\|ne.py:m`" in line
    tables = list(Path("results").rglob("*.csv"))
    assert len(tables) > 3
    for path in tables:
        for row in csv.reader(path.open(newline="")):
            assert not [cell for cell in row if cell[:1] in ("=", "+", "@") or unseen(cell)]


def test_an_error_about_a_name_is_one_line(raw, tmp_path):
    Path("set.csv").write_text('path,label\n"a\nINJECTED: fine.png",x\n')
    code, text = raw("data", "check", "--data", "set.csv")
    assert code == 2 and not re.search("^INJECTED", text, re.MULTILINE) and "Traceback" not in text


def test_a_picture_whose_channels_have_names_that_are_attacks(raw, tmp_path):
    import numpy as np
    import tifffile

    for label in "ab":
        for i in range(2):
            path = tmp_path / "d" / label / f"{i}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            names = [f"[/b]{ESC}", "DNA\nINJECTED", "|`"]
            planes = np.random.default_rng(i).integers(0, 255, (3, 16, 16), dtype=np.uint8)
            tifffile.imwrite(path, planes, imagej=True, metadata={"axes": "CYX", "Labels": names})
    code, text = raw("data", "check", "--data", "d")
    assert code == 0 and not unseen(text) and not re.search("^INJECTED", text, re.MULTILINE)
