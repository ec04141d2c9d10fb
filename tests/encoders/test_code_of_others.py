"""Encoders of a user's file and of a plug-in are held to the same promises: one sentence says which is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from encoders import EncoderError, EncoderSpec, names, plugins, registered, registry, resolve

HEAD = """
import numpy as np
from encoders import EncoderSpec, LoadedEncoder, Preprocess, descriptor, register


def means(images):
    return np.stack([image.reshape(-1, 3).mean(0) for image in images]).astype(np.float32)


def enter(encode=means, build=None, **fields):
    def make(**options):
        return EncoderSpec(**({
            "name": "other", "family": "other", "source": "own:other", "dim": 3, "preprocess": Preprocess(size=None),
            "weights": "none", "build": build or (lambda spec, placement: LoadedEncoder(spec, encode, "")),
        } | fields))
    return register("other")(make)


"""
IMAGES = [np.random.default_rng(i).integers(0, 256, (5, 6, 3), np.uint8) for i in range(4)]

Of = Callable[[str], EncoderSpec]


@pytest.fixture
def forget() -> Iterator[None]:
    """Leave no plug-in registered."""
    names()  # those of ours are entered once in a process
    before = dict(registry._ENTRIES)
    plugins.plugins.cache_clear()
    yield
    plugins.plugins.cache_clear()
    registry._ENTRIES.clear()
    registry._ENTRIES.update(before)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forget: None) -> Callable[[str, str], None]:
    """Install a package of one module, `plug_others`, with entry points."""

    def put(code: str, points: str) -> None:
        (tmp_path / "plug_others.py").write_text(code)
        info = tmp_path / "plug-1.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text("Name: plug\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[{plugins.GROUP}]\n{points}\n")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(__import__("sys").modules, "plug_others", raising=False)
        plugins.plugins.cache_clear()

    return put


@pytest.fixture(params=["file", "plug-in"])
def other(request: pytest.FixtureRequest, tmp_path: Path, install: Callable[[str, str], None]) -> Of:
    """Return what resolves the encoder 'other' of some code, written as a user's file or as a plug-in."""

    def resolved(code: str) -> EncoderSpec:
        if request.param == "plug-in":
            install(HEAD + code, "other = plug_others:x")
            return resolve("other")
        (tmp_path / "plug_others.py").write_text(HEAD + code)
        return resolve(f"{tmp_path}/plug_others.py:other")

    return resolved


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("x = register('other')(lambda **options: 3)", "Got int from encoder 'other'"),
        ("x = register('other')(lambda **options: options['a'])", "when it was asked what it is: KeyError"),
        ("x = enter(dim=0)", "Got dim=0 for encoder 'other'"),
        ("x = enter(dim='3')", "Got dim='3'"),
        ("x = descriptor('other', dim=-1)(lambda image: [])", "Got dim=-1"),
        ("x = descriptor('other', dim=1, scaling='none')(lambda image: [1])", "expected one of unit, standard"),
        ("x = enter(preprocess=224)", "expected an encoders.Preprocess"),
        ("x = enter(build=3)", "Got build=3"),
    ],
)
def test_what_cannot_be_an_encoder_is_refused_where_it_is_named(other: Of, code: str, said: str) -> None:
    with pytest.raises(EncoderError, match=said) as caught:
        other(code)
    assert "plug_others.py" in str(caught.value)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("x = enter(build=lambda spec, placement: None)", "Got NoneType from `build`"),
        ("x = enter(build=lambda spec, placement: open('/nowhere'))", "FileNotFoundError"),
        ("x = enter(lambda images: means(images)[:, :2])", r"dim=3 and gave shape \(4, 2\) for 4 images"),
        ("x = enter(lambda images: means(images)[1:])", r"gave shape \(3, 3\) for 4 images"),
        ("x = enter(lambda images: None)", r"gave shape \(\) for 4 images"),
        ("x = enter(lambda images: ['a'] * len(images))", "ValueError"),
        ("x = enter(lambda images: means(images) * 1j)", "expected real ones"),
        ("x = enter(lambda images: means(images) * np.nan)", "non-finite values for 4 of 4 images"),
        ("x = enter(lambda images: means(images) - means(images).mean(0))", "Got two vectors of one image"),
        ("x = enter(lambda images: images[9])", "IndexError"),
        ("x = descriptor('other', dim=1)(lambda image: np.random.default_rng().random(1))", "Got two vectors"),
        ("x = descriptor('other', dim=1)(lambda image: [1j])", "expected real ones"),
        ("x = descriptor('other', dim=1)(lambda image: [1e300])", "non-finite"),
        ("x = descriptor('other', dim=1)(lambda image: image.nothing)", "line 19, in <lambda>"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_what_breaks_the_promise_of_an_encoder_is_refused_when_it_encodes(other: Of, code: str, said: str) -> None:
    with pytest.raises(EncoderError, match=said):
        other(code).load().encode(IMAGES)


def test_a_batch_is_compared_with_an_image_by_itself_also_after_single_images(other: Of) -> None:
    encoder = other("x = enter(lambda images: means(images) + len(images))").load()
    encoder.encode(IMAGES[:1])
    with pytest.raises(EncoderError, match="Got two vectors of one image"):
        encoder.encode(IMAGES)


def test_what_changes_its_image_changes_that_of_no_other(other: Of) -> None:
    images = [image.copy() for image in IMAGES]
    encode = "def change(images):\n    for image in images:\n        image //= 2\n    return means(images)\n\n\n"
    other(encode + "x = enter(change)").load().encode(images)
    assert all(np.array_equal(*pair) for pair in zip(images, IMAGES, strict=True))


def test_vectors_are_float32_whatever_type_they_are_given_in(other: Of) -> None:
    vectors = other("x = enter(lambda images: means(images).astype(float).tolist())").load().encode(IMAGES)
    assert vectors.dtype == np.float32 and vectors.shape == (4, 3)


def test_a_plug_in_named_otherwise_than_its_encoder_is_explained(install: Callable[[str, str], None]) -> None:
    install(HEAD + "x = enter()", "another = plug_others:x")
    with pytest.raises(EncoderError, match=r"'another' \(plug_others:x\) registers no encoder of that name"):
        resolve("another")


def test_a_plug_in_that_ends_the_program_is_one_that_cannot_be_imported(install: Callable[[str, str], None]) -> None:
    install("import sys\nsys.exit(3)\n", "other = plug_others:x")
    with pytest.raises(EncoderError, match="cannot be imported"):
        resolve("other")
    specs, problems = registered()
    assert len(problems) == 1 and "dino" in {spec.name for spec in specs}


def test_a_plug_in_with_the_name_of_an_encoder_of_ours_takes_nothing_away_and_is_told(
    install: Callable[[str, str], None],
) -> None:
    key = resolve("dino").key
    install(HEAD + "x = enter()", "dino = plug_others:x")
    _, problems = registered()
    assert resolve("dino").key == key and names().count("dino") == 1
    assert problems == [
        "The plug-in of encoder 'dino' (plug_others:x) is not used, as that name is an encoder of this program. Give "
        "it another."
    ]
