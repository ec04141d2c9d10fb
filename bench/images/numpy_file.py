"""Arrays of NumPy (.npy), and the masks in what cellpose saves beside an image (x_seg.npy); nothing in them is run.

A plain array is read by its header. cellpose writes a dictionary as a pickle, which is a small program: opened as
intended, it may run any code. Here its steps are followed with stand-ins for everything it names: whatever function or
class a file asks for, it gets an object that does nothing but remember. Arrays are then put together from their bytes.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import warnings
from typing import Any, BinaryIO

import numpy as np

from bench.images.limits import MAX_HELD, MAX_VALUES, read_at_most
from bench.images.picture import ImageError

SAVE = "save them by its menu File > Save masks as PNG/tif, or run cellpose with --save_tif"


class Inert:
    """Stands for whatever a pickle names: takes what it is given, and does nothing."""

    def __new__(cls, *given: Any, **named: Any) -> Inert:
        """Return an object that remembers what it was made from."""
        made = super().__new__(cls)
        made.given, made.state = given, ()
        return made

    given: tuple[Any, ...]
    state: Any

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __call__(self, *given: Any, **named: Any) -> Inert:
        """Return another stand-in."""
        return Inert(*given)

    def append(self, item: Any) -> None:
        """Ignore an item."""

    def extend(self, items: Any) -> None:
        """Ignore items."""

    def __setitem__(self, key: Any, item: Any) -> None:
        """Ignore an item."""


class _Inspector(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in, and never what is named."""
        return Inert

    def persistent_load(self, pid: Any) -> Any:
        """Return the stand-in."""
        return Inert(pid)


def read_labels(file: BinaryIO) -> np.ndarray:
    """Return the array in a .npy file, or the masks that cellpose saved in one. Raises ImageError."""
    shape, fortran, dtype = _read_header(file)
    if dtype.hasobject:
        return _cellpose_masks(file)
    if dtype.kind not in "biufc" or dtype.subdtype is not None:
        raise ImageError(f"values of type {dtype}; expected whole numbers")
    _check(shape)
    count = math.prod(shape) * dtype.itemsize
    data = read_at_most(file, count)
    if len(data) < count:
        raise ImageError(f"truncated: the NumPy file holds {len(data):,} of {count:,} bytes")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def _read_header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Return the shape, whether columns come first, and the type; NumPy parses the header as Python's own text."""
    file.seek(0)
    try:
        version = np.lib.format.read_magic(file)
        if version > (3, 0):
            raise ImageError(f"a NumPy file of version {version[0]}.{version[1]}; expected 1.0 to 3.0")
        head = {(1, 0): np.lib.format.read_array_header_1_0}.get(version, np.lib.format.read_array_header_2_0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of files that Python 2 wrote
            return head(file)
    except ImageError:
        raise
    except OSError as error:
        if error.errno is not None:
            raise
    except Exception:  # arbitrary text makes Python's parser raise nearly every type there is
        pass
    raise ImageError("damaged or truncated: the header of the NumPy file cannot be followed")


def _cellpose_masks(file: BinaryIO) -> np.ndarray:
    data = read_at_most(file, MAX_HELD + 1)
    if len(data) > MAX_HELD:
        raise ImageError(f"more than {MAX_HELD / 1e9:.1f} GB of Python objects (a pickle), which is not read; {SAVE}")
    try:
        _check_numbering(data)
        outer = _Inspector(io.BytesIO(data)).load()
        [saved] = outer.state[4]
        masks = saved["masks"]
        (code, *_), (_, order, *_) = masks.state[2].given, masks.state[2].state
        _, shape, _, fortran, raw = masks.state
        dtype = np.dtype(f"{order if order in '<>' else '='}{code}")
        shape = tuple(int(side) for side in shape)
    except Exception:  # whatever a file does that is not what cellpose writes
        raise ImageError(
            f"Python objects (a pickle), which are not opened as they could run code, and no masks of cellpose; {SAVE}"
        ) from None
    if dtype.kind not in "biuf" or not isinstance(raw, bytes) or len(raw) != math.prod(shape) * dtype.itemsize:
        raise ImageError(f"damaged: the masks in the file of cellpose; {SAVE}")
    _check(shape)
    return np.frombuffer(raw, dtype).reshape(shape, order="F" if fortran else "C")


def _check_numbering(data: bytes) -> None:
    """Refuse a pickle that numbers an object beyond its own length: room for that many would be made."""
    for step, argument, _ in pickletools.genops(data):
        if step.name in ("PUT", "LONG_BINPUT") and int(argument or 0) > len(data):
            raise ImageError("damaged: objects with numbers that cannot be")


def _check(shape: tuple[int, ...]) -> None:
    if math.prod(shape) > MAX_VALUES or min(shape, default=0) < 1:
        raise ImageError(f"an array of {' x '.join(map(str, shape)) or 'no'} values; expected a plane of labels")
