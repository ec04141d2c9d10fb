r"""Cell-Classifier: which frozen encoder and which classical head to trust on cell images.

    import bench

    data = bench.load_data("Data/raw", group_pattern=r"([^/]+)__")
    data.check()                                     # what the data can support, and what is wrong with it
    emb = bench.embed(data, "dino@size=448")         # emb.X (N, d) float32, emb.instances
    run = bench.run(data, encoders=["dino", "texture"], heads=["knn", "logreg"], shots=[1, 5, 10], noise=[0, 0.2])
    run.leaderboard; run.pairs                       # pandas; the run shows itself in a notebook
    bench.plan(run, target=0.85)                     # how many more labels, of how many more slides
    bench.audit(data)                                # labels, slides and images that look wrong
    bench.next_labels("images", labels="labels.csv") # which images to label next
    bench.HeadClassifier("logreg")                   # a scikit-learn classifier
    bench.label("images", classes=["a", "b"])        # labels by hand, in a cell of a notebook
    clf = bench.fit(data); clf.predict(["a.png"])    # a classifier to take home

Arguments are the words of the command line, and a mistake in them is a `BenchError` that says what was expected.
`bench.write_demo("demo")` draws images to try it on. Names are imported when they are first used, so that
`import bench` takes no time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.api.audit import AuditResult, audit
    from bench.api.classifier import Classifier
    from bench.api.data import Data, load_data
    from bench.api.embed import Embedding, embed
    from bench.api.fit import fit, load_model
    from bench.api.label import label
    from bench.api.lists import list_encoders, list_heads
    from bench.api.next import NextLabels, next_labels
    from bench.api.plan import PlanResult, plan
    from bench.api.result import RunResult
    from bench.api.run import load_run, run
    from bench.data.check import DataCheck
    from bench.demo import DemoSpec, write_demo
    from bench.errors import BenchError
    from bench.heads.estimator import HeadClassifier

__version__ = "0.1.0"
__all__ = [
    "AuditResult",
    "BenchError",
    "Classifier",
    "Data",
    "DataCheck",
    "DemoSpec",
    "Embedding",
    "HeadClassifier",
    "NextLabels",
    "PlanResult",
    "RunResult",
    "audit",
    "embed",
    "fit",
    "label",
    "list_encoders",
    "list_heads",
    "load_data",
    "load_model",
    "load_run",
    "next_labels",
    "plan",
    "run",
    "write_demo",
]

_ROOMS = {
    "AuditResult": "bench.api.audit",
    "BenchError": "bench.errors",
    "Classifier": "bench.api.classifier",
    "Data": "bench.api.data",
    "DataCheck": "bench.data.check",
    "DemoSpec": "bench.demo",
    "Embedding": "bench.api.embed",
    "HeadClassifier": "bench.heads.estimator",
    "NextLabels": "bench.api.next",
    "PlanResult": "bench.api.plan",
    "RunResult": "bench.api.result",
    "audit": "bench.api.audit",
    "embed": "bench.api.embed",
    "fit": "bench.api.fit",
    "label": "bench.api.label",
    "list_encoders": "bench.api.lists",
    "list_heads": "bench.api.lists",
    "load_data": "bench.api.data",
    "load_model": "bench.api.fit",
    "load_run": "bench.api.run",
    "next_labels": "bench.api.next",
    "plan": "bench.api.plan",
    "run": "bench.api.run",
    "write_demo": "bench.demo",
}


if not TYPE_CHECKING:  # a checker that saw it would take any misspelled name for one that is there

    def __getattr__(name: str) -> object:
        if name not in _ROOMS:
            raise AttributeError(f"module 'bench' has no attribute {name!r}")
        value = getattr(import_module(_ROOMS[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
