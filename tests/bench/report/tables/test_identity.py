"""Datasets by content: names that tell them apart, copies, and those that share images."""

from __future__ import annotations

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from bench.data.content import content_of, place_of
from bench.data.label_boxes import BOX
from bench.report.tables.identity import DatasetOfRun, changed_encoders, families, name_datasets
from bench.storage.together import put_together


def run(tmp_path, name, content, place="", images=(), labels=None):
    folder = tmp_path / f"{name}-{content}-{place.replace('/', '_')}"
    folder.mkdir(exist_ok=True)
    table = pd.DataFrame({"digest": [str(i) for i in images], "label": labels or ["x"] * len(images)}, dtype="str")
    put_together(folder, {"instances.parquet": table.to_parquet()}, {})
    return DatasetOfRun(name, place, content, folder)


def test_a_name_of_one_dataset_stays_as_it_is_and_two_get_the_folder_around(tmp_path):
    runs = [
        run(tmp_path, "cells", "c1", "a/cells"),
        run(tmp_path, "cells", "c2", "b/cells"),
        run(tmp_path, "blood", "c3", "b/blood"),
    ]
    names, notes = name_datasets(runs)
    assert names == {"c1": "a/cells", "c2": "b/cells", "c3": "blood"}
    assert notes == ["2 datasets are called cells, and shown as a/cells, b/cells"]


def test_two_of_one_name_and_place_get_the_beginning_of_their_content(tmp_path):
    names, _ = name_datasets([run(tmp_path, "cells", f"{k}" * 32, "a/cells") for k in "12"])
    assert names == {"1" * 32: "cells-11111111", "2" * 32: "cells-22222222"}


def test_copies_are_one_dataset_under_the_first_name(tmp_path):
    names, notes = name_datasets([run(tmp_path, name, "c", f"a/{name}") for name in ("beta", "alpha", "gamma")])
    assert names == {"c": "alpha"}
    assert notes == ["alpha, beta, gamma: the same images and labels, one dataset, which counts once, as alpha"]


def test_datasets_that_share_most_labelled_images_count_as_one_and_are_named(tmp_path):
    runs = [run(tmp_path, "old", "c1", images=range(10)), run(tmp_path, "new", "c2", images=range(4, 40)),
            run(tmp_path, "other", "c3", images=range(100, 110))]  # fmt: skip
    names, _ = name_datasets(runs)
    joined, notes = families(runs, names)
    assert joined["c1"] == joined["c2"] != joined["c3"]
    assert len(notes) == 1 and "old and new share 6 labelled images of 10" in notes[0]


def test_a_chain_of_versions_is_one_dataset(tmp_path):
    runs = [run(tmp_path, f"v{k}", f"c{k}", images=range(6 * k, 6 * k + 10)) for k in range(1)]
    runs += [run(tmp_path, f"v{k}", f"c{k}", images=range(4 * k, 4 * k + 10)) for k in range(1, 4)]
    joined, _ = families(runs, name_datasets(runs)[0])
    assert len(set(joined.values())) == 1


def test_the_same_images_under_other_labels_are_two_datasets_that_are_not_independent(tmp_path):
    runs = [
        run(tmp_path, "type", "c1", images=range(9)),
        run(tmp_path, "stage", "c2", images=range(9), labels=["y"] * 9),
    ]
    joined, notes = families(runs, name_datasets(runs)[0])
    assert len(set(joined.values())) == 2
    assert notes == ["type and stage share 9 images, so they are not independent of each other"]


def test_a_run_whose_images_cannot_be_read_counts_by_itself(tmp_path):
    gone = DatasetOfRun("a", "", "c1", tmp_path / "nowhere")
    joined, notes = families([gone, run(tmp_path, "b", "c2", images=range(3))], {"c1": "a", "c2": "b"})
    assert len(set(joined.values())) == 2 and not notes


ROWS = st.lists(
    st.tuples(st.sampled_from(["d1", "d2", "d3"]), st.sampled_from([None, 0, 5]), st.sampled_from("ab")),
    min_size=1,
    max_size=6,
)


def regions(rows):
    table = pd.DataFrame(rows, columns=["digest", "x0", "label"]).astype({"x0": "Int64"})
    return table.assign(y0=table["x0"], x1=table["x0"], y1=table["x0"], path="p", group="g")[
        ["digest", *BOX, "label", "path", "group"]
    ]


@given(ROWS, st.randoms())
def test_the_content_is_that_of_the_rows_in_whatever_order_and_of_nothing_else(rows, random):
    mixed = list(rows)
    random.shuffle(mixed)
    one, other = regions(rows), regions(mixed).assign(path="elsewhere", group="other")
    assert content_of(one) == content_of(other)
    assert content_of(one) != content_of(regions([*rows, ("d4", None, "a")]))
    assert content_of(one) != content_of(one.assign(label="c"))


def test_where_a_dataset_lies_is_told_by_two_names_of_which_raw_is_none(tmp_path):
    (tmp_path / "lab" / "cells" / "raw").mkdir(parents=True)
    for name in ("index.csv", "set.csv"):
        (tmp_path / "lab" / "cells" / "raw" / name).touch()
    assert place_of(tmp_path / "lab" / "cells" / "raw") == "lab/cells" == place_of(tmp_path / "lab" / "cells")
    assert place_of(tmp_path / "lab" / "cells" / "raw" / "index.csv") == "lab/cells"
    assert place_of(tmp_path / "lab" / "cells" / "raw" / "set.csv") == "raw/set"


def test_an_encoder_that_was_changed_under_its_name_is_named():
    keys = {"one": {"my.py:m": "k1", "dino": "d"}, "two": {"my.py:m": "k2", "dino": "d"}, "three": {"my.py:m": "k1"}}
    assert changed_encoders(keys) == [
        "my.py:m is not the same encoder in all runs (one, three; two): its file, weights or code were changed"
    ]
