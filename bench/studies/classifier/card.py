"""The model card of a classifier (Mitchell et al. 2019): what it is for, what to expect, what not to use it for."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator

import numpy as np

from bench.report.pages.markdown import render
from bench.report.pages.model import (
    Block,
    Bullets,
    Code,
    Heading,
    Inline,
    Page,
    Text,
    Words,
    code_field,
    name_field,
    number_field,
    say,
    table_of,
)
from bench.report.pages.numbers import chance, decimal, interval, points, rate, whole
from bench.statistics.conformal import groups_to_tell
from bench.studies.classifier.advice import measured, of_cells
from bench.studies.classifier.encoder import is_outside, must_be_typed
from bench.studies.classifier.model import About, Model
from bench.text import counted

CELLS = {"boxes": " --cells CELLS.csv", "masks": " --masks MASKS"}  # where the cells of new images are
SETS, ERRORS = 0.9, 0.05  # rates that the card tells of


def card(model: Model) -> str:
    """Return the text of README.md."""
    about = model.about
    blocks: list[Block] = [
        Text(say("**In short:** {words}", words=expectation(model))),
        Heading(say("What it is")), Bullets(tuple(_what(model))),
        Heading(say("What to expect on new slides")), *_expected(model),
        *_of_parts(about),
        Heading(say("How it was chosen")), *_chosen(model),
    ]  # fmt: skip
    if about.warnings:
        blocks += [Heading(say("Read this before you trust it")), Bullets(about.warnings)]
    blocks += [Heading(say("Use it")), Code(use_of(about, "THIS_FOLDER"))]
    return render(Page(say("A classifier of {data}", data=about.data), tuple(blocks)))


def use_of(about: About, folder: str) -> str:
    """Return the command that uses a classifier; what is yours to name is in capitals."""
    encoder = ""
    if is_outside(about):
        encoder = " --encoder file:NEW.parquet"
    elif must_be_typed(about):
        encoder = f" --encoder {shlex.quote(about.encoder)}"
    cells = CELLS.get(about.instances.partition(":")[0], "")
    images = "BOXES.csv" if about.regions else "IMAGES"
    return f"bench predict {shlex.quote(folder)} {images}{cells}{encoder} --to predictions.csv"


def expectation(model: Model) -> Words:
    """Return what is to be expected on new slides, in a sentence or two."""
    promise, tested = model.promise, len(np.unique(model.group))
    if math.isnan(promise.balanced_accuracy):
        return say("what to expect on new slides is not known: {why}.", why=_why_not_known(model))
    those = "it learned from" if tested == model.about.groups else "have labels that were drawn at random"
    score = chance(promise.balanced_accuracy, promise.low, promise.high)
    exact = (
        say(" Groups or errors are so few that every group counts as one observation, so both intervals are wide.")
        if promise.exact
        else ""
    )
    without = (
        say(" Without {names}, of which there is a single group.", names=" and ".join(model.one_group))
        if model.one_group
        else ""
    )
    of_images = say(" of images") if model.about.bag_head else ""
    return say(
        "balanced accuracy{of_images} to expect on new slides: {score}, with the 95% interval for the mean over many "
        "slides. On the next {groups} alone, as many as {those}, expect between {low} and {high}. Guessing gives "
        "{chance}.{exact}{without}",
        of_images=of_images, score=score, groups=counted(tested, "group"), those=those,
        low=rate(promise.next_low), high=rate(promise.next_high),
        chance=rate(1 / len(model.about.classes)), exact=exact, without=without,
    )  # fmt: skip


def _why_not_known(model: Model) -> str:
    known = [name for name in model.about.classes if name not in model.one_group]
    if not len(model.y):
        return "no label was drawn at random"
    if model.one_group and known:
        return f"all classes but {known[0]} lie in a single slide, and who always answers {known[0]} would be right"
    return "every class lies in a single slide"


def _what(model: Model) -> Iterator[Inline]:
    about = model.about
    yield say("Classes: {names}.", names=", ".join(about.classes))
    yield say(
        "Learned from {rows} of {images} in {groups}{how}.",
        how=", by labels of images" if about.bag_head else "",
        rows=counted(about.rows, "instance"), images=counted(about.images, "image"),
        groups=counted(about.groups, "group"),
    )  # fmt: skip
    if len(model.y) < (about.images if about.bag_head else about.rows):
        yield say(
            "What it promises rests on {some} of these labels, which were drawn at random; the others were picked for "
            "being hard or unusual.",
            some=f"{len(model.y):,}",
        )  # fmt: skip
    yield say(
        "Encoder {encoder} (key {key}, {weights}), head {head}, {setting}.",
        encoder=Code(about.encoder), key=Code(about.encoder_key[:8]),
        weights=say("weights {digest}", digest=Code(about.weights[:12])) if about.weights else say("no weights"),
        head=Code(about.learner),
        setting=", ".join(f"{name} {value}" for name, value in about.setting.items()) or "no setting",
    )  # fmt: skip
    if is_outside(about):
        yield say(
            "The encoder is a file of embeddings that another program computed. To predict, compute those of the new "
            "images by the same program and network, and give their file by {option}. Nothing here can check that they "
            "are of the same network.",
            option=Code("--encoder file:NEW.parquet"),
        )  # fmt: skip
    scales = about.um_per_px
    channels = f"{' or '.join(map(str, about.channels))} {'channel' if about.channels == (1,) else 'channels'}"
    scale = (
        say("{low} to {high} micrometres per pixel", low=decimal(scales[0], 3), high=decimal(scales[1], 3))
        if scales
        else say("the scale is not known")
    )  # fmt: skip
    yield say(
        "Made for images with {channels}{pixels}, instances {kind}{sides}; {scale}.", channels=channels,
        pixels=say(" of {dtypes}", dtypes=" or ".join(about.dtypes)) if about.dtypes else "",
        kind=Code(about.instances), sides=_sides(about), scale=scale,
    )  # fmt: skip
    yield say(
        "Probabilities are valid where classes are about as frequent as in training. Elsewhere, trust the order of "
        "images within a class more than the numbers."
    )
    yield _licence(model)


def _sides(about: About) -> Inline:
    """Return how large what it learned from was, where that is known."""
    least, most = about.sides
    what = "regions (boxes of a CSV)" if about.regions else "images"
    sizes = f"{least:,} px" if least == most else f"{least:,} to {most:,} px"
    return say(" ({what} of {sizes} along the longer side)", what=what, sizes=sizes) if least else ""


def _of_parts(about: About) -> Iterator[Block]:
    if about.bag_head:
        yield Heading(say("{part}s", part=about.part.capitalize()))
        yield Bullets((*of_cells(about), measured()))


def _licence(model: Model) -> Words:
    about = model.about
    what = {
        "open": say("open: it may be used commercially"),
        "non-commercial": say("non-commercial: this classifier may not be used commercially either"),
    }
    return say(
        "Licence of the encoder's weights: {licence} ({what}). The training images have licences of their own.",
        licence=about.licence, what=what.get(about.licence_class, say("read it before using this commercially")),
    )  # fmt: skip


def _expected(model: Model) -> Iterator[Block]:
    promise = model.promise
    held = {} if model.too_few_for(SETS) else model.sets_hold(SETS)
    rows = [
        {"class": name, "groups": promise.groups[name], "recall": promise.recall[name], "sets": held.get(name),
         "limits": interval(*promise.recall_limits[name])}
        for name in model.about.classes
    ]  # fmt: skip
    fields = [
        name_field("class"), number_field("groups", lambda n: f"{n:,d}"),
        number_field("recall", lambda x: "not known" if math.isnan(x) else points(x), "recall, %"),
        number_field("limits", str, "95% interval"),
    ]  # fmt: skip
    if held:
        fields.append(number_field("sets", whole, "in its sets, %"))
    if math.isnan(promise.accuracy):
        yield Text(say("Nothing is known: {why}.", why=_why_not_known(model)))
    else:
        yield Text(
            say(
                "Every {unit} was predicted by a classifier that was chosen and trained without its group. Plain "
                "accuracy: {accuracy}.",
                unit=model.about.unit,
                accuracy=rate(promise.accuracy),
            )
        )
    yield table_of(rows, fields)
    yield Text(
        say(
            "Intervals are exact ones that count every group of a class as one observation.{sets}",
            sets=say(
                " *In its sets*: of how many left-out {unit}s of a class the set for {rate} holds it. That rate is of "
                "all classes together: a class that is hard or rare may be in its sets less often.",
                unit=model.about.unit, rate=rate(SETS),
            ) if held else "",
        )
    )  # fmt: skip
    yield Bullets(tuple(_guarantees(model)))


def _guarantees(model: Model) -> Iterator[Inline]:
    about = model.about
    if model.one_group:
        yield say(
            "There is a single group of {names}, so it is not known how {they} on other slides; {are} left out of "
            "these numbers.",
            names=" and of ".join(model.one_group), they="that class looks" if len(model.one_group) == 1 else
            "these classes look", are="it is" if len(model.one_group) == 1 else "they are",
        )  # fmt: skip
    if too_few := model.too_few_for(SETS):
        yield say("Sets hold every class: {why}.", why=too_few)
    else:
        sizes = (model.left_out >= model.set_limit(SETS)).sum(1).clip(1)
        yield say(
            "A set of classes that contains the true one for {rate} of the {units} of new slides, all classes "
            "together, has {size} classes on average.",
            units=f"{about.unit}s", rate=rate(SETS), size=decimal(float(sizes.mean()), 1),
        )  # fmt: skip
    least = model.answer_from(ERRORS)
    if math.isinf(least):
        yield say(
            "It cannot be promised, at any confidence, that at most {rate} of the answers are wrong: there were too "
            "many errors, or too few slides to tell.",
            rate=rate(ERRORS),
        )  # fmt: skip
    else:
        share = float((model.left_out.max(1) >= least).mean())
        yield say(
            "With {option}, it answers {share} of the {unit}s.",
            unit=about.unit, option=Code(f"--errors {ERRORS}"), share=rate(share),
        )  # fmt: skip
    slides = about.groups
    yield say(
        "{unit} counts as unlike all training images at p <= 0.05, which needs {least} slides; there are {n}.",
        unit=f"A {about.part}" if about.bag_head else "An instance", least=groups_to_tell(0.05), n=slides,
    )  # fmt: skip


def _chosen(model: Model) -> Iterator[Block]:
    about = model.about
    rows = [
        {"encoder": encoder, "head": head, "score": score, "folds": f"{folds} of {about.folds}"}
        for encoder, head, score, folds in about.candidates
    ]
    fields = (
        code_field("encoder"), code_field("head"), number_field("score", points, "balanced accuracy, %"),
        number_field("folds", str, "chosen by the other folds"),
    )  # fmt: skip
    if len(rows) == 1 or (rows and math.isnan(about.candidates[0][2])):
        only = len(rows) == 1
        yield Text(say("Nothing else was compared.") if only else say("The first: left-out groups told nothing."))
        yield table_of(rows, fields)
        return
    yield Text(
        say(
            "The best of these on left-out groups. For the numbers above, the choice was repeated for each of {folds} "
            "of groups on the other folds alone, so that they are not inflated by picking the best.",
            folds=counted(about.folds, "fold"),
        )
    )
    yield table_of(rows, fields)
