"""Whether a Ray cluster answers at an address, asked within a bounded time: Ray itself would try for minutes."""

from __future__ import annotations

import socket
import subprocess
import sys

from bench.errors import BenchError

REACH_S = 5.0  # for a port to accept a connection
ANSWER_S = 25.0  # for a cluster to say that it is one; about a second where nothing else keeps the machine busy
FROM_OUTSIDE = "ray://"
#: The command of Ray that connects to the first node of a cluster and ends.
HEALTH = ("-m", "ray.scripts.scripts", "health-check", "--skip-version-check")


def reach(address: str) -> None:
    """Raise BenchError where no Ray cluster answers at an address: auto, HOST:PORT or ray://HOST:PORT."""
    if address != "auto":
        _connect(address)
    if not address.startswith(FROM_OUTSIDE):  # there Ray bounds the time itself
        _ask(address)


def not_joined(address: str, error: Exception | str) -> BenchError:
    """Return the error of a cluster that cannot be joined, or started here where the address is ""."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    reason = f"{lines[0]} {lines[-1].strip()}" if lines[0].endswith(":") else lines[0]
    if not address:
        return BenchError(f"Ray could not be started here ({reason}). Leave out --engine ray.")
    return BenchError(
        f"Got --address {address}, where no Ray cluster can be joined ({reason}); expected auto, where `ray start` has "
        "made this machine one of its nodes, or HOST:PORT or ray://HOST:PORT of its first node."
    )


def _connect(address: str) -> None:
    host, _, port = address.removeprefix(FROM_OUTSIDE).rpartition(":")
    if not host or not port.isdigit():
        raise BenchError(f"Got --address {address}; expected auto, HOST:PORT or ray://HOST:PORT.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), REACH_S).close()
    except (OSError, OverflowError) as error:
        raise not_joined(address, error) from None


def _ask(address: str) -> None:
    """Let another process connect, as it can be stopped: what does not speak Ray's protocol keeps Ray waiting.

    Only what is known to be no cluster is refused here; all else Ray says when it is joined.
    """
    where = () if address == "auto" else ("--address", address)
    try:
        done = subprocess.run(
            [sys.executable, *HEALTH, *where], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=ANSWER_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise not_joined(address, f"no answer of one in {ANSWER_S:.0f} s") from None
    except OSError:  # no other process can be started
        return
    if done.returncode and "ray.exceptions.AuthenticationError: " in done.stderr:
        if address == "auto":  # there Ray takes the token of the home folder by itself
            return
        raise BenchError(
            f"Got --address {address}, a Ray cluster that asks for another token; expected the one it was started "
            "with. Set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN to what stands in ~/.ray/auth_token of its first node, "
            "or copy that file here."
        )
    last = (done.stderr.strip().splitlines() or [""])[-1]
    if done.returncode and last.startswith("ray.exceptions."):
        raise not_joined(address, "what answers there is not the first node of one")
    if done.returncode and last.startswith("ConnectionError: "):
        raise not_joined(address, last.removeprefix("ConnectionError: "))
