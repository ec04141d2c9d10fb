"""Classes of which no image can be used: named with the reason, an error unless they are left out by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from bench.data.among import among
from bench.data.spellings import one_form
from bench.errors import BenchError, did_you_mean
from bench.text import counted

SHOWN = 3


def without_images(
    given: pd.DataFrame, table: pd.DataFrame, problems: pd.DataFrame, known: Mapping[str, str]
) -> dict[str, str]:
    """Return class -> why, sorted, for each class of which no row is left.

    given, table: columns path, label, of all rows and of those that can be used. problems: path, reason. known: classes
    that have no row at all.
    """
    lost = dict(known)
    why = dict(zip(problems["path"][::-1].tolist(), problems["reason"][::-1].tolist(), strict=True))
    for label, part in given[~among(given["label"], table["label"].unique())].groupby("label"):
        first, count = part["path"].iloc[0], part["path"].nunique()
        start = f"none of its {count:,} images can be used, e.g. " if count > 1 else ""
        lost[str(label)] = f"{start}{first}: {why.get(first, 'it is left out')}"
    return dict(sorted(lost.items()))


def leave_out(
    table: pd.DataFrame, lost: dict[str, str], names: Sequence[str], notes: list[str]
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return table and lost classes without those that are named. Raises BenchError for a name that is no class.

    names: of classes, or several with commas between.
    """
    known = sorted({*table["label"].unique(), *lost})
    asked = [one_form(text) for text in names]
    names = [name for text in asked for name in ([text] if text in known else map(one_form, text.split(",")))]
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or "."
            raise BenchError(f"Got --leave-out '{name}'{hint} Expected one of: {', '.join(known)}.")
    if not names:
        return table, lost
    out = table["label"].isin(names)
    if len(out) and out.all():
        raise BenchError(f"Got --leave-out {','.join(names)}, which are all classes; expected two or more to stay.")
    images = counted(table.loc[out, "path"].nunique(), "image")
    notes.append(f"left out as asked: {', '.join(names)} ({images})")
    return table[~out].reset_index(drop=True), {name: why for name, why in lost.items() if name not in names}


def lost_classes(lost: Mapping[str, str], data: Path | str) -> str:
    """Return the error for classes without a usable image."""
    listed = "; ".join(f"'{name}' ({reason})" for name, reason in list(lost.items())[:SHOWN])
    more = f"; and {len(lost) - SHOWN} more" if len(lost) > SHOWN else ""
    what = "class" if len(lost) == 1 else "classes"
    comma = " (repeat the option for names with a comma)" if any("," in name for name in lost) else ""
    return (
        f"Got no usable image of {what} {listed}{more} in {data}; expected images of every class. Add them, or go on "
        f"without by adding --leave-out {','.join(lost)}{comma}."
    )
