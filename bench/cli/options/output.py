"""Options on what is written and printed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from bench.cli.options.groups import BASIC, GENERAL, OUTPUT, option

DEFAULT_OUT = Path("results")
Out = Annotated[Path, option(BASIC, "The results folder: embeddings, runs and leaderboards.", value="FOLDER")]
_TO = option(BASIC, "Where to write: a file, or a folder for several.", "--to", value="PATH")
To = Annotated[Path, _TO]
ToIfGiven = Annotated[Path | None, _TO]
Name = Annotated[
    str | None,
    option(
        OUTPUT, "Name of the output folder, which is made in the results folder (below runs, tune, ablate and so on).",
        "--name", value="NAME",
    ),
]  # fmt: skip
AsCsv = Annotated[bool, option(OUTPUT, "Print everything that is known, as CSV.", "--csv")]
AsMarkdown = Annotated[bool, option(OUTPUT, "Print a Markdown table.", "--markdown")]
AsJson = Annotated[bool, option(OUTPUT, "Print the rows of the table as JSON and nothing else.", "--json")]
Anonymous = Annotated[
    bool, option(OUTPUT, "Leave out paths and the names of files, groups and the dataset.", "--anonymous")
]
NoImages = Annotated[bool, option(OUTPUT, "Show no image.", "--no-images")]
Quiet = Annotated[bool, option(GENERAL, "Print results and errors only: no notes, no progress.", "--quiet", "-q")]
Verbose = Annotated[
    bool,
    option(GENERAL, "Also say where in the code an error arose, and how long the command took.", "--verbose", "-v"),
]
