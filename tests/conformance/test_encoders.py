"""What every encoder promises, run on each that needs no weights; a new entry is covered by being there."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from encoders import EncoderError, EncoderSpec, LoadedEncoder, as_rgb, availability, fit_input, names, resolve

pytestmark = pytest.mark.usefixtures("one_thread")

#: What an optional part brings is tried where it is installed.
ABSENT = [name for name in names() if resolve(name).library[0] and availability(resolve(name))]
FREE = [name for name in names() if resolve(name).trivial and name not in ABSENT]
NETWORKS = [name for name in names() if not resolve(name).trivial]
SAYS_NOTHING = {"constant"}  # different images collapse, as they are meant to
#: Of the networks that need weights, one of each architecture that is cheap to draw at random.
CHEAP = ["mobilenetv2", "resnet18", "dinov2-small", "clip-vit-b16", "dinobloom-s", "biomedclip"]


def smallest(name: str) -> str:
    """Return the variant of an encoder that is cheap to run: random weights, a small input."""
    spec = resolve(name)
    options = [] if spec.trivial else ["weights=random"]
    if not spec.source.startswith("descriptor:"):
        options.append(f"size={_small_size(name)}")
    return name + ("@" + ",".join(options) if options else "")


def _small_size(name: str) -> int:
    for size in range(32, 113):
        try:
            resolve(f"{name}@size={size}")
        except EncoderError:
            continue
        return size
    raise AssertionError(f"{name} takes no size up to 112")




@pytest.fixture(params=[*FREE, *CHEAP], scope="module")
def loaded(request: pytest.FixtureRequest) -> LoadedEncoder:
    return resolve(smallest(request.param)).load()


def specimens() -> list[np.ndarray]:
    """Colour, grey without a channel axis, two channels of 16 bits, tiny, non-square, one pixel, constant."""
    draw = np.random.default_rng(0).integers
    return [
        draw(0, 256, (64, 64, 3), dtype=np.uint8),
        draw(0, 256, (40, 50), dtype=np.uint8),
        draw(0, 60000, (30, 30, 2)).astype(np.uint16),
        draw(0, 256, (8, 8, 3), dtype=np.uint8),
        draw(0, 256, (20, 90, 4), dtype=np.uint8),
        draw(0, 256, (1, 1, 1), dtype=np.uint8),
        np.full((16, 16, 3), 200, np.uint8),
    ]


def inputs(spec: EncoderSpec) -> list[np.ndarray]:
    return [fit_input(as_rgb(image, spec.preprocess), spec.preprocess) for image in specimens()]


def test_every_kind_of_image_becomes_a_finite_float32_vector_of_the_declared_length(
    loaded: LoadedEncoder,
) -> None:
    vectors = loaded.encode(inputs(loaded.spec))
    assert vectors.shape == (len(specimens()), loaded.spec.dim) and vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    if loaded.spec.name in SAYS_NOTHING:
        return
    textured = vectors[:5]  # of the last two a descriptor may know only that they are flat
    assert len(np.unique(textured, axis=0)) == 5, "different images must not collapse"


def test_encoding_again_and_loading_again_give_the_same_bits_in_any_order(loaded: LoadedEncoder) -> None:
    images = inputs(loaded.spec)
    vectors = loaded.encode(images)
    assert loaded.encode(images[::-1])[::-1].tobytes() == vectors.tobytes()
    again = loaded.spec.load()
    assert again.weights_digest == loaded.weights_digest
    assert again.encode(images).tobytes() == vectors.tobytes()


def test_a_vector_does_not_depend_on_the_images_beside_it(loaded: LoadedEncoder) -> None:
    images = inputs(loaded.spec)
    vectors = loaded.encode(images)
    for at in (0, 4):
        assert loaded.encode(images[at : at + 1]).tobytes() == vectors[at : at + 1].tobytes()


def test_inputs_are_left_as_they_were(loaded: LoadedEncoder) -> None:
    images = inputs(loaded.spec)
    before = [image.copy() for image in images]
    loaded.encode(images)
    assert all(np.array_equal(a, b) for a, b in zip(images, before, strict=True))


def test_weights_have_a_digest_exactly_where_there_are_weights(loaded: LoadedEncoder) -> None:
    assert (loaded.weights_digest == "") == (loaded.spec.weights == "none")


def inputs_of(name: str, image: np.ndarray) -> np.ndarray:
    policy = resolve(name).preprocess
    return fit_input(as_rgb(image, policy), policy)


@pytest.mark.parametrize("name", names())
def test_shuffling_moves_the_patches_of_an_input_and_keeps_every_pixel(name: str) -> None:
    image = np.random.default_rng(1).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    plain, moved = inputs_of(name, image), inputs_of(f"{name}@intervene=shuffle", image)
    assert moved.shape == plain.shape and (moved != plain).any()
    assert np.array_equal(*(np.sort(one.reshape(-1, 3).view("u1,u1,u1").ravel()) for one in (plain, moved)))
    assert np.array_equal(moved, inputs_of(f"{name}@intervene=shuffle", image)), "the same way every time"


@pytest.mark.parametrize("name", names())
def test_zscore_takes_stain_and_contrast_of_every_channel_away_and_nothing_else(name: str) -> None:
    smooth = np.sin(np.arange(120) / 9)[None, :, None] + np.sin(np.arange(90) / np.array([[7], [8], [9]])).T[:, None]
    image = np.rint(100 + 20 * smooth).astype(np.uint8)
    variant = f"{name}@intervene=zscore"
    stained = (image * np.array([2, 1, 1]) + np.array([-80, 100, 30])).astype(np.uint8)  # exact, within 0..255
    one, other = inputs_of(variant, image), inputs_of(variant, stained)
    assert np.abs(one.astype(int) - other).max() <= 1
    assert np.abs(inputs_of(name, image).astype(int) - inputs_of(name, stained)).max() > 20
    plain, seen = (inputs_of(text, image)[..., 1].ravel().astype(float) for text in (name, variant))
    assert np.corrcoef(plain, seen)[0, 1] > (0.99 if resolve(name).preprocess.color == "rgb" else 0.95)


def choices(name: str) -> list[str]:
    """Return one variant of `name` for every option that the error for an unknown one lists."""
    with pytest.raises(EncoderError) as caught:
        resolve(f"{name}@no_such_option=1")
    allowed = str(caught.value).rpartition(": ")[2].rstrip(".").split(", ")
    values = {
        "color": "grey", "window": "0-4095", "channels": "each", "stack": "max", "intervene": "shuffle", "orient8": "mean", "weights": "random", "pool": _another_pool(name), "size": "448",
        "precision": "bfloat16", "backend": "openvino",
        "seed": "7" if "weights" not in allowed else "7,weights=random",
    }  # fmt: skip
    assert set(allowed) <= set(values), f"say here how to vary the new option of {name}"
    return [f"{name}@{option}={values[option]}" for option in allowed if values[option]]


def _another_pool(name: str) -> str:
    with pytest.raises(EncoderError) as caught:
        resolve(f"{name}@pool=no_such_pool")
    last = str(caught.value).rpartition("one of ")[2].rstrip(".").split(", ")[-1]
    return "" if last == resolve(name).pool else last


@pytest.mark.parametrize("name", names())
def test_every_option_changes_the_key_and_the_name(name: str) -> None:
    variants = [resolve(name), *(resolve(variant) for variant in choices(name))]
    assert len(variants) >= 2
    assert len({spec.key for spec in variants}) == len(variants)
    assert len({spec.name for spec in variants}) == len(variants)
    assert all(resolve(spec.name) == spec for spec in variants), "the canonical name leads back to the variant"


def test_every_key_is_the_same_in_another_process() -> None:
    code = "import encoders; print(*(encoders.resolve(n).key for n in encoders.names()))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == [resolve(name).key for name in names()]
    assert FREE and NETWORKS and set(CHEAP) <= set(NETWORKS)
