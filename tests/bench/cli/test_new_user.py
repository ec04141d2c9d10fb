"""A folder as a new user has it: what is printed of it, and that nothing is lost or counted twice in silence.

Run as a script, it makes the folder: python tests/bench/cli/test_new_user.py FOLDER.
"""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

COLOURS = {"Erythrozyt": (200, 90, 90), "Lymphozyt": (90, 90, 200), "Thrombozyt": (150, 120, 180)}
UMLAUT = "Körnerzelle"
JUNK = (
    "Thumbs.db", "desktop.ini", ".DS_Store", "Lymphozyt/Thumbs.db", "Lymphozyt/._p1_0.png", "Lymphozyt/~$notes.xlsx",
    "Erythrozyt/.DS_Store", "Erythrozyt/.nfs0001", "Erythrozyt/p1_0.png.part", "Erythrozyt/Icon\r",
    "__MACOSX/Lymphozyt/._p1_0.png", ".Trash-1000/files/old.png", "$RECYCLE.BIN/S-1-5-21/old.png", "@eaDir/thumb.jpg",
    "System Volume Information/IndexerVolumeGuid", "#recycle/old.png", ".Spotlight-V100/store.db", "lost+found/1",
)  # fmt: skip


def draw(path: Path, colour: tuple[int, int, int], seed: int, kind: str | None = None) -> Path:
    rng = np.random.default_rng(seed)
    pixels = np.clip(rng.normal(230, 12, (32, 32, 3)), 0, 255)
    y, x = np.mgrid[:32, :32]
    pixels[(y - 16) ** 2 + (x - 16) ** 2 < rng.integers(60, 140)] = np.array(colour) + rng.normal(0, 20, 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path, kind)
    return path


def make_folder(root: Path) -> Path:
    """Write root/Zellen: five classes, of which one is a link and one empty, and what else lies about."""
    data = root / "Zellen"
    for c, (label, colour) in enumerate(COLOURS.items()):
        for i in range(12):
            draw(data / label / f"p{i // 2}_{i % 2}.png", colour, 100 * c + i)
    for i in range(12):  # half of them from a Mac, which spells the umlaut in two characters
        spelled = unicodedata.normalize("NFD" if i % 2 else "NFC", UMLAUT)
        draw(data / spelled / f"p{i // 2}_{i % 2}.png", (120, 160, 90), 900 + i)
    draw(data / "Lymphozyt" / "p9_0.webp", COLOURS["Lymphozyt"], 50, "WEBP")
    (data / "Lymphozyt" / "IMG_0001.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(400))
    shutil.copy(data / "Lymphozyt" / "p1_0.png", data / "Lymphozyt" / "p1_0 (1).png")
    (data / "Lymphozyt" / "p5_1.png").write_bytes((data / "Lymphozyt" / "p5_1.png").read_bytes()[:200])
    (data / "Blasten").mkdir()
    for i in range(4):
        draw(root / "Server" / "Monozyt" / f"p{i}.png", (90, 60, 160), 700 + i)
    os.symlink("../Server/Monozyt", data / "Monozyt")
    lines = ["Datei;file;class;Patient"]
    for label in (*COLOURS, UMLAUT):
        lines += [
            f"{i + 1};{label}\\p{i // 2}_{i % 2}.png;{label};{'P' + str(i // 2) if i < 10 else 'NA'}" for i in range(12)
        ]
    (data / "index.csv").write_bytes(("\r\n".join([*lines, ";;;", ";;;"]) + "\r\n").encode("latin-1"))
    (data / "Notizen.txt").write_text("Objektiv 40x")
    draw(data / "Übersicht.png", (0, 0, 0), 1)
    for name in JUNK:
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_bytes(b"\0\5\26\7" + bytes(100))
    return data


RUN = ("--head", "knn", "--shots", "1", "--draws", "2", "--workers", "1", "--no-baselines", "-e", "color-stats")


def test_a_folder_as_a_new_user_has_it_loses_nothing_in_silence(bench, tmp_path):
    data = make_folder(tmp_path)
    code, text = bench("data", "check", "--data", data)
    assert code == 0
    head, _, rest = text.partition("Zellen: 49 images in 48 groups")
    assert "2 classes have no image" in head and "Blasten: it is an empty folder" in head
    assert "Monozyt: it is a link to a folder" in head and "--leave-out Blasten,Monozyt" in head
    assert text.rstrip().endswith("--follow-links --leave-out Blasten")
    for name, count in (("Erythrozyt", 12), (UMLAUT, 12), ("Lymphozyt", 13), ("Thrombozyt", 12)):
        assert f"{name} {count} {count}" in rest
    said = [
        "Skipped Lymphozyt/IMG_0001.HEIC: a HEIC picture, which is not read here",
        "Skipped Lymphozyt/p5_1.png: truncated",
        "Skipped Übersicht.png: lies outside the class folders",
        "index.csv is not used, as the folders name the classes",
        f"2 folders are the class '{UMLAUT}'",
        "1 file is an exact copy of another and in its group, e.g. Lymphozyt/p1_0 (1).png of Lymphozyt/p1_0.png",
        "no groups were given",
        "Notizen.txt was ignored",
        f"{len(JUNK)} files and folders were ignored",
    ]
    assert [rest.count(text) for text in said] == [1] * len(said)

    code, text = bench("run", "--data", data, *RUN)
    assert code == 2 and "no usable image of classes 'Blasten'" in text and "'Monozyt'" in text
    code, text = bench("run", "--data", data, *RUN, "--leave-out", "Blasten", "--follow-links")
    assert code == 0 and "(52 groups tested)" in text and "left out as asked: Blasten" in text
    before = text.partition("1 label per class")[0]
    assert [before.count(text) for text in said] == [1] * len(said)


@pytest.mark.parametrize("verb", ["run", "extract", "data check"])
def test_a_folder_without_its_option_is_told_the_option(bench, tmp_path, verb):
    code, text = bench(*verb.split(), tmp_path)
    assert code == 2 and str(tmp_path.name) in text and "To name your folder or table of images, write --data before it." in text


def test_the_table_of_a_spreadsheet_in_latin_1_gives_the_same_images_and_the_patients(bench, tmp_path):
    table = make_folder(tmp_path) / "index.csv"
    code, text = bench("data", "check", "--data", table, "--group-column", "Patient")
    assert code == 0 and "Zellen: 47 images in 12 groups" in text and f"{UMLAUT} 12 12 7" in text
    for said in (
        f"index.csv is not in UTF-8 and was read as Windows-1252 (Latin-1): is '{UMLAUT}' spelled right?",
        "labels from 'class' of index.csv",
        "8 of 48 rows have no group ('NA' 8)",
        "6 paths of index.csv are spelled otherwise than on disk (another Unicode form or other spaces)",
    ):
        assert text.count(said) == 1
    code, text = bench("run", "--data", table, "--group-column", "Patient", *RUN)
    assert code == 0 and "(12 groups tested)" in text and "8 of 48 rows have no group ('NA' 8)" in text


if __name__ == "__main__":
    print(make_folder(Path(sys.argv[1])))
