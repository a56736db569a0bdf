"""Upload a folder to the Hugging Face Hub: a data set or a model. `hf auth login` or HF_TOKEN say who uploads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from midspec.errors import InputError, ProviderError
from midspec.hub import library
from midspec.keys import secret_in, secrets_here

_REPOSITORY = re.compile(r"^[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}$")


Kind = Literal["dataset", "model"]
_WORDS = {"dataset": ("data set", "me/my-corpus"), "model": ("model", "me/my-model")}


def check_repository(repository: str, kind: Kind = "dataset") -> None:
    """Raise InputError for a name that the Hub would not take as ORG/NAME."""
    if not _REPOSITORY.match(repository) or ".." in repository or "--" in repository:
        what, example = _WORDS[kind]
        raise InputError(f"{repository!r} is no name of a {what} on the Hub; expected ORG/NAME, e.g. {example}")


def push(folder: Path, repository: str, *, private: bool, kind: Kind = "dataset") -> str:
    """Upload all files of `folder` in one commit; returns the address. The repository is made where there is none.

    Raises InputError where nobody is logged in or the account may not write there, ProviderError where the Hub does not
    answer; a message of the Hub is told without any key in it.
    """
    check_repository(repository, kind)
    hub = library()
    try:
        api = hub.HfApi()
        api.create_repo(repository, repo_type=kind, private=private, exist_ok=True)
        api.upload_folder(
            repo_id=repository,
            repo_type=kind,
            folder_path=str(folder),
            commit_message="Made by midspec",
        )
    except Exception as error:  # the Hub's, HTTP and file errors have no common root
        status = getattr(getattr(error, "response", None), "status_code", None)
        said = (str(error).splitlines() or [type(error).__name__])[0]
        if secret_in(said, secrets_here()):
            said = type(error).__name__
        if status in (401, 403) or type(error).__name__ == "LocalTokenNotFoundError":
            raise InputError(
                f"the Hub does not let this account write to {repository!r} ({said}); log in with `hf auth login`, or "
                "choose another --repo"
            ) from error
        raise ProviderError(
            f"the upload to {repository!r} failed ({said}); nothing is lost, give the same command again"
        ) from error
    return f"https://huggingface.co/{'datasets/' if kind == 'dataset' else ''}{repository}"
