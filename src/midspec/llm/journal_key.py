"""Which request a reply belongs to: a hash over all that decides it. No secret may be part of it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from midspec.errors import InputError

_LONG = 20_000
_SECRET_NAMES = re.compile(r"(?i)(api|access|secret|private|auth)[_-]?(key|token)|^(key|token|authorization|bearer)$")
_SECRET_NAMES_ANYWHERE = re.compile(r"(?i)password|passwd|secret|credential|cookie|authorization|x-api-key")
_SECRET_VALUES = re.compile(
    r"\b(?:sk|pk|rk)-[A-Za-z0-9_-]{6,}"  # OpenAI, Anthropic and those who copy their form
    r"|\bhf_[A-Za-z0-9]{16,}|\bgsk_[A-Za-z0-9]{16,}|\bxai-[A-Za-z0-9]{16,}|\bAIza[A-Za-z0-9_-]{20,}|\bAKIA[A-Z0-9]{12,}"
    r"|\bgh[pousr]_[A-Za-z0-9]{16,}|\bBearer\s+\S{8,}|://[^/\s:@]+:[^/\s@]+@"
)


def request_key(model: str, settings: Mapping[str, Any], system: str, user: str, sample: int) -> str:
    """64 hexadecimal digits that stand for one request; what `Journal.find` looks up.

    Settings that are None count as not given. Raises InputError where a setting holds what looks like a key of a
    provider, or is not JSON.
    """
    head = json.dumps([model, settings_text(settings), sample], ensure_ascii=True)
    digest = hashlib.sha256(head.encode())
    digest.update(text_hash(system))
    digest.update(text_hash(user))
    return digest.hexdigest()


def text_hash(text: str) -> bytes:
    """SHA-256 of a text."""
    # A spec of 60k tokens comes with every request: comparing is cheaper than hashing.
    return _hash_of_long(text) if len(text) > _LONG else _hash(text)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


_hash_of_long = lru_cache(maxsize=16)(_hash)


def settings_text(settings: Mapping[str, Any]) -> str:
    """The settings as one text, equal for equal settings. Raises InputError as `request_key` does."""
    try:
        text = json.dumps(
            {name: value for name, value in settings.items() if value is not None},
            sort_keys=True,
            ensure_ascii=True,
            allow_nan=False,
            separators=(",", ":"),
        )
    except (TypeError, ValueError) as error:
        raise InputError(
            f"the writer's settings cannot be recorded ({error}); expected text, finite numbers, true and false, and "
            "lists and tables of these. Look at `args` of writer and judge in the recipe"
        ) from error
    _check_settings(text)
    return text


@lru_cache(maxsize=256)
def _check_settings(text: str) -> None:
    where = _secret(json.loads(text), "")
    if where is not None:
        raise InputError(
            f"the writer's setting {where} looks like a secret, and settings are written into the journal and into "
            "records. Take it out of the recipe and give it as the provider's environment variable, such as "
            "ANTHROPIC_API_KEY"
        )


def _secret(value: Any, where: str) -> str | None:
    """Path of the first value that looks like a secret; never the value itself."""
    if isinstance(value, dict):
        for name, inner in value.items():
            path = f"{where}.{name}" if where else name
            # The name itself may be the secret: a header line given as a name, say.
            if _SECRET_VALUES.search(name):
                return where or "(a name)"
            hidden = _SECRET_NAMES.search(name) or _SECRET_NAMES_ANYWHERE.search(name)
            if hidden and isinstance(inner, str) and inner:
                return path
            found = _secret(inner, path)
            if found is not None:
                return found
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found = _secret(inner, f"{where}[{index}]")
            if found is not None:
                return found
    elif isinstance(value, str) and _SECRET_VALUES.search(value):
        return where
    return None
