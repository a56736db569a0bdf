"""Upload a folder that `publish` made to the Hugging Face Hub; `hf auth login` or HF_TOKEN say who uploads."""

from __future__ import annotations

import re
from pathlib import Path

from midspec.corpus.publish_secrets import secret_in, secrets_here
from midspec.errors import InputError, ProviderError
from midspec.hub import library

_REPOSITORY = re.compile(r"^[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}$")


def check_repository(repository: str) -> None:
    """Raise InputError for a name that the Hub would not take as ORG/NAME."""
    if not _REPOSITORY.match(repository) or ".." in repository or "--" in repository:
        raise InputError(f"{repository!r} is no name of a data set on the Hub; expected ORG/NAME, e.g. me/my-corpus")


def push(folder: Path, repository: str, *, private: bool) -> str:
    """Upload all files of `folder` in one commit; returns the address. The data set is made where there is none.

    Raises InputError where nobody is logged in or the account may not write there, ProviderError where the Hub does not
    answer; a message of the Hub is told without any key in it.
    """
    check_repository(repository)
    hub = library()
    try:
        api = hub.HfApi()
        api.create_repo(repository, repo_type="dataset", private=private, exist_ok=True)
        api.upload_folder(
            repo_id=repository,
            repo_type="dataset",
            folder_path=str(folder),
            commit_message="Rows and card made by midspec",
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
    return f"https://huggingface.co/datasets/{repository}"
