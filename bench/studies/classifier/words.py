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
        yield f"The classifier was trained on {some}: how well it does on them says nothing about new images."
    if model.about.bag_head:
        part = model.about.part
        yield (
            f"Sets and --errors hold for images here. Nothing is promised for single {part}s, as no {part} had a label."
        )
    if why := model.too_few_for(asked.sets):
        yield f"Every set holds all classes: {why}."
    nothing = "No image is answered" if model.about.bag_head else "Nothing is answered"
    if asked.errors is not None and math.isinf(model.answer_from(asked.errors)):
        yield (
            f"{nothing}: it cannot be promised at any confidence that at most {rate(asked.errors)} of the answers are "
            f"wrong (there were too many errors, or {model.about.groups} slides are too few to tell)."
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
            f"{rate(share)} of the instances are unlike all training images, where {rate(asked.unlike)} are expected "
            "by chance. These images may be of another kind (stain, magnification, microscope); if so, the promises "
            "of this classifier do not hold."
        )
    if model.one_group:
        yield (
            f"The classifier knows {', '.join(model.one_group)} from a single slide: nothing is promised for "
            f"{'that class' if len(model.one_group) == 1 else 'those classes'} on other slides."
        )
