"""What labels cost."""

from __future__ import annotations

from bench.cli.options.groups import STUDY, option

MINUTES = option(
    STUDY, "Minutes that one more of each costs you, e.g. image=0.1,cell=0.5 or image=0.1,slide=30.", "--minutes",
    value="MINUTES",
)  # fmt: skip
