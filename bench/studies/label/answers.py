"""Messages from a cell of a notebook and what they are answered: the page of `bench label` without a server.

A message is what the page asks, with a number that the answer has too:

    {"of": "view", "number": 7, "ask": "press", "said": {"items": [3], "label": 0}}

The answer is {"of": "view", "number": 7, "told": {...}}, or "error" instead of "told"; a picture has its media type as
"kind", and its bytes beside it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bench.errors import BenchError
from bench.images.picture import ImageError
from bench.studies.label.deeds import DEEDS, MalformedError
from bench.studies.label.labelling import Labelling
from bench.studies.label.pictures import KINDS, Pictures, not_shown

_PICTURE = re.compile(rf"({'|'.join(KINDS)})/([0-9]{{1,9}})")
Answer = tuple[dict[str, Any], list[bytes]]


def answer(labelling: Labelling, pictures: Pictures, message: object) -> Answer | None:
    """Return (answer, bytes beside it); None for what is no question. A press is on the disk before this returns."""
    if not isinstance(message, Mapping) or not isinstance(asked := message.get("ask"), str):
        return None
    head = {"of": message.get("of"), "number": message.get("number")}
    try:
        if picture := _PICTURE.fullmatch(asked):
            kind, data = _picture(labelling, pictures, picture[1], int(picture[2]))
            return {**head, "kind": kind, "told": {}}, [data]
        return {**head, "told": _told(labelling, asked, message.get("said"))}, []
    except ImageError as error:
        return {**head, "error": not_shown(error)}, []
    except (BenchError, MalformedError) as error:
        return {**head, "error": str(error)}, []


def _told(labelling: Labelling, asked: str, said: object) -> Mapping[str, Any]:
    if asked == "state":
        return labelling.state()
    if asked == "done":
        labelling.close()
        return {"labels": labelling.tally().pressed}
    if asked not in DEEDS or not isinstance(said, Mapping):
        raise MalformedError(f"there is no such thing: {asked}")
    return DEEDS[asked](labelling, said)


def _picture(labelling: Labelling, pictures: Pictures, kind: str, item: int) -> tuple[str, bytes]:
    if item >= len(labelling.task.keys):
        raise MalformedError("there is no such image")
    return pictures.get(item, kind)
