"""Weights on the Hugging Face hub: found in its cache without a network, else fetched, else a clear refusal.

huggingface_hub retries an unreachable host for 23 s and prints each attempt, so the hub is asked once first.
"""

from __future__ import annotations

import importlib.util
import os
import socket
import threading
from pathlib import Path

from .errors import EncoderError
from .spec import EncoderSpec
from .weights import quiet

#: Seconds for the question whether the hub can be reached, name lookup included.
PATIENCE = 4.0
WEIGHT_FILES = {
    "timm": ("model.safetensors", "pytorch_model.bin"),
    "hf-hub": ("model.safetensors", "pytorch_model.bin"),
    "open_clip": ("open_clip_model.safetensors", "open_clip_pytorch_model.bin"),
}


def availability(spec: EncoderSpec) -> str | None:
    """Return why the encoder cannot be loaded here without a network, or None. Imports no torch."""
    kind = spec.source.partition(":")[0]
    if kind not in WEIGHT_FILES:
        return None
    library = "open_clip" if kind == "open_clip" else "timm"
    if importlib.util.find_spec(library) is None:
        return f"{library} is not installed"
    if spec.file:
        return None if Path(spec.file).is_file() else f"no file {spec.file}"
    if spec.weights != "pretrained":
        return None
    if spec.hub and cached_file(spec.hub, WEIGHT_FILES[kind]):
        return None
    gate = ", and its licence has to be accepted there first" if spec.gated else ""
    return f"weights not in the Hugging Face cache {cache_folder()}; fetched from {spec.hub} at first use{gate}"


def hub_file(repo: str, filenames: tuple[str, ...], name: str) -> Path:
    """Return the path of the first of `filenames` in a hub repository: from the cache, else downloaded."""
    found = cached_file(repo, filenames)
    if found:
        return found
    reason = unreachable(endpoint())
    if reason:
        raise EncoderError(
            f"Cannot reach {endpoint()} ({reason}) for {repo} ({filenames[0]}) of encoder '{name}'. "
            f"Give weights from a file with {name.partition('@')[0]}@weights=FILE, or copy the Hugging Face "
            f"cache of another machine here (HF_HOME; looked in {cache_folder()}), or set HF_ENDPOINT to a "
            "mirror."
        )
    return _download(repo, filenames, name)


def cached_file(repo: str, filenames: tuple[str, ...]) -> Path | None:
    """Return the first of `filenames` in the Hugging Face cache, of revision `main` where that is known."""
    folder = cache_folder() / f"models--{repo.replace('/', '--')}"
    main = folder / "refs" / "main"
    if main.is_file():
        snapshots = [folder / "snapshots" / main.read_text().strip()]
    else:
        snapshots = sorted(folder.glob("snapshots/*"))
    return next((s / f for f in filenames for s in snapshots if (s / f).is_file()), None)


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


def _download(repo: str, filenames: tuple[str, ...], name: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    for filename in filenames:
        try:
            with quiet():
                return Path(hf_hub_download(repo, filename, cache_dir=cache_folder(), endpoint=endpoint()))
        except LocalEntryNotFoundError as error:
            raise EncoderError(f"The download of {repo}/{filename} for '{name}' failed: {error}") from None
        except EntryNotFoundError:
            continue
        except GatedRepoError:
            raise EncoderError(
                f"Encoder '{name}' is gated: accept its licence at {endpoint()}/{repo}, then set HF_TOKEN to "
                "a token of that account (or log in with `hf auth login`)."
            ) from None
        except RepositoryNotFoundError:
            raise EncoderError(f"Got '{name}', and {endpoint()} has no {repo}, or hides it; check the name.") from None
        except Exception as error:
            raise EncoderError(
                f"The download of {repo}/{filename} for '{name}' failed ({type(error).__name__}: "
                f"{str(error)[:200]}); run again: what is there already is kept."
            ) from None
    raise EncoderError(f"{repo} holds none of {', '.join(filenames)}, which encoder '{name}' needs.")
