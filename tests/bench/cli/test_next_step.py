"""What is said at the end: what these images can tell, how many more would tell more, and the command that fits."""

from __future__ import annotations

import shlex

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench.cli.next_step import Evidence, after_run, evidence_of, levels, proposal, take_home, verdict
from bench.statistics.comparison import RANK_FROM
from bench.statistics.intervals import T_FROM

KNOWN = ["--data", "--encoder", "--shots", "--noise", "--leak", "--dry-run", "--out", "--group-pattern"]


def evidence(groups: dict[str, int], *, per_group: int = 1, sided: bool = False) -> Evidence:
    total = sum(groups.values())
    return Evidence(
        images=total * per_group, groups=groups, items={name: n * per_group for name, n in groups.items()},
        n_groups=total, sided=sided, grouped=per_group > 1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("groups", "per_group", "said"),
    [
        ({"a": 2, "b": 2, "c": 2, "d": 2, "e": 2, "f": 2}, 1,
         "12 images cannot tell encoders apart; about 8 more per class would be enough."),
        ({"a": 6, "b": 6}, 1,
         "12 images give a score, but cannot tell encoders apart; about 4 more per class would be enough."),
        ({"a": 1, "b": 2}, 20,
         "60 images of 3 groups cannot tell encoders apart; about 9 more groups per class would be enough."),
        ({"a": 12, "b": 3}, 1,
         "15 images cannot tell encoders apart; about 7 more of class 'b' would be enough."),
        ({"a": 12, "b": 3, "c": 9}, 2,
         "48 images of 24 groups cannot tell encoders apart; about 7 more groups of class 'b' "
         "and 1 more group of class 'c' would be enough."),
        ({"z": 12, **{name: 4 for name in "abcd"}}, 1,
         "28 images cannot tell encoders apart; about 6 more of each of 4 classes, such as 'a', "
         "would be enough."),
        ({"a": 10, "b": 11}, 1,
         "21 images are enough to tell apart encoders whose scores differ clearly: every class has 10 or more images."),
        ({"a": 10, "b": 10}, 3,
         "60 images of 20 groups are enough to tell apart encoders whose scores differ clearly: every class has "
         "10 or more groups."),
    ],
)  # fmt: skip
def test_the_verdict_counts_what_is_there_and_what_is_lacking(groups, per_group, said):
    assert verdict(evidence(groups, per_group=per_group)) == said


def test_after_a_run_that_told_no_method_from_the_best_the_data_are_not_said_to_be_enough_for_that():
    found = evidence({"a": 10, "b": 10}, per_group=3)
    rows = pd.DataFrame({"encoder": ["x", "y", "z"], "selection": "auto", "series": "balanced", "shots": 5, "noise": 0.0,
                         "noise_kind": "none", "balanced_accuracy": [0.8, 0.7, 0.6], "rank_low": 1.0})  # fmt: skip
    assert verdict(found, rows) == (
        "60 images of 20 groups are enough to compare encoders, but here none of the 2 other methods is told apart "
        "from the best one."
    )
    assert verdict(found, rows.head(2)).endswith("but here the other method is not told apart from the best one.")
    for told in (rows.assign(rank_low=[1, 1, 2]), rows.head(1), rows.assign(rank_low=float("nan"))):
        assert verdict(found, told) == verdict(found)


@pytest.mark.parametrize("fewest", range(1, 14))
def test_the_verdict_goes_by_the_numbers_that_the_statistics_go_by(fewest):
    text = verdict(evidence({"a": fewest, "b": 40}))
    assert ("cannot tell" in text) == (fewest < RANK_FROM)
    assert ("give a score" in text) == (T_FROM <= fewest < RANK_FROM)
    assert fewest >= RANK_FROM or f"{RANK_FROM - fewest} more" in text


def table(**classes: list[tuple[str, str | None]]) -> pd.DataFrame:
    rows = [
        (label, group, f"{label}{i}.png", split)
        for label, own in classes.items()
        for i, (group, split) in enumerate(own)
    ]
    return pd.DataFrame(rows, columns=["label", "group", "path", "split"]).astype({"split": "string"})


def test_evidence_counts_groups_per_class_and_the_test_side_where_there_is_one():
    both = table(a=[("s1", None), ("s1", None), ("s2", None)], b=[("s3", None)])
    found = evidence_of(both, ["a", "b"])
    assert (found.images, found.n_groups, found.grouped, found.sided) == (4, 3, True, False)
    assert found.groups == {"a": 2, "b": 1} and found.items == {"a": 3, "b": 1}
    split = table(a=[("s1", "train"), ("s2", "test")], b=[("s3", "train"), ("s4", "Train")], c=[("s5", "test")])
    found = evidence_of(split, ["a", "b"])  # c is foreign
    assert found.sided and found.groups == {"a": 1, "b": 0} and found.items == {"a": 1, "b": 2}
    assert "1 image of the test side cannot tell" in verdict(found)


