"""What a folder of results may be called."""

from __future__ import annotations

import re

from bench.errors import BenchError


def check_folder_name(name: str | None, what: str = "name") -> None:
    """Raise BenchError for a name, called `what`, that is given and names no single folder, such as a/b."""
    if name is not None and not re.fullmatch(r"\w[\w.-]*", name):
        raise BenchError(f"Got {what} '{name}'; expected letters, digits, '.', '_' or '-', as it names a folder.")
