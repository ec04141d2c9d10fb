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
from collections.abc import Iterable
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
    """A WSGI application around another."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.share = 0.0
        self.random = random.Random(0)
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        put = environ["REQUEST_METHOD"] in ("PUT", "DELETE")
        with self._lock:
            self.counts[environ["REQUEST_METHOD"]] += 1
            fault = self.random.choice([*FAULTS][: 3 if put else 2]) if self.random.random() < self.share else ""
            done = put and fault and not fault.startswith("409") and self.random.random() < 0.5
            if fault:
                self.counts[fault[:3] + (" though done" if done else "")] += 1
            if put and (done or not fault):
                body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
                environ["wsgi.input"] = BytesIO(body)
                answer = list(self.app(environ, start if not fault else lambda *_: None))
                if not fault:
                    return answer
        if fault:
            body = XML.format(FAULTS[fault]).encode()
            start(fault, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
            return [body]
        return self.app(environ, start)


def serve(port: int) -> None:
    """Serve until the standard input ends."""
    from moto.backends import get_backend
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    faulty = Faulty(DomainDispatcherApplication(create_backend_app))
    server: Any = None

    def start() -> None:
        nonlocal server
        server = make_server("127.0.0.1", port, faulty, threaded=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    start()
    print("ready", flush=True)
    for line in sys.stdin:
        verb, *given = line.split()
        if verb == "stop":
            server.shutdown()
            server.server_close()
        elif verb == "start":
            start()
        elif verb == "faults":
            faulty.share, faulty.random = float(given[0]), random.Random(int(given[1]))
        elif verb == "keys":
            bucket = get_backend("s3")["123456789012"]["aws"].buckets[given[0]]
            print(
                json.dumps({key: hashlib.sha256(value.value).hexdigest() for key, value in bucket.keys.items()}),
                flush=True,
            )
            continue
        elif verb == "read":
            bucket = get_backend("s3")["123456789012"]["aws"].buckets[given[0]]
            print(base64.b64encode(bucket.keys[given[1]].value).decode(), flush=True)
            continue
        elif verb == "counts":
            print(json.dumps(faulty.counts), flush=True)
            continue
        print("ok", flush=True)


class S3:
    """The server in a process of its own, which ends with the block."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.environment = {
            "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.url,
        }  # fmt: skip

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
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/{bucket}", method="PUT"))

    def put(self, bucket: str, key: str, data: bytes) -> None:
        """Put an object, whatever its key is."""
        kind = {"Content-Type": "application/octet-stream"}  # else it is taken for a form
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/{bucket}/{key}", data, kind, method="PUT"))


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
