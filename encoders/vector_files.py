"""Files of vectors by their ending, some rows in memory at a time; nothing in them is unpickled or run."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from .errors import EncoderError, did_you_mean
from .vector_csv import read_csv
from .vector_npz import read_npz
from .vector_parquet import read_parquet
from .vector_table import Batch, VectorTable

READERS: dict[str, Callable[[Path], VectorTable]] = {".parquet": read_parquet, ".csv": read_csv, ".npz": read_npz}


def open_vectors(path: Path) -> VectorTable:
    """Return what a file of vectors holds, its columns checked; EncoderError where it cannot be used."""
    if path.suffix.lower() not in READERS:
        near = did_you_mean(path.suffix, READERS) or "."
        raise EncoderError(
            f"Got {path.name} as a file of embeddings{near} Expected a name ending in {', '.join(READERS)}."
        )
    with _readable(path):
        found = READERS[path.suffix.lower()](path)

    def batches() -> Iterator[Batch]:
        with _readable(path):
            yield from found.batches()

    return replace(found, batches=batches)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn the errors of a file that is not what its name says into an EncoderError."""
    import pyarrow as pa

    try:
        yield
    except (EncoderError, MemoryError):
        raise
    except (pa.ArrowException, OSError, ValueError, LookupError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise EncoderError(
            f"Got {path.name}, which cannot be read as {path.suffix.lower()} ({first}); expected a table with a column "
            "path and columns of numbers. Write it again."
        ) from None
