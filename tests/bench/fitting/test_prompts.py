"""The words of zero-shot classification: defaults, a file to edit, and every way such a file can be wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import BenchError
from bench.fitting.prompts import TEMPLATES, make_prompts, prompts_file

CLASSES = ("rbc", "white_blood_cell")


@pytest.fixture
def file(tmp_path):
    def write(text: str):
        (tmp_path / "prompts.toml").write_text(text, encoding="utf-8")
        return tmp_path / "prompts.toml"

    return write


def test_by_default_a_class_is_called_by_its_folder_with_spaces_for_underscores():
    prompts = make_prompts(CLASSES)
    assert list(prompts) == list(CLASSES)
    assert prompts["white_blood_cell"] == tuple(t.replace("{}", "white blood cell") for t in TEMPLATES)
    assert 8 <= len(set(TEMPLATES)) <= 12 and all(t.count("{}") == 1 for t in TEMPLATES)


@given(classes=st.lists(st.text(min_size=1).filter(str.strip), min_size=1, max_size=4, unique=True))
def test_the_printed_file_says_what_would_be_done_without_it(tmp_path_factory, classes):
    path = tmp_path_factory.mktemp("prompts") / "prompts.toml"
    path.write_bytes(prompts_file(classes).encode())
    assert make_prompts(classes, path) == make_prompts(classes)


def test_a_file_may_give_several_names_and_templates_of_its_own(file):
    text = 'templates = ["a {}", "{} and {}"]\n[classes]\nrbc = ["erythrocyte", "red cell"]\nwhite_blood_cell = "leukocyte"'
    assert make_prompts(CLASSES, file(text)) == {
        "rbc": ("a erythrocyte", "erythrocyte and erythrocyte", "a red cell", "red cell and red cell"),
        "white_blood_cell": ("a leukocyte", "leukocyte and leukocyte"),
    }
    assert make_prompts(CLASSES, file('templates = "{}"'))["rbc"] == ("rbc",)
    assert make_prompts(CLASSES, file("")) == make_prompts(CLASSES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[classes]\nrbc = "a"\nwhite_blood_cel = "b"', "Got class 'white_blood_cel' in .*, did you mean 'white_blood_cell'"),
        ('[classes]\nrbc = "a"', "Got no names for class 'white_blood_cell'"),
        ('[classes]\nrbc = []\nwhite_blood_cell = "b"', r"Got \[\] for class 'rbc'"),
        ('[classes]\nrbc = " "\nwhite_blood_cell = "b"', "Got ' ' in class 'rbc'"),
        ('[classes]\nrbc = 3\nwhite_blood_cell = "b"', "Got 3 for class 'rbc'"),
        ("templates = []", r"Got \[\] for templates"),
        ('templates = ["a cell"]', r"Got template 'a cell' in .*; expected \{\} where"),
        ('template = ["{}"]', r"Got 'template' in .*; expected templates and \[classes\]"),
        ('classes = "rbc"', "Got classes = 'rbc'"),
        ("templates = [", "is no TOML"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_what_was_expected(file, text, message):
    with pytest.raises(BenchError, match=message):
        make_prompts(CLASSES, file(text))


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path):
    with pytest.raises(BenchError, match="cannot be read"):
        make_prompts(CLASSES, tmp_path / "none.toml")
    (tmp_path / "image.png").write_bytes(b"\x89PNG\xff")
    with pytest.raises(BenchError, match="is no TOML"):
        make_prompts(CLASSES, tmp_path / "image.png")


def test_names_of_classes_may_be_in_another_unicode_form(tmp_path):
    (tmp_path / "prompts.toml").write_text('templates = ["{}"]\n[classes]\n"Ko\u0308rner" = "grains"\nb = "b"\n', encoding="utf-8")
    assert make_prompts(["K\u00f6rner", "b"], tmp_path / "prompts.toml")["K\u00f6rner"] == ("grains",)


def test_a_file_of_windows_is_read_as_any_other(file):
    text = prompts_file(["a", "b"])
    plain = make_prompts(["a", "b"], file(text))
    assert make_prompts(["a", "b"], file("\ufeff" + text.replace("\n", "\r\n"))) == plain
