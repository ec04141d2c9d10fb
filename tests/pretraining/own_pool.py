"""What a dictionary of patches gains that was learned from the images at hand, without those of the test fields. Markdown.

    python tests/pretraining/own_pool.py --data data/nuclei_cells --pool data/unlabelled/dsb2018 --work scratch

Half of the fields of every class, drawn by the hash of their names, are tested and are in no pool. One dictionary is
learned from the other half, without labels, one from the images of another place. Both, the encoder that comes along and
EfficientNet-Lite0 are run on the same draws. Differences are of the mean of three heads, paired, with intervals for new fields.
"""

from __future__ import annotations

import argparse
import hashlib
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd

from bench.report.pages.markdown import table_lines
from bench.report.pages.numbers import gain, p_value, points, signed_interval
from bench.runs.record import read_record_of
from bench.studies.ablate.effects import ALL_HEADS, effects
from bench.studies.ablate.variations import Variation
from encoders import resolve

OWN, OTHER, SHIPPED, NETWORK = "./own.encoder", "./other.encoder", "lite0-cells", "efficientnet-lite0@size=128"


def with_sides(data: Path) -> pd.DataFrame:
    """Return path, label, group (what is before "__"), split of class folders: every other field of a class is tested."""
    rows = [(path.as_posix(), path.parent.name, path.name.partition("__")[0]) for path in sorted(data.glob("*/*.png"))]
    table = pd.DataFrame(rows, columns=["path", "label", "group"])
    side = {}
    for _, own in table.groupby("label"):
        names = sorted(own["group"].unique(), key=lambda name: hashlib.sha256(name.encode()).hexdigest())
        side |= {name: "test" if i % 2 else "train" for i, name in enumerate(names)}
    return table.assign(split=table["group"].map(side), path=[Path(path).relative_to(data) for path in table["path"]])


def bench(work: Path, *words: object) -> None:
    """Call the command line in a folder."""
    subprocess.run([sys.executable, "-m", "bench", *map(str, words), "--workers", "1", "-q"], cwd=work, check=True,
                   stdout=subprocess.DEVNULL)  # fmt: skip


def main() -> None:
    """Learn, run and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="class folders, files named FIELD__N.png")
    parser.add_argument("--pool", type=Path, required=True, help="fields of another place, which are cut into segments")
    parser.add_argument("--work", type=Path, required=True, help="a folder for what is made")
    parser.add_argument("--shots", default="5,20,50")
    asked = parser.parse_args()
    images = asked.work / "images"
    images.mkdir(parents=True, exist_ok=True)
    table = with_sides(asked.data)
    for name in table["label"].unique():
        if not (images / name).exists():
            (images / name).symlink_to((asked.data / name).resolve())
    table.to_csv(images / "all.csv", index=False)
    table[table["split"] == "train"].to_csv(images / "train.csv", index=False)
    bench(asked.work, "pretrain", "--data", "images/train.csv", "--follow-links", "--to", OWN)
    bench(asked.work, "pretrain", "--data", asked.pool.resolve(), "--instances", "segments", "--to", OTHER)
    bench(asked.work, "run", "--data", "images/all.csv", "--follow-links", "--group-column", "group", "--encoder",
          f"{OWN},{OTHER},{SHIPPED},{NETWORK}", "--shots", asked.shots, "--head", "knn,logreg,lda", "--name", "own")  # fmt: skip
    run = asked.work / "results" / "runs" / "own"
    record, spec = read_record_of(run), resolve("color-stats")
    found = []
    for base, others in ((OTHER, (OWN,)), (SHIPPED, (OWN,)), (NETWORK, (OWN, OTHER))):
        told = [Variation(factor="encoder", value=name, spec=replace(spec, name=name)) for name in others]
        found.append(effects(run, record, base, told).assign(against=base))
    rows = pd.concat(found).loc[lambda own: own["head"] == ALL_HEADS]
    lines = [["encoder", "against", "labels per class", "balanced accuracy", "difference", "95% interval", "p"]]
    lines += [
        [f"`{row['encoder']}`", f"`{row['against']}`", str(row["shots"]), points(row["balanced_accuracy"]),
         gain(row["difference"]), signed_interval(row["ci_low"], row["ci_high"]), p_value(row["p"])]
        for row in rows.to_dict("records")
    ]  # fmt: skip
    fields = table.groupby(["split"])["group"].nunique()
    print(f"`python {shlex.join(sys.argv)}`\n\nFields: {fields['train']} to learn from, {fields['test']} tested.\n")
    print(table_lines(lines))


if __name__ == "__main__":
    main()
