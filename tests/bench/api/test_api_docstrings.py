"""What the public names promise in their docstrings: every example runs, every parameter is described as it is."""

from __future__ import annotations

import ast
import doctest
import inspect
import re

import pytest

import bench

CALLED = ("load_data", "embed", "run", "audit", "fit", "label", "load_model", "Classifier.predict", "Classifier.predict_images", "Classifier.save", "load_run", "write_demo", "list_encoders", "list_heads", "DemoSpec",
          "HeadClassifier", "HeadClassifier.fit", "HeadClassifier.predict", "HeadClassifier.predict_proba",
          "Data.check", "RunResult.report", "RunResult.plan", "plan", "next_labels")  # fmt: skip
HELD = ("AuditResult", "Classifier", "Data", "DataCheck", "Embedding", "NextLabels", "PlanResult", "RunResult", "HeadClassifier")  # classes whose attributes are described
WITHOUT_EXAMPLES = {"AuditResult", "Classifier", "Data", "DataCheck", "Embedding", "NextLabels", "PlanResult", "RunResult"}  # what functions return, shown in their examples


@pytest.fixture(scope="module")
def folder(sample):
    """One folder for all examples, as they would be typed one after the other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(sample)
        yield sample


def named(path: str) -> object:
    found: object = bench
    for name in path.split("."):
        found = getattr(found, name)
    return found


def sections(thing: object) -> dict[str, str]:
    parts = re.split(r"^(\w[\w ]+)\n-{3,}\n", inspect.getdoc(thing) or "", flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def described(text: str) -> dict[str, str]:
    """Return name -> type of the entries of a section."""
    entries = re.findall(r"^(\*?\w[\w, ]*) : (.+)$", text, flags=re.MULTILINE)
    return {name: kind for names, kind in entries for name in names.split(", ")}


@pytest.mark.parametrize("name", [*sorted(set(bench.__all__) - WITHOUT_EXAMPLES), "Data.check", "RunResult.report", "RunResult.plan"])
def test_every_example_gives_what_it_shows(name, folder, capsys):
    thing = named(name)
    tests = [test for test in doctest.DocTestFinder().find(thing, name, module=False, globs={}) if test.examples]
    assert tests, f"{name} has no example"
    runner = doctest.DocTestRunner()
    for test in tests:
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0, capsys.readouterr().out


@pytest.mark.parametrize("name", CALLED)
def test_every_parameter_is_described_with_its_default(name):
    thing, said = named(name), sections(named(name))
    signature = inspect.signature(thing)
    real = {str(one).partition(":")[0]: one.default for one in signature.parameters.values() if one.name != "self"}
    real = {key.partition("=")[0].strip(): default for key, default in real.items()}  # *runs with its star
    told = described(said.get("Parameters", ""))
    assert list(told) == list(real)
    for key, default in real.items():
        if default is inspect.Parameter.empty:
            assert "default" not in told[key] and "optional" not in told[key], key
        elif default is None:
            assert told[key].endswith("optional"), key
        else:
            assert ast.literal_eval(told[key].partition("default=")[2]) == default, key
    if not inspect.isclass(thing):
        assert said["Returns"].strip()


@pytest.mark.parametrize("name", HELD)
def test_every_attribute_that_is_described_is_there(name, folder):
    data = bench.load_data("demo/raw", group_pattern=r"([^/]+)__")
    made = {
        "Data": lambda: data,
        "DataCheck": data.check,
        "Embedding": lambda: bench.embed(data, "color-stats"),
        "Classifier": lambda: bench.fit(data, encoders="color-stats", heads="centroid"),
        "RunResult": lambda: bench.run(data, encoders="texture", heads="centroid", shots=1, draws=2, workers=1,
                                       baselines=False, name="attributes"),
        "AuditResult": lambda: bench.audit(data, encoders="texture", heads="centroid", draws=1, name="attributes"),
        "PlanResult": lambda: bench.plan(bench.run(data, encoders="texture", heads="centroid", shots=[1, 2], draws=2,
                                                   workers=1, baselines=False, name="planned")),
        "NextLabels": lambda: bench.next_labels("demo/raw", labels="demo/labels.csv", n=2, encoders="color-stats"),
        "HeadClassifier": lambda: bench.HeadClassifier("knn").fit([[0.0], [1.0]], ["a", "b"]),
    }[name]()  # fmt: skip
    told = described(sections(named(name))["Attributes"])
    assert told and not [attribute for attribute in told if not hasattr(made, attribute)]
