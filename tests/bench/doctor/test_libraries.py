"""What is absent, too old or of another build is named, with what to do; nothing is imported for it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bench.doctor.libraries import EXTRAS, build_of, look_at_libraries

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that installs a distribution which has no code but what its version file says."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def put(name: str, version: str, *requires: str, says: str = "") -> None:
        folder = tmp_path / f"{name}-{version}.dist-info"
        folder.mkdir()
        lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
        (folder / "METADATA").write_text("\n".join([*lines, *(f"Requires-Dist: {one}" for one in requires)]) + "\n")
        (folder / "RECORD").write_text("")
        (tmp_path / name).mkdir()
        (tmp_path / name / "version.py").write_text(f"__version__ = '{says or version}'\n")

    return put


def findings(*requires: str) -> dict:
    return {one.what: one for one in look_at_libraries(requires)}


def test_an_absent_library_is_a_problem_that_stops_a_run(install):
    install("here", "2.0")
    found = findings("here>=1", "nowhere-at-all>=3", "optuna-of-old; python_version < '3'")
    assert found["here"].state == "ok" and found["here"].found == "2.0" and "optuna-of-old" not in found
    lost = found["nowhere-at-all"]
    assert (lost.state, lost.found, lost.do, lost.stops) == ("problem", "absent", "pip install 'nowhere-at-all>=3'", True)


def test_a_library_that_is_too_old_is_named_with_what_is_expected(install):
    install("here", "2.0")
    old = findings("here>=2.4")["here"]
    assert old.state == "problem" and old.found == "2.0, expected >=2.4" and "here>=2.4" in old.do


def test_libraries_that_do_not_go_together_are_named(install):
    install("one", "1.0", "two==7.0", "three>5; extra == 'more'")
    install("two", "6.0")
    install("three", "1.0")
    found = findings("one", "two", "three")
    assert "one 1.0 expects two==7.0, and 6.0 is installed" in found["one with two"].found
    assert "one with three" not in found


@pytest.mark.parametrize(("torchvision", "broken"), [("0.29+cu130", True), ("0.29+cpu", False), ("0.29", False)])
def test_builds_of_pytorch_and_torchvision_for_different_devices_are_a_problem(install, torchvision, broken):
    install("torch", "2.14", says="2.14+cpu")
    install("torchvision", "0.29", says=torchvision)
    assert build_of("torch") == "cpu"
    found = findings("torch", "torchvision")
    assert ("torch with torchvision" in found) == broken
    assert not broken or (found["torch with torchvision"].stops and "cu130" in found["torch with torchvision"].found)


def test_an_optional_part_that_is_absent_is_a_note_with_its_command_and_use():
    found = findings("no-such-reader>=1; extra == 'czi'", "pytest; extra == 'plots'")
    assert found["optional: czi"].state == "note" and found["optional: czi"].do.startswith("pip install '.[czi]' if")
    assert found["optional: plots"].state == "ok" and "pytest" in found["optional: plots"].found


def test_every_optional_part_of_the_package_has_a_use_and_a_line_in_the_documentation():
    parts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(EXTRAS) == set(parts) - {"dev"}
    page = (ROOT / "docs" / "install.md").read_text()
    assert all(f"pip install '.[{name}]'" in page for name in EXTRAS)


def test_libraries_are_looked_at_without_an_import_of_any():
    code = (
        "import sys; from bench.doctor.libraries import look_at_libraries; list(look_at_libraries())\n"
        "print([m for m in ('torch', 'pandas', 'timm', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
