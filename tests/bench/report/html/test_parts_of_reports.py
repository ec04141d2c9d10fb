"""What the parts of a report show, of runs of every kind, and which tables a report belongs to."""

from __future__ import annotations

import dataclasses
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from bench.embeddings.embed import DataSpec
from bench.errors import BenchError
from bench.pipeline import run
from bench.protocol.protocol import Protocol
from bench.report.html import report
from bench.report.html.embedding_map import components
from bench.report.html.parts import PARTS
from bench.report.html.read import read_report
from bench.report.html.render import render
from bench.report.html.report import write_report
from bench.report.html.tables import counted_as
from bench.report.tables.calibration import BINS, ece, reliability
from bench.report.write_up import rebuild
from bench.request import Request
from bench.runs.place import OF_REPORT
from bench.runs.record import read_record_of
from bench.storage.tables import csv_bytes, parse_csv
from bench.storage.together import put_together, read_record
from bench.studies.audit.findings import as_table

from .conftest import data_of, take_apart


def test_a_map_is_that_of_principal_components():
    from sklearn.decomposition import PCA

    X = np.random.default_rng(0).normal(size=(60, 9)) @ np.diag([9, 5, 1, 1, 1, 1, 1, 1, 1]) + 3
    for rows in (X, X[:7]):
        at, kept = components(rows)
        pca = PCA(2).fit((rows - rows.mean(0)) / rows.std(0))
        known = pca.transform((rows - rows.mean(0)) / rows.std(0))
        assert kept == pytest.approx(pca.explained_variance_ratio_.sum())
        inside = ((at > 0) & (at < 1)).all(1)
        for k in range(2):
            assert abs(np.corrcoef(at[inside, k], known[inside, k])[0, 1]) == pytest.approx(1)


def test_reliability_adds_up_to_the_calibration_error():
    rng = np.random.default_rng(0)
    P, y = rng.dirichlet(np.ones(3), size=(1, 200)), rng.integers(0, 3, 200)
    bins = reliability(P, y)
    known = bins[bins[:, 0] > 0]
    assert bins.shape == (BINS, 3) and bins[:, 0].sum() == 200
    assert (known[:, 0] * np.abs(known[:, 1] - known[:, 2])).sum() / 200 == pytest.approx(float(ece(P, y)[0]))


def test_labels_that_an_audit_doubts_are_shown_with_their_images(small_run, tmp_path, context):
    assert context.audit is None
    out = tmp_path / "results"
    shutil.copytree(small_run.parent.parent, out)
    table = pd.read_parquet(small_run / "instances.parquet")
    found = [dict(kind="label", path=table["path"][7], label=table["label"][7], suggested="</b>xylem", p_wrong=0.83),
             dict(kind="label", path="gone.png", label="a", suggested="b", p_wrong=0.7),
             dict(kind="image", path=table["path"][8], label="a", reason="blank")]  # fmt: skip
    data = csv_bytes(as_table(found))
    put_together(out / "audit" / "other", {"audit.csv": data}, {"data": "of other images"})
    folder = out / "runs" / small_run.name
    assert read_report(folder).audit is None
    put_together(out / "audit" / "mine", {"audit.csv": data}, {"data": context.facts.content})
    seen = take_apart(render(read_report(folder)))
    [section] = [text for tag, one, text in seen.elements if tag == "section" and one["id"] == "audit"]
    assert f"{table['label'][7]}: rather </b>xylem, 83%" in "".join(section)
    assert sum(tag == "ul" and one.get("class") == "gallery" for tag, one, _ in seen.elements) == 1


def test_what_training_a_network_gains_is_shown_where_one_was_trained(context):
    row = {"encoder": context.encoders[0], "head": "finetune", "series": "balanced", "shots": 2, "noise_kind": "none",
           "noise": 0.0, "balanced_accuracy": 0.812, "base": 0.7, "difference": 0.112, "ci_low": 0.02, "ci_high": 0.2,
           "fit_seconds": 3.25}  # fmt: skip
    board = context.board.assign(head="finetune")
    run = dataclasses.replace(context.run, finetuning=pd.DataFrame([row]),
                              board=dataclasses.replace(context.run.board, table=board))  # fmt: skip
    [part] = [part for part in PARTS if part.key == "finetuning"]
    made = part.make(dataclasses.replace(context, run=run))
    assert made is not None and part.make(context) is None
    seen = take_apart(f"<body>{made.html}</body>".encode())
    numbers = {one["data-field"]: text for one, text in seen.having("data-field")}
    assert numbers["finetuning/0/difference"] == "+11.2" and numbers["finetuning/0/base"] == "70.0"
    assert "pays at 2 labels per class" in seen.text()


def test_tables_of_an_earlier_version_are_named(small_run, tmp_path):
    out = tmp_path / "results"
    shutil.copytree(small_run.parent.parent, out)
    folder = out / "runs" / small_run.name
    about = read_record(folder)
    files = {name: (folder / name).read_bytes() for name in about.pop("files")}
    files["leaderboard.csv"] = csv_bytes(parse_csv(files["leaderboard.csv"]).drop(columns="auroc"))
    put_together(folder, files, about)
    with pytest.raises(
        BenchError, match=r"no column auroc: an earlier version wrote it. Say `bench leaderboard .* --rebuild`"
    ):
        read_report(folder)


