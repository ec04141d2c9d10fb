"""Claims in an object store, for workers of machines that share nothing else: made and taken over by conditional put.

    <folder>/<name>.claim   {token, machine, pid, started}, made by If-None-Match: *

Its holder puts it anew every BEAT_S. One that was not for STALE_S, by the clock of the store, is a dead one's, as is
one of this machine whose process is no more. It is taken over by If-Match, so one of several who see that wins. As with
claims on a disk nothing rests on them: see `bench.work.claims`.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from bench.errors import BenchError
from bench.storage.buckets.client import Held
from bench.storage.buckets.mirror import Mirror, mirror_of
from bench.storage.owner import machine, started
from bench.storage.verified import is_sealed, json_bytes, parse_json
from bench.work.claims import Claim, Claims, check_name

BEAT_S = 15.0
LARGEST = 10_000  # bytes of a claim
ENDING, CLOCK = ".claim", "clock-"
Tag = dict[str, str | None]


def claims_in(folder: Path) -> Claims:
    """Return a worker's claims in a folder: on its disk, or in the store that it mirrors."""
    mirror = mirror_of(folder)
    return Claims(folder) if mirror is None else BucketClaims(folder, mirror)


class BucketClaims(Claims):
    """The claims of one worker in one mirrored folder."""

    def __init__(self, folder: Path, mirror: Mirror) -> None:
        super().__init__(folder)
        self._mirror = mirror
        self._client = mirror.client
        self._tags: dict[str, Tag] = {}

    def take(self, name: str) -> bool:
        """Return whether `name` is this worker's now: it was free, or its holder is dead, or it was already."""
        check_name(name)
        with self._lock:
            if name in self._tags:
                return True
            there = self._client.put_new(self._key(name), self._about(name))
            if not self._is_mine(there, name):
                if not self._judged(name, there).stale():
                    return False
                taken = self._client.put_over(self._key(name), self._about(name), there.tag)
                if taken is None:
                    return False
                there = taken
            self._tags[name] = there.tag
            self._begin_beat()
            return True

    def done(self, name: str) -> None:
        """Let go of `name`; nothing happens where it is not held or another has taken it over."""
        with self._lock:
            if self._tags.pop(name, None) is None:
                return
            there = self._client.get(self._key(name), LARGEST)
            if there is not None and self._is_mine(there, name):
                self._client.delete(self._key(name))

    def release_all(self) -> None:
        """Let go of everything held."""
        for name in list(self._tags):
            self.done(name)
        self._ended.set()

    def sweep(self) -> list[Path]:
        """Remove the claims of the dead that a list shows, and what they left of probes; returns what was removed."""
        removed = [*(claim.path for claim in self.dead()), *self._probes()]
        for path in removed:
            self._client.delete(self._mirror.key(path))
        return removed

    def holders(self) -> list[Claim]:
        """Return who holds what, living or dead, as far as a list shows it."""
        found = []
        for one in self._client.listed(self._mirror.key(self.folder)):
            name = one.key.rpartition("/")[2]
            there = self._client.get(one.key, LARGEST) if name.endswith(ENDING) else None
            if there is not None:
                found.append(self._judged(name.removesuffix(ENDING), there))
        return found

    def dead(self) -> list[Claim]:
        """Return what `sweep` removes."""
        return [claim for claim in self.holders() if claim.stale()]

    def _probes(self) -> list[Path]:
        """Return the probes of the clock whose worker died before it had removed them."""
        found = []
        for one in self._client.listed(self._mirror.key(self.folder)):
            path = self.folder / one.key.rpartition("/")[2]
            if path.name.startswith(CLOCK) and Claim(path, "", "", 0, None, self._age_s(one.modified)).stale():
                found.append(path)
        return found

    def _age_s(self, modified: datetime | None) -> float:
        return self._client.age_s(modified, self._mirror.key(self.folder / f"{CLOCK}{self.token}"))

    def _key(self, name: str) -> str:
        return self._mirror.key(self.folder / f"{name}{ENDING}")

    def _about(self, name: str) -> bytes:
        about = {"token": self.token, "machine": machine(), "pid": os.getpid(), "started": started(os.getpid()),
                 "beat": time.time()}  # fmt: skip
        return json_bytes(about, f"{name}{ENDING}")

    def _is_mine(self, there: Held, name: str) -> bool:
        return self._read(name, there).token == self.token

    def _read(self, name: str, there: Held) -> Claim:
        """Return a claim as just put; nothing is known of one that is not as written."""
        path = self.folder / f"{name}{ENDING}"
        with suppress(ValueError, TypeError, KeyError, OverflowError, RecursionError):
            about = parse_json(there.data) if is_sealed(there.data, path.name) else {}
            return Claim(path, str(about["token"]), str(about["machine"]), int(about["pid"]), about["started"], 0.0)
        return Claim(path, "", "", 0, None, 0.0, sound=False)

    def _judged(self, name: str, there: Held) -> Claim:
        """Return a claim with its age, which is not asked for where its process is known to be no more."""
        claim = self._read(name, there)
        if claim.stale():
            return claim
        return replace(claim, age_s=self._age_s(there.modified))

    def _keep_alive(self) -> None:
        while not self._ended.wait(BEAT_S):
            with self._lock:
                for name, tag in list(self._tags.items()):
                    with suppress(BenchError):  # the store is not heard of: a hint less
                        there = self._client.put_over(self._key(name), self._about(name), tag)
                        if there is None:  # taken over
                            del self._tags[name]
                        else:
                            self._tags[name] = there.tag