def test_the_levels_that_are_proposed_can_be_drawn():
    assert levels(evidence({"a": 1, "b": 9})) == [1]
    assert levels(evidence({"a": 6, "b": 9})) == [1, 2]
    assert levels(evidence({"a": 40, "b": 90})) == [5, 10, 20]
    assert levels(evidence({"a": 5, "b": 9}, sided=True)) == [1, 2, 5]


def test_a_proposal_keeps_what_was_typed_and_can_be_typed():
    typed = {"--data": ["my data"], "--encoder": ["a", "b@size=448"], "--verify": [], "--leak": [], "--dry-run": []}
    line = proposal("run", typed, KNOWN, {"--dry-run": None, "--shots": "1,2"})
    assert shlex.split(line) == ["bench", "run", "--data", "my data", "--encoder", "a", "--encoder", "b@size=448", "--leak",
                                 "--shots", "1,2"]  # fmt: skip


def test_after_a_run_comes_what_was_not_asked_yet():
    few, many, slides = (
        evidence({"a": 3, "b": 3}),
        evidence({"a": 12, "b": 12}),
        evidence({"a": 12, "b": 12}, per_group=2),
    )
    typed = {"--data": ["d"], "--out": ["o"]}
    assert after_run(few, typed, KNOWN).endswith("bench run --data d --out o")
    assert after_run(many, typed, KNOWN).endswith("bench run --data d --out o --noise 0,0.2,0.4")
    typed = {**typed, "--noise": ["0,0.2"]}
    assert after_run(slides, typed, KNOWN).endswith("--noise 0,0.2 --leak")
    assert after_run(many, typed, KNOWN).endswith("bench leaderboard --out o")
    assert after_run(slides, {**typed, "--leak": []}, KNOWN).endswith("bench leaderboard --out o")


def test_a_classifier_is_not_proposed_of_encoders_that_only_say_what_a_score_rests_on():
    known = ["--data", "--encoder", "--save"]
    typed = {"--data": ["d"], "--encoder": ["dino,dino@intervene=shuffle", "grey=dino@color=grey", "dino@size=96"]}
    assert take_home(typed, known, "r", {"dino@intervene=shuffle", "grey"}) == (
        "bench fit --data d --save cells.model --encoder dino,dino@size=96"
    )
    only = {"--data": ["d"], "--encoder": ["dino@intervene=shuffle"]}
    assert take_home(only, known, "r", {"dino@intervene=shuffle"}) == "bench fit --data d --save cells.model"
    assert take_home(typed, known, "r").startswith("bench fit --data d --encoder dino,dino@intervene=shuffle")


def test_the_last_lines_of_the_commands_can_be_typed(bench, save_png, tmp_path):
    for label in "ab":
        for i in range(6):
            save_png(tmp_path / "my raw" / label / f"s{i}__0.png", seed=100 * ord(label) + i)
    data = ("--data", "my raw", "--group-pattern", "([^/]+)__")
    quick = ("--encoder", "mine=texture", "--head", "knn", "--workers", 1, "--draws", 2, "--no-baselines")
    verdict = "12 images of 6 groups give a score, but cannot tell encoders apart; about 4 more groups per class would be enough."
    shown = "bench run --data 'my raw' --group-pattern '([^/]+)__'"
    code, text = bench("data", "check", *data, "--verify")
    assert code == 0 and text.endswith(f"{verdict} Next: {shown} --verify --shots 1,2 --encoder efficientnet-lite0,lite0-cells")
    code, text = bench("extract", *data, "--encoder", "mine=texture")
    assert code == 0 and text.endswith(f"{verdict} Next: {shown} --encoder mine=texture --shots 1,2")
    code, text = bench("run", *data, *quick, "--shots", "1", "--dry-run")
    typed = "--shots 1 --draws 2 --encoder mine=texture --head knn --no-baselines --workers 1"
    assert code == 0 and text.endswith(f"{verdict} Next, run it: {shown} {typed}")
    code, text = bench(*shlex.split(text.rpartition("Next, run it: bench ")[2]))
    again, _, fit = text.rpartition(" To classify new images: ")
    assert code == 0 and again.endswith(
        f"{verdict} Add images and run the same command again; it computes only what is new: {shown} {typed}"
    )
    assert fit == "bench fit --data 'my raw' --group-pattern '([^/]+)__' --encoder mine=texture --save cells.model"
    code, text = bench(*shlex.split(fit)[1:])
    assert code == 0 and text.endswith("Next: bench predict cells.model IMAGES --to predictions.csv")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (("0.png,a,s1,", "1.png,a,s1,", "2.png,b,s2,"), "Got class 'a' with its 2 rows in 1 group; expected at least 2 groups"),
        (("0.png,a,,train", "1.png,b,,val", "2.png,a,,train"), "Got an official split of 'train', 'val'; expected at least"),
        (("0.png,a,s1,train", "1.png,b,s1,test", "2.png,b,s2,train"), "Got 1 groups on both sides of the given split"),
    ],
)
def test_no_run_is_proposed_of_what_none_can_be_made(bench, save_png, tmp_path, rows, said):
    for i in range(3):
        save_png(tmp_path / f"{i}.png", seed=i)
    (tmp_path / "l.csv").write_text("\n".join(["path,label,group,split", *rows]))
    for command in (("data", "check"), ("extract", "--encoder", "color-stats")):
        code, text = bench(*command, "--data", "l.csv")
        assert code == 0 and f"`bench run` cannot use this yet. {said}" in text and "Next: " not in text, text
    code, text = bench("run", "--data", "l.csv", "--encoder", "color-stats")
    assert code == 2 and said in text


