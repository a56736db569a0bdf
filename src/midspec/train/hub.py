"""Base models on the Hugging Face Hub: is it cached, fetch it. Which commit it is, `midspec.hub` tells."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from midspec import cache
from midspec.errors import MissingDependencyError, ModelUnavailableError
from midspec.hub import TIMEOUT, library, no_access, offline, repository_folder
from midspec.steps.progress import Progress
from midspec.train import folders

log = logging.getLogger(__name__)


def snapshot(repository: str, revision: str) -> Path | None:
    """The cached files of a commit; None unless config and weights are all there."""
    try:
        folder = repository_folder(repository) / "snapshots" / revision
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
    hub = library()
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
    hub = library()
    try:
        hub.snapshot_download(
            repository,
            revision=revision,
            allow_patterns=list(folders.MODEL_FILES),
            ignore_patterns=["*/*"],  # onnx/, original/: the same weights in other forms
        )
    except hub.errors.GatedRepoError as error:
        raise ModelUnavailableError(no_access(repository)) from error
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
    if offline():
        return None
    hub = library()
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