@pytest.mark.parametrize("more", [{"split": "random"}, {"budget": (8,)}])
def test_a_diagnostic_run_and_one_of_a_budget_have_a_report(tmp_path, save_png, more):
    for i in range(24):
        save_png(tmp_path / "raw" / "ab"[i % 2] / f"s{i // 4}__{i}.png", seed=i)
    request = Request(
        source=DataSpec(tmp_path / "raw", group_pattern=r"([^/]+)__"),
        protocol=Protocol(shots=(1, 2), noise=(0.0, 0.4), draws=3, **more), encoders=("texture", "thumbnail"),
        heads=("knn",), out=tmp_path / "out", baselines=False,
    )  # fmt: skip
    seen = take_apart(write_report(run(request).folder).read_bytes())
    assert not re.search(r"\bnan\b", seen.text(), re.IGNORECASE) and seen.tags.count("section") == len(PARTS) - 3


def test_tiles_of_an_image_are_one_item(tmp_path, save_png):
    for i in range(24):
        save_png(tmp_path / "raw" / "ab"[i % 2] / f"s{i // 2}__{i}.png", seed=i, size=(20, 20))
    request = Request(
        source=DataSpec(tmp_path / "raw", instances="tiles:10", group_pattern=r"([^/]+)__"),
        protocol=Protocol(shots=(1,), draws=2), encoders=("thumbnail",), heads=("knn",), out=tmp_path / "out",
        baselines=False,
    )  # fmt: skip
    points = data_of(write_report(run(request).folder).read_bytes())["points"]
    assert len(points["label"]) == 96 and sum(points["first"]) == 24 and None not in points["answers"][0]


def test_classes_that_are_called_by_numbers_keep_their_names(tmp_path, save_png):
    for i in range(24):
        save_png(tmp_path / "raw" / f"0{i % 2 + 1}" / f"s{i // 2}__{i}.png", seed=i)
    request = Request(
        source=DataSpec(tmp_path / "raw", group_pattern=r"([^/]+)__"), protocol=Protocol(shots=(1,), draws=2),
        encoders=("thumbnail",), heads=("knn",), out=tmp_path / "out", baselines=False,
    )  # fmt: skip
    folder = run(request).folder
    found = [dict(kind="label", path="01/s0__0.png", label="01", suggested="02", p_wrong=0.9),
             dict(kind="image", path="01/s1__2.png", reason="blank")]  # fmt: skip
    about = {"data": read_record_of(folder).facts.content}
    put_together(tmp_path / "out" / "audit" / "raw", {"audit.csv": csv_bytes(as_table(found))}, about)
    context = read_report(folder)
    seen = take_apart(render(context)).text()
    assert "01: rather 02, 90%" in seen and set(context.tables["recall"]["class"]) == {"01", "02"}


def test_a_report_goes_when_the_tables_it_shows_are_made_again(small_run, tmp_path):
    out = tmp_path / "results"
    shutil.copytree(small_run.parent.parent, out)
    folder = out / "runs" / small_run.name
    assert write_report(folder).is_file() and (folder / "differences.csv").is_file()
    rebuild(folder)
    assert not (folder / "report.html").exists() and not (folder / "differences.csv").exists()


def test_a_run_without_store_images_noise_or_second_level_says_what_is_missing(tmp_path, save_png):
    for i in range(12):
        save_png(tmp_path / "raw" / "ab"[i % 2] / f"{i}.png", seed=i)
    request = Request(source=DataSpec(tmp_path / "raw"), protocol=Protocol(shots=(1,), draws=1), encoders=("texture",),
                      heads=("knn",), out=tmp_path / "out", baselines=False)  # fmt: skip
    folder = run(request).folder
    shutil.rmtree(tmp_path / "out" / "store")
    page = write_report(folder).read_bytes()
    seen = take_apart(page)
    missing = [text for one, text in seen.having("class") if one["class"] == "missing"]
    assert len(missing) >= 5 and all(text.startswith("Not available: ") and len(text) > 30 for text in missing)


def test_a_report_is_never_put_beside_tables_that_another_request_wrote_meanwhile(small_run, tmp_path, monkeypatch):
    folder = shutil.copytree(small_run.parent.parent, tmp_path / "results") / "runs" / small_run.name
    for name in OF_REPORT:
        (folder / name).unlink(missing_ok=True)
    read = report.read_report

    def overtaken(*args):
        found = read(*args)
        data = (folder / "units.csv").read_bytes()
        put_together(folder, {"units.csv": data}, {"signature": "of another request"})
        return found

    monkeypatch.setattr(report, "read_report", overtaken)
    with pytest.raises(BenchError, match="Got other tables in .* while their report was made"):
        report.write_report(folder)
    assert not [name for name in OF_REPORT if (folder / name).exists()]


def test_a_slide_counts_for_less_in_the_limits_of_a_recall_where_few_others_were_learned_from():
    row = {"ci_low": 0.6, "ci_high": 0.8, "ci_these_low": 0.65, "ci_these_high": 0.75}
    assert counted_as(row, "official") == pytest.approx(0.25) and counted_as(row, "folds") == 1
    assert counted_as({**row, "ci_these_low": 0.5}, "official") == 1
    assert counted_as(dict.fromkeys(row, float("nan")), "official") == 1
