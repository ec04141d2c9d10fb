"""The server of labels: whom it answers, what it shows of the disk, and what it says to nonsense."""

from __future__ import annotations

import io
import json
import shutil
import socket

import numpy as np
import pytest
import tifffile
from PIL import Image

from bench.errors import BenchError


@pytest.fixture
def data(tmp_path, save_png):
    for k, label in enumerate(("neuron", "rbc")):
        for i in range(4):
            save_png(tmp_path / "raw" / label / f"{label}{i}.png", seed=10 * k + i)
    return tmp_path / "raw"


@pytest.fixture
def asked(labelling, data):
    with labelling(data) as found:
        yield found


def test_the_address_is_of_this_computer_with_a_token_of_128_bits_that_no_two_starts_share(asked, labelling, data, tmp_path):
    assert asked.server.server_address[0] == "127.0.0.1"
    assert asked.server.address == f"http://127.0.0.1:{asked.server.server_port}/{asked.server.token}/"
    with labelling(data, tmp_path / "other.csv") as other:
        assert len(other.server.token) == len(asked.server.token) == 22 and other.server.token != asked.server.token


@pytest.mark.parametrize("path", ["", "state", "label.js", "large/0", "small/0"])
@pytest.mark.parametrize("token", ["", "x", "A" * 22, "\xff"])
def test_nothing_is_told_without_the_token(asked, path, token):
    status, body, _ = asked.ask(path, token=token)
    assert status == 403 and b"neuron" not in body and len(body) < 100
    assert asked.ask("press", said={"items": [0], "label": 0}, token=token)[0] == 403


@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example"}, {"Host": "127.0.0.1"}, {"Host": "127.0.0.1:1"}, {"Host": None}, {"Origin": "http://evil.example"},
                {"Origin": "null"}, {"Origin": "https://127.0.0.1"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}],
    ids=str,
)  # fmt: skip
def test_another_host_or_another_page_is_refused_even_with_the_token(asked, headers):
    for path in ("", "state", "small/0"):
        assert asked.ask(path, headers=headers)[0] == 403
    assert asked.ask("press", said={"items": [0], "label": 0}, headers=headers)[0] == 403
    assert asked.labelling.tally().pressed == 0


def test_a_press_without_an_origin_or_as_a_form_is_refused(asked):
    said = {"items": [0], "label": 0}
    assert asked.ask("press", said=said, headers={"Origin": None})[0] == 403
    for kind in ("text/plain", "application/x-www-form-urlencoded", None):
        assert asked.ask("press", said=said, headers={"Content-Type": kind})[0] == 415
    assert asked.ask("press", method="PUT")[0] == 501
    assert asked.labelling.tally().pressed == 0


def test_localhost_is_this_host_too(asked):
    host = f"localhost:{asked.server.server_port}"
    assert asked.ask("state", headers={"Host": host})[0] == 200
    assert asked.ask("press", said={"items": [0], "label": 0}, headers={"Host": host, "Origin": f"http://{host}"})[0] == 200


@pytest.mark.parametrize(
    "path", ["../raw/rbc/rbc0.png", "large/../../secret.png", "large/%2e%2e%2fsecret.png", "large/8", "large/-1", "large/0/..", "large/0?x=1",
             "large/\u0661".encode().decode("latin-1"), "huge/0", "raw/rbc/rbc0.png", "large//etc/passwd", "label.js/../state", "assets/label.css",
             "large/00000000000"],
)  # fmt: skip
def test_no_path_of_a_file_is_ever_taken_from_a_request(asked, path):
    status, body, _ = asked.ask(path)
    assert status == 404 and b"PNG" not in body


def test_an_image_that_became_a_link_to_outside_is_not_shown(asked, data, tmp_path, save_png):
    secret = save_png(tmp_path / "secret.png", seed=99)
    item = asked.labelling.task.keys.index(("rbc/rbc0.png",))
    (data / "rbc" / "rbc0.png").unlink()
    (data / "rbc" / "rbc0.png").symlink_to(secret)
    status, body, _ = asked.ask(f"large/{item}")
    assert status == 422 and "outside the data folder" in json.loads(body)["error"]
    shutil.copy(secret, data / "rbc" / "rbc1.png")  # nor is another picture that has taken its place
    status, body, _ = asked.ask(f"small/{asked.labelling.task.keys.index(('rbc/rbc1.png',))}")
    assert status == 422 and "cannot be shown" in json.loads(body)["error"]


