"""Findings as they are shown."""

from __future__ import annotations

import pandas as pd

from bench.studies.audit.findings import COLUMNS
from bench.studies.audit.page import shown


def test_where_no_finding_is_of_an_image_its_path_is_shown_as_nothing_and_not_as_a_number():
    table = pd.DataFrame([{"kind": "class", "label": "rbc", "score": 1.0, "reason": "size tells it"}]).reindex(columns=COLUMNS)
    [row] = shown(table)
    assert (row["path"], row["group"], row["label"], row["score"]) == ("", "", "rbc", 1.0)
    assert row["p_wrong"] != row["p_wrong"]
