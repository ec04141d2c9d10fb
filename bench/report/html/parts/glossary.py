"""What a word means, and how the columns are to be read."""

from __future__ import annotations

from markupsafe import Markup

from bench.report.html.context import ReportContext
from bench.report.html.part import Made, Part
from bench.report.html.words import blocks_html, text_html
from bench.report.pages.model import Heading
from bench.report.pages.sections.reading import how_to_read

#: As in docs/README.md.
WORDS = (
    ("image", "a file"),
    ("instance",
     "the part of an image that gets one embedding: the whole image, a tile, or a window around a cell"),
    ("group", "images that must stay on one side of a split: a slide, a patient, a culture"),
    ("source", "the lab, stain or batch"),
    ("encoder", "turns an image into a vector; it is frozen, that is, not trained here"),
    ("variant", "an encoder with options, such as dino@size=448"),
    ("head", "a classical classifier that is trained on the vectors"),
    ("draw", "one random choice of the labelled examples"),
    ("shots", "labelled examples per class"),
    ("noise", "labels that are made wrong on purpose"),
    ("baseline", "a cheap description, such as mean colour, that every encoder has to beat"),
    ("balanced accuracy", "the mean recall over classes, each class with the same weight"),
)  # fmt: skip


def make(context: ReportContext) -> Made:
    """Return the words, and how to read the columns."""
    words = Markup("").join(Markup("<dt>{}</dt><dd>{}</dd>").format(word, text_html(text)) for word, text in WORDS)
    blocks = [block for block in how_to_read(context.run) if not isinstance(block, Heading)]
    return Made(html=Markup('<dl>{}</dl><details><summary>How to read the numbers</summary>{}</details>').format(
        words, blocks_html(blocks)
    ))  # fmt: skip


GLOSSARY = Part(key="glossary", title="What a word means", brief="Glossary", make=make)
