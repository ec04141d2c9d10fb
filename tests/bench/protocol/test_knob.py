"""A field of the protocol is declared once: the command line has it, `bench.run` takes it, and fits are named by it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path

import pytest

import bench
from bench.api.words import parameter
from bench.cli.command import options_of
from bench.cli.options.groups import GROUPS
from bench.cli.options.protocol import KNOBS, ProtocolOptions, option_name
from bench.errors import BenchError
from bench.protocol.knob import knob, knobs, turned
from bench.protocol.protocol import Protocol

FIELDS = [name for name, _, _ in knobs(Protocol)]


@dataclass(frozen=True, kw_only=True)
class Few:
    """A protocol of two knobs, of which one marks fits."""

    most_per_slide: int | None = knob(None, "Labels and draws", "At most so many.", value="N", marks=True)
    draws: int | None = knob(None, "Labels and draws", "Draws.", value="N")


def test_fits_are_named_by_a_knob_that_marks_them_once_it_is_turned():
    assert turned(Few()) == turned(Few(draws=3)) == {}
    assert turned(Few(most_per_slide=2, draws=3)) == {"most per slide": 2}
    assert turned(Protocol(shots=(1,))) == {}


def test_every_field_of_the_protocol_is_a_knob_with_a_group_of_help():
    assert list(Protocol.__dataclass_fields__) == FIELDS == list(KNOBS)
    assert {known.group for _, known in KNOBS.values()} <= set(GROUPS)


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_is_a_parameter_of_the_function_under_the_name_of_its_option(name):
    called = parameter(option_name(name, KNOBS[name][1]))
    assert called in inspect.signature(bench.run).parameters


def test_what_is_typed_is_read_as_the_type_of_its_field():
    typed = {name: default for name, (_, default) in options_of(ProtocolOptions).items()}
    assert ProtocolOptions(**typed).protocol() == Protocol(shots=(1, 5, 10))
    more = {
        "shots": "5,1,5", "noise": "0.2,0", "noise_kinds": "asymmetric,group,asymmetric", "foreign": "", "draws": 4,
        "confusable": "a>b", "select": "fixed", "tuned": [Path("tuned.json")], "budget": "20",
    }  # fmt: skip
    asked = Protocol(
        shots=(1, 5), noise=(0.0, 0.2), noise_kinds=("asymmetric", "group"), draws=4, confusable=(("a", "b"),), budget=(20,),
        select=("fixed", "tuned"), tuned=(Path("tuned.json"),),
    )  # fmt: skip
    assert ProtocolOptions(**typed | more).protocol() == asked


@pytest.mark.parametrize("name", ["shots", "noise", "budget"])
def test_a_text_that_is_no_number_is_told_before_all_else(name):
    typed = {one: default for one, (_, default) in options_of(ProtocolOptions).items()}
    with pytest.raises(BenchError, match=f"Got --{name} 'few'; expected numbers"):
        ProtocolOptions(**typed | {name: "few"}).check_numbers()
