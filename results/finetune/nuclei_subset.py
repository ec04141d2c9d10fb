"""Write subset.csv into the folder of nuclei: every third field of each line is tested, with its first 30 nuclei.

python results/finetune/nuclei_subset.py data/nuclei_cells
"""

import csv
import sys
from pathlib import Path

TESTED = 30  # nuclei of a tested field, so that answering for them does not cost more than training

data = Path(sys.argv[1])
rows = []
for label in ("HepG2", "Huh7"):
    fields: dict[str, list[Path]] = {}
    for path in sorted((data / label).iterdir()):
        fields.setdefault(path.name.split("__")[0], []).append(path)
    for at, (name, paths) in enumerate(sorted(fields.items())):
        side, kept = ("test", paths[:TESTED]) if at % 3 == 0 else ("train", paths)
        rows += [(f"{label}/{path.name}", label, name, side) for path in kept]
with (data / "subset.csv").open("w", newline="") as file:
    csv.writer(file).writerows([("path", "label", "group", "split"), *rows])
