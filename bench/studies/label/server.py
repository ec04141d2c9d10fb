"""The page over HTTP, for this computer and whoever has the address, and nobody else.

It listens on 127.0.0.1 alone. Every request, of a picture as well, has to have the token of this start in its address,
to name this very host and port (a page elsewhere may have its own name lead here), and to come of this page or of none.
Nothing that a request says is a path of a file: items are numbers, and all else is one of a few words.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bench.errors import BenchError
from bench.images import ImageError
from bench.studies.label.deeds import DEEDS, MalformedError
from bench.studies.label.labelling import Labelling
from bench.studies.label.page import ASSETS, page_html
from bench.studies.label.pictures import KINDS, Pictures, not_shown

HOST, NAMES = "127.0.0.1", ("127.0.0.1", "localhost")
TOKEN = 16  # bytes
MOST = 1 << 20  # bytes of a request
IDLE = 60  # seconds until a connection that says nothing is closed
FROM_HERE = ("same-origin", "none")  # what a browser says of who asks
HEADERS = {
    "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY", "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}  # fmt: skip
_PICTURE = re.compile(rf"({'|'.join(KINDS)})/([0-9]{{1,9}})")
JSON = "application/json"


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer."""

    status: HTTPStatus = HTTPStatus.OK
    kind: str = "text/plain; charset=utf-8"
    body: bytes = b""


def as_json(data: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK) -> Reply:
    """Return data as an answer."""
    return Reply(status=status, kind=f"{JSON}; charset=utf-8", body=json.dumps(data).encode())


class RefusedError(Exception):
    """A request that is not answered."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.reply = Reply(status=status, body=f"{why}\n".encode())


class LabelServer(ThreadingHTTPServer):
    """The server of one labelling. address: what is opened in a browser. done: set when the page says so."""

    daemon_threads = True

    def __init__(self, labelling: Labelling, pictures: Pictures, port: int = 0) -> None:
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise BenchError(
                f"Got --port {port}, which cannot be listened on ({error.strerror or error}); expected a free one. "
                "Without --port one is found."
            ) from None
        self.labelling, self.pictures = labelling, pictures
        self.token = secrets.token_urlsafe(TOKEN)
        self.done = threading.Event()
        self.hosts = [f"{name}:{self.server_port}" for name in NAMES]
        self.address = f"http://{self.hosts[0]}/{self.token}/"

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Answer requests while the block runs."""
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.shutdown()
            thread.join()
            self.server_close()


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "bench", ""
    timeout = IDLE
    wbufsize, disable_nagle_algorithm = 1 << 16, True  # an answer is one packet: two of them wait 40 ms for each other
    server: LabelServer

    def do_GET(self) -> None:
        self._send(self._answer(self._get))

    def do_POST(self) -> None:
        self._send(self._answer(self._post))

    def _answer(self, reply: Callable[[str], Reply]) -> Reply:
        try:
            return reply(self._checked())
        except RefusedError as refused:
            self.close_connection = True  # what else was sent is not read
            return refused.reply
        except MalformedError as error:
            self.close_connection = True
            return RefusedError(HTTPStatus.BAD_REQUEST, str(error)).reply
        except BenchError as error:
            return as_json({"error": str(error)}, HTTPStatus.CONFLICT)

    def _checked(self) -> str:
        """Return what is asked for, behind the token; RefusedError for who may not ask."""
        server = self.server
        hosts, origins = self.headers.get_all("Host", []), self.headers.get_all("Origin", [])
        if len(hosts) != 1 or hosts[0].lower() not in server.hosts:
            raise RefusedError(HTTPStatus.FORBIDDEN, "this is another host")
        if any(origin != f"http://{hosts[0].lower()}" for origin in origins):
            raise RefusedError(HTTPStatus.FORBIDDEN, "another page asks")
        if self.headers.get("Sec-Fetch-Site", FROM_HERE[0]) not in FROM_HERE:
            raise RefusedError(HTTPStatus.FORBIDDEN, "another page asks")
        token, slash, rest = self.path[1:].partition("/")
        if not secrets.compare_digest(token.encode("latin-1", "replace"), server.token.encode()) or not slash:
            raise RefusedError(HTTPStatus.FORBIDDEN, "the token is missing, or not that of this start")
        return rest

    def _get(self, asked: str) -> Reply:
        labelling = self.server.labelling
        if asked == "":
            what = "cell" if labelling.task.regions else "image"
            return Reply(kind="text/html; charset=utf-8", body=page_html(labelling.task.name, what))
        if asked == "state":
            return as_json(labelling.state())
        if asked == "deeds":
            return as_json({"deeds": labelling.deeds})
        if asked in ASSETS:
            kind, make = ASSETS[asked]
            return Reply(kind=kind, body=make())
        picture = _PICTURE.fullmatch(asked)
        if picture is None or int(picture[2]) >= len(labelling.task.keys):
            raise RefusedError(HTTPStatus.NOT_FOUND, "there is no such thing")
        try:
            kind, body = self.server.pictures.get(int(picture[2]), picture[1])
        except ImageError as error:
            return as_json({"error": not_shown(error)}, HTTPStatus.UNPROCESSABLE_ENTITY)
        return Reply(kind=kind, body=body)

    def _post(self, asked: str) -> Reply:
        if not self.headers.get("Origin"):
            raise RefusedError(HTTPStatus.FORBIDDEN, "no page asks")
        said = self._body()
        if asked == "done":
            self.server.labelling.close()
            self.server.done.set()
            return as_json({"labels": self.server.labelling.tally().pressed})
        if asked not in DEEDS:
            raise RefusedError(HTTPStatus.NOT_FOUND, "there is no such thing")
        return as_json(DEEDS[asked](self.server.labelling, said))

    def _body(self) -> Mapping[str, Any]:
        if self.headers.get_content_type() != JSON:
            raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"expected {JSON}")
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch("[0-9]{1,9}", length) or int(length) > MOST or "Transfer-Encoding" in self.headers:
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"expected at most {MOST} bytes, and their number")
        try:
            said = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "expected an object of JSON")
        return said

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in {**HEADERS, "Content-Type": reply.kind, "Content-Length": str(len(reply.body))}.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, *what: object) -> None:
        """Say nothing: the terminal is for people, and addresses hold the token."""

    def handle(self) -> None:
        """Answer until the other side goes away, which is no error."""
        try:
            super().handle()
        except (ConnectionError, TimeoutError):
            self.close_connection = True
