"""What to know of predictions before using them, in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator

from bench.report.pages.numbers import rate
from bench.statistics.conformal import groups_to_tell
from bench.studies.classifier.model import Asked, Model
from bench.studies.classifier.predict import Predicted

MANY = 3  # times as many unlike instances as expected, from which a batch counts as of another kind
FEWEST = 20  # instances of a batch that is judged


def cautions(model: Model, asked: Asked, found: Predicted) -> Iterator[str]:
    """Yield which promises do not hold, and why."""
    if found.seen:
        some = f"{found.seen:,} of these {found.instances:,}" if found.seen < found.instances else "all of these"
        yield f"The classifier learned from {some}: its answers on them say nothing about new images."
    if model.about.bag_head:
        part = model.about.part
        yield f"Sets and --errors are of images here. Of single {part}s nothing is promised, as no {part} had a label."
    if why := model.too_few_for(asked.sets):
        yield f"Every set holds all classes: {why}."
    nothing = "No image is answered" if model.about.bag_head else "Nothing is answered"
    if asked.errors is not None and math.isinf(model.answer_from(asked.errors)):
        yield (
            f"{nothing}: no confidence promises that at most {rate(asked.errors)} of the answers are wrong "
            f"(too many errors, or {model.about.groups} slides are too few to tell)."
        )
    least = groups_to_tell(asked.unlike) if asked.unlike else 0
    if asked.unlike and model.about.groups < least:
        yield (
            f"Nothing can be called unlike the training images at p <= {asked.unlike:g}: that takes {least} slides to "
            f"learn from, and there are {model.about.groups}."
        )
    share = found.unlike / found.instances
    if found.instances >= FEWEST and asked.unlike and share > MANY * asked.unlike:
        yield (
            f"{rate(share)} of the instances are unlike all that it learned from, where {rate(asked.unlike)} are "
            "expected: these images may be of another kind (stain, magnification, microscope), and then its promises "
            "do not hold."
        )
    if model.one_group:
        yield (
            f"Of {', '.join(model.one_group)} it knows a single slide: nothing is promised of that class on "
            "others."
        )
