"""A report is one file that asks for nothing, the same every time, and shows names of others as text."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

import bench
from bench.errors import BenchError
from bench.report.html.anonymous import without_paths
from bench.report.html.context import ReportContext
from bench.report.html.parts import PARTS
from bench.report.html.parts.glossary import WORDS
from bench.report.html.parts.verdict import CHECKS, checked, sentences
from bench.report.html.read import Look, images_of, read_report
from bench.report.html.render import json_text, render
from bench.report.html.words import text_html, words_html
from bench.report.pages.model import Code, say
from bench.report.pages.plain_text import plain_words
from bench.report.pages.sections.verdict import summary
from bench.text import as_sentence, plain

from .conftest import data_of, take_apart

FLAGS = ("no-better-than-chance", "interval-and-chance", "solvable-by-appearance", "saturated", "few-training-groups",
         "training-as-it-is", "only-diagnostics")  # fmt: skip
ROOT = Path(__file__).resolve().parents[4]
PIECES = ["<b>", "</script>", "<script>alert(1)</script>", "<!--", "-->", "]]>", "&lt;", "&", '"', "'", "\u202e", "\u200f",
          "\u2028", "{{ 7*7 }}", "{% x %}", "{0}", "%s", "`a`", "*a*", "**", "\\", "/", "a", " ", "\n", "\x00", "\udc80", "שלום",
          "javascript:", "onerror=", "<img src=x onerror=alert(1)>", "</td>", "</bdi>", "</title>", "</style>"]  # fmt: skip
HOSTILE = st.one_of(st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join), st.text(max_size=12))
NAMES = HOSTILE.filter(lambda text: text.isascii() or not re.search("[\ud800-\udfff]", text))  # as tables hold them
WORST = ["</script><script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "\u202eevil\u202c & 'quoted'"]


def shown(text: str) -> str:
    return plain(text).encode("utf-8", "backslashreplace").decode()


def renamed(context: ReportContext, classes: list[str], encoder: str, text: str) -> ReportContext:
    """Return the report of a run whose classes, first encoder, dataset, files, groups and warnings are called otherwise."""
    was, before = context.classes, context.encoders[0]
    called = dict(zip(was, classes, strict=True))

    def swap(table: pd.DataFrame) -> pd.DataFrame:
        texts = [name for name in table if not pd.api.types.is_numeric_dtype(table[name])]
        names = {before: encoder, **called}
        return table.assign(**{name: table[name].astype(object).map(lambda x: names.get(x, x)) for name in texts})

    def method(one):
        return one._replace(encoder=encoder) if one.encoder == before else one

    known = {encoder if name == before else name: facts for name, facts in context.facts.encoders.items()}
    facts = dataclasses.replace(context.facts, classes=tuple(classes), encoders=known, dataset=text, warnings=(text,))
    board = dataclasses.replace(context.run.board, table=swap(context.board), flags={"saturated": text})
    run = dataclasses.replace(context.run, board=board, facts=facts, refused=(text,), command=text,
                              robustness=swap(context.run.robustness), efficiency=swap(context.run.efficiency))  # fmt: skip
    there = context.map
    assert there is not None
    return dataclasses.replace(
        context, run=run, methods=tuple(map(method, context.methods)), detailed=tuple(map(method, context.detailed)),
        tables={name: swap(table) for name, table in context.tables.items()}, names=[text] * len(context.names),
        groups=[text] * len(context.groups), labels=[called[label] for label in context.labels],
        map=dataclasses.replace(there, at={encoder if n == before else n: a for n, a in there.at.items()},
                                kept={encoder if n == before else n: k for n, k in there.kept.items()}),
    )  # fmt: skip


def outline(page: bytes) -> list[str]:
    """Return the elements of a page, without those that only isolate a text that is not ASCII or mark it as code."""
    return [tag for tag in take_apart(page).tags if tag not in ("bdi", "code")]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(NAMES, min_size=4, max_size=4, unique_by=shown), NAMES, HOSTILE)
@example([*WORST, "a"], WORST[1], WORST[0])
def test_a_name_is_shown_as_text_whatever_it_holds(context, classes, encoder, text):
    classes = [f"{i}{name}" for i, name in enumerate(classes)]
    page = render(renamed(context, classes, f"e{encoder}", f"t{text}"))
    plainly = render(renamed(context, list("abcd"), "e", "t"))
    assert outline(page) == outline(plainly)
    seen = take_apart(page)
    body = seen.text()
    for name in (*classes, f"e{encoder}", f"t{text}"):
        assert shown(name).replace("`", "") in body.replace("`", "")
    data = data_of(page)
    assert data["points"]["classes"] == list(map(shown, classes)) and shown(f"e{encoder}") in data["encoders"]
    assert not {name for _, attributes, _ in seen.elements for name in attributes if name.startswith("on")}
    assert all(c not in page.decode() for c in "\u202e\u200f\u2028\x00")


@given(HOSTILE)
def test_words_with_data_in_them_mean_only_what_the_template_means(text):
    seen = take_apart(
        f"<body>{words_html(say('*a* {x} `b` {y}', x=text, y=Code(text)))}</body>".encode("utf-8", "replace")
    )
    assert set(seen.tags) <= {"body", "em", "code", "bdi"}
    assert seen.text().replace("`", "") == f"a {shown(text)} b {shown(text)}".replace("`", "")
    assert set(take_apart(f"<body>{text_html(text)}</body>".encode()).tags) <= {"body", "bdi"}


@given(st.dictionaries(st.text(max_size=5), HOSTILE))
def test_data_of_the_script_end_no_element_and_come_back_as_they_were(data):
    import json

    text = json_text(data)
    assert json.loads(text) == data and text.isascii() and not set("<>&") & set(text)


def test_a_page_asks_for_nothing(small_page):
    seen = take_apart(small_page)
    for tag, attributes, _ in seen.elements:
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            value = attributes.get(name, "#")
            assert value.startswith(("#", "data:")), (tag, name, value[:60])
    assert b"@import" not in small_page and b"url(" not in small_page and b"fetch(" not in small_page
    [policy] = [one["content"] for one, _ in seen.having("http-equiv")]
    assert policy.startswith("default-src 'none'; img-src data:") and "'unsafe-inline'; script-src 'sha256-" in policy


def test_the_bytes_are_the_same_every_time_and_in_every_process(small_run, small_page, tmp_path):
    code = "import sys; from pathlib import Path; from bench.report.html.report import write_report\n"
    code += "write_report(Path(sys.argv[1]), Path(sys.argv[2]))"
    for seed in ("1", "2"):
        to = tmp_path / f"{seed}.html"
        subprocess.run([sys.executable, "-c", code, str(small_run), str(to)], cwd=ROOT, check=True,
                       env={**os.environ, "PYTHONHASHSEED": seed})  # fmt: skip
        assert to.read_bytes() == small_page


def test_a_small_run_makes_a_small_page(small_page):
    assert len(small_page) < 1_500_000


def test_every_part_is_there_and_the_contents_lead_to_it(small_page):
    seen = take_apart(small_page)
    places = {one["id"] for one, _ in seen.having("id")}
    links = [one["href"][1:] for one, _ in seen.having("href") if one["href"].startswith("#") and "class" not in one]
    assert set(links) <= places and len(places) == len(seen.having("id"))
    assert [one["id"] for tag, one, _ in seen.elements if tag == "section"] == [
        part.key for part in PARTS if part.key not in ("audit", "finetuning", "next")
    ]  # fmt: skip
    assert len({part.key for part in PARTS}) == len(PARTS) and len({check.code for check in CHECKS}) == len(CHECKS)


def test_it_can_be_read_without_a_script(small_page):
    body = re.sub(rb"<script.*?</script>", b"", small_page, flags=re.DOTALL)
    seen = take_apart(body)
    rows = [one for one, _ in seen.having("data-m")]
    assert sum("hidden" not in one for one in rows) > 4
    assert seen.tags.count("svg") > 8 and "img" in seen.tags


def test_the_verdict_is_that_of_the_leaderboards_page(context, small_page):
    best, alike, rests_on = sentences(context)
    assert plain_words(best) == plain_words(summary(context.board))
    text = take_apart(small_page).text()
    for words in (best, alike, rests_on):
        assert plain_words(words) in text


def test_the_glossary_has_the_words_of_the_documentation():
    page = (ROOT / "docs" / "README.md").read_text()
    table = dict(
        re.findall(r"^\| ([\w ]+) \| (.+) \|$", page.partition("## Words")[2].partition("## ")[0], re.MULTILINE)
    )
    del table["word"]
    assert dict(WORDS).keys() == table.keys()
    for word, text in WORDS:
        assert table[word].replace("`", "").startswith(text), word


def test_every_warning_of_a_run_is_on_its_page_as_an_issue_or_a_tip(context):
    board = dataclasses.replace(context.run.board, flags={name: f"flag {name}" for name in FLAGS})
    facts = dataclasses.replace(context.facts, warnings=("one of the data", "another of the data"))
    run = dataclasses.replace(context.run, board=board, facts=facts, refused=("what was not run",))
    seen = take_apart(render(dataclasses.replace(context, run=run)))
    noted = " ".join(text for one, text in seen.having("class") if one["class"] in ("check issue", "check tip"))
    for note in (*board.flags.values(), *facts.warnings, *run.refused):
        assert note in noted or as_sentence(note) in noted, note


def test_nothing_is_said_to_hold_of_the_best_row_where_no_row_may_be_called_the_best(context):
    board = context.run.board
    assert sum(one.of_best for one, _, _ in checked(context)) == sum(one.of_best for one in CHECKS) == 5
    only = dataclasses.replace(board, table=board.table.assign(role="diagnostic"))
    found = checked(dataclasses.replace(context, run=dataclasses.replace(context.run, board=only)))
    assert found and not any(one.of_best for one, _, _ in found)


def test_without_images_there_is_none(small_run):
    page = render(read_report(small_run, Look(pictures=False)))
    assert b"data:image" not in page and "without images" in take_apart(page).text()


def test_anonymous_says_no_path_no_file_no_group_and_no_dataset(small_run, context):
    page = render(read_report(small_run, Look(anonymous=True))).decode()
    page = re.sub(r"data:image/webp;base64,[\w+/=]+", "", page)
    table = pd.read_parquet(small_run / "instances.parquet")
    secret = {*table["path"], *(Path(path).stem for path in table["path"]), *table["group"], str(small_run.parents[2])}
    assert not [name for name in secret if name in page]
    assert "bench run --data" not in page and context.facts.dataset not in take_apart(page.encode()).elements[0][1]
    assert "this dataset: which encoder" in page and f"{context.facts.dataset}:" not in page


def test_anonymous_says_no_file_of_an_encoder_or_a_head(context):
    file = "my.py:RF"
    own = without_paths(renamed(context, list(context.classes), "./cells.encoder", "text"))
    assert "encoder 1" in own.encoders and b"./cells" not in render(own)
    methods = tuple(one._replace(head=file) if one.head == "knn" else one for one in context.methods)
    board = context.board.assign(head=context.board["head"].replace("knn", file))
    run = dataclasses.replace(context.run, board=dataclasses.replace(context.run.board, table=board))
    own = without_paths(dataclasses.replace(context, run=run, methods=methods))
    assert not own.board["head"].eq(file).any() and {one.head for one in own.methods} == {"head 1", "centroid"}


def test_images_that_changed_or_went_are_not_shown(small_run, tmp_path):
    there = images_of(read_report(small_run).run.command)
    assert there is not None
    shutil.copytree(there, tmp_path / "raw")
    files = sorted((tmp_path / "raw").rglob("*.png"))
    Image.new("RGB", (48, 48)).save(files[0])
    files[1].unlink()
    context = read_report(small_run, Look(images=tmp_path / "raw"))
    assert len(context.pictures) == len(files) - 2 and context.why["pictures"].startswith("2 of")
    nowhere = read_report(small_run, Look(images=tmp_path))
    assert not nowhere.pictures and nowhere.tables["confusion"].equals(context.tables["confusion"])


def test_no_image_outside_of_its_folder_is_shown(small_run, tmp_path):
    from bench.embeddings.thumbnails import thumbnails

    table = pd.read_parquet(small_run / "instances.parquet")
    there = images_of(read_report(small_run).run.command)
    assert there is not None
    moved = table.assign(path=[f"../{there.name}/{path}" for path in table["path"]])
    assert thumbnails(moved, there, [0, 1], store=tmp_path) == ({}, 2)
    made, lacking = thumbnails(table, there, [0, 1], store=tmp_path)
    assert set(made) == {0, 1} and not lacking and made[0][:4] == b"RIFF"


@pytest.mark.parametrize(
    ("command", "named"), [("bench run --data=raw", "raw"), ("bench run --data raw --shots 1", "raw"), ("bench run", None),
                           ("other --data raw", None), ("bench run --data 'raw", None), ("bench run --data", None)],
)  # fmt: skip
def test_the_images_are_where_the_command_says(command, named, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw").mkdir()
    assert images_of(command) == (Path(named) if named else None)


def test_a_report_has_the_name_of_a_web_page(small_run, tmp_path):
    result = bench.load_run(small_run)
    with pytest.raises(BenchError, match=r"Got .*cells\.txt; expected a file whose name ends in \.html"):
        result.report(tmp_path / "cells.txt")
    assert not list(tmp_path.iterdir())
