"""Citations: only what is known, every paper of the catalogue, and entries that no name can break."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import bench
from bench.heads import all_heads
from bench.report.citations.formats import FORMATS
from bench.report.citations.sources import (
    AUTHORS,
    LICENCE,
    PROGRAM,
    Citations,
    EncoderNote,
    Paper,
    of_encoder,
    of_head,
    of_unknown_head,
    papers_in,
    program,
    unique,
)
from encoders import registered

ROOT = Path(__file__).resolve().parents[4]
HOSTILE = 'x}@article{evil, title="y"} % {{{ \n & _'


def known(about: str, weights: str = "hub/name") -> EncoderNote:
    return EncoderNote(name="e", about=about, weights=weights, licence="CC-BY-NC-4.0", use="non-commercial")


def depth(text: str) -> list[int]:
    """Return how deep within braces every letter is, as BibTeX counts: a backslash does not matter."""
    out, now = [], 0
    for letter in text:
        now += {"{": 1, "}": -1}.get(letter, 0)
        out.append(now)
    return out


@pytest.mark.parametrize(
    ("text", "papers"),
    [
        ("DINO ViT-S/16 (Caron et al. 2021), class token", [("Caron et al.", "2021")]),
        ("EfficientNet-Lite0 (Tan & Le 2019, for phones)", [("Tan & Le", "2019")]),
        ("Chen and Guestrin 2016", [("Chen and Guestrin", "2016")]),
        ("Di Salvo et al. 2024", [("Di Salvo et al.", "2024")]),
        ("H-optimus-1 ViT-g/14 (Bioptimus 2025)", [("Bioptimus", "2025")]),
        ("Patterns (Ojala et al. 2002), greys (Haralick et al. 1973)", [("Ojala et al.", "2002"), ("Haralick et al.", "1973")]),
        ("The image at 32 x 32 px in grey, 0..1.", []), ("224 px; 1024 px: slow", []),
    ],
)  # fmt: skip
def test_papers_are_read_from_a_line(text, papers):
    assert [(paper.authors, paper.year) for paper in papers_in(text)] == papers


def test_every_year_in_the_catalogue_belongs_to_a_paper_that_is_found():
    for spec in registered()[0]:
        years = re.findall(r"\b(?:19|20)\d\d\b", spec.about)
        assert [paper.year for paper in papers_in(spec.about)] == years, spec.about


def test_every_paper_of_a_head_is_one_and_stands_in_the_text_of_its_file():
    for name, head in all_heads().items():
        source = (ROOT / "bench" / "heads" / f"{name.replace('-', '_')}.py").read_text()
        document = source.split('"""')[1]
        for paper in head.papers:
            [found] = papers_in(paper)
            surname = re.split(r" et al| & | and ", found.authors)[0]
            assert surname in document and found.year in document, (name, paper)


def test_the_program_is_cited_as_its_file_says():
    text = (ROOT / "CITATION.cff").read_text()
    for line in (f"title: {PROGRAM}", f"  - name: {AUTHORS}", f"license: {LICENCE}", f"version: {bench.__version__}"):
        assert f"{line}\n" in text


def test_an_encoder_comes_with_its_paper_its_weights_and_their_licence():
    [source] = of_encoder("dino", known("DINO (Caron et al. 2021), class token"))
    text = FORMATS["bibtex"](Citations(sources=(source,)))
    assert "author = {Caron and others}" in text and "year = {2021}" in text
    assert "hub/name" in text and "CC-BY-NC-4.0 (non-commercial)" in text and "title" not in text


def test_what_is_in_no_catalogue_is_said_not_to_be_known():
    [source] = of_encoder("mine", None)
    assert not source.papers and "not in the catalogue" in source.note
    assert "not of the program" in of_unknown_head("my.py:HEAD").note


def test_an_encoder_of_the_program_itself_needs_nothing_and_one_learned_on_brings_its_base():
    assert of_encoder("raw-pixels", known("The image at 32 x 32 px.", weights="")) == []
    base = known("Base (Tan & Le 2019)")
    grown = EncoderNote(name="g", about="trained on", weights="w", licence="MIT", use="open", base=base)
    assert [source.name for source in of_encoder("g", grown)] == ["g", "e"]


def test_a_head_has_an_entry_per_paper():
    found = of_head("centroid", "nearest class centroid", ("Snell et al. 2017", "Wang et al. 2019"))
    assert [source.papers for source in found] == [
        (Paper(authors="Snell et al.", year="2017"),), (Paper(authors="Wang et al.", year="2019"),)
    ]  # fmt: skip
    assert len({source.key for source in found}) == 2


@pytest.mark.parametrize("name", [HOSTILE, "@", "}", "{", "\\", "\u202e"])
def test_no_name_ends_its_entry(name):
    sources = unique([program("1"), *of_encoder(name, None), of_unknown_head(name), of_unknown_head(name + "!")])
    found = Citations(sources=sources, nothing=(name,))
    text = FORMATS["bibtex"](found)
    assert len(re.findall(r"(?m)^@misc\{[a-z0-9-]+,$", text)) == len(sources) == 4
    levels = depth(text)
    assert levels[-1] == 0 and min(levels) == 0
    outside = "".join(letter for letter, level in zip(text, levels, strict=True) if not level)
    assert outside.count("@") == 4  # of the entries alone
    assert "\u202e" not in text + FORMATS["text"](found) + FORMATS["cff"](found)
    for value in re.findall(r"(?m)^ +-? *(?:name|title|notes): (.*)$", FORMATS["cff"](found)):
        assert isinstance(json.loads(value), str)
    assert len(FORMATS["text"](found).splitlines()) < 16


def test_entries_that_are_called_alike_have_keys_that_differ():
    sources = unique([of_unknown_head("a b"), of_unknown_head("a-b"), of_unknown_head("a b")])
    assert [source.key for source in sources] == ["head-a-b", "head-a-b-2"]
