"""Pages of `bench data check` and `bench segment`: names of others are text, nothing is asked for, equal bytes twice."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.report.html.still.draw import in_turn
from bench.report.html.still.page import Check, Section, Tile, outcomes_html, page_bytes, pictures_html, table_html

from .browser import Opened
from .conftest import take_apart
from .test_report import PIECES

CLASSES = ("<b>bold<b>", "a&'\"b", "שלום")
FILE = "<img src=x onerror=alert(1)>{} \u202egnp.png"
BROKEN = "<script>alert(1)<broken>.png"
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


@pytest.fixture
def data(tmp_path) -> Path:
    """Fields of dark discs, five of each class, and one file that is no image; all names are attacks."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:90, :120]
    for k, name in enumerate(CLASSES):
        (tmp_path / "raw" / name).mkdir(parents=True)
        for i in range(5):
            pixels = np.full((90, 120, 3), 220, np.uint8)
            for at, row in ((25, 25), (60, 60), (95, 30)):
                pixels[(y - row) ** 2 + (x - at) ** 2 < 90] = (150, 40 + 60 * k, 90)
            pixels += rng.integers(0, 12, pixels.shape, dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "raw" / name / FILE.format(i))
    (tmp_path / "raw" / CLASSES[0] / BROKEN).write_bytes(b"\x89PNG\r\n\x1a\n broken")
    return tmp_path


def check(bench, *more: str) -> bytes:
    code, text = bench("data", "check", "--data", "raw", "--to", "check.html", *more)
    assert code == 0 and ("--quiet" in more or "Report to open in a browser: check.html" in text), text
    return Path("check.html").read_bytes()


def segment(bench) -> bytes:
    code, text = bench("segment", "--data", "raw", "--to", "seen")
    assert code == 0 and "Look at them: seen/segment.html" in text, text
    return Path("seen/segment.html").read_bytes()


PAGES = {"check": check, "segment": segment}


@pytest.fixture(params=PAGES)
def made(request):
    return PAGES[request.param]


def pictures(page: bytes) -> list[str]:
    return [attributes["alt"] for tag, attributes, _ in take_apart(page).elements if tag == "img"]


def test_names_of_others_are_text_and_nothing_else(bench, data, made):
    page = made(bench)
    seen = take_apart(page)
    assert all(name in seen.text() for name in CLASSES)
    assert "<img src=x onerror=alert(1)>0 \\u202egnp.png" in seen.text() and "\u202e" not in page.decode()
    assert "<bdi>שלום</bdi>" in page.decode()
    assert "script" not in seen.tags and "b" not in seen.tags
    for _, attributes, _ in seen.elements:
        assert not [name for name in attributes if name.startswith("on")]
        assert attributes.get("src", "data:image/webp;base64,").startswith("data:image/webp;base64,")


def test_a_page_forbids_every_request_and_every_script(bench, data, made):
    seen = take_apart(made(bench))
    policies = [attributes["content"] for attributes, _ in seen.having("http-equiv")]
    assert policies == [POLICY] and seen.having("src") and not seen.having("style")
    assert {attributes["href"][0] for attributes, _ in seen.having("href")} == {"#", "d"}  # places here, and data:,


def test_the_same_data_give_the_same_bytes(bench, data, made):
    assert made(bench) == made(bench)


def test_a_broken_image_is_listed_and_the_rest_is_shown(bench, data, made):
    page = made(bench)
    files = re.search(rb'<section id="files".*?</section>', page, re.DOTALL)[0]
    assert f"{CLASSES[0]}/{BROKEN}" in take_apart(b"<body>" + files + b"</body>").text()
    assert len(pictures(page)) == 15


def test_where_no_image_can_be_decoded_it_is_said_and_nothing_is_written(bench, data):
    for path in (data / "raw").rglob("*.png"):
        path.write_bytes(path.read_bytes()[:600])
    code, text = bench("segment", "--data", "raw", "--to", "seen")
    assert code == 2 and "none of which can be decoded" in text and "Traceback" not in text
    assert not Path("seen/segment.html").exists() and not Path("seen/cells.csv").exists()


def test_without_broken_images_no_section_speaks_of_them(bench, data, made):
    (data / "raw" / CLASSES[0] / BROKEN).unlink()
    assert b'id="files"' not in made(bench)


def test_without_to_a_check_writes_nothing(bench, data):
    before = sorted(data.rglob("*"))
    assert bench("data", "check", "--data", "raw")[0] == 0
    assert sorted(data.rglob("*")) == before
    check(bench)
    assert sorted(data.rglob("*")) == sorted([*before, data / "check.html"])


@pytest.mark.parametrize("to", ["x.pdf", "raw", "folder"])
def test_another_kind_of_file_is_refused_in_words_before_anything_is_read(bench, data, to):
    code, text = bench("data", "check", "--data", "raw", "--to", to)
    assert code == 2 and f"Got --to {to}; expected a file whose name ends in .html" in text
    assert "Traceback" not in text and "images" not in text and sorted(p.name for p in data.iterdir()) == ["raw"]


@pytest.mark.parametrize("option", ["--no-images", "--anonymous"])
def test_what_is_of_the_page_is_refused_without_one(bench, data, option):
    code, text = bench("data", "check", "--data", "raw", option)
    assert code == 2 and f"Got {option} without --to" in text


def test_a_page_without_images_has_none_and_says_the_rest(bench, data):
    page = check(bench, "--no-images")
    assert not pictures(page) and b'id="pictures"' not in page and b'id="classes"' in page


