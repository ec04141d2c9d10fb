"""Whether the libraries that the package asks for are there, new enough, and of one build.

Nothing is imported for it, as PyTorch alone takes seconds: versions are what the installer wrote down.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

from bench import __version__
from bench.doctor.finding import Finding

PART = "libraries"
NAME = "cell-classifier"
#: What each optional part is for; those for development are not looked at.
EXTRAS = {
    "openvino": "@backend=openvino, faster on a CPU",
    "plots": "pictures of studies",
    "bioio": "reads ND2 and LIF",
    "buckets": "--data and --out at s3:// addresses",
    "czi": "reads CZI; its reader is under the GPL",
    "morphology": "--encoder cp-measure, of cells with masks",
    "anndata": "bench predict --also anndata, for scanpy",
    "onnx": "bench export cells.model --to cells.onnx",
    "notebook": "bench.label, labels by hand in a notebook",
    "ray": "--engine ray, for clusters",
    "rois": "ROIs of Fiji as --cells",
    "cellpose": "--instances cellpose; its weights have licences of their own",
    "umap": "bench report --map umap",
}
NOT_FOR_RUN = {"optuna"}  # `bench tune` alone has need of it
_LOCAL = re.compile(r"""^__version__\s*=\s*['"][^'"+]+\+([\w.]+)['"]""", re.MULTILINE)


def look_at_libraries(requires: Iterable[str] | None = None) -> Iterator[Finding]:
    """Yield a finding for Python, this program, each library that it needs, and each optional part.

    requires: requirement strings as of `importlib.metadata`; None are those of the installed package.
    """
    yield Finding(part=PART, what="Python", state="ok", found=platform.python_version())
    yield Finding(part=PART, what="bench", state="ok", found=__version__)
    if requires is None:
        try:
            requires = metadata.requires(NAME) or ()
        except metadata.PackageNotFoundError:
            yield Finding(
                part=PART, what=NAME, state="note", found="not installed as a package, so what it needs is not known",
                do="pip install . in its folder",
            )  # fmt: skip
            return
    try:
        from packaging.requirements import Requirement
    except ImportError:
        yield Finding(part=PART, what="packaging", state="problem", found="absent", do="pip install packaging")
        return
    wanted = [Requirement(text) for text in requires]
    needed = [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    for one in needed:
        yield _library(one.name, str(one.specifier), one.specifier.contains)
    yield from _disagreements([one.name for one in needed])
    yield from _builds()
    for name, use in EXTRAS.items():
        own = [one for one in wanted if one not in needed and one.marker and one.marker.evaluate({"extra": name})]
        absent = [one.name for one in own if version_of(one.name) is None]
        if own:
            there = ", ".join(f"{one.name} {version_of(one.name)}" for one in own)
            yield Finding(
                part=PART, what=f"optional: {name}", state="note" if absent else "ok",
                found=f"{', '.join(absent)} absent" if absent else there,
                do=f"pip install '.[{name}]' if you want it: {use}" if absent else "",
            )  # fmt: skip


def version_of(name: str) -> str | None:
    """Return the version of an installed distribution, None where there is none."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _library(name: str, wanted: str, suits: object) -> Finding:
    version = version_of(name)
    do = f"pip install '{name}{wanted}'"
    if version is None:
        return Finding(
            part=PART, what=name, state="problem", found="absent", do=do, stops=name not in NOT_FOR_RUN
        )  # fmt: skip
    if not suits(version, prereleases=True):  # type: ignore[operator]
        found = f"{version}, expected {wanted}"
        return Finding(part=PART, what=name, state="problem", found=found, do=do)
    return Finding(part=PART, what=name, state="ok", found=version)


def _disagreements(names: Iterable[str]) -> Iterator[Finding]:
    """Yield a problem for each library whose own requirement of another of them is not met."""
    from packaging.requirements import Requirement

    names = list(names)
    for name in names:
        if version_of(name) is None:
            continue
        for one in map(Requirement, metadata.requires(name) or ()):
            version = version_of(one.name) if one.name in names else None
            met = one.marker is not None and not one.marker.evaluate({"extra": ""})
            if version and not met and not one.specifier.contains(version, prereleases=True):
                yield Finding(
                    part=PART, what=f"{name} with {one.name}", state="problem",
                    found=f"{name} {version_of(name)} expects {one.name}{one.specifier}, and {version} is installed",
                    do=f"pip install --upgrade {name} {one.name}",
                )  # fmt: skip


def _builds() -> Iterator[Finding]:
    """Yield a problem where PyTorch and torchvision are builds for different devices: neither timm can be imported."""
    builds = {name: build_of(name) for name in ("torch", "torchvision")}
    if len(set(builds.values()) - {None}) > 1:
        told = " and ".join(f"{name} for {build}" for name, build in builds.items())
        yield Finding(
            part=PART, what="torch with torchvision", state="problem", found=f"builds of different kinds: {told}",
            do="install both together, by the command of PyTorch's installation page for your system", stops=True,
        )  # fmt: skip


def build_of(name: str) -> str | None:
    """Return what a build of PyTorch or torchvision is for, such as cpu or cu130, None where it does not say."""
    try:
        text = Path(str(metadata.distribution(name).locate_file(f"{name}/version.py"))).read_text(encoding="utf-8")
    except (metadata.PackageNotFoundError, OSError, UnicodeDecodeError):
        return None
    found = _LOCAL.search(text)
    return found[1] if found else None
