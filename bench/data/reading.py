"""How the files of a dataset are read, as a user may ask for it."""

from __future__ import annotations

from dataclasses import dataclass

from bench.errors import BenchError, did_you_mean

UNLABELLED = "unlabelled"  # the label of what has none
#: By the name of a unit of boxes, the number that stands for the whole width or height; None for pixels.
UNITS: dict[str, float | None] = {"pixels": None, "fractions": 1.0, "percent": 100.0}


@dataclass(frozen=True, kw_only=True)
class Reading:
    """leave_out: classes that take no part, names or several with commas between. follow_links: also read what links
    lead to outside of the data folder. box_units: what the numbers of boxes are, a name of UNITS. series: which of
    several pictures of a file is read, counted from 1; None is the largest, the first of several as large. labelled:
    False takes every image below a folder, whatever its folders are called, and a CSV without labels. only: paths below
    the data folder, with / between, of the images that are wanted; none are all. drawn_only: of a label table only the
    lines that were drawn at random, see `bench.data.chosen_by`.
    """

    leave_out: tuple[str, ...] = ()
    follow_links: bool = False
    box_units: str = "pixels"
    series: int | None = None
    labelled: bool = True
    only: tuple[str, ...] = ()
    drawn_only: bool = False


AS_USUAL = Reading()


def check_units(units: str) -> None:
    """Raise BenchError for units of boxes that are not known."""
    if units not in UNITS:
        raise BenchError(
            f"Got --box-units {units}{did_you_mean(units, UNITS) or '.'} Expected one of {', '.join(UNITS)}."
        )