def test_an_anonymous_page_names_no_file_and_no_group_and_keeps_classes(bench, data):
    for path in (data / "raw").rglob("*.png"):
        path.rename(path.with_name(f"secret{path.stem[-6:]}.png"))
    (data / "raw" / CLASSES[0] / "secret note.png").write_bytes(b"no image")
    plain, page = (check(bench, "--group-pattern", "(secret.*)\\.png", *more) for more in ((), ("--anonymous",)))
    assert b"secret" in plain and data.name.encode() in plain
    assert b"secret" not in page and data.name.encode() not in page
    assert all(name in take_apart(page).text() for name in CLASSES) and len(pictures(page)) == 15


def test_a_page_says_what_the_command_prints(bench, data):
    (data / "raw" / CLASSES[1] / FILE.format(4)).unlink()
    text = bench("data", "check", "--data", "raw")[1]
    page = take_apart(check(bench)).text()
    for said in ("14 images cannot tell encoders apart; about 6 more per class would be enough.", "has 4 "
        "groups. With fewer than 6"):
        assert said in text and said in page
    assert "o groups were given, so every image counts as a group of its own" in text and "No groups were given" in page


def test_quiet_writes_the_same_page(bench, data):
    assert check(bench) == check(bench, "--quiet")


def test_cells_are_shown_where_cells_are_asked_for(bench, data):
    page = check(bench, "--instances", "segments:24")
    seen = take_apart(page)
    assert "Instances, and how many an image has" in seen.text()
    assert len(pictures(page)) == 3 * 12  # of 15 cells a class
    assert re.search(r"gnp\.png at \d+, \d+", seen.text())


def test_every_image_is_shown_with_the_number_of_its_cells_and_their_outlines(bench, data):
    page = segment(bench)
    seen = take_apart(page)
    assert seen.text().count("3 cells") == 15 and "45 cells in 15 images" in seen.text()
    first = re.search(rb"data:image/webp;base64,([^\"]+)", page)[1]
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(first)))).astype(int)
    assert pixels.shape[:2] == (90, 120)
    yellow = np.minimum(pixels[..., 0], pixels[..., 1]) - pixels[..., 2] > 30  # neither grey nor of the discs
    assert 100 < yellow.sum() < 600 and not yellow[:10].any()  # three rims of about 53 pixels, blurred


def test_masks_are_told_of_where_there_are_some(bench, data):
    assert "There are no masks of these images" in take_apart(segment(bench)).text()
    labels = np.zeros((90, 120), np.uint8)
    y, x = np.mgrid[:90, :120]
    for i, (at, row) in enumerate(((25, 25), (60, 60), (95, 30))):
        labels[(y - row) ** 2 + (x - at) ** 2 < 90] = i + 1
    (data / "masks").mkdir()
    path = next((data / "raw" / CLASSES[2]).glob("*"))
    Image.fromarray(labels).save(data / "masks" / path.name)
    path.rename(path.with_name("only.png")), (data / "masks" / path.name).rename(data / "masks" / "only.png")
    code, text = bench("segment", "--data", "raw", "--to", "seen", "--masks", "masks")
    assert code == 0, text
    page = take_apart(Path("seen/segment.html").read_bytes()).text()
    assert "The mean F1 at an IoU of .5 is" in page and "over 1 image with masks" in page and ", F1 " in page
    assert "14 images are not; they are listed below" in page and page.count("not compared, ") == 14


def test_of_many_images_each_class_gets_its_turn_whatever_their_order():
    names = [f"{i:04x}" for i in range(200)]
    parts = ["many"] * 190 + ["few"] * 10
    order = in_turn(names, parts)
    assert sorted(order) == list(range(200))
    assert [parts[at] for at in order[:20]].count("few") == 10
    back = in_turn(names[::-1], parts[::-1])
    assert [names[::-1][at] for at in back] == [names[at] for at in order]


@pytest.mark.parametrize("text", [*PIECES, "".join(PIECES)])
def test_any_text_anywhere_on_a_page_is_text(text):
    asked = Check(code="T1", asks="?", level="tip", found=lambda texts: texts, passed=lambda texts: "")
    html = table_html((text, text), [(text, text)], caption=text) + pictures_html([Tile(picture=b"x", name=text, about=text)])
    html += outcomes_html([asked], [text]) + outcomes_html([asked], [text, text])
    tags = lambda page: take_apart(page).tags  # noqa: E731
    make = lambda html, title: page_bytes(  # noqa: E731
        kind="k", title=title, closing="", sections=[Section(key="a", title="t", brief="b", html=html)]
    )
    page = make(html, text)
    plain = text.replace(text, "plain")
    same = table_html((plain, plain), [(plain, plain)], caption=plain)
    same += pictures_html([Tile(picture=b"x", name=plain, about=plain)])
    same += outcomes_html([asked], [plain]) + outcomes_html([asked], [plain, plain])
    assert [tag for tag in tags(page) if tag != "bdi"] == [tag for tag in tags(make(same, plain)) if tag != "bdi"]


def test_a_browser_asks_for_nothing_and_has_nothing_to_complain_of(bench, data, made, browser):
    path = data / "page.html"
    path.write_bytes(made(bench))
    for width, dark in ((1200, False), (420, True)):
        page = Opened(browser, path, width=width, dark=dark)
        assert page.requests() == [] and page.errors() == []
        assert len(page.all("ul.pictures img")) == 15
        assert page.run("return [...document.images].every(image => image.naturalWidth > 0)")
        assert page.run("return document.documentElement.scrollWidth <= innerWidth")
        assert page.serious() == []
