"""The options on images are read into one canonical form each; what is meant by a mistake is said."""

from __future__ import annotations

import pytest

from encoders import EncoderError, resolve


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("texture@channels=auto,stack=first,window=percentile", "texture"),
        ("texture@channels=DNA+02", "texture@channels=dna+2"),
        ("texture@channels=each: DNA +Alexa 488+3+4", "texture@channels=each:dna+alexa 488+3+4"),
        ("texture@window=0000-4095.0", "texture@window=0-4095"),
        ("texture@window=-0.50--0", "texture@window=-0.5-0"),
        ("texture@channels=each,window=percentile-each", "texture@channels=each"),
        ("texture@channels=0+1,window=percentile", "texture@channels=0+1,window=percentile"),
        ("resnet18@stack=max,channels=each", "resnet18@channels=each,stack=max"),
    ],
)
def test_a_variant_has_one_name(given: str, name: str) -> None:
    assert resolve(given).name == name
    assert resolve(name) == resolve(given) and resolve(name).key == resolve(given).key


def test_chosen_channels_have_a_window_each_unless_one_is_given() -> None:
    windows = {
        "texture": "percentile", "texture@channels=dna+er": "percentile-each", "resnet18@channels=each": "percentile-each",
        "resnet18@channels=2+0,window=range": "range", "texture@channels=auto": "percentile",
    }  # fmt: skip
    assert {name: resolve(name).preprocess.window for name in windows} == windows


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("texture@channels=0+1+2+3", "one to three channels A+B+C"),
        ("texture@channels=0+", "counted from 0 (Fiji's channel 1 is 0)"),
        ("texture@channels=each:", "expected auto, each, each:A+B"),
        ("texture@channels=each+0", "expected auto, each"),
        ("texture@window=4095-0", "LOW-HIGH with LOW < HIGH, as 0-4095"),
        ("texture@window=5-5", "LOW < HIGH"),
        ("texture@window=auto", "expected one of percentile, percentile-each, range, or LOW-HIGH"),
        ("texture@stack=min", "expected one of first, middle, max, mean"),
    ],
)
def test_a_mistake_is_answered_with_what_was_expected(text: str, expected: str) -> None:
    with pytest.raises(EncoderError) as caught:
        resolve(text)
    assert expected in str(caught.value)
