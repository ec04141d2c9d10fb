"""Weights on the Hugging Face hub: found in its cache without a network, else fetched, else a clear refusal.

The lookup of a host name has no time limit of its own, so the hub is asked once, with one, before a download.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import socket
import threading
from pathlib import Path

from .errors import EncoderError
from .hub_download import Wanted, download, wrong_digest
from .packaged import find_package
from .spec import EncoderSpec

#: Seconds for the question whether the hub can be reached, name lookup included.
PATIENCE = 4.0
WEIGHT_FILES = {
    "timm": ("model.safetensors", "pytorch_model.bin"),
    "hf-hub": ("model.safetensors", "pytorch_model.bin"),
    "file": (),
    "open_clip": ("open_clip_model.safetensors", "open_clip_pytorch_model.bin"),
    "open_clip-hub": ("open_clip_model.safetensors", "open_clip_pytorch_model.bin"),
}


def availability(spec: EncoderSpec) -> str | None:
    """Return why the encoder cannot be loaded here without a network, or None. Imports no torch."""
    module, _ = spec.library
    if module and importlib.util.find_spec(module) is None:
        return f"{module} is not installed"
    kind = spec.source.partition(":")[0]
    if kind not in WEIGHT_FILES:
        return None
    library = "open_clip" if kind.startswith("open_clip") else "timm"
    if importlib.util.find_spec(library) is None:
        return f"{library} is not installed"
    if spec.file:
        return None if Path(spec.file).is_file() else f"no file {spec.file}"
    if spec.package and not find_package(spec.package):
        return f"the package {spec.package} is not installed, which has its weights"
    if spec.weights != "pretrained":
        return None
    if spec.hub and cached_file(spec.hub, WEIGHT_FILES[kind], getattr(spec, "revision", "")):
        return None
    if not spec.hub:
        address = spec.source.removeprefix("file:") if kind == "file" else "its authors"
        base = spec.full_name.partition("@")[0]
        return f"weights to be fetched by you from {address} and given as {base}@weights=FILE"
    gate = ", and its licence has to be accepted there first" if spec.gated else ""
    return f"weights not in the Hugging Face cache {cache_folder()}; fetched from {spec.hub} at first use{gate}"


def hub_file(repo: str, filenames: tuple[str, ...], name: str, revision: str = "") -> Path:
    """Return the path of the first of `filenames` in a hub repository: from the cache, else downloaded.

    revision: branch, tag or commit ("" is main). A cached file whose digest is not its name is set aside.
    """
    damage = ""
    while found := cached_file(repo, filenames, revision):
        damage = _set_aside(found)
        if not damage:
            return found
        logging.getLogger(__name__).warning(damage)
    reason = unreachable(endpoint())
    if reason:
        lead = f"{damage} " if damage else ""
        raise EncoderError(
            f"{lead}Cannot reach {endpoint()} ({reason}) for {repo} ({filenames[0]}) of encoder '{name}'. "
            f"Give weights from a file with {name.partition('@')[0]}@weights=FILE, or copy the Hugging Face "
            f"cache of another machine here (HF_HOME; looked in {cache_folder()}), or set HF_ENDPOINT to a "
            "mirror."
        )
    for filename in filenames:
        path = download(Wanted(repo, filename, revision, endpoint(), name), cache_folder())
        if path:
            return path
    at = f" at revision {revision}" if revision else ""
    raise EncoderError(f"{repo} holds none of {', '.join(filenames)}{at}, which encoder '{name}' needs.")


def cached_file(repo: str, filenames: tuple[str, ...], revision: str = "") -> Path | None:
    """Return the first of `filenames` in the Hugging Face cache, of the revision; without one, of any where
    it is not known which is main."""
    folder = cache_folder() / f"models--{repo.replace('/', '--')}"
    try:
        ref = folder / "refs" / (revision or "main")
        if ref.is_file():
            snapshots = [folder / "snapshots" / ref.read_text().strip()]
        else:
            snapshots = [folder / "snapshots" / revision] if revision else sorted(folder.glob("snapshots/*"))
        return next((s / f for f in filenames for s in snapshots if (s / f).is_file()), None)
    except OSError:
        return None  # a cache that cannot be read holds nothing for us


def _set_aside(path: Path) -> str:
    """Return "" for a sound file of the cache; rename one that is damaged and return what there is to say of it."""
    blob = path.resolve()
    found = wrong_digest(blob, blob.name)
    if not found:
        return ""
    aside = blob.with_name(f"{blob.name}.corrupt")
    what = f"The cached file {path} is damaged: its SHA-256 is {found[:16]}... and should be {blob.name[:16]}..."
    try:
        blob.replace(aside)
    except OSError as error:
        raise EncoderError(f"{what}, and it cannot be set aside ({error.strerror}); remove it.") from None
    return f"{what}; it is set aside as {aside.name}."


def cache_folder() -> Path:
    """Return the folder of the Hugging Face cache, from the environment as it is now."""
    env = os.environ
    home = env.get("HF_HOME") or os.path.join(env.get("XDG_CACHE_HOME", "~/.cache"), "huggingface")
    chosen = env.get("HF_HUB_CACHE") or env.get("HUGGINGFACE_HUB_CACHE") or os.path.join(home, "hub")
    return Path(os.path.expandvars(chosen)).expanduser()


def endpoint() -> str:
    """Return the address of the hub or of the mirror that HF_ENDPOINT names."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def unreachable(url: str) -> str | None:
    """Return why `url` does not answer within PATIENCE seconds, or None when it does. Honours proxies."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        return "HF_HUB_OFFLINE is set"
    answer: list[str | None] = []
    # In a thread, as the lookup of a host name has no time limit of its own.
    thread = threading.Thread(target=lambda: answer.append(_ask(url)), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return answer[0] if answer else f"no answer in {PATIENCE:.0f} s"


def _ask(url: str) -> str | None:
    import ssl
    import urllib.error
    import urllib.request

    try:
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=PATIENCE).close()
    except urllib.error.HTTPError as error:
        return f"HTTP status {error.code}" if error.code in (407, 502, 503, 504) else None
    except urllib.error.URLError as error:
        # A certificate this interpreter does not know may well be known to the hub's own client.
        return None if isinstance(error.reason, ssl.SSLCertVerificationError) else _short(error.reason)
    except (OSError, ValueError) as error:
        return _short(error)
    return None


def _short(reason: object) -> str:
    if isinstance(reason, socket.gaierror):
        return "its name cannot be looked up"
    return str(getattr(reason, "strerror", None) or reason)
