"""Questions to the Hugging Face Hub: does it answer, which commit. Its own cache and offline switches are respected."""

from __future__ import annotations

import importlib
import logging
import re
import time
from pathlib import Path
from typing import Any, Literal

from midspec.errors import InputError, MissingDependencyError

log = logging.getLogger(__name__)

TIMEOUT = 3.0
"""Seconds that a question may take. A download has no such limit."""

_COMMIT = re.compile(r"^[0-9a-f]{40}$")
_asked: dict[str, float] = {}
"""When the Hub last failed to answer, so that one plan does not wait for it again and again."""


def library() -> Any:
    """`huggingface_hub` with the parts used here. Raises MissingDependencyError where it is not installed."""
    try:
        import huggingface_hub
    except ImportError as error:
        raise MissingDependencyError(
            "what lies on the Hub needs huggingface_hub: pip install 'midspec[train]'"
        ) from error
    for part in ("constants", "errors"):  # not among the names that the package loads on demand
        importlib.import_module(f"huggingface_hub.{part}")
    return huggingface_hub


def offline() -> bool:
    """Whether not to ask: a switch is set, the library is absent, or the Hub failed to answer a moment ago."""
    try:
        library()
    except MissingDependencyError:
        return True
    return bool(library().constants.HF_HUB_OFFLINE) or time.monotonic() - _asked.get("failed", -1e9) < 60


def repository_folder(repository: str, kind: str = "model") -> Path:
    """Where the Hub's own cache keeps a repository, whether it is there or not."""
    return Path(library().constants.HF_HUB_CACHE) / f"{kind}s--{repository.replace('/', '--')}"


def reachable() -> bool:
    """Whether the Hub answers within TIMEOUT; False when an offline switch is set."""
    if offline():
        return False
    try:
        library().get_session().head(library().constants.ENDPOINT, timeout=TIMEOUT)
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
        return (repository_folder(repository, kind) / "refs" / revision).read_text().strip()
    except (OSError, MissingDependencyError):
        pass
    if offline():
        return None
    errors = library().errors
    try:
        return library().HfApi().repo_info(repository, revision=revision, repo_type=kind, timeout=TIMEOUT).sha
    except errors.GatedRepoError as error:
        raise InputError(no_access(repository, kind)) from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        raise InputError(
            f"{kind} {repository!r} (revision {revision!r}) is not on the Hub, or is private; expected an id such as "
            "meta-llama/Llama-3.1-8B. Check the spelling, or log in with `hf auth login`"
        ) from error
    except Exception as error:  # Network errors of any kind; what else fails here fails again, and loudly, in fetch.
        log.info("the Hub does not answer: %s", error)
        _asked["failed"] = time.monotonic()
        return None


def no_access(repository: str, kind: Literal["model", "dataset"] = "model") -> str:
    """What to tell a user whom the Hub does not let in."""
    place = f"datasets/{repository}" if kind == "dataset" else repository
    return (
        f"{kind} {repository!r} is gated on the Hub and this account has no access; accept its licence at "
        f"https://huggingface.co/{place}, then `hf auth login`"
    )
