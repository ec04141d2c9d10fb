"""A bucket of a local server for tests, and how it is made to fail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.storage.buckets.address import Address
from bench.storage.buckets.client import Client
from bench.storage.buckets.mirror import CONDITIONS
from tests.faults.s3_server import Server, environment_of, free_port, make_bucket, put


@dataclass
class Bucket:
    """A bucket. server.faulty.planned: the next answers that are no success."""

    server: Server
    name: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    @property
    def out(self) -> Path:
        """The address of results as a command gets it, with the slash that `Path` takes."""
        return Path(f"s3://{self.name}/out")

    def client(self, prefix: str = "out") -> Client:
        return Client(Address("s3", self.name, prefix), patience_s=20.0)

    def fail(self, *answers: tuple[str, bool]) -> None:
        self.server.faulty.planned[:] = answers

    def put(self, key: str, data: bytes) -> None:
        self.client("").put(key, data)

    def put_named(self, key: str, data: bytes) -> None:
        """Put a new object whose key no client of ours would use."""
        put(self.url, self.name, key, data)

    def stored(self) -> dict[str, bytes]:
        """Return key -> bytes of what is stored, but for the object that shows whether the store knows conditions."""
        return {key: data for key, data in self.server.stored(self.name).items() if not key.endswith(CONDITIONS)}


@pytest.fixture(scope="session")
def s3_server() -> Iterator[Server]:
    pytest.importorskip("obstore", reason="object stores need the extra 'buckets'")
    pytest.importorskip("moto.moto_server.werkzeug_app", reason="a local S3 server needs moto[server]")
    server = Server(free_port())
    yield server
    server.stop()


@pytest.fixture
def bucket(
    s3_server: Server, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Bucket:
    """An empty bucket, and a cache that nobody else uses."""
    for name, value in environment_of(f"http://127.0.0.1:{s3_server.port}").items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("CELL_CLASSIFIER_CACHE", str(tmp_path / "cache"))
    made = Bucket(s3_server, f"bucket{abs(hash(request.node.nodeid))}"[:40])
    make_bucket(made.url, made.name)
    s3_server.faulty.planned.clear()
    return made


@contextmanager
def another_machine(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let what follows have a cache of its own, as another machine has."""
    with monkeypatch.context() as patch:
        patch.setenv("CELL_CLASSIFIER_CACHE", str(tmp_path / name))
        yield
