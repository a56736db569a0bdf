"""The Hugging Face Hub: which commit, is it cached, fetch it. Its own cache and offline switches are respected."""

from __future__ import annotations

import importlib
import logging
import re
import time
from pathlib import Path
from typing import Any, Literal

from midspec.errors import InputError, MissingDependencyError, ModelUnavailableError
from midspec.steps.progress import Progress
from midspec.train import cache, folders

log = logging.getLogger(__name__)

TIMEOUT = 3.0
"""Seconds that a question may take. A download has no such limit."""

_COMMIT = re.compile(r"^[0-9a-f]{40}$")
_asked: dict[str, float] = {}
"""When the Hub last failed to answer, so that one plan does not wait for it again and again."""


def _hub() -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        raise MissingDependencyError("Hub models need huggingface_hub: pip install 'midspec[train]'") from error
    for part in ("constants", "errors"):  # not among the names that the package loads on demand
        importlib.import_module(f"huggingface_hub.{part}")
    return huggingface_hub


def _offline() -> bool:
    """Whether not to ask: a switch is set, the library is absent, or the Hub failed to answer a moment ago."""
    try:
        _hub()
    except MissingDependencyError:
        return True
    return bool(_hub().constants.HF_HUB_OFFLINE) or time.monotonic() - _asked.get("failed", -1e9) < 60


def _repository_folder(repository: str, kind: str = "model") -> Path:
    return Path(_hub().constants.HF_HUB_CACHE) / f"{kind}s--{repository.replace('/', '--')}"


def reachable() -> bool:
    """Whether the Hub answers within TIMEOUT; False when an offline switch is set."""
    if _offline():
        return False
    try:
        _hub().get_session().head(_hub().constants.ENDPOINT, timeout=TIMEOUT)
    except Exception as error:  # Whatever the HTTP library raises, the answer is no.
        log.info("the Hub does not answer: %s", error)
        _asked["failed"] = time.monotonic()
        return False
    return True


def commit(repository: str, revision: str, kind: Literal["model", "dataset"] = "model") -> str | None:
    """The commit that `revision` (a branch, tag or commit) stands for: from the Hub's cache, else from the Hub.

    None where neither knows. Raises InputError where the Hub says that there is no such repository or no access to it.
    """
    if _COMMIT.match(revision):
        return revision
    try:
        return (_repository_folder(repository, kind) / "refs" / revision).read_text().strip()
    except (OSError, MissingDependencyError):
        pass
    if _offline():
        return None
    errors = _hub().errors
    try:
        return _hub().HfApi().repo_info(repository, revision=revision, repo_type=kind, timeout=TIMEOUT).sha
    except errors.GatedRepoError as error:
        raise InputError(_no_access(repository)) from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        raise InputError(
            f"{kind} {repository!r} (revision {revision!r}) is not on the Hub, or is private; expected an id such as "
            "meta-llama/Llama-3.1-8B. Check the spelling, or log in with `hf auth login`"
        ) from error
    except Exception as error:  # Network errors of any kind; what else fails here fails again, and loudly, in fetch.
        log.info("the Hub does not answer: %s", error)
        _asked["failed"] = time.monotonic()
        return None


def snapshot(repository: str, revision: str) -> Path | None:
    """The cached files of a commit; None unless config and weights are all there."""
    try:
        folder = _repository_folder(repository) / "snapshots" / revision
    except MissingDependencyError:
        return None
    return folder if (folder / "config.json").exists() and _weights(folder) else None


def _weights(folder: Path) -> list[Path]:
    """Weight files of a snapshot, all of them, or none where an index names one that is missing."""
    found = sorted(folder.glob("*.safetensors"))
    if index := next(iter(folder.glob("*.safetensors.index.json")), None):
        names = set(re.findall(r'"([^"/]+\.safetensors)"', index.read_text(encoding="utf-8")))
        if not names <= {path.name for path in found}:
            return []
    return found


def fetch(repository: str, revision: str, progress: Progress) -> Path:
    """Download what is missing of a commit; returns the snapshot folder.

    A weight file that is shorter than its header says is downloaded again. Raises ModelUnavailableError.
    """
    hub = _hub()
    folder = snapshot(repository, revision)
    if folder is None:
        progress.note(f"fetching {repository} from the Hub")
        folder = _download(repository, revision)
    for path in _weights(folder):
        if problem := cache.safetensors_damage(path):
            log.warning("cached model is damaged: %s; fetching it again", problem)
            progress.note("cached model is damaged, fetching it again")
            try:
                hub.hf_hub_download(repository, path.name, revision=revision, force_download=True)
            except Exception as error:
                raise ModelUnavailableError(
                    f"model {repository!r}: {problem}, and it cannot be fetched again ({error}); delete that file and "
                    "connect to the Hub"
                ) from error
    return folder


def _download(repository: str, revision: str) -> Path:
    hub = _hub()
    try:
        hub.snapshot_download(
            repository,
            revision=revision,
            allow_patterns=list(folders.MODEL_FILES),
            ignore_patterns=["*/*"],  # onnx/, original/: the same weights in other forms
        )
    except hub.errors.GatedRepoError as error:
        raise ModelUnavailableError(_no_access(repository)) from error
    except Exception as error:  # hub, HTTP and file errors have no common root; all mean: not to be had
        raise ModelUnavailableError(
            f"model {repository!r} at {revision[:12]} is not in the cache and cannot be fetched from the Hub "
            f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}); check the "
            "network and HF_HUB_OFFLINE, or copy the model here and name its folder in the recipe"
        ) from error
    folder = snapshot(repository, revision)
    if folder is None:
        raise ModelUnavailableError(
            f"model {repository!r} at {revision[:12]} has no safetensors weights with a config.json; other weight "
            "formats can hold code and are not read. Name a model that has them"
        )
    return folder


def has_chat_template(repository: str, revision: str) -> bool | None:
    """Whether a commit holds a chat template; None where the Hub does not answer."""
    if folder := snapshot(repository, revision):
        return folders.has_chat_template(folder)
    if _offline():
        return None
    hub = _hub()
    try:
        for name in ("chat_template.jinja", "tokenizer_config.json"):
            try:
                path = Path(hub.hf_hub_download(repository, name, revision=revision, etag_timeout=TIMEOUT))
            except hub.errors.LocalEntryNotFoundError:  # a subclass of EntryNotFoundError: no answer, not no file
                return None
            except hub.errors.EntryNotFoundError:
                continue
            if folders.has_chat_template(path.parent):
                return True
        return False
    except Exception as error:
        log.info("the Hub does not say whether %s has a chat template: %s", repository, error)
        return None


def _no_access(repository: str) -> str:
    return (
        f"model {repository!r} is gated on the Hub and this account has no access; accept its licence at "
        f"https://huggingface.co/{repository}, then `hf auth login`"
    )
