"""What an audit found as rows of one table, each with a reason in plain words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.data.label_boxes import BOX
from bench.studies.audit.labels import LabelAudit

COLUMNS = [
    "kind", "path", *BOX, "group", "split", "label", "suggested", "score", "p_wrong", "rank", "rank_low", "rank_high",
    "p", "other_path", "other_group", "reason",
]  # fmt: skip
LABEL, SLIDE, COPY, GROUPS, IMAGE, CLASS = "label", "slide", "copy", "groups", "image", "class"
FIXABLE = (LABEL, COPY, IMAGE)  # kinds that propose what becomes of an image
SIMPLE = ("image-size", "color-stats")  # encoders that see no morphology
WELL, AS_WELL, SOME = (
    0.8,
    0.05,
    30,
)  # F1 of a class from which on a simple one finds it, how far the best may be ahead; labels

Row = dict[str, Any]


def label_rows(found: LabelAudit, table: pd.DataFrame, classes: Sequence[str]) -> list[Row]:
    """Return a row per doubted label, the most suspicious first."""
    called = set(found.slides.loc[found.slides["called"], "group"])
    rows = []
    for i in np.flatnonzero(found.doubted)[np.argsort(found.rank[found.doubted], kind="stable")]:
        one, other = table.iloc[i], classes[found.other[i]]
        reason = (
            f"models not trained on slide {one['group']} predict {other} rather than {one['label']}"
            if one["group"] != one["path"]
            else f"models not trained on it predict {other} rather than {one['label']}"
        )
        if one["group"] in called:
            reason += "; so are most of its slide"
        rows.append(
            _of(one) | {
                "kind": LABEL, "suggested": other, "score": found.score[i], "p_wrong": found.fitted.p[i],
                "rank": found.rank[i], "rank_low": found.rank_low[i], "rank_high": found.rank_high[i], "reason": reason,
            }
        )  # fmt: skip
    return rows


def slide_rows(found: LabelAudit) -> list[Row]:
    """Return a row per slide most of whose labels are doubted."""
    return [
        {
            "kind": SLIDE, "group": one["group"], "score": one["margin"], "p_wrong": one["share"], "p": one["p"],
            "reason": f"{one['doubted']} of {one['items']} labels of this slide are doubted"
            + ("" if one["p"] <= 0.05 else "; slides of this set differ so much that the slide itself may be "
               "the reason"),
        }
        for one in found.slides[found.slides["called"]].to_dict("records")
    ]  # fmt: skip


def copy_rows(pairs: pd.DataFrame, table: pd.DataFrame) -> list[Row]:
    """Return a row per pair of copies, those of two groups or two labels first, and one per two groups that share some.

    pairs: columns first, second (rows of the table), how, correlation.
    """
    rows: list[tuple[bool, Row]] = []
    joined: dict[tuple[str, str], int] = {}
    for pair in pairs.to_dict("records"):
        one, other = table.iloc[pair["first"]], table.iloc[pair["second"]]
        apart, torn = one["group"] != other["group"], one["label"] != other["label"]
        reason = f"shows what {other['path']} shows ({pair['how']})"
        reason += "; they are in two groups, so one may be in training and the other in test" if apart else ""
        reason += f"; the other is labelled {other['label']}" if torn else ""
        rows.append((not (apart or torn), _of(one) | {
            "kind": COPY, "score": pair["correlation"], "other_path": other["path"], "other_group": other["group"],
            "suggested": other["label"] if torn else "", "reason": reason,
        }))  # fmt: skip
        if apart:
            key = min(one["group"], other["group"]), max(one["group"], other["group"])
            joined[key] = joined.get(key, 0) + 1
    groups = [
        {"kind": GROUPS, "group": one, "other_group": other, "score": float(count),
         "reason": f"{count} {'image' if count == 1 else 'images'} of one {'is' if count == 1 else 'are'} in the "
         "other too: they should be one group"}
        for (one, other), count in sorted(joined.items(), key=lambda item: (-item[1], item[0]))
    ]  # fmt: skip
    return [row for _, row in sorted(rows, key=lambda pair: pair[0])] + groups


def image_rows(found: Iterable[tuple[int, str, float]], table: pd.DataFrame) -> list[Row]:
    """Return a row per image that is no use, the farthest off first."""
    return [
        _of(table.iloc[i]) | {"kind": IMAGE, "score": off, "reason": why}
        for i, why, off in sorted(found, key=lambda one: (-one[2], one[0]))
    ]


def class_rows(found: LabelAudit, classes: Sequence[str]) -> list[Row]:
    """Return a row per class that size or colour finds as well, or nearly, as the best encoder."""
    members, rows = found.members, []
    simple = members["encoder"].isin(SIMPLE)
    if not simple.any() or simple.all() or found.judged.sum() < SOME:
        return []
    for number, name in enumerate(classes):
        k = str(number)
        by = members.loc[simple].sort_values([k, "encoder", "head"], ascending=[False, True, True]).iloc[0]
        best = members.loc[~simple].sort_values([k, "encoder", "head"], ascending=[False, True, True]).iloc[0]
        if by[k] >= WELL and by[k] >= best[k] - AS_WELL:
            rows.append({
                "kind": CLASS, "label": name, "score": float(by[k]),
                "reason": f"{by['encoder']} alone finds it with an F1 of {by[k]:.2f}, the best encoder, "
                f"{best['encoder']}, with {best[k]:.2f}: a score may come from that alone",
            })  # fmt: skip
    return rows


def as_table(rows: Sequence[Row]) -> pd.DataFrame:
    """Return the rows as a table with COLUMNS, empty where a kind has no such value."""
    table = pd.DataFrame(list(rows), columns=COLUMNS)
    whole = [*BOX, "rank", "rank_low", "rank_high"]
    return table.astype({name: "Int64" for name in whole} | {name: float for name in ("score", "p_wrong", "p")})


def fix_of(findings: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of fix.csv: one per image and finding that a user can decide on, action empty."""
    some = findings[findings["kind"].isin(FIXABLE)]
    some = some.assign(proposed=some["suggested"].fillna(""), action="")
    columns = ["path", *BOX, "group", "split", "label", "proposed", "action", "reason"]
    boxed = some[BOX].notna().any(axis=None)
    return some[columns if boxed else [name for name in columns if name not in BOX]].reset_index(drop=True)


def _of(one: pd.Series) -> Row:
    return {name: one[name] for name in ("path", *BOX, "group", "split", "label")}
