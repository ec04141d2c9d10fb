"""A labelling of labelling on small images, and its server on a thread."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench.embeddings.embed import DataSpec
from bench.studies.label.items import LabelRequest, read_task
from bench.studies.label.labelling import Labelling
from bench.studies.label.pictures import Pictures
from bench.studies.label.server import LabelServer
from bench.studies.label.table import about_labels, opened_for

from ...report.html.browser import start


@dataclass
class Asked:
    """A server that is asked as a page would, or otherwise."""

    server: LabelServer
    labelling: Labelling
    to: Path

    def ask(self, path: str, *, said: Any = None, method: str = "", headers: dict[str, str] | None = None,
            token: str | None = None) -> tuple[int, bytes, dict[str, str]]:  # fmt: skip
        """Return (status, body, headers). headers: instead of those of the page, None leaves one out."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=120)
        connection._encode_request = lambda request: request.encode("latin-1")  # not all that is asked is ASCII
        body = None if said is None else said if isinstance(said, bytes) else json.dumps(said).encode()
        host = f"127.0.0.1:{self.server.server_port}"
        sent = {"Host": host, **({} if body is None else {"Origin": f"http://{host}", "Content-Type": "application/json", "Content-Length": str(len(body))})}
        sent |= headers or {}
        token = self.server.token if token is None else token
        target = f"/{token}/{path}" if token else f"/{path}"
        connection.putrequest(method or ("GET" if body is None else "POST"), target, skip_host=True, skip_accept_encoding=True)
        for name, value in sent.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        found = answer.status, answer.read(), dict(answer.getheaders())
        connection.close()
        return found

    def json(self, path: str, said: Any = None) -> Any:
        status, body, _ = self.ask(path, said=said)
        assert status == 200, body
        return json.loads(body)


Opening = Callable[..., Any]


@pytest.fixture
def labelling(tmp_path) -> Opening:
    """Return a context manager (data, options of a request) -> Asked."""

    @contextmanager
    def opened(data: Path, to: Path | None = None, port: int = 0, instances: str = "whole", **how: Any) -> Iterator[Asked]:
        to = to or tmp_path / "labels.csv"
        cells = {"cells": how.pop("cells")} if "cells" in how else {}
        out = how.pop("out", tmp_path / "out")
        reading = {"reading": how.pop("reading")} if "reading" in how else {}
        task = read_task(LabelRequest(source=DataSpec(data, instances, **cells, **reading), out=out, **how))
        with opened_for(to, about_labels(task.root, to, instances)) as journal, closing(Labelling(task, journal, to)) as labelling:
            server = LabelServer(labelling, Pictures(task.rows, task.root, out / "store", follow_links=task.follow_links), port)
            with server.answering():
                yield Asked(server, labelling, to)

    return opened


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    driver = start(reaches="127.0.0.1")
    yield driver
    driver.quit()
