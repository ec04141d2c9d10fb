"""Fine-tuning: the draws and labels of the heads, the same bits again, nothing made twice, no look at the test."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.errors import BenchError
from bench.fitting.finetune import producer
from bench.fitting.finetune.producer import FineTuning, Tunable
from bench.fitting.finetune.recipe import KINDS, RECIPE, Recipe, split_heads
from bench.fitting.finetune.train import fine_tune
from bench.fitting.finetune.trainings import FOLDER, trainings_of
from bench.fitting.fit import Drawn, parts_of, rows_of
from bench.fitting.head_fits import HeadFits
from bench.fitting.plan import plan_sweep
from bench.fitting.tasks import inputs_of
from bench.protocol.protocol import Protocol
from bench.runs.predictions import read_unit

SIDE = 8
FAST = Recipe(rate=0.003, head_rate=0.01, fewest=100)  # of a network that is not pretrained
SEVERAL = Protocol(
    shots=(1, 2), noise=(0.0, 0.5), noise_kinds=("symmetric", "group", "open-set"), foreign=("z",), draws=3, budget=(7,)
)


class Small:
    """A network of two layers and batch normalisation; the first does not see green."""

    def __init__(self) -> None:
        import torch

        torch.manual_seed(0)
        first = torch.nn.Conv2d(3, 6, 3)
        with torch.no_grad():
            first.weight[:, 1] = 0
        self.module = torch.nn.Sequential(
            first, torch.nn.BatchNorm2d(6), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
            torch.nn.Linear(6, 5),
        ).eval().requires_grad_(False)  # fmt: skip
        self.last = frozenset({"5.weight", "5.bias"})

    def prepare(self, pixels):
        return pixels.permute(0, 3, 1, 2).float() / 255


def green_images(y, seed=0):
    """Images uint8 (n, 8, 8, 3) in which the class is how green a corner is."""
    pixels = np.random.default_rng(seed).integers(0, 40, (len(y), SIDE, SIDE, 3)).astype(np.uint8)
    for image, k in zip(pixels, y, strict=True):
        image[:4, :4, 1] = 60 * (k % 4)
    return pixels


def tune(pixels, y, K=3, *, recipe=FAST, last=False, network=None, key=("split", 0)):
    names = [f"i{n}" for n in range(len(y))]
    return fine_tune(network or Small(), pixels, y, K, recipe=recipe, last=last, key=key, names=names)


@pytest.fixture
def made_without_torch(monkeypatch):
    """What every training was given, in order, of trainings that answer by what they were given, in no time."""
    given = []

    def fake(network, pixels, y, n_classes, *, names, key, last, **_):
        given.append((tuple(names), tuple(y.tolist()), key, last))
        P = np.random.default_rng([len(names), *y, last, key[2]]).dirichlet(np.ones(n_classes), 10_000)
        return lambda some: P[: len(some)]

    monkeypatch.setattr(producer, "fine_tune", fake)
    return given


def tuning(sweep, seed=0, **more):
    pixels = green_images(np.maximum(sweep.y, 0), seed)
    encoders = {"strong": Tunable(key="key", load=Small, pixels=lambda: pixels)}
    return FineTuning(kinds=tuple(KINDS), encoders=encoders, **more)


def test_a_network_learns_what_it_did_not_see_before_and_its_last_layers_alone_cannot():
    y, other = np.arange(24) % 3, np.arange(60) % 3
    shown, unseen = green_images(y), green_images(other, seed=1)

    def right(**how):
        return (tune(shown, y, **how)(unseen).argmax(1) == other).mean()

    assert right() > 0.9
    assert right(recipe=replace(FAST, rate=0.0)) < 0.6  # the frozen network and its head
    assert right(last=True) < 0.6


def test_the_network_that_was_given_stays_as_it_was_and_images_do_not_depend_on_each_other():
    network, y = Small(), np.arange(9) % 3
    before = {name: value.clone() for name, value in network.module.state_dict().items()}
    answer = tune(green_images(y), y, network=network)
    assert all((value == before[name]).all() for name, value in network.module.state_dict().items())
    some = green_images(np.arange(70) % 3, seed=2)
    one_by_one = np.concatenate([answer(some[i : i + 1]) for i in range(len(some))])
    np.testing.assert_allclose(answer(some), one_by_one, atol=1e-4)  # statistics of a batch would show here


def test_a_training_that_changes_nothing_is_the_linear_probe():
    from bench.heads.logreg import fit_linear, rule
    from bench.heads.support import Support

    network, y, still = Small(), np.arange(12) % 3, Recipe(rate=0.0, head_rate=0.0)
    pixels, others = green_images(y), green_images(np.arange(20) % 3, seed=3)
    import torch

    vectors = [network.module(network.prepare(torch.from_numpy(some))).double().numpy() for some in (pixels, others)]
    scale = np.sqrt(np.square(vectors[0] - vectors[0].mean(0)).sum(1).mean())
    Z, Z_other = ((some - vectors[0].mean(0)) / scale for some in vectors)
    probe = fit_linear(Support(Z.astype("f4"), Z[:1]), y, 3, rule(12, 3, 5)["l2"])
    np.testing.assert_allclose(tune(pixels, y, recipe=still)(others), probe.scores(Z_other), atol=1e-4)


def test_a_class_without_a_label_has_no_probability():
    y = np.array([0, 2, 2, 0])
    P = tune(green_images(y), y, K=4)(green_images(np.arange(8)))
    assert (P[:, [1, 3]] == 0).all() and np.isfinite(P).all()
    np.testing.assert_allclose(P.sum(1), 1)


@pytest.mark.parametrize("last", KINDS.values())
def test_the_same_arguments_give_the_same_bits_and_another_draw_others(last):
    y, some = np.arange(6) % 3, green_images(np.arange(30) % 3, seed=4)
    first, again, other = (tune(green_images(y), y, last=last, key=key)(some) for key in (("s", 0), ("s", 0), ("s", 1)))
    assert (first == again).all() and (first != other).any()


def test_the_number_of_steps_grows_with_the_images():
    assert [RECIPE.steps(n) for n in (1, 4, 20, 100, 10_000)] == [20, 20, 45, 100, 200]


def test_kinds_of_fine_tuning_are_told_from_heads():
    assert split_heads(["finetune", "knn", "finetune-last", "knn"]) == (("knn",), ("finetune", "finetune-last"))
    assert split_heads(["knn"]) == (("knn",), ())


def test_every_draw_and_every_wrong_label_is_that_of_the_heads(make_sweep, tmp_path, made_without_torch):
    sweep, views = make_sweep(SEVERAL, ["centroid"], groups=8)
    HeadFits(views=views).make(sweep, sweep.blocks, tmp_path / "run")
    own = tuning(sweep)
    blocks = own.plan(sweep)
    assert own.make(sweep, blocks, tmp_path / "run") == (0, len(blocks)) and len(blocks) == 2 * len(sweep.blocks)
    heads = {(block.level, block.noise_kind): block for block in sweep.blocks}
    inputs = inputs_of(sweep, tmp_path / "run")
    names = sweep.table["instance"].to_numpy(str)
    for block in blocks:
        twin = heads[block.level, block.noise_kind]
        mine, theirs = (read_unit(tmp_path / "run", one) for one in (block, twin))
        for what in ("support", "realised", "groups", "labels", "wrong"):
            of_head = getattr(theirs, what)
            assert (of_head is None) == (getattr(mine, what) is None), what
            if of_head is not None:
                np.testing.assert_allclose(getattr(mine, what), of_head, err_msg=what, atol=1e-6)
        assert mine.P.shape == theirs.P.shape and block.rates == twin.rates and block.draws == twin.draws
        for place, training in trainings_of(block, sweep, inputs):
            split = sweep.plan.splits(place.seed)[place.split]
            pool = rows_of(views["strong"], split, inputs)
            drawn = sweep.draws_of(block.level).supports[block.shots, place.seed, split.name]
            parts = parts_of(twin, Drawn(place.seed, split, drawn, pool), inputs)
            [(episode, r)] = [
                (part.episode, r) for part in parts for r, at in enumerate(np.arange(len(block.rates))[part.rates])
                if at == place.rate
            ]  # fmt: skip
            np.testing.assert_array_equal(training.y, episode.Y[r])
            np.testing.assert_array_equal(pool.support(training.rows, split.test).X, episode.support.X)
            assert (tuple(names[training.rows]), tuple(training.y.tolist())) in {one[:2] for one in made_without_torch}
    assert not (tmp_path / "run" / FOLDER).exists()  # what was kept on the way is gone


def test_labels_that_are_the_same_are_learned_from_once(make_sweep, tmp_path, made_without_torch):
    sweep, _ = make_sweep(replace(SEVERAL, budget=(), shots=(2,)), ["centroid"], groups=8)
    own = tuning(sweep)
    own.make(sweep, own.plan(sweep), tmp_path)
    assert len(set(made_without_torch)) == len(made_without_torch)
    fits = 2 * 3 * 3 * 2 * len(sweep.plan.repeats[0])  # kinds, kinds of noise, draws, rates, splits
    assert len(made_without_torch) < 0.8 * fits


def test_what_was_cut_short_goes_on_after_the_last_training(make_sweep, tmp_path, made_without_torch, monkeypatch):
    sweep, _ = make_sweep(Protocol(shots=(2,), noise=(0.0, 0.5), draws=2), ["centroid"], groups=8)
    own, whole = tuning(sweep), producer.fine_tune
    blocks = own.plan(sweep)

    def killed(*args, **more):
        if len(made_without_torch) == 5:
            raise KeyboardInterrupt
        return whole(*args, **more)

    monkeypatch.setattr(producer, "fine_tune", killed)
    with pytest.raises(KeyboardInterrupt):
        own.make(sweep, blocks, tmp_path)
    assert len(list((tmp_path / FOLDER).glob("*.safetensors"))) == 5 == len(made_without_torch)
    damaged = sorted((tmp_path / FOLDER).glob("*.safetensors"))[0]
    damaged.write_bytes(damaged.read_bytes()[:-3])
    monkeypatch.setattr(producer, "fine_tune", whole)
    assert own.make(sweep, blocks, tmp_path) == (0, 2)
    repeated = len(made_without_torch) - len(set(made_without_torch))
    assert repeated == 1  # the damaged one
    assert own.make(sweep, blocks, tmp_path) == (2, 0) and len(made_without_torch) - len(set(made_without_torch)) == 1


def test_numbers_depend_neither_on_the_order_nor_on_what_else_is_made(make_sweep, tmp_path):
    few = Protocol(shots=(1,), draws=1)
    sweep, _ = make_sweep(few, [], K=2, groups=3, items=1)
    more, _ = make_sweep(replace(few, shots=(1, 2), noise=(0.0, 0.5)), [], K=2, groups=3, items=1)
    own = tuning(sweep)
    blocks = own.plan(sweep)
    own.make(sweep, blocks, tmp_path / "one")
    others = own.plan(more)
    own.make(more, others[::-1], tmp_path / "other")
    at = {(block.head, block.level): block for block in others}
    for block in blocks:
        mine, theirs = read_unit(tmp_path / "one", block), read_unit(tmp_path / "other", at[block.head, block.level])
        np.testing.assert_array_equal(mine.P[:, 0], theirs.P[:1, 0])
        assert (mine.seconds > 0).all()


def test_several_processes_give_the_same_bits(make_sweep, tmp_path):
    sweep, _ = make_sweep(Protocol(shots=(1,), draws=1), [], K=2, groups=3, items=1)
    own = tuning(sweep)
    blocks = own.plan(sweep)
    assert own.make(sweep, blocks, tmp_path / "one") == own.make(sweep, blocks, tmp_path / "again") == (0, 2)
    assert replace(own, workers=2).make(sweep, blocks, tmp_path / "two") == (0, 2)
    for block in blocks:
        P, again, two = (read_unit(tmp_path / name, block).P for name in ("one", "again", "two"))
        np.testing.assert_array_equal(P, again)
        np.testing.assert_array_equal(P, two)


def test_no_label_of_the_test_reaches_the_training(make_table, tmp_path):
    table = make_table(("a", "b"), 4, 2)
    of_group = table["group"].str[-1].astype(int)
    table["split"] = np.where(of_group >= 2, "test", "train")
    other = table.copy()
    tested = other["split"] == "test"
    other.loc[tested, "label"] = other.loc[tested, "label"].map({"a": "b", "b": "a"})
    found = []
    for at, one in enumerate((table, other)):
        sweep = plan_sweep(one, ("a", "b"), Protocol(shots=(2,), noise=(0.0, 0.5), draws=1), {}, [])
        pixels = green_images(np.where(table["label"] == "a", 0, 3))
        own = FineTuning(kinds=("finetune",), encoders={"e": Tunable(key="k", load=Small, pixels=lambda p=pixels: p)})
        [block] = own.plan(sweep)
        own.make(sweep, [block], tmp_path / str(at))
        found.append((block.name, read_unit(tmp_path / str(at), block).P))
    assert found[0][0] != found[1][0]  # other data, of which nothing is taken over
    np.testing.assert_array_equal(found[0][1], found[1][1])


def test_what_changes_the_numbers_is_in_the_name_of_a_unit(make_sweep, monkeypatch):
    sweep, _ = make_sweep(Protocol(shots=(2,), draws=2), [], groups=8)
    names = {block.name for block in tuning(sweep).plan(sweep)}
    assert len(names) == 2
    other = replace(tuning(sweep), encoders={"strong": replace(tuning(sweep).encoders["strong"], key="other")})
    assert names.isdisjoint(block.name for block in other.plan(sweep))
    monkeypatch.setattr("bench.fitting.finetune.recipe.RECIPE", replace(RECIPE, rate=2e-4))
    assert names.isdisjoint(block.name for block in tuning(sweep).plan(sweep))


def test_too_little_memory_is_told_with_what_is_needed(make_sweep, tmp_path, made_without_torch):
    sweep, _ = make_sweep(Protocol(shots=(1,), draws=1), [], groups=8)
    own = tuning(sweep, memory=0.5)
    with pytest.raises(BenchError, match=r"Got a budget of 0\.5 GB, but fine-tuning at 8 x 8 pixels takes about 1\.0"):
        own.make(sweep, own.plan(sweep), tmp_path)
    assert not made_without_torch
