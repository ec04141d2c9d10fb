"""Messages in Python's words: what the command line calls `--leave-out`, a function here calls `leave_out`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd

from bench.errors import BenchError
from encoders import EncoderError

#: Options of the command line whose parameter is called otherwise, or that is True or False. All others only lose their
#: dashes.
PARAMETERS = {
    "data": "path", "encoder": "encoders", "head": "heads", "bag-head": "bag_heads", "ensemble": "ensembles",
    "seeds": "draws", "draw": "support_groups", "no-baselines": "baselines=False", "zero-shot": "zero_shot=True",
    "follow-links": "follow_links=True", "allow-missing": "allow_missing=True", "keep-pixels": "keep_pixels=True",
    "drawn-only": "drawn_only=True", "labelled": "labels", "any-image": "any_image=True",
}  # fmt: skip
_OPTION = re.compile(r"(?<![\w-])--([a-z]+(?:-[a-z]+)*)(?![\w-])")
_VALUE = re.compile(r"(?<![\w-])--([a-z]+(?:-[a-z]+)*) (?='[^']*'(?!\w))")  # one in quotes, which is no prose
_PLACE = re.compile(r"(?<![\w-])--([a-z]+(?:-[a-z]+)*) (?=[A-Z]{3,}\b)")  # one in capitals, to be filled in
_COMMAND = re.compile(r"(`bench [^`]*`)")  # is typed in a terminal, and stays as it is


def in_python(text: str) -> str:
    """Return a sentence with the options of the command line called as parameters are."""
    parts = _COMMAND.split(text)
    return "".join(part if at % 2 else _renamed(part) for at, part in enumerate(parts))


def _renamed(text: str) -> str:
    for given in (_VALUE, _PLACE):
        text = given.sub(lambda found: f"{parameter(found[1]).partition('=')[0]}=", text)
    return _OPTION.sub(lambda found: parameter(found[1]), text)


def parameter(option: str) -> str:
    """Return what a parameter is called whose option is --`option`."""
    return PARAMETERS.get(option, option.replace("-", "_"))


def reasons_in_python(problems: pd.DataFrame) -> pd.DataFrame:
    """Return a table of path and reason with every reason in Python's words."""
    return problems.assign(reason=problems["reason"].map(in_python))


@contextmanager
def python_words() -> Iterator[None]:
    """Let every foreseeable mistake leave as a BenchError in Python's words."""
    try:
        yield
    except (BenchError, EncoderError) as error:
        lines = [in_python(str(line)) for line in error.args]
        raise BenchError(*lines).with_traceback(error.__traceback__) from None
