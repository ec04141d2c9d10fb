"""A name becomes a spec: variants, keys, mistakes, user files and plug-ins; torch is not imported for it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import encoders
from encoders import EncoderError, EncoderSpec, names, plugins, registry, resolve, split_names
from encoders.spec import FAMILIES

VARIANT = st.builds(
    lambda name, options: name + ("@" + ",".join(f"{k}={v}" for k, v in options.items()) if options else ""),
    st.from_regex(r"(timm:|hf-hub:[a-z]+/)?[a-z][a-z0-9._-]{0,8}", fullmatch=True),
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,6}", fullmatch=True),
        st.from_regex(r"[A-Za-z0-9./~@=-]{1,8}", fullmatch=True),
        max_size=3,
    ),
)


@given(st.lists(VARIANT, min_size=1, max_size=5))
def test_splitting_names_undoes_joining_them(variants: list[str]) -> None:
    assert split_names(",".join(variants)) == variants


def test_an_option_continues_the_variant_before_it() -> None:
    text = "dino,resnet50@size=448,color=grey,timm:x@weights=f"
    assert split_names(text) == ["dino", "resnet50@size=448,color=grey", "timm:x@weights=f"]


@pytest.mark.parametrize("text", ["dino,color=grey", "color=grey", "dino,,resnet18", "", "dino,"])
def test_an_option_without_an_encoder_or_an_empty_name_is_refused(text: str) -> None:
    with pytest.raises(EncoderError, match="Got"):
        split_names(text)


def test_every_registered_name_resolves_without_a_deep_learning_library() -> None:
    code = (
        "import sys, encoders; "
        "specs = [encoders.resolve(n) for n in encoders.names()]; [encoders.availability(s) for s in specs]; "
        "heavy = ('torch', 'timm', 'open_clip', 'skimage'); "
        "print(len(specs), [m for m in heavy if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split(maxsplit=1) == [str(len(names())), "[]\n"]


@pytest.mark.parametrize("name", names())
def test_a_registered_encoder_says_what_it_is(name: str) -> None:
    spec = resolve(name)
    assert spec.name == name and spec.family in FAMILIES and spec.dim > 0 and len(spec.key) == 32
    assert spec.scaling in ("unit", "standard") and spec.licence and spec.pretraining
    assert spec.trivial == (spec.family in ("descriptor", "control"))
    json.dumps(spec.identity())


def test_keys_are_pairwise_distinct_and_the_same_in_another_process() -> None:
    variants = [
        *names(),
        "dino@size=448",
        "dino@color=grey",
        "dino@weights=random",
        "dino@weights=random,seed=1",
    ]
    keys = {variant: resolve(variant).key for variant in variants}
    assert len(set(keys.values())) == len(variants)
    code = f"import encoders, json; print(json.dumps({{v: encoders.resolve(v).key for v in {variants!r}}}))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(other.stdout) == keys


def test_a_variant_is_named_by_its_sorted_options_and_defaults_are_left_out() -> None:
    assert resolve("dino@size=448,color=grey").name == "dino@color=grey,size=448"
    assert resolve("dino@color=grey,size=0448") == resolve("dino@size=448,color=grey")
    assert resolve("dino@size=224,color=rgb,pool=default") == resolve("dino")
    assert resolve("random-resnet18@seed=0") == resolve("random-resnet18")
    assert resolve("random-resnet18@seed=3").weights == "random:3"


def test_random_weights_make_a_control_of_any_network() -> None:
    spec = resolve("dino@weights=random")
    assert (spec.family, spec.trivial, spec.weights) == ("control", True, "random:0")
    assert "random" in spec.pretraining


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dinno", "Got encoder 'dinno', did you mean 'dino'? `bench encoders` lists all."),
        ("zzzzzz", "Got encoder 'zzzzzz'. `bench encoders` lists all."),
        ("dino@sise=3", "did you mean 'size'? Options of 'dino': backend, channels, color, intervene, orient8, pool, precision, seed, "
         "size, stack, weights, window."),
        (
            "dino@size=225",
            "Got size=225 for encoder 'dino'; expected a whole number from 32 to 4096 that is a",
        ),
        ("resnet18@size=0", "whole number from 32 to 4096"),
        ("resnet18@size=-64", "whole number"),
        ("resnet18@size=²²⁴", "whole number"),
        ("dino@color=gray", "expected one of rgb, grey"),
        ("dino@pool=max", "expected one of default, cls, mean"),
        ("resnet18@pool=cls", "expected one of default, avg, max, layers"),
        ("dino@weights=nowhere.safetensors", "there is no file"),
        ("dino@weights=nowhere.npz", "there is no file"),
        ("dino@seed=1", "it belongs to weights=random"),
        ("random-resnet18@weights=x.pt", "Got option 'weights'"),
        ("texture@size=64", "Options of 'texture': channels, intervene, orient8, stack, window"),
        ("dino@", "expected key=value"),
        ("dino@size", "expected key=value"),
        ("dino@size=224,size=448", "Got 'size' twice"),
        ("foo:bar", "expected one of the prefixes timm:, open_clip:, hf-hub:"),
        ("hf-hub:nobody", "expected hf-hub:ORG/MODEL"),
        ("open_clip:ViT-B-32", "expected open_clip:MODEL/TAG"),
        ("nowhere.py:mine", "there is no file"),
        ("mine.py", "expected mine.py:NAME"),
        ("vectors.csv", "write file:vectors.csv"),
        ("cells.encoder", "which is a folder here. If it holds an encoder, write ./cells.encoder."),
    ],
)
def test_a_mistake_is_answered_with_the_value_and_what_was_expected(
    text: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cells.encoder").mkdir()
    with pytest.raises(EncoderError) as caught:
        resolve(text)
    assert expected in str(caught.value)


USER_FILE = """
import numpy as np
from encoders import descriptor, register
from encoders.networks import Network, imagenet_input, network_spec

