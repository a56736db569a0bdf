"""What looks like somebody's key, so that it is never published. Nothing here ever returns the key itself."""

from __future__ import annotations

import os
import re

_KEY = re.compile(
    r"\b(?:sk|pk|rk)-(?=[A-Za-z0-9_-]*\d)[A-Za-z0-9_-]{16,}"  # OpenAI, Anthropic and those who copy their form
    r"|\bhf_[A-Za-z0-9]{16,}|\bgsk_[A-Za-z0-9]{16,}|\bxai-[A-Za-z0-9]{16,}|\bAIza[A-Za-z0-9_-]{20,}|\bAKIA[A-Z0-9]{12,}"
    r"|\bgh[pousr]_[A-Za-z0-9]{16,}|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
_NAMES = re.compile(r"(?:_KEY|_TOKEN|_SECRET|_PASSWORD)$")
SHORTEST = 12
"""Characters from which the value of an environment variable is looked for."""


def secrets_here() -> list[str]:
    """The values of environment variables that hold keys. For `secret_in` only."""
    return [value for name, value in os.environ.items() if _NAMES.search(name) and len(value) >= SHORTEST]


def secret_in(text: str, known: list[str]) -> str | None:
    """What kind of key stands in `text`, in words that do not give it away; None where there is none."""
    match = _KEY.search(text)
    if match:
        return f"what looks like a key ({match[0][:3]}...)"
    if any(value in text for value in known):
        return "the value of one of your environment variables that hold keys"
    return None
