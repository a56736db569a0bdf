"""What went wrong with a request, told from the provider's answer; which failures end the run, and in which words.

Built on HTTP status and the error codes in the body, which the SDKs of all providers carry in the same fields; words of
a message decide nothing but what a person reads.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from midspec.errors import ProviderError

Kind = Literal[
    "rate limit",
    "overloaded",
    "server error",
    "connection",
    "deadline",
    "cut",
    "key",
    "permission",
    "unknown model",
    "spending limit",
    "prompt too long",
    "setting",
    "bad request",
    "unexpected",
]
TRANSIENT: frozenset[Kind] = frozenset({"rate limit", "overloaded", "server error", "connection", "deadline", "cut"})
"""Worth asking again."""
LIMITING: frozenset[Kind] = frozenset({"rate limit", "overloaded"})
"""The request was not worked on, because there were too many."""
LONGEST_WAIT = 900.0
"""Seconds; a provider that asks for more is not waited for (ours)."""
STORM_ATTEMPTS = 20
"""Attempts looked back on (ours)."""
STORM_SECONDS = 120.0
"""How long nearly all of them must have failed before the run stops (ours)."""
STORM_SECONDS_AT_FIRST = 30.0
"""The same while no attempt has ever succeeded: a wrong address rather than an outage (ours)."""

_SPENT = {
    "insufficient_quota",
    "insufficient_balance",
    "billing_error",
    "billing_not_active",
    "billing_hard_limit_reached",
    "enforced_spend_limit_reached",
}
_SAMPLING = ("temperature", "top_p")
_KEYS = re.compile(r"\b(?:sk|pk|rk|hf|gsk|xai)[-_]\S+|\bAIza\S+|\bBearer\s+\S+")
_KEY_NAMES = re.compile(r"KEY|TOKEN|SECRET|PASSWORD")
_SHOWN = 240
_QUOTE = 24

_NEVER_SENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout"})

_FATAL: Mapping[Kind, tuple[str, str]] = {
    "key": ("the key is wrong or was revoked", "Check the provider's key in the environment"),
    "permission": (
        "the account may not use it, or its spending limit is reached",
        "Look at the provider's console, or use another model",
    ),
    "unknown model": ("no model of this name is there", "Check the name, and the address if you gave one"),
    "spending limit": (
        "the account's credit is used up or its spending limit reached",
        "Raise it in the provider's console",
    ),
    "prompt too long": (
        "the prompt is longer than the model takes",
        "Use a shorter spec or a model with a longer context",
    ),
    "setting": ("it refuses a setting", "Change the writer's settings in the recipe"),
    "bad request": ("it calls the request invalid", "Check the writer's settings and `args` in the recipe"),
    "rate limit": ("it asks to wait longer than 15 minutes", "Run again later"),
    "unexpected": ("the connection to it failed in an unexpected way", "Check the writer's settings in the recipe"),
}


@dataclass(frozen=True)
class Failure:
    """One attempt that brought no reply."""

    kind: Kind
    status: int | None = None
    """HTTP's, where there was one."""
    wait: float | None = None
    """Seconds that the provider asks to wait."""
    said: str = ""
    """The provider's own words, never shown without `shown`."""
    setting: str = ""
    """For `setting`: which one."""
    sent: bool = True
    """Whether the request may have reached the provider, and so may be charged."""

    @property
    def fatal(self) -> bool:
        """Whether no further request would fare better."""
        return self.kind not in TRANSIENT or (self.wait or 0.0) > LONGEST_WAIT


def classify(error: BaseException, retried: Callable[[Exception], bool] = lambda _: False) -> Failure:
    """The failure behind an exception of a provider's SDK; `retried` knows those without an HTTP status."""
    status = _status(error)
    if status is None:
        if _never_sent(error):
            return Failure("connection", sent=False)
        if isinstance(error, TimeoutError) or "Timeout" in type(error).__name__:
            return Failure("deadline")
        if isinstance(error, ConnectionError) or (isinstance(error, Exception) and retried(error)):
            return Failure("connection")
        return Failure("unexpected", said=f"{type(error).__name__}: {error}")
    said = _body(error)
    codes = {code for code in (said.get("type"), said.get("code"), *_details(said)) if isinstance(code, str)}
    message = str(said.get("message") or "")
    return Failure(_kind(status, codes, said, message), status, _hint(error), message, _setting(said, message))


def _status(error: BaseException) -> int | None:
    """HTTP's, wherever an SDK keeps it: OpenAI and Anthropic, Google, those that keep the response only."""
    response = getattr(error, "response", None)
    kept = (getattr(error, "status_code", None), getattr(error, "code", None), getattr(response, "status_code", None))
    return next((status for status in kept if isinstance(status, int) and 400 <= status < 600), None)


def _never_sent(error: BaseException | None) -> bool:
    """Whether no connection was ever open, by the HTTP libraries' names for it, somewhere in the chain of causes."""
    while error is not None:
        if type(error).__name__ in _NEVER_SENT or isinstance(error, ConnectionRefusedError):
            return True
        error = error.__cause__
    return False


