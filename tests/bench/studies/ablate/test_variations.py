"""What --vary means: options, values, and the variants of an encoder that they make."""

from __future__ import annotations

import pytest

from bench.errors import BenchError
from bench.studies.ablate.variations import read_factors, variations_of
from encoders import OPTION_VALUES, OPTIONS, EncoderError, resolve
from encoders.networks import POOLS


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["size=96,224,448"], {"size": ("96", "224", "448")}),
        (["color,window,pool"], {"color": (), "window": (), "pool": ()}),
        (["size=96,448", "color", "orient8"], {"size": ("96", "448"), "color": (), "orient8": ()}),
        (["size=96,448,pool,window=range,0-255"], {"size": ("96", "448"), "pool": (), "window": ("range", "0-255")}),
        (["pool=cls+mean"], {"pool": ("cls+mean",)}),
    ],
)
def test_options_and_their_values_are_read(texts, expected):
    assert read_factors(texts) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sise=96", r"Got --vary 'sise=96', did you mean 'size'\? Expected options"), ("grey", "Got --vary 'grey'"),
        ("", "Got --vary ''"), ("size=", "Got --vary 'size='"), ("size=96,,", "Got --vary ''"),
        ("size=96,size=128", "Got --vary size twice"), ("color,grey", "Got --vary 'grey'"),
    ],
)  # fmt: skip
def test_what_is_no_option_is_refused_by_name(text, message):
    with pytest.raises(BenchError, match=message):
        read_factors([text])


def test_every_variant_differs_in_one_option_and_keeps_the_others():
    base, found = variations_of("dino@size=448,color=grey", {"size": ("224", "448"), "pool": (), "orient8": ()})
    assert base.name == "dino@color=grey,size=448"
    assert [(one.factor, one.value) for one in found] == [
        ("size", "224"), ("pool", "cls"), ("pool", "mean"), ("pool", "cls+mean"), ("orient8", "mean"),
    ]  # fmt: skip
    assert found[0].spec.name == "dino@color=grey"  # 224 is the default, 448 is the encoder itself
    assert all(one.spec.preprocess.color == "grey" for one in found)
    assert len({base.key, *(one.spec.key for one in found)}) == 6


@pytest.mark.parametrize("name", ["efficientnet-lite0", "dino", "clip-vit-b16", "texture", "random-resnet18"])
def test_an_option_without_values_stands_for_all_that_the_encoder_offers(name):
    with pytest.raises(EncoderError) as refused:
        resolve(f"{name}@no_such_option=1")
    own = str(refused.value).rpartition(": ")[2].rstrip(".").split(", ")
    offered = [key for key in OPTION_VALUES if key in own and (key, name) != ("pool", "clip-vit-b16")]  # it has one
    assert {"window", "orient8"} <= set(offered)
    for key in offered:
        base, found = variations_of(name, {key: ()})
        assert found and all(one.spec.key != base.key and f"{key}={one.value}" in one.spec.name for one in found)
    _, sizes = variations_of("dino", {"size": ()})
    assert [one.value for one in sizes] == ["112", "448"]


def test_the_words_of_pooling_are_those_of_networks():
    assert set(OPTION_VALUES["pool"]) == {pool for pools in POOLS.values() for pool in pools}
    assert set(OPTION_VALUES) <= set(OPTIONS)


@pytest.mark.parametrize(
    ("encoder", "factors", "message"),
    [
        ("texture", {"size": ()}, "Got --vary size for texture"),
        ("dino", {"channels": ()}, "no other channels to be held against; expected values"),
        ("dino", {"size": ("224",)}, "no other size"), ("dino", {}, "nothing to vary of dino"),
    ],
)  # fmt: skip
def test_an_option_that_makes_no_variant_is_refused(encoder, factors, message):
    with pytest.raises(BenchError, match=message):
        variations_of(encoder, factors)


def test_a_value_that_was_typed_and_is_none_is_an_error_and_not_left_out():
    with pytest.raises(EncoderError, match="Got size=225"):
        variations_of("dino", {"size": ("225",)})
