"""Every command's help: options in groups, the basic ones first, one meaning per name, examples that can be typed."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
import typer

from bench.cli.app import app
from bench.cli.command import group_of, leaves
from bench.cli.options.groups import BASIC, GENERAL, GROUPS

ROOT = Path(__file__).resolve().parents[3]
COMMAND = typer.main.get_command(app)
COMMANDS = dict(leaves(COMMAND))
#: Options whose default is another in some commands: what they are asked for is another.
OTHER_DEFAULT = {"--shots", "--bag-head", "--head", "--minutes", "--to", "--method"}


def options_of(command):
    return [one for one in command.params if one.param_type_name == "option"]


def shown(*words: str, columns: int = 100) -> str:
    context = COMMAND.make_context("bench", [], resilient_parsing=True)
    command = COMMAND
    for word in words:
        command = command.commands[word]
        context = type(context)(
            command, info_name=word, parent=context, max_content_width=10_000, terminal_width=columns
        )
    return command.get_help(context)


def test_the_commands_are_those_of_the_house():
    assert set(COMMANDS) == {
        "quickstart", "data check", "encoders", "heads", "doctor", "label", "next", "extract", "run", "leaderboard", "report", "figures", "cite", "fit", "predict", "pretrain", "tune", "proxies", "pilot", "plan", "ablate", "audit",
        "granularity", "segment", "prompts", "export", "store", "store check", "store clean",
    }  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_every_option_in_exactly_one_group_the_basic_ones_first(name):
    text = shown(*name.split())
    sections = re.split(r"\n\n(?=[A-Z][\w ]*:\n)", text)[1:]
    titles = [section.partition(":\n")[0] for section in sections]
    groups = [title for title in titles if title in GROUPS]
    assert groups == sorted(groups, key=GROUPS.index) and titles[-1] == "Examples" and titles[-2] == GENERAL
    for option in options_of(COMMANDS[name]):
        long = max(option.opts, key=len)
        inside = [
            t for t, s in zip(titles, sections, strict=True) if re.search(rf"^  (-\w, )?{long}(?![\w-])", s, re.MULTILINE)
        ]
        assert inside == [group_of(option)], long
        assert option.help and option.help.endswith((".", ")")), long
        assert getattr(option, "rich_help_panel", None) in GROUPS, f"{long} was declared in no group"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_what_all_take(name):
    names = {one for option in options_of(COMMANDS[name]) for one in option.opts}
    assert {"--quiet", "-q", "--verbose", "-v", "--config"} <= names


def test_a_name_of_an_option_has_one_meaning_over_all_commands():
    meant, defaults = defaultdict(set), defaultdict(set)
    for command in COMMANDS.values():
        for option in options_of(command):
            for long in option.opts:
                meant[long].add((option.help, option.metavar, group_of(option)))
                defaults[long].add(str(option.default))
    assert {name: texts for name, texts in meant.items() if len(texts) > 1} == {}
    assert {name for name, own in defaults.items() if len(own) > 1} == OTHER_DEFAULT
    assert {"--draw", "--seeds", "--episodes", "--results"}.isdisjoint(meant)


def test_the_results_folder_is_out_and_what_is_written_elsewhere_is_to():
    for name, command in COMMANDS.items():
        options = {one: option for option in options_of(command) for one in option.opts}
        assert ("--to" in options) == (name in {"quickstart", "export", "segment", "predict", "pretrain", "proxies", "audit", "report", "figures", "label", "data check"}), name
        assert "--out" not in options or str(options["--out"].default) == "results"


def examples() -> list[str]:
    groups = [COMMAND, *(one for one in COMMAND.commands.values() if hasattr(one, "commands"))]
    found = [line for command in (*COMMANDS.values(), *groups) for line in (command.epilog or "").splitlines()]
    return list(dict.fromkeys(found))


def test_every_command_has_examples_of_its_own():
    for name, command in COMMANDS.items():
        assert any(line.startswith(f"bench {name}") for line in command.epilog.splitlines()), name


@pytest.mark.parametrize("line", examples())
def test_an_example_is_accepted_as_it_stands(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("cells.toml").write_text("shots = [1, 5]\n[run]\nnoise = 0.2\n")
    words = shlex.split(line.partition(" > ")[0])
    assert words.pop(0) == "bench"
    context, command = COMMAND.make_context("bench", [], resilient_parsing=True), COMMAND
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    command.make_context(command.name, words, parent=context)  # raises for what the parser does not take


@pytest.mark.parametrize("columns", [60, 100, 150])
def test_help_takes_the_width_of_the_terminal(columns):
    lines = [line for line in shown("run", columns=columns).partition("Examples:")[0].splitlines()]
    assert columns - 12 < max(map(len, lines)) <= columns


def test_minus_h_is_help_at_every_level_and_the_width_is_the_terminals(bench, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    for words in ((), ("run",), ("data",), ("data", "check"), ("store",), ("store", "clean")):
        code, text = bench(*words, "-h")
        assert (code, text) == bench(*words, "--help") and code == 0 and "Examples:" in text, words
    assert BASIC in bench("run", "-h")[1]


def test_the_version_is_that_of_the_package(bench):
    from bench import __version__

    assert bench("--version") == (0, f"Cell-Classifier {__version__}")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "--encodr", "dino"), "No such option: --encodr"), (("rnu",), "No such command 'rnu'"),
        (("run", "--workers", "0"), "Invalid value for '--workers': Got 0; expected a number of at least 1."),
        (("run", "--workers", "x"), "Invalid value for '--workers': Got x; expected a whole number of at least 1."),
        (("label", "--port", "99999"), "Got 99999; expected a number from 0 to 65535."),
        (("predict", "m", "a.png", "--to", "p.csv", "--sets", "x"), "Invalid value for '--sets': Got x; expected a number."),
        (("export",), "Missing option '--to'. Expected PATH: Where to write: a file, or a folder for several. For example: bench export"),
        (("fit",), "Expected FOLDER: The folder that the classifier is written to, e.g. cells.model. For example: bench fit"),
        (("predict",), "Missing argument 'MODEL'. Expected MODEL: The folder of a classifier"),
        (("run", "--ensemble", "concat"), "Got --ensemble 'concat'; expected concat or mean of at least two encoders"),
        (("tune", "--encoder", "a,b"), "Got --encoder a,b; expected one"),
        (("tune", "--encoder", "dino", "--shots", "1,5"), "Got --shots '1,5'; expected one number"),
        (("tune", "--encoder", "dino", "--head", "knn,lda"), "Got --head knn,lda; expected one"),
        (("run", "--device", "cuda:99"), "Got device 'cuda:99'"), (("extract", "-e", "texture", "--device", "gpu"), "Got device 'gpu'"),
        (("run", "--fit-device", "cuda:99"), "Got device 'cuda:99'"),
    ],
)  # fmt: skip
def test_a_slip_is_named_before_any_image_is_read(bench, words, said, tmp_path, monkeypatch):
    (tmp_path / "Data" / "raw").mkdir(parents=True)  # empty: to read it would be another error
    code, text = bench(*words)
    assert code == 2 and said in text and "Traceback" not in text


def test_help_and_a_slip_import_neither_tables_nor_encoders():
    for words in (["--help"], ["run", "--sots", "1"], ["run", "--shots", "x"], ["run", "--data", "nowhere"]):
        code = (
            f"import sys; sys.argv = ['bench', *{words}]\nfrom bench.cli import app as cli\n"
            "try:\n    cli.main()\nexcept SystemExit:\n    pass\n"
            "print([m for m in ('numpy', 'pandas', 'torch', 'scipy', 'rich.table') if m in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "[]", words