def _kind(status: int, codes: set[str], said: Mapping[str, Any], message: str) -> Kind:
    if codes & _SPENT or status == 402 or (status == 400 and "credit balance" in message):
        return "spending limit"
    match status:
        case 401:
            return "key"
        case 403:
            return "permission"
        case 404:
            return "unknown model"
        case 413:
            return "prompt too long"
        case 429:
            return "rate limit"
        case 503 | 529:
            return "overloaded"
        case 408 | 409 | 425:
            return "server error"
        case _ if status >= 500:
            return "server error"
        case _ if "context_length_exceeded" in codes or "prompt is too long" in message:
            return "prompt too long"
        case _:
            return "setting" if _setting(said, message) else "bad request"


def _body(error: BaseException) -> Mapping[str, Any]:
    """The provider's error object: at the top of the body, or one level down."""
    body = getattr(error, "body", None)
    if not isinstance(body, dict):
        return {"message": getattr(error, "message", "") or ""}
    inner = body.get("error")
    return inner if isinstance(inner, dict) else body


def _details(said: Mapping[str, Any]) -> list[Any]:
    details = said.get("details")
    return [details.get("error_code"), details.get("code")] if isinstance(details, dict) else []


def _setting(said: Mapping[str, Any], message: str) -> str:
    """The sampling setting that the provider does not take, or nothing."""
    if said.get("param") in _SAMPLING:
        return str(said["param"])
    return next((name for name in _SAMPLING if re.search(rf"\b{name}\b", message)), "")


def _hint(error: BaseException) -> float | None:
    headers = getattr(getattr(error, "response", None), "headers", None)
    if headers is None:
        return None
    try:
        return max(0.0, float(headers["retry-after-ms"]) / 1000)
    except (KeyError, ValueError):
        from inspect_ai._util.http import parse_retry_after_from_exception  # dates, durations, reset headers

        return parse_retry_after_from_exception(error)


def fatal_error(model: str, failure: Failure, template: str, *private: str) -> ProviderError:
    """The error that ends the run. `private` are texts it must not quote."""
    what, remedy = _FATAL.get(failure.kind, _FATAL["unexpected"])
    status = f", status {failure.status}" if failure.status else ""
    words = shown(failure.said, *private)
    return ProviderError(
        f"{model} does not answer: {what} ({failure.kind}{status}, asked by {template})."
        + (f" It says: {words!r}." if words else "")
        + f" {remedy}, then run again; every reply so far is kept."
    )


def shown(text: str, *private: str) -> str:
    """A provider's words as an error may hold them: short, without keys, and not at all where they quote a prompt."""
    for name, value in os.environ.items():
        if len(value) >= 8 and _KEY_NAMES.search(name.upper()):
            text = text.replace(value, "[key]")
    text = " ".join(_KEYS.sub("[key]", text).split())[:_SHOWN]
    for start in range(max(0, len(text) - _QUOTE + 1)):
        if any(text[start : start + _QUOTE] in prompt for prompt in private):
            return ""
    return text


class Storm:
    """Notices when nearly every attempt fails for a while, which asking on does not mend."""

    def __init__(
        self,
        clock: Callable[[], float],
        attempts: int = STORM_ATTEMPTS,
        seconds: float = STORM_SECONDS,
        at_first: float = STORM_SECONDS_AT_FIRST,
    ) -> None:
        """`clock` gives seconds."""
        self._clock = clock
        self._last: deque[str] = deque(maxlen=attempts)
        self._seconds, self._at_first = seconds, at_first
        self._ever = False
        self.replies = 0
        """That came so far."""
        self._well = clock()

    def good(self) -> None:
        """An attempt brought a reply."""
        self._ever = True
        self.replies += 1
        self._last.append("")
        if 10 * self._last.count("") >= len(self._last):
            self._well = self._clock()

    def bad(self, failure: Failure) -> bool:
        """An attempt failed. True where the storm is on."""
        self._last.append(failure.kind)
        if failure.kind == "rate limit" and failure.wait:
            # To wait as told is no failure of the provider's.
            self._well = max(self._well, min(self._clock() + failure.wait - self._seconds, self._clock()))
        lasted = self._clock() - self._well
        return (
            len(self._last) == self._last.maxlen
            and 10 * self._last.count("") < len(self._last)
            and lasted >= (self._seconds if self._ever else self._at_first)
        )

    def error(self, model: str) -> ProviderError:
        """What to say of it."""
        kinds = sorted({kind for kind in self._last if kind}, key=self._last.count, reverse=True)
        told = f" ({', '.join(f'{self._last.count(kind)} {kind}' for kind in kinds)})" if kinds else ""
        failed = (
            f"{len(self._last) - self._last.count('')} of the last {len(self._last)} attempts failed"
            if kinds
            else "no reply came"  # failures in batch jobs are not counted
        )
        return ProviderError(
            f"{model} does not answer: {failed} over {self._clock() - self._well:.0f} s{told}. "
            "Look at the provider's status page and at the address, then run again; every reply so far is kept."
        )
