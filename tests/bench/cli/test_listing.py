"""The listing of encoders: filters, the table in narrow and wide terminals, CSV, Markdown, and one in full."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from dataclasses import replace

import pytest

from bench.cli import listing
from bench.cli.listing import EncoderFilter
from bench.cli.streams import DataConsole
from bench.errors import BenchError
from encoders import resolve
from encoders.spec import FAMILIES, LICENCE_CLASSES


@pytest.fixture(scope="module")
def specs():
    found, problems = listing.catalogue()
    assert not problems
    return found


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path, monkeypatch):
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))


def drawn(shown, width):
    text = io.StringIO()
    DataConsole(file=text, width=width).print(shown, soft_wrap=False)
    return text.getvalue()


def test_encoders_are_ordered_by_family_and_size(specs):
    places = [(FAMILIES.index(spec.family), spec.params) for spec in specs]
    assert places == sorted(places) and len(specs) > 70


@pytest.mark.parametrize("family", ["imagenet", "self-supervised", "clip", "microscopy", "pathology"])
def test_the_filters_keep_all_and_only_what_is_wished_for(specs, family):
    for licence in LICENCE_CLASSES:
        chosen = listing.choose(specs, EncoderFilter(family, [licence], 100))
        expected = [s for s in specs if (s.family, s.licence_class) == (family, licence) and s.params <= 100]
        assert chosen == expected
    both = listing.choose(specs, EncoderFilter(family, ["open", "non-commercial"]))
    assert {spec.licence_class for spec in both} <= {"open", "non-commercial"}


def test_only_what_needs_no_weights_or_was_installed_with_them_is_here_in_an_empty_cache(specs):
    chosen = listing.choose(specs, EncoderFilter(here=True))
    assert chosen and [spec.name for spec in chosen if not spec.trivial] == ["efficientnet-lite0", "lite0-cells"]
    assert listing.choose(specs, EncoderFilter(family="clip", here=True)) == []


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        (EncoderFilter(family="clipp"), "Got family 'clipp', did you mean 'clip'? expected one of imagenet, self-supervised"),
        (EncoderFilter(licences=["opn"]), "Got licence 'opn', did you mean 'open'? expected one of open, custom"),
        (EncoderFilter(licences=["open", "zzzz"]), "Got licence 'zzzz'; expected one of open"),
    ],
)
def test_a_family_or_licence_that_there_is_not_is_answered_with_those_there_are(specs, wish, message):
    with pytest.raises(BenchError) as caught:
        listing.choose(specs, wish)
    assert message in str(caught.value)


def test_the_last_column_says_what_the_user_has_to_do():
    said = {name: listing.here(resolve(name)) for name in ("color-stats", "dino", "uni", "dinobloom-s")}
    assert said == {"color-stats": "yes", "dino": "no", "uni": "gated", "dinobloom-s": "by hand"}


@pytest.mark.parametrize("width", [80, 110, 160])
def test_the_table_breaks_no_name_in_any_terminal_and_tells_more_in_a_wide_one(specs, width):
    text = drawn(listing.table(specs, width), width)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    for spec in specs:
        assert any(line.split()[:2] == [spec.name, str(spec.dim)] for line in lines), spec.name
    assert ("LVD-142M" in text) == (width >= 110) and ("CC-BY-NC-ND-4.0" in text) == (width == 160)


def test_the_csv_holds_everything_and_the_markdown_the_table(specs):
    rows = list(csv.DictReader(io.StringIO(listing.as_csv(specs))))
    assert [row["encoder"] for row in rows] == [spec.name for spec in specs]
    assert [row["key"] for row in rows] == [spec.key for spec in specs]
    lines = listing.markdown(specs).splitlines()
    assert len(lines) == len(specs) + 2 and len({line.count("|") for line in lines}) == 1


def test_an_encoder_in_full_says_why_it_is_not_here_and_how_it_was_checked():
    text = " ".join(drawn(listing.in_full(resolve("virchow2@pool=cls")), 200).split())
    for said in ("virchow2@pool=cls", "dimension 1280", "pooling class token", "gated yes", "revision main",
                 "declared: published code", "licence has to be accepted there first"):  # fmt: skip
        assert said in text
    text = " ".join(drawn(listing.in_full(resolve("dinobloom-b")), 200).split())
    assert "from https://zenodo.org/records/10908163/files/DinoBloom-B.pth and given as dinobloom-b@weights=FILE" in text


def test_the_input_is_told_in_words():
    assert listing.input_text(resolve("dino")).startswith("224 x 224 px, of 248; shorter side scaled, centre cropped")
    assert "squashed to a square" in listing.input_text(resolve("siglip2-b16"))
    assert listing.input_text(resolve("texture")) == "as it is, grey"


def test_what_a_plug_in_says_of_itself_is_not_taken_for_markup(specs):
    odd = replace(specs[0], pretraining="[red]cells[/red] | more")
    assert "[red]cells[/red] | more" in drawn(listing.table([odd], 160), 160)
    assert r"\[red\]cells\[/red\] \| more" in listing.markdown([odd])  # shown as it is, whatever reads it


def test_a_broken_plug_in_is_named_and_harms_no_other(tmp_path, monkeypatch):
    from encoders import plugins

    (tmp_path / "plug_bad.py").write_text("raise RuntimeError('no licence')\n")
    (tmp_path / "plug-1.dist-info").mkdir()
    (tmp_path / "plug-1.dist-info" / "METADATA").write_text("Name: plug\nVersion: 1\n")
    (tmp_path / "plug-1.dist-info" / "entry_points.txt").write_text(f"[{plugins.GROUP}]\nplug-bad = plug_bad:f\n")
    monkeypatch.syspath_prepend(tmp_path)
    plugins.plugins.cache_clear()
    try:
        specs, problems = listing.catalogue()
    finally:
        plugins.plugins.cache_clear()
    assert "dino" in {spec.name for spec in specs}
    assert len(problems) == 1 and "plug-bad" in problems[0] and "no licence" in problems[0]


def test_listing_loads_no_deep_learning_library_and_no_table_library():
    code = (
        "import sys; sys.argv = ['bench', 'encoders']\nfrom bench.cli import app as cli\n"
        "try:\n    cli.main()\nexcept SystemExit:\n    pass\n"
        "print([m for m in ('torch', 'timm', 'open_clip', 'pandas', 'huggingface_hub') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]" and "virchow2" in done.stdout
