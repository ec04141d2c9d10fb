"""Heads: classical models on embeddings. One file is one head; the folder is the registry.

A head of another distribution is an entry point in group `cell_classifier.heads` that names a `Head`; one that cannot
be used harms no other. FILE.py:NAME is a classifier of scikit-learn in a file of the user's, which is run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from bench.errors import BenchError, did_you_mean
from bench.heads.contract import Head, Params
from bench.heads.plugins import Plugins, load_plugins
from bench.heads.sklearn_head import head_of_file, is_file

__all__ = ["Head", "Params", "all_heads", "get_heads", "no_head", "plugin_problems"]


@cache
def all_heads() -> Mapping[str, Head]:
    """Return every head by name, sorted."""
    heads = {**_own_heads(), **_plugins().heads}
    return {name: heads[name] for name in sorted(heads)}


def plugin_problems() -> list[str]:
    """Return in sentences which heads of other packages cannot be used, and why."""
    return list(_plugins().problems.values())


@cache
def _own_heads() -> Mapping[str, Head]:
    # Not the estimator: it is no head, and imports scikit-learn.
    names = [found.name for found in iter_modules(__path__) if found.name != "estimator"]
    modules = (import_module(f"{__name__}.{name}") for name in names)
    return {module.HEAD.name: module.HEAD for module in modules if hasattr(module, "HEAD")}


@cache
def _plugins() -> Plugins:
    return load_plugins(_own_heads())


def get_heads(names: Sequence[str], beside: Sequence[str] = ()) -> list[Head]:
    """Return the named heads in the order given, each once; BenchError names the unknown one and the nearest known.

    beside: what else may be asked for in their place, for the words of that error.
    """
    return [_head(name, beside) for name in dict.fromkeys(names)]


def no_head() -> BenchError:
    """Return the error for an empty list of heads where one is needed."""
    return BenchError(f"Got no head; expected some of: {', '.join(all_heads())}.")


def _head(name: str, beside: Sequence[str]) -> Head:
    if is_file(name):
        return head_of_file(name)
    known = all_heads()
    if name not in known and name in _plugins().problems:
        raise BenchError(_plugins().problems[name])
    if name not in known:
        choices = (*known, *beside)
        raise BenchError(
            f"Got head '{name}'{did_you_mean(name, choices) or '.'} Expected some of: {', '.join(choices)}; or "
            "FILE.py:NAME, a classifier of scikit-learn."
        )
    return known[name]
