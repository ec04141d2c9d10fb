"""The pages hold what they say: links lead somewhere, options and commands exist, long tables are folded."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
import typer
from typer.main import get_command

from bench.cli.app import app

ROOT = Path(__file__).resolve().parents[1]
WRONG_USE = typer.BadParameter.__bases__[0]  # all that the parser can object to
AT_ONCE = {"--help", "-h", "--version", "--install-completion", "--show-completion"}  # would do something when read
MADE_OF_HISTORY = {"CHANGELOG.md"}  # may name options that are no more


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def without_code(page: str) -> str:
    page = re.sub(r"^```.*?^```$", "", page, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^ {4}.*$", "", page, flags=re.MULTILINE))


def reached_from_the_readme() -> list[Path]:
    reached, todo = set(), [ROOT / "README.md"]
    while todo:
        path = todo.pop()
        if path in reached or path.suffix != ".md" or not path.exists():
            continue
        reached.add(path)
        names = re.findall(r"\]\(([^)#\s:]+)(?:#[^)]*)?\)", without_code(text_of(path)))
        todo += [(path.parent / name).resolve() for name in names]
    return sorted(reached)


_ARGUMENT = re.compile(r"""add_argument\(\s*["'](--[a-z-]+)""")
PAGES = pytest.mark.parametrize("path", reached_from_the_readme(), ids=lambda path: path.relative_to(ROOT).as_posix())


@cache
def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def known_options() -> frozenset[str]:
    made = script("make_options")
    everything = [get_command(app), *(command for _, command in made.commands())]
    return frozenset(
        name for command in everything for param in made.options(command) for name in made.names(param)
    ) | {"--help"}


def anchors(page: str) -> set[str]:
    """The names that code hosts give to headings."""
    page = re.sub(r"^```.*?^```$", "", page, flags=re.DOTALL | re.MULTILINE)
    found: list[str] = []
    for title in re.findall(r"^#{1,6} (.*)$", page, flags=re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")
        found.append(slug if slug not in found else f"{slug}-{found.count(slug)}")
    return set(found)


def shell_lines(page: str) -> list[str]:
    """The lines of all blocks of code that are no Python; continued lines are joined."""
    fenced = [
        body
        for kind, body in re.findall(r"^```(\w*)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
        if kind in ("", "sh")
    ]
    page = re.sub(r"^```.*?^```$", "", page, flags=re.DOTALL | re.MULTILINE)
    indented = re.findall(r"(?:^ {4}\S.*\n)(?:^ {4}.*\n)*", page + "\n", re.MULTILINE)
    return re.sub(r"\\\n\s*", " ", "\n".join([*fenced, *indented])).splitlines()


def commands(lines: list[str]) -> list[list[str]]:
    """The calls of bench in lines of a shell, as words; variables that were set before are put in."""
    variables: dict[str, str] = {}
    found = []
    for line in lines:
        line = line.strip()
        assigned = re.fullmatch(r"([A-Z]+)=(.*)", line)
        for name, value in variables.items():
            line = re.sub(rf"\$({name}\b|\{{{name}\}})", lambda _, value=value: value, line)
        if assigned:
            variables[assigned[1]] = shlex.split(line.partition("=")[2])[0]
            continue
        for part in re.split(r"&&|;|\s{4,}(?=bench )", line):
            words = shlex.split(part.strip(), comments=True) if re.match(r"(\S*/)?bench\b", part.strip()) else []
            words = words[: next((i for i, word in enumerate(words) if word in (">", "|", ">>")), len(words))]
            if words:
                found.append(words[1:])
    return found


def parse(words: list[str]) -> None:
    """Read a call as the command line does, and run nothing."""
    command = get_command(app)
    name = "bench"
    while getattr(command, "commands", None) and words and words[0] in command.commands:
        command, name, words = command.commands[words[0]], words[0], words[1:]
    if AT_ONCE & set(words):
        return
    if getattr(command, "commands", None) and words and not words[0].startswith("-"):
        raise typer.BadParameter(f"no such command: {words[0]}")
    command.make_context(name, list(words), resilient_parsing=False)


def test_the_readme_has_at_most_1200_words():
    assert len(text_of(ROOT / "README.md").split()) <= 1200


@pytest.mark.parametrize(
    "line",
    ["python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/bench quickstart",
     "python3 -m venv .tox-venv && .tox-venv/bin/pip install tox && .tox-venv/bin/tox"],
)  # fmt: skip
def test_the_readme_sets_all_up_by_one_command_and_tests_it_by_another(line):
    assert f"\n    {line}\n" in text_of(ROOT / "README.md")


@PAGES
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(text_of(path))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        page = (path.parent / name).resolve() if name else path
        assert page.exists(), f"{target} leads nowhere"
        assert not anchor or anchor in anchors(text_of(page)), f"{target}: no such heading"


def test_every_page_is_reached_from_the_readme():
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("which pages belong to the project is not known without git")
    assert {ROOT / name for name in listed.stdout.split()} <= set(reached_from_the_readme())


@cache
def options_of_scripts() -> frozenset[str]:
    """Of the programs in tests/, which pages of results name beside commands of bench."""
    sources = (text_of(path) for path in (ROOT / "tests").rglob("*.py"))
    return frozenset(name for source in sources for name in _ARGUMENT.findall(source))


@PAGES
def test_a_page_names_no_option_that_does_not_exist(path):
    if path.name in MADE_OF_HISTORY:
        pytest.skip("tells of the past")
    of_others = options_of_scripts() if "results" in path.relative_to(ROOT).parts else frozenset()
    text = re.sub(r"\b(pip (un)?install|sbatch) [^`\n]*", "", text_of(path))  # options of other programs
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*\b", text))
    assert named <= known_options() | of_others, sorted(named - known_options() - of_others)


def of_scripts(page: str) -> list[tuple[str, set[str]]]:
    """The programs of tests/ that a page calls, each with the options that it is given there."""
    page = re.sub(r"\\\n\s*", " ", page)
    spans = [span.replace("\n", " ") for span in re.findall(r"`(python [^`]*)`", page)] + shell_lines(page)
    calls = [re.match(r"(?:[A-Z_]+=\S+ )*python (?:-m )?(tests[/.][\w/.]+)([^#>|]*)", span.strip()) for span in spans]
    name = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
    return [(call[1].removesuffix(".py").replace(".", "/"), set(name.findall(call[2]))) for call in calls if call]


@PAGES
def test_a_program_of_the_tests_has_the_options_that_a_page_gives_it(path):
    for name, given in of_scripts(text_of(path)):
        beside = (ROOT / f"{name}.py").parent
        assert (ROOT / f"{name}.py").exists(), name
        has = {option for other in beside.glob("*.py") for option in _ARGUMENT.findall(text_of(other))}
        assert given <= has, f"{name}: {sorted(given - has)}"


def test_every_option_of_every_command_is_named_in_the_documentation():
    page = "\n".join(text_of(path) for path in (ROOT / "docs").glob("*.md"))
    assert not {name for name in known_options() if f"`{name}`" not in page} - {"--help", "-h"}


def test_the_page_of_options_is_what_the_command_line_says_today():
    assert text_of(ROOT / "docs" / "options.md") == script("make_options").page(), "run python docs/make_options.py"


@PAGES
def test_every_command_of_a_block_is_one_that_the_command_line_takes(path):
    for words in commands(shell_lines(text_of(path))):
        try:
            parse(words)
        except WRONG_USE as error:
            pytest.fail(f"bench {shlex.join(words)}: {error}")


@PAGES
def test_every_command_within_a_sentence_is_one_that_the_command_line_takes(path):
    for words in commands(re.findall(r"`(bench [^`]*)`", text_of(path).replace("\n", " "))):
        wrong = ""
        try:
            parse([word for word in words if word != "..."])
        except WRONG_USE as error:
            wrong = error.format_message()
        assert not wrong or wrong.startswith("Missing") or "requires" in wrong, f"bench {shlex.join(words)}: {wrong}"


def test_commands_that_are_wrong_are_found_out():
    wrong = commands(['D="--data x --nosuch"', "bench run $D --encoder a > out.txt"])
    assert wrong == [["run", "--data", "x", "--nosuch", "--encoder", "a"]]
    with pytest.raises(WRONG_USE, match="nosuch"):
        parse(wrong[0])
    with pytest.raises(WRONG_USE):
        parse(["nosuch"])


@pytest.mark.parametrize(
    "path",
    [path for path in reached_from_the_readme() if "results" in path.relative_to(ROOT).parts],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_a_page_of_results_begins_with_what_was_found_and_folds_its_long_tables(path):
    page = text_of(path)
    assert page.split("\n\n")[1].startswith("**In short:**")
    assert script("fold_pages").readable(page) == page, "run python docs/fold_pages.py"


def test_folding_keeps_every_row_and_a_second_time_changes_nothing():
    rows = [f"| {i} | `timm:mobilenetv2_100@weights=weights/mobilenetv2_100.safetensors` |" for i in range(40)]
    page = "\n".join(["# Title", "", "Text.", "", "| a | b |", "|---|---|", *rows, "", "End.", ""])
    folded = script("fold_pages").readable(page)
    assert re.findall(r"^\| (\d+) \|", folded, re.MULTILINE) == [str(i) for i in range(40)]
    assert "<summary>25 more rows</summary>" in folded and folded.count("stands for") == 1
    assert folded.count("timm:mobilenetv2") == 1 and script("fold_pages").readable(folded) == folded


@pytest.mark.parametrize("page", ["README.md", "results/README.md"])
def test_scores_with_an_interval_are_those_of_a_leaderboard(page):
    """Numbers that are quoted from a table stay those of the table when it is made again."""
    shown = re.compile(r"\d+\.\d \[\d+-\d+\]")
    boards = " ".join(text_of(board) for board in (ROOT / "results").rglob("leaderboard.md"))
    quoted = shown.findall(re.sub(r"\s+", " ", text_of(ROOT / page)))
    assert quoted and not set(quoted) - set(shown.findall(boards))


def test_the_picture_shows_the_rows_of_the_sample_leaderboard():
    import pandas as pd

    made = script("make_picture")
    rows = made.best_heads(pd.read_csv(made.TABLE))
    assert set(rows["encoder"]) == set(made.COLOURS) and set(rows["noise"]) == set(made.TITLES)
    assert len(rows) == len(made.COLOURS) * 2 * 3 and rows["ci_low"].le(rows["balanced_accuracy"]).all()
    assert made.PICTURE.stat().st_size < 100_000


def test_the_files_that_are_named_to_contributors_are_there():
    named = set(re.findall(r"`((?:bench|encoders|tests|docs|results)/[\w./-]*)`", text_of(ROOT / "CONTRIBUTING.md")))
    named = {name for name in named if "NAME" not in name}
    assert len(named) > 30 and not {name for name in named if not (ROOT / name).exists()}


def test_the_list_for_a_computer_without_a_gpu_is_what_the_project_needs_but_torch():
    needed = tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]["dependencies"]
    ours = [line for line in needed if not line.startswith(("torch>", "torchvision>", "faiss-gpu"))]
    listed = [line for line in text_of(ROOT / "docs" / "requirements-cpu.txt").splitlines() if not line.startswith("#")]
    assert listed == [line.partition(";")[0] for line in ours]
