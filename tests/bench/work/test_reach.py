"""An address at which no Ray cluster answers is refused within a bounded time, and named."""

import socket
import subprocess
import sys

import pytest
from PIL import Image

from bench.errors import BenchError
from bench.work.on_ray import reach as room
from bench.work.on_ray.reach import reach


@pytest.fixture
def silent():
    """The address of a server that accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_a_server_that_is_no_ray_cluster_is_refused_in_time(silent, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setattr(room, "ANSWER_S", 4.0)
    with pytest.raises(BenchError, match=f"Got --address {silent}, where no Ray .* .no answer of one in 4 s.; exp"):
        reach(silent)


def test_the_command_ends_with_2_and_without_a_traceback(silent, tmp_path):
    pytest.importorskip("ray")
    for name in ("neuron/a.png", "rbc/b.png"):
        (tmp_path / "raw" / name).parent.mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "raw" / name)
    code = ("import sys; from bench.work.on_ray import reach; reach.ANSWER_S = 2.0; from bench.cli.app import main; "
            "sys.argv = ['bench', 'extract', '--data', 'raw', '--encoder', 'texture', '--engine', 'ray', "
            f"'--address', '{silent}']; main()")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2 and "Traceback" not in done.stderr and f"Got --address {silent}" in done.stderr


@pytest.mark.parametrize(
    ("rc", "said", "why"),
    [
        (1, "ray.exceptions.RpcError: Timed out", "what answers there is not the first node"),
        (1, "ConnectionError: Could not find any running Ray instance.", "Could not find any running Ray instance"),
    ],
)
def test_what_ray_says_of_an_address_is_told(rc, said, why, monkeypatch):
    answer = subprocess.CompletedProcess([], rc, "", f"Traceback\n{said}\n")
    monkeypatch.setattr(room.subprocess, "run", lambda *_, **__: answer)
    with pytest.raises(BenchError, match=why):
        reach("auto")


def test_a_cluster_that_asks_for_a_token_is_told_from_none_and_by_auto_left_to_ray(monkeypatch):
    said = "Traceback\nray.exceptions.AuthenticationError: RPC error: InvalidAuthToken\nmore\n"
    monkeypatch.setattr(room.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 1, "", said))
    monkeypatch.setattr(room, "_connect", lambda _: None)
    reach("auto")
    with pytest.raises(BenchError, match="Got --address head:1, a Ray cluster that asks for another token; .*RAY_AUTH_MODE=t"):
        reach("head:1")


def test_a_ray_without_that_command_is_left_to_be_joined(monkeypatch):
    answer = subprocess.CompletedProcess([], 2, "", "Error: No such command 'health-check'.\n")
    monkeypatch.setattr(room.subprocess, "run", lambda *_, **__: answer)
    reach("auto")


@pytest.mark.parametrize("address", ["local", "head", "head:", "head:x", ":6379"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(BenchError, match=f"Got --address {address}; expected auto, HOST:PORT or ray://HOST:PORT"):
        reach(address)


def test_a_port_that_nobody_listens_on_is_refused_at_once():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(BenchError, match="refused"):
        reach(f"127.0.0.1:{port}")
