"""A Hugging Face hub on this machine, as far as a download needs one, which can be made to misbehave.

HEAD and GET of /{repo}/resolve/{revision}/{file} answer with the headers of the real hub and a redirection to
/lfs/{sha256}, where byte ranges are served.
"""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "c" * 40


@dataclass
class Mirror:
    """What the hub holds, how it misbehaves ("" is sound), and what it was asked and sent."""

    files: dict[str, bytes]  # "repo/file"
    fault: str = ""
    token: str = ""
    url: str = ""
    requests: list[str] = field(default_factory=list)  # "METHOD path range"
    tokens: list[str] = field(default_factory=list)  # Authorization of each request to /lfs/
    sent: int = 0  # bytes of files
    mended: threading.Event = field(default_factory=threading.Event)

    def mend(self) -> None:
        self.fault, self.sent = "", 0
        self.mended.set()
        self.requests.clear()


Answer = Callable[["Handler", bytes, int], None]


class Handler(BaseHTTPRequestHandler):
    mirror: Mirror

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        mirror, byte_range = self.mirror, self.headers.get("Range", "")
        mirror.requests.append(f"{self.command} {self.path} {byte_range}".strip())
        if self.path == "/":
            return self.answer(200)
        if self.path.startswith("/lfs/"):
            mirror.tokens.append(self.headers.get("Authorization", ""))
            content = next(c for c in mirror.files.values() if self.path.endswith(hashlib.sha256(c).hexdigest()))
            return LFS.get(mirror.fault, send)(self, content, int(byte_range[6:-1] or 0))
        repo, _, rest = self.path[1:].partition("/resolve/")
        content = mirror.files.get(f"{repo}/{rest.partition('/')[2]}", b"")
        if mirror.fault in STATUS:
            status, code = STATUS[mirror.fault]
            return self.answer(status, {"X-Error-Code": code} if code else {})
        if mirror.fault == "silent":
            mirror.mended.wait(20)
        if mirror.token and self.headers.get("Authorization") != f"Bearer {mirror.token}":
            return self.answer(401, {"X-Error-Code": "GatedRepo"})
        if not content:
            known = any(name.startswith(f"{repo}/") for name in mirror.files)
            return self.answer(404, {"X-Error-Code": "EntryNotFound" if known else "RepoNotFound"})
        sha256 = hashlib.sha256(content).hexdigest()
        address = f"{mirror.url.replace('127.0.0.1', 'localhost')}/lfs/{sha256}"
        headers = {"Location": address, "X-Repo-Commit": COMMIT, "X-Linked-Size": str(len(content)),
                   "X-Linked-Etag": f'"{sha256}"', "ETag": '"of-the-redirection"'}  # fmt: skip
        self.answer(302, headers)

    def answer(self, status: int, headers: dict[str, str] | None = None, length: int = 0) -> None:
        self.send_response(status)
        for key, value in {**(headers or {}), "Content-Length": str(length)}.items():
            self.send_header(key, value)
        self.end_headers()

    def body(self, content: bytes) -> None:
        self.mirror.sent += len(content)
        self.wfile.write(content)
        self.wfile.flush()

    def log_message(self, *args: Any) -> None:
        pass


def send(handler: Handler, content: bytes, start: int) -> None:
    ranged = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
    handler.answer(206 if start else 200, ranged if start else {}, len(content) - start)
    handler.body(content[start:])


def truncate(handler: Handler, content: bytes, start: int) -> None:
    """Announce all and send half, always from the beginning."""
    handler.answer(200, length=len(content))
    handler.body(content[: len(content) // 2])
    handler.close_connection = True


def corrupt(handler: Handler, content: bytes, start: int) -> None:
    send(handler, content[:-1] + bytes([content[-1] ^ 1]), start)


def drop(handler: Handler, content: bytes, start: int) -> None:
    """Send half, once; then be out of order."""
    if start:
        return handler.answer(503)
    truncate(handler, content, 0)


def drop_often(handler: Handler, content: bytes, start: int) -> None:
    """Send a quarter at a time."""
    handler.answer(206 if start else 200, length=len(content) - start)
    handler.body(content[start : start + len(content) // 4 + 1])
    handler.close_connection = True


def stall(handler: Handler, content: bytes, start: int) -> None:
    """Send half, then nothing, without hanging up."""
    handler.answer(206 if start else 200, length=len(content) - start)
    if not start:
        handler.body(content[: len(content) // 2])
    handler.mirror.mended.wait(20)
    handler.close_connection = True


def trickle(handler: Handler, content: bytes, start: int) -> None:
    handler.answer(206 if start else 200, length=len(content) - start)
    for at in range(start, len(content), len(content) // 8 + 1):
        handler.body(content[at : at + len(content) // 8 + 1])
        threading.Event().wait(0.05)


def endless(handler: Handler, content: bytes, start: int) -> None:
    """Send a hundred times what was announced, in chunks that say no length."""
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    try:
        for _ in range(100):
            handler.body(content)
    except OSError:  # whoever asked hung up
        pass
    handler.close_connection = True


def bomb(handler: Handler, content: bytes, start: int) -> None:
    """Send few bytes that are many when they are unpacked."""
    packed = gzip.compress(bytes(100 * len(content)))
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Content-Length", str(len(packed)))
    handler.end_headers()
    handler.body(packed)


def circle(handler: Handler, content: bytes, start: int) -> None:
    handler.answer(302, {"Location": handler.path})


LFS: dict[str, Answer] = {"endless": endless, "bomb": bomb, "circle": circle, "truncated": truncate, "corrupt": corrupt, "dropped": drop, "drops often": drop_often,
                          "stalls": stall, "trickles": trickle}  # fmt: skip
STATUS = {"gated": (401, "GatedRepo"), "no repository": (404, "RepoNotFound"), "no file": (404, "EntryNotFound"),
          "no revision": (404, "RevisionNotFound"), "out of order": (503, ""), "forbidden": (403, "")}  # fmt: skip


@contextmanager
def serve(files: dict[str, bytes]) -> Iterator[Mirror]:
    mirror = Mirror(files)
    handler = type("Bound", (Handler,), {"mirror": mirror})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    mirror.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield mirror
    finally:
        mirror.mended.set()
        server.shutdown()
        server.server_close()