def test_where_sources_are_held_out_the_verdict_counts_sources_and_no_official_side(bench, save_png, tmp_path):
    rows = ["path,label,group,source,split"]
    for label in "ab":
        for i in range(6):
            save_png(tmp_path / f"{label}{i}.png", seed=100 * ord(label) + i)
            rows.append(f"{label}{i}.png,{label},s{i},lab{i % 3},{'train' if i < 3 else 'test'}")
    (tmp_path / "labs.csv").write_text("\n".join(rows))
    code, text = bench("run", "--data", "labs.csv", "--split", "source", "--encoder", "texture", "--head", "centroid",
                       "--shots", 1, "--draws", 2, "--workers", 1, "--no-baselines", "--no-report")  # fmt: skip
    assert code == 0 and "12 images of 3 groups cannot tell encoders apart; about 7 more groups per class" in text, text


def test_classes_on_one_side_of_an_official_split_are_warned_of(bench, save_png, tmp_path):
    for i in range(8):
        save_png(tmp_path / f"{i}.png", seed=i)
    rows = [f"{i}.png,{label},,{split}" for i, (label, split) in enumerate((
        ("a", "train"), ("a", "train"), ("a", "test"), ("b", "train"), ("b", "test"), ("b", "test"), ("c", "train"),
    ))]  # fmt: skip
    (tmp_path / "l.csv").write_text("\n".join(["path,label,group,split", *rows]))
    said = "classes without an image in the part test of the official split: 'c'; they are learned and never tested"
    for command in (("data", "check"), ("run", "--encoder", "color-stats", "--head", "knn", "--shots", "1", "--draws", 2)):
        code, text = bench(*command, "--data", "l.csv")
        assert code == 0 and said in text, text
    (tmp_path / "l.csv").write_text("\n".join(["path,label,group,split", *rows, "7.png,d,,test"]))
    code, text = bench("data", "check", "--data", "l.csv")
    assert code == 0 and "part train of the official split: 'd'" in text, text
    assert text.endswith("Add some, or leave it out: --leave-out d.") and "cannot use this yet. Class 'd' has no" in text


def test_the_verdict_after_a_run_counts_no_image_that_could_not_be_decoded(bench, save_png, tmp_path):
    for label in "ab":
        for i in range(5):
            save_png(tmp_path / "raw" / label / f"{i}.png", seed=100 * ord(label) + i)
        damaged = (tmp_path / "raw" / label / "4.png").read_bytes()
        (tmp_path / "raw" / label / "4.png").write_bytes(damaged[: len(damaged) // 2])
    quick = ("--encoder", "color-stats", "--head", "knn", "--shots", "1", "--draws", 2, "--no-baselines")
    code, text = bench("run", "--data", "raw", *quick)
    assert code == 0 and "Skipped a/4.png" in text and "8 images cannot tell" in text and "10 images" not in text, text


@pytest.fixture
def cells(bench, tmp_path):
    """Make images of two classes with a mask of four cells each, where the commands are typed."""
    rng = np.random.default_rng(0)
    mask = np.kron(np.array([[1, 2], [3, 4]], np.uint8), np.ones((16, 16), np.uint8))
    for label in ("neuron", "rbc"):
        (tmp_path / "raw" / label).mkdir(parents=True)
        (tmp_path / "masks" / label).mkdir(parents=True)
        for i in range(3):
            Image.fromarray(rng.integers(0, 255, (32, 32, 3), np.uint8)).save(tmp_path / "raw" / label / f"{i}.png")
            Image.fromarray(mask).save(tmp_path / "masks" / label / f"{i}.png")
    return tmp_path


def test_what_is_to_be_labelled_next_is_found_by_the_same_options(bench, cells):
    typed = ["--data", "raw", "--instances", "masks:8", "--masks", "masks", "--max-instances", "3"]
    more = ["--encoder", "color-stats", "--n", "4", "--labelled", "new.csv", "--out", "out", "--any-image"]
    code, text = bench("next", *typed, *more)
    assert code == 0, text
    assert text.endswith(f"Next: bench label {' '.join(typed)} --out out --order next --to new.csv")


def test_a_corrected_table_is_run_by_the_options_that_it_needs(bench, cells):
    (cells / "fix.csv").write_text("path,label,proposed,action\nneuron/0.png,neuron,,drop\n")
    typed = ["--instances", "masks:8", "--masks", "masks", "--out", "out"]
    code, text = bench("audit", "--data", "raw", "--group-pattern", r"(\d)", *typed, "--apply", "fix.csv", "--to", "new.csv")
    assert code == 0 and text.endswith(f"Next: bench run {' '.join(typed)} --data new.csv"), text
