"""Boxes against the images that they are of: kept inside, and one label for each."""

from __future__ import annotations

import pandas as pd

from bench.data.label_boxes import BOX, reversed_reason
from bench.text import counted, counted_of

SAID = ("group", "split", "source", "mask", "um_per_px")  # what a row says beside its region and label


def check_sizes(table: pd.DataFrame, notes: list[str]) -> None:
    """Note where a CSV states (Int64 or NA) another size of images than they have, so that its boxes are of others.

    table: columns path, BOX, width, height, stated_width, stated_height.
    """
    differ = ((table["stated_width"] != table["width"]) | (table["stated_height"] != table["height"])).fillna(False)
    differ &= table["x0"].notna()
    if differ.any():
        row, boxes = table[differ].iloc[0], counted(int(differ.sum()), "box", "boxes")
        there, here = (f"{row[f'{what}width']} x {row[f'{what}height']}" for what in ("stated_", ""))
        notes.append(
            f"{boxes} of images that are of another size in the CSV than on disk, e.g. {row['path']}: {there} there, "
            f"{here} here; were they drawn on other images?"
        )


def clip_boxes(table: pd.DataFrame, notes: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (table with boxes inside their images, problems for those wholly outside).

    table: columns path, BOX, width, height, any others. A box that is its entire image becomes NA.
    """
    table = table.reset_index(drop=True)
    if table[BOX].isna().all(axis=None):
        return table, pd.DataFrame({"path": [], "reason": []}, dtype="str")
    before = table[BOX].copy()
    for name, limit in (("x0", "width"), ("x1", "width"), ("y0", "height"), ("y1", "height")):
        table[name] = table[name].clip(lower=0).where(table[name].isna() | (table[name] <= table[limit]), table[limit])
    empty = ((table["x1"] <= table["x0"]) | (table["y1"] <= table["y0"])).fillna(False).astype(bool)
    texts = [" ".join(map(str, corners)) + " holds no pixel of the image" + reversed_reason(corners)
             for corners in before[empty].to_numpy().tolist()]  # fmt: skip
    problems = pd.DataFrame({"path": table.loc[empty, "path"], "reason": [f"box {text}" for text in texts]})
    clipped = int(((before != table[BOX]).fillna(False).any(axis=1) & ~empty).sum())
    count = max(1, int(before["x0"].notna().sum()))
    if clipped:
        notes.append(
            counted_of(
                clipped, count, "boxes reaches beyond its image and was clipped to it",
                "boxes reach beyond their image and were clipped to it",
            )
            + (
                ": are they of the images these were cut from, or of images of another size?"
                if clipped > count / 10
                else ""
            )
        )
    if empty.sum() > 0.1 * count:
        lie = counted(int(empty.sum()), "box lies outside its image", "boxes lie outside their images")
        notes.append(f"{lie}: are they of the images these were cut from?")
    entire = (table[["x0", "y0"]] == 0).all(axis=1) & (table["x1"] == table["width"]) & (table["y1"] == table["height"])
    table.loc[entire.fillna(False).astype(bool), BOX] = pd.NA  # one name for one region: it is the whole image
    return table[~empty].reset_index(drop=True), problems


def longer_sides(table: pd.DataFrame) -> pd.Series:
    """Return the pixels along the longer side of each region, int (N,). table: columns BOX, height, width."""
    wide = (table["x1"] - table["x0"]).astype("Int64").fillna(table["width"].astype("Int64"))
    high = (table["y1"] - table["y0"]).astype("Int64").fillna(table["height"].astype("Int64"))
    return wide.where(wide > high, high).astype(int)


def one_label_each(table: pd.DataFrame, notes: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Drop repeated rows; regions of one file that were given two labels become problems."""
    if table["path"].is_unique:
        return table, pd.DataFrame({"path": [], "reason": []}, dtype="str")
    single = table.drop_duplicates(["path", *BOX, "label"])
    if len(single) < len(table):
        again = counted(len(table) - len(single), "row repeats another and was", "rows repeat another and were")
        notes.append(f"{again} dropped{_unlike(table)}")
    torn = single.duplicated(["path", *BOX], keep=False)
    reasons = single[torn].groupby(["path", *BOX], dropna=False)["label"].agg(lambda s: " and ".join(sorted(s)))
    text = "one region has the labels " + reasons.astype("str").to_numpy(object)
    problems = pd.DataFrame({"path": reasons.index.get_level_values("path"), "reason": text})
    return single[~torn].reset_index(drop=True), problems


def _unlike(table: pd.DataFrame) -> str:
    """Return in which columns rows differ that name one region and one label, as words; "" where in none."""
    again = table[table.duplicated(["path", *BOX, "label"], keep=False)]
    regions = again.groupby(["path", *BOX, "label"], dropna=False)
    names = [name for name in SAID if name in again and (regions[name].nunique(dropna=False) > 1).any()]
    if not names:
        return ""
    unlike = regions[names].nunique(dropna=False).gt(1).any(axis=1)
    return f", though they differ in {' and '.join(names)}, e.g. {unlike.index[unlike][0][0]}: the first of them counts"