@pytest.mark.parametrize(
    ("said", "status"),
    [(b"{", 400), (b"[]", 400), (b"\xff", 400), ({}, 400), ({"items": "0", "label": 0}, 400), ({"items": [0], "label": "0"}, 400),
     ({"items": [True], "label": 0}, 400), ({"items": [0.5], "label": 0}, 400), ({"items": [0], "label": None}, 400), ({"items": [8], "label": 0}, 409),
     ({"items": [-1], "label": 0}, 409), ({"items": [0], "label": 2}, 409), ({"items": [0], "label": -2}, 409), ({"items": [], "label": 0}, 409),
     (b"[" * 100_000, 400)],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
def test_nonsense_is_refused_and_labels_nothing(asked, said, status):
    assert asked.ask("press", said=said)[0] == status
    assert asked.labelling.tally().pressed == 0 and asked.json("state")["labels"] == {}


@pytest.mark.parametrize("length", ["1048577", "-1", "x", "", "9" * 30, None])
def test_a_request_says_how_long_it_is_and_is_short(asked, length):
    assert asked.ask("press", said={"items": [0], "label": 0}, headers={"Content-Length": length})[0] == 413
    assert asked.labelling.tally().pressed == 0


def test_every_answer_forbids_keeping_guessing_framing_and_asking_elsewhere(asked):
    for path in ("", "state", "label.css", "small/0", "nowhere"):
        _, _, headers = asked.ask(path)
        assert headers["Cache-Control"] == "no-store" and headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer" and headers["X-Frame-Options"] == "DENY"
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy and "*" not in policy
        assert "Access-Control-Allow-Origin" not in headers and "Python" not in headers["Server"]


def test_presses_undo_and_new_classes_are_told_and_kept_over_a_start(labelling, data):
    with labelling(data, order="path") as asked:
        assert asked.json("press", {"items": [0], "label": 1})["changed"] == [[0, 1]]
        assert asked.json("press", {"items": [1, 2], "label": -1})["changed"] == [[1, -1], [2, -1]]
        assert asked.json("undo", {})["changed"] == [[1, None], [2, None]]
        assert asked.json("class", {"name": " debris "})["classes"] == ["neuron", "rbc", "debris"]
        assert asked.json("press", {"items": [3], "label": 2})["recent"] == [0, 3]
    with labelling(data, order="path") as asked:
        state = asked.json("state")
        assert state["labels"] == {"0": 1, "3": 2} and state["classes"] == ["neuron", "rbc", "debris"] and state["recent"] == [0, 3]


@pytest.mark.parametrize("name", ["", "  ", "nan", "RBC", "a\u202eb", "a\nb", "x" * 81])
def test_what_cannot_be_a_class_is_said(asked, name):
    status, body, _ = asked.ask("class", said={"name": name})
    assert status == 409 and json.loads(body)["error"].startswith("Got ")
    assert asked.json("state")["classes"] == ["neuron", "rbc"]


def test_pictures_are_bounded_and_of_any_depth(labelling, tmp_path):
    folder = tmp_path / "fields"
    folder.mkdir()
    rng = np.random.default_rng(0)
    tifffile.imwrite(folder / "deep.tif", rng.integers(900, 1100, (300, 400), dtype=np.uint16))
    tifffile.imwrite(folder / "real.tif", rng.normal(size=(50, 60)).astype(np.float32))
    Image.fromarray(rng.integers(0, 256, (2000, 3000, 3), dtype=np.uint8)).save(folder / "wide.png")
    with labelling(folder, order="path") as asked:
        shown = {kind: Image.open(io.BytesIO(asked.ask(f"{kind}/2")[1])) for kind in ("large", "small")}
        assert shown["large"].size == (1400, 933) and shown["small"].size == (224, 149)
        for item, size in ((0, (400, 300)), (1, (60, 50))):
            pixels = np.asarray(Image.open(io.BytesIO(asked.ask(f"large/{item}")[1])))
            assert pixels.shape[:2] == size[::-1] and pixels.min() < 20 and pixels.max() > 235  # stretched to be seen


def test_a_port_that_is_taken_is_said(labelling, data, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(BenchError, match="--port .* cannot be listened on"), labelling(data, port=taken.getsockname()[1]):
            pass
