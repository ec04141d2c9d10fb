"""What labels cost."""

from __future__ import annotations

from bench.cli.options.groups import STUDY, option

MINUTES = option(
    STUDY, "Your minutes for one more of each kind, e.g. image=0.1,cell=0.5 or image=0.1,slide=30.", "--minutes",
    value="MINUTES",
)  # fmt: skip