@descriptor("brightness", dim=1)
def brightness(image):
    return [image.mean()]

@register("dino")
def mine(**options):
    return network_spec(Network("dino", "timm:vit_small_patch16_224.dino", 384, 21.7, imagenet_input(224, 1.0), "x",
                                "x", "x", "vit", 16), options)

@descriptor("bad-shape", dim=2)
def bad_shape(image):
    return [1.0]

@descriptor("raises", dim=1)
def raises(image):
    return [image[99, 99, 0]]

@descriptor("not-a-number", dim=1)
def not_a_number(image):
    return [np.nan if image.mean() > 1 else 0]
"""


@pytest.fixture
def user_file(tmp_path: Path) -> Path:
    file = tmp_path / "mine.py"
    file.write_text(USER_FILE)
    return file


def test_a_file_of_the_user_gives_an_encoder_without_any_edit_here(user_file: Path) -> None:
    spec = resolve(f"{user_file}:brightness@color=grey")
    assert spec.name == f"{user_file}:brightness@color=grey"
    vectors = spec.load().encode([np.full((3, 4, 3), 7, np.uint8)])
    assert vectors.dtype == np.float32 and vectors.tolist() == [[7.0]]
    assert "brightness" not in names()


def test_the_content_of_a_users_file_is_in_the_key_and_its_path_is_not(user_file: Path, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    copy = tmp_path / "copy" / "other.py"
    copy.write_text(USER_FILE)
    key = resolve(f"{user_file}:brightness").key
    assert resolve(f"{copy}:brightness").key == key
    copy.write_text(USER_FILE + "# changed\n")
    assert resolve(f"{copy}:brightness").key != key


def test_a_users_file_may_use_a_name_of_ours_without_replacing_it(user_file: Path) -> None:
    assert resolve(f"{user_file}:dino").family == "other"
    assert resolve("dino").family == "self-supervised"
    assert resolve(f"{user_file}:dino").key != resolve("dino").key


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bad-shape", "declares dim=2 and gave shape"),
        ("raises", "position 0"),
        ("not-a-number", "1 of 2 images"),
    ],
)
def test_a_users_function_that_breaks_its_promise_is_named(user_file: Path, name: str, expected: str) -> None:
    images = [np.zeros((3, 4, 3), np.uint8), np.full((3, 4, 3), 9, np.uint8)]
    encoder = resolve(f"{user_file}:{name}").load()
    with pytest.raises(EncoderError, match=expected):
        encoder.encode(images)


def test_an_unknown_name_or_a_broken_file_of_the_user_is_explained(user_file: Path, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="did you mean 'brightness'"):
        resolve(f"{user_file}:brigthness")
    (tmp_path / "broken.py").write_text("import nothing_like_that")
    with pytest.raises(EncoderError, match="ModuleNotFoundError"):
        resolve(f"{tmp_path}/broken.py:x")
    (tmp_path / "empty.py").write_text("")
    with pytest.raises(EncoderError, match="registers: nothing"):
        resolve(f"{tmp_path}/empty.py:x")


def test_a_name_registered_twice_is_refused() -> None:
    with pytest.raises(EncoderError, match="registered twice"):

        @encoders.register("dino")
        def again(**options: object) -> EncoderSpec:
            raise AssertionError

    with pytest.raises(EncoderError, match="lower-case"):
        encoders.descriptor("Upper Case", dim=1)(lambda image: image)


def test_a_plug_in_is_listed_loaded_on_demand_and_a_broken_one_harms_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plug_good.py").write_text(
        "from encoders import descriptor\n@descriptor('plug-good', dim=1)\ndef f(image):\n    return [1.0]\n"
    )
    (tmp_path / "plug_bad.py").write_text("raise RuntimeError('no licence')\n")
    info = tmp_path / "plug-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: plug\nVersion: 1\n")
    points = "plug-good = plug_good:f\nplug-bad = plug_bad:f\n"
    (info / "entry_points.txt").write_text(f"[{plugins.GROUP}]\n{points}")
    monkeypatch.syspath_prepend(tmp_path)
    plugins.plugins.cache_clear()
    try:
        assert {"plug-good", "plug-bad"} <= set(names())
        assert resolve("plug-good").load().encode([np.zeros((1, 1, 3), np.uint8)]).tolist() == [[1.0]]
        with pytest.raises(EncoderError, match="no licence"):
            resolve("plug-bad")
    finally:
        plugins.plugins.cache_clear()
        registry._ENTRIES.pop("plug-good", None)


def test_of_a_file_of_encoders_the_very_text_that_names_it_is_run(tmp_path: Path) -> None:
    import os
    import py_compile

    text = "from encoders import descriptor\n@descriptor('one', dim=1)\ndef one(image):\n    return [%d.0]\n"
    file = tmp_path / "mine.py"
    file.write_text(text % 1)
    py_compile.compile(str(file))
    old = os.stat(file)
    first = resolve(f"{file}:one")
    file.write_text(text % 2)  # of one size and time: Python's cache would be taken for it
    os.utime(file, ns=(old.st_atime_ns, old.st_mtime_ns))
    second = resolve(f"{file}:one")
    assert first.key != second.key
    image = np.zeros((4, 4, 3), np.uint8)
    assert [spec.load().encode([image]).item() for spec in (first, second)] == [1, 2]
