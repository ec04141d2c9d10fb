"""From images to a page and two tables: what is planted is told, in words, and applied where the user says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from bench.cli.app import main
from bench.cli.audit import _show
from bench.demo import DemoSpec, write_demo
from bench.embeddings.embed import DataSpec
from bench.errors import BenchError
from bench.report.pages.page import page_bytes
from bench.storage.tables import read_csv
from bench.studies.audit.findings import COPY, GROUPS, IMAGE, LABEL
from bench.studies.audit.page import audit_page
from bench.studies.audit.run import AuditRequest, audit

PATTERN = r"([^/]+)__"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Sample images with a wrong label, a copy in another group and class, and a blank image."""
    top = tmp_path_factory.mktemp("audit")
    write_demo(top / "demo", DemoSpec(images=12, size=(64, 64)))
    raw = top / "demo" / "raw"
    first = {label: sorted((raw / label).glob("*.png")) for label in ("rbc", "xylem", "neuron")}
    first["rbc"][0].rename(raw / "neuron" / f"wrong__{first['rbc'][0].name}")
    picture = Image.open(first["xylem"][2]).rotate(90, expand=True)
    picture.save(raw / "xylem" / "elsewhere__1.png")
    Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(raw / "xylem" / "blank__1.png")
    return top


@pytest.fixture(scope="module")
def found(folder):
    request = AuditRequest(
        source=DataSpec(folder / "demo" / "raw", group_pattern=PATTERN), encoders=("texture",),
        heads=("knn", "ridge", "lda"), draws=1, out=folder / "results",
    )  # fmt: skip
    return audit(request, command="bench audit")


def test_what_was_planted_is_among_the_findings(found):
    table = found.findings
    copies = table[table["kind"] == COPY]
    assert (copies["path"].str.contains("elsewhere__1") | copies["other_path"].str.contains("elsewhere__1")).any()
    assert "elsewhere" in set(table.loc[table["kind"] == GROUPS, ["group", "other_group"]].to_numpy().ravel())
    assert "blank: one flat colour" in set(table.loc[table["kind"] == IMAGE, "reason"])
    wrong = [i for i, path in enumerate(found.dataset.table["path"]) if "wrong__" in path]
    assert found.labels.rank[wrong[0]] <= 5
    assert (table["reason"].str.len() > 0).all()


def test_the_folder_holds_a_page_and_two_tables_of_the_same_findings(found):
    page = (found.folder / "audit.md").read_text()
    assert page.startswith("# What is wrong with") and "**In short:**" in page
    assert len(read_csv(found.folder / "audit.csv")) == len(found.findings)
    fix = read_csv(found.folder / "fix.csv", empty_is_text=True)
    assert set(fix["action"].astype(str)) == {""}
    assert len(fix) == found.findings["kind"].isin((LABEL, COPY, IMAGE)).sum()


def test_what_to_do_with_a_table_of_decisions_is_said_only_where_it_has_rows(found, capsys):
    about = replace(found.about, findings=found.findings[found.findings["kind"] == GROUPS])
    for page, said in ((audit_page(found.about), True), (audit_page(about), False)):
        assert (b"write keep, relabel or drop" in page_bytes(page)) is said
    _show(replace(found, findings=about.findings, about=about))
    text = " ".join(capsys.readouterr().out.split())
    assert "fix.csv has no row" in text and "Next: look" not in text


def test_the_command_names_both_of_two_groups_that_share_an_image(found, folder, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", [
        "bench", "audit", "--data", str(folder / "demo" / "raw"), "--group-pattern", PATTERN, "--encoder", "texture",
        "--head", "knn,ridge,lda", "--draws", "1", "--out", str(folder / "results"), "--workers", "1",
    ])  # fmt: skip
    with pytest.raises(SystemExit):
        main()
        raise SystemExit(0)
    [pair] = found.findings[found.findings["kind"] == GROUPS].to_dict("records")
    said = " ".join(capsys.readouterr().out.replace("\n", " ").split())
    assert pair["group"] in said and pair["other_group"] in said and f"{pair['group']} and" in said


def test_decisions_are_applied_by_the_command(found, folder, monkeypatch, capsys):
    fix = read_csv(found.folder / "fix.csv", empty_is_text=True).astype(object)
    fix.loc[fix["path"].str.contains("blank__"), "action"] = "drop"
    fix.drop_duplicates("path").to_csv(folder / "mine.csv", index=False)
    words = ("bench", "audit", "--data", str(folder / "demo" / "raw"), "--group-pattern", PATTERN, "--apply",
             str(folder / "mine.csv"), "--to", str(folder / "demo" / "corrected.csv"), "--out", str(folder / "results"))  # fmt: skip
    monkeypatch.setattr("sys.argv", list(words))
    with pytest.raises(SystemExit) as stopped:
        main()
    assert not stopped.value.code, capsys.readouterr().err
    written = read_csv(folder / "demo" / "corrected.csv")
    assert "0 labels changed, 1 image left out" in capsys.readouterr().out
    assert not written["path"].str.contains("blank__").any() and len(written) == len(found.dataset.table) - 1


def test_the_same_audit_twice_writes_the_same_bytes(found, folder):
    before = (found.folder / "audit.csv").read_bytes()
    request = AuditRequest(
        source=DataSpec(folder / "demo" / "raw", group_pattern=PATTERN), encoders=("texture",),
        heads=("knn", "ridge", "lda"), draws=1, out=folder / "results",
    )  # fmt: skip
    assert (audit(request, command="bench audit").folder / "audit.csv").read_bytes() == before


def test_parts_of_images_are_refused_with_what_to_do():
    with pytest.raises(BenchError, match="Got --instances tiles:64; expected whole"):
        audit(AuditRequest(source=DataSpec("raw", instances="tiles:64")))


@pytest.mark.filterwarnings("error")
def test_where_no_label_can_be_judged_their_number_is_no_guess(tmp_path, save_png):
    lines = []
    for i, label in enumerate("aabbcc"):
        save_png(tmp_path / f"{i}.png", seed=i)
        lines.append(f"{i}.png,{label},{label}\n")
    (tmp_path / "labels.csv").write_text("path,label,group\n" + "".join(lines))
    request = AuditRequest(
        source=DataSpec(tmp_path / "labels.csv"), encoders=("color-stats",), heads=("ridge",), draws=1, out=tmp_path
    )
    found = audit(request)
    assert not found.labels.judged.any() and not any("guess" in note for note in found.notes)


def test_a_page_says_that_picked_labels_are_judged_too(tmp_path, save_png):
    lines = []
    for i in range(12):
        save_png(tmp_path / f"{i}.png", seed=i)
        lines.append(f"{i}.png,{'ab'[i % 2]},{'margin' if i > 6 else 'random'}\n")
    (tmp_path / "labels.csv").write_text("path,label,chosen_by\n" + "".join(lines))
    request = AuditRequest(
        source=DataSpec(tmp_path / "labels.csv"), encoders=("color-stats",), heads=("ridge",), draws=1, out=tmp_path
    )
    assert any("picked are judged too" in note for note in audit(request).notes)
