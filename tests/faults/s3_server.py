"""A local S3 server that fails as asked: moto's, below a layer that answers 409 and 503 at random and can be stopped.

    python -m tests.faults.s3_server PORT       then commands, a line each, on its standard input

    faults SHARE SEED   so many of the requests get an answer that is no success; half of those that are puts are done
                        all the same, before they are answered so
    stop, start         no connection in between; what is stored stays
    keys BUCKET         prints what is stored, as JSON: key -> SHA-256
    read BUCKET KEY     prints an object in base64
    counts              prints how many answers of which kind were injected, as JSON

Puts and deletes are done one at a time, as those of S3 are of a key, which moto itself does not see to.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import os
import random
import subprocess
import sys
import threading
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]
XML = "<?xml version='1.0'?><Error><Code>{}</Code><Message>injected</Message></Error>"
FAULTS = {
    "503 Slow Down": "SlowDown",
    "500 Internal Server Error": "InternalError",
    "409 Conflict": "ConditionalRequestConflict",
}


class Faulty:
    """A WSGI application around another. planned: the next answers that are no success, e.g. ("503", True): done though."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.share = 0.0
        self.planned: list[tuple[str, bool]] = []
        self.random = random.Random(0)
        self.counts: Counter[str] = Counter()
        self.lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        put = environ["REQUEST_METHOD"] in ("PUT", "DELETE")
        with self.lock:
            self.counts[environ["REQUEST_METHOD"]] += 1
            fault, done = self._next(put=put)
            if put and (done or not fault):
                body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
                environ["wsgi.input"] = BytesIO(body)
                answer = list(self.app(environ, start if not fault else lambda *_: None))
                if not fault:
                    return answer
        if fault:
            body = XML.format(FAULTS.get(fault, fault)).encode()
            start(fault, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
            return [body]
        return self.app(environ, start)

    def _next(self, *, put: bool) -> tuple[str, bool]:
        """Return what is answered next, "" for the truth, and whether it is done all the same."""
        if self.planned:
            status, done = self.planned.pop(0)
            return next((one for one in FAULTS if one.startswith(status)), status), done and put
        if self.random.random() >= self.share:
            return "", False
        fault = self.random.choice([*FAULTS][: 3 if put else 2])
        done = put and not fault.startswith("409") and self.random.random() < 0.5
        self.counts[fault[:3] + (" though done" if done else "")] += 1
        return fault, done


class Server:
    """The server in a thread of this process; what is stored stays when it is stopped."""

    def __init__(self, port: int) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.port = port
        self.faulty = Faulty(DomainDispatcherApplication(create_backend_app))
        self.start()

    def start(self) -> None:
        """Listen."""
        from werkzeug.serving import make_server

        self._server = make_server("127.0.0.1", self.port, self.faulty, threaded=True)
        loop = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        loop.start()

    def stop(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()

    def stored(self, bucket: str) -> dict[str, bytes]:
        """Return key -> bytes of what is stored."""
        from moto.backends import get_backend

        with self.faulty.lock:
            objects: Any = get_backend("s3")["123456789012"]["aws"]
            return {key: bytes(one.value) for key, one in objects.buckets[bucket].keys.items()}


def serve(port: int) -> None:
    """Serve until the standard input ends."""
    server = Server(port)
    faulty = server.faulty

    def faults(share: str, seed: str) -> str:
        faulty.share, faulty.random = float(share), random.Random(int(seed))
        return "ok"

    def keys(bucket: str) -> str:
        return json.dumps({key: hashlib.sha256(data).hexdigest() for key, data in server.stored(bucket).items()})

    verbs: dict[str, Callable[..., str | None]] = {
        "stop": server.stop,
        "start": server.start,
        "faults": faults,
        "keys": keys,
        "read": lambda bucket, key: base64.b64encode(server.stored(bucket)[key]).decode(),
        "counts": lambda: json.dumps(faulty.counts),
    }
    print("ready", flush=True)
    for line in sys.stdin:
        verb, *given = line.split()
        print(verbs[verb](*given) or "ok", flush=True)


def environment_of(url: str) -> dict[str, str]:
    """Return what names a server to its users."""
    return {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": url}  # fmt: skip


class S3:
    """The server in a process of its own, which ends with the block."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.environment = environment_of(self.url)

    def __enter__(self) -> S3:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.s3_server", str(self.port)], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, **self.environment, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        self._in, self._out = _both(self._process)
        assert self._out.readline().strip() == "ready"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def tell(self, command: str) -> str:
        """Give a command and return what it prints."""
        self._in.write(f"{command}\n")
        self._in.flush()
        return self._out.readline().strip()

    def keys(self, bucket: str) -> dict[str, str]:
        """Return key -> SHA-256 of what is stored."""
        return dict(json.loads(self.tell(f"keys {bucket}")))

    def read(self, bucket: str, key: str) -> bytes:
        """Return the bytes of an object."""
        return base64.b64decode(self.tell(f"read {bucket} {key}"))

    def make_bucket(self, bucket: str) -> None:
        """Make a bucket."""
        make_bucket(self.url, bucket)

    def put(self, bucket: str, key: str, data: bytes) -> None:
        """Put an object, whatever its key is."""
        put(self.url, bucket, key, data)


def make_bucket(url: str, bucket: str) -> None:
    """Make a bucket of a server."""
    urllib.request.urlopen(urllib.request.Request(f"{url}/{bucket}", method="PUT"))


def put(url: str, bucket: str, key: str, data: bytes) -> None:
    """Put an object of a server, whatever its key is."""
    kind = {"Content-Type": "application/octet-stream"}  # else it is taken for a form
    urllib.request.urlopen(urllib.request.Request(f"{url}/{bucket}/{key}", data, kind, method="PUT"))


def _both(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    assert process.stdin is not None and process.stdout is not None
    return process.stdin, process.stdout


def free_port() -> int:
    """Return a port that nobody listens on."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    serve(int(sys.argv[1]))
