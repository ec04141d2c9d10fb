"""What a part of a report is: its place among the others, how it is made, and why it may be missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from bench.report.html.context import ReportContext


@dataclass(frozen=True, kw_only=True)
class Made:
    """A part as it stands on the page, and the data that the script needs for it."""

    html: Markup
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a report.

    key: its address on the page. title: its heading; brief: its name in the list of contents. lead: what it answers, in
    a sentence. make: the part, None where there is nothing to show. empty: why there is nothing; a part that says ""
    is left out.
    """

    key: str
    title: str
    brief: str
    lead: str = ""
    make: Callable[[ReportContext], Made | None]
    empty: Callable[[ReportContext], str] = lambda context: ""
