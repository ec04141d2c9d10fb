import io
import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.data import in_bucket
from bench.data.datasets import load_dataset
from bench.data.in_bucket import local_data
from bench.errors import BenchError
from tests.bench.buckets import Bucket


def png(seed: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(file, "png")
    return file.getvalue()


def fill(bucket: Bucket) -> Path:
    for k, label in enumerate(("a cell", "b")):
        for i in range(3):
            bucket.put(f"cells/raw/{label}/{i}.png", png(10 * k + i))
    return Path(f"s3://{bucket.name}/cells/raw")


def gets(bucket: Bucket) -> int:
    return bucket.server.faulty.counts["GET"]


def test_a_local_path_is_what_it_is(tmp_path):
    assert local_data(tmp_path / "anything") == tmp_path / "anything"


def test_a_folder_is_fetched_once_and_is_the_dataset_that_it_is_on_a_disk(bucket: Bucket, tmp_path):
    address, told = fill(bucket), []
    bucket.fail(("503", False), ("500", False))
    folder = local_data(address, lambda *of: told.append(of))
    assert told[-1] == ("fetch", 6, 6)
    for key, data in bucket.stored().items():
        assert (folder / key.removeprefix("cells/raw/")).read_bytes() == data
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_bytes(data)
    assert load_dataset(folder).table.equals(load_dataset(tmp_path / "cells" / "raw").table)
    assert load_dataset(folder).name == "cells"
    before = gets(bucket)
    assert local_data(address) == folder and gets(bucket) == before + 1  # the list


def test_what_changed_is_fetched_again_and_what_was_removed_goes(bucket: Bucket):
    address = fill(bucket)
    folder = local_data(address)
    bucket.put("cells/raw/b/0.png", png(99))
    bucket.client("").delete("cells/raw/b/1.png")
    bucket.put("cells/raw/b/notes.bin", b"no image")
    assert local_data(address) == folder
    assert (folder / "b" / "0.png").read_bytes() == png(99) and not (folder / "b" / "1.png").exists()
    assert not (folder / "b" / "notes.bin").exists()
    (folder / "b" / "2.png").write_bytes(b"cut")
    local_data(address)
    assert (folder / "b" / "2.png").read_bytes() == bucket.stored()["cells/raw/b/2.png"]


def test_of_a_table_what_it_names_is_fetched_by_key_and_nothing_outside(bucket: Bucket, monkeypatch):
    from bench.storage.buckets.client import Client

    fill(bucket)
    bucket.put("secret.png", png(1))
    rows = [
        "path,label,mask",
        "raw/a cell/0.png,a,",
        "raw/b/0.png,b,raw/b/1.png",
        "../secret.png,a,",
        "raw/b/none.png,b,",
    ]
    bucket.put("cells/index.csv", "\n".join(rows).encode())
    monkeypatch.setattr(Client, "listed", lambda *_: pytest.fail("a list was asked for"))
    table = local_data(Path(f"s3://{bucket.name}/cells/index.csv"))
    files = sorted(path.relative_to(table.parent).as_posix() for path in table.parent.rglob("*") if path.is_file())
    assert files == ["index.csv", "raw/a cell/0.png", "raw/b/0.png", "raw/b/1.png"]
    assert not list(table.parents[3].rglob("secret*"))
    found = load_dataset(table)
    assert list(found.problems["path"]) == ["../secret.png", "raw/b/none.png"] and found.name == "cells"


@pytest.mark.parametrize(
    "key",
    [
        "cells/raw/..%2F..%2Fevil.png",
        "cells/raw/a/%5C..%5Cevil.png",
        "cells/raw/a/c%3Aevil.png",
        "cells/raw/a//evil.png",
    ],
)
def test_a_key_that_leads_out_of_the_folder_is_refused_by_name(bucket: Bucket, key, tmp_path):
    address = fill(bucket)
    bucket.put_named(key, png(5))
    with pytest.raises(BenchError, match="Got .*expected"):
        local_data(address)
    assert not [path for path in tmp_path.rglob("*evil*")]


def test_more_than_there_is_room_for_is_refused_before_it_is_read(bucket: Bucket, monkeypatch):
    address = fill(bucket)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, in_bucket.SPARE + 10))
    with pytest.raises(BenchError, match="GB to fetch from .*CELL_CLASSIFIER_CACHE"):
        local_data(address)
    assert not list(Path(in_bucket.cache_place("data", in_bucket.address_of(address))).rglob("*.png"))


def test_an_address_without_images_or_without_the_table_is_told(bucket: Bucket):
    with pytest.raises(BenchError, match=r"where no image lies \(0 objects below it\)"):
        local_data(Path(f"s3://{bucket.name}/nothing"))
    with pytest.raises(BenchError, match="does not exist"):
        local_data(Path(f"s3://{bucket.name}/nothing/index.csv"))
    with pytest.raises(BenchError, match="no bucket of that name"):
        local_data(Path("s3://nobody/cells"))


def test_an_object_with_the_name_of_a_folder_of_others_is_refused_by_name(bucket: Bucket):
    address = fill(bucket)
    bucket.put("cells/raw/b/0.png/deep/1.png", png(9))
    with pytest.raises(BenchError, match="Got an object 'b/0.png' below .*, and others below 'b/0.png/'; expected no"):
        local_data(address)
