"""What can go wrong with a request, each kind with its own probability, each fixed by seed, request and occurrence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.provider.request import CHARACTERS_PER_TOKEN, chance, tokens

HTTP_FAULTS = ("rate_limit", "overloaded", "server_error")
"""No reply, an error status at once: 429 with a hint, 529 (OpenAI: 503), 500."""
TRANSPORT_FAULTS = ("hang", "cut", "cut_silent", "stream_error", "slow_start")
"""hang: never a byte. cut: the connection breaks in the middle of the body. cut_silent: a stream ends in the middle as
if all were well (on a plain request: cut). stream_error: an error event in the middle of a stream (on a plain request:
overloaded). slow_start: `slow_start_seconds` before the first byte, then a good reply."""
REPLY_FAULTS = (
    "max_tokens",
    "refusal",
    "refusal_text",
    "garbage",
    "missing_tag",
    "duplicate_tag",
    "scratchpad_leak",
    "wrong_verdict",
    "empty",
)
"""A reply with status 200 that must not be used. refusal: the provider's stop reason; refusal_text: the model declines
in words and stops as usual. A kind that finds nothing to spoil (no tag, no verdict) leaves the reply good and unmarked.
"""
BATCH_FAULTS = ("batch_error", "batch_cut")
"""Of the endpoints of batch mode, per call: status 500; a results file cut in the middle."""
KINDS = HTTP_FAULTS + TRANSPORT_FAULTS + REPLY_FAULTS

DECLINES = (
    "I'm sorry, but I can't help with that request.",
    "I can't write this document.",
    "I'm not able to help with this. If there's something else you'd like to work on, I'm happy to.",
    "I need to decline this request, because it asks for text that would be used to train another model.",
    "I apologize, but I won't be producing this content.",
    "As an AI language model, I cannot fulfil this request.",
)
_TAG = re.compile(r"<([A-Za-z_][\w-]*)>(?:(?!<\1>).)*?</\1>", re.DOTALL)
_VERDICTS = {
    "yes": "yesterday",
    "no": "note",
    "include": "NOT INCLUDE",
    "exclude": "INCLUDE or EXCLUDE",
    "pass": "passable",
    "fail": "FAIL/PASS",
    "true": "truish",
    "false": "false, or rather true",
    "keep": "keep or drop",
    "drop": "do not drop",
    "accept": "unacceptable",
    "reject": "not rejected",
}
_VERDICT = re.compile(
    r"(?:^|>|\"|:)\s*(" + "|".join(_VERDICTS) + r")\s*(?=$|<|\"|[},\]])", re.IGNORECASE | re.MULTILINE
)
"""Fills its line, its tag or its JSON value."""
_SHORT = 300


@dataclass(frozen=True, kw_only=True)
class Faults:
    """Probabilities by kind, at most 1 together."""

    probabilities: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    hint_seconds: float = 0.05
    """What a `rate_limit` fault tells the client to wait."""
    slow_start_seconds: float = 30.0

    def __post_init__(self) -> None:
        unknown = set(self.probabilities) - set(KINDS) - set(BATCH_FAULTS)
        if unknown:
            raise ValueError(f"unknown faults {sorted(unknown)}; known: {', '.join(KINDS + BATCH_FAULTS)}")
        total = sum(self.probabilities.get(kind, 0) for kind in KINDS)
        if min(self.probabilities.values(), default=0) < 0 or total > 1 + 1e-9:
            raise ValueError(f"fault probabilities must be at least 0 and at most 1 together, not {total}")

    @classmethod
    def mixed(cls, share: float, kinds: tuple[str, ...] = KINDS, **settings: float) -> Faults:
        """`share` of all requests go wrong, every kind as often."""
        seed = int(settings.pop("seed", 0))
        return cls(probabilities={kind: share / len(kinds) for kind in kinds}, seed=seed, **settings)

    def draw(self, key: str, occurrence: int) -> str | None:
        """The fault of the request with hash `key`, or None."""
        if not self.probabilities:
            return None
        left = chance(self.seed, "fault", key, occurrence)
        for kind in KINDS:
            left -= self.probabilities.get(kind, 0.0)
            if left < 0:
                return kind
        return None

    def draw_batch(self, kind: str, key: str, occurrence: int) -> bool:
        """Whether this call to an endpoint of batch mode fails with `kind`."""
        return chance(self.seed, kind, key, occurrence) < self.probabilities.get(kind, 0.0)


def spoil(kind: str, text: str, roll: float) -> str:
    """The reply `text` with the fault `kind` in it, or `text` itself if there is nothing to spoil. `roll` in [0, 1)."""
    return _SPOILERS[kind](text, roll)


def _max_tokens(text: str, roll: float) -> str:
    keep = max(1, int(tokens(text) * (0.2 + 0.7 * roll)))
    return text[: keep * CHARACTERS_PER_TOKEN] if keep < tokens(text) else text[: max(1, len(text) // 2)]


def _refusal(text: str, roll: float) -> str:
    return "" if roll < 0.5 else text[: len(text) // 5]


def _refusal_text(text: str, roll: float) -> str:
    """Alone, or in the very form asked for: inside the last tag."""
    decline = DECLINES[int(roll * 997) % len(DECLINES)]
    tag = _last_tag(text)
    return decline if roll < 0.5 or tag is None else f"<{tag[1]}>\n{decline}\n</{tag[1]}>"


def _answer(text: str) -> tuple[int, int]:
    """Where the answer proper stands: inside the last tag, or all of the text."""
    tag = _last_tag(text)
    return (0, len(text)) if tag is None else (tag.start() + len(tag[1]) + 2, tag.end() - len(tag[1]) - 3)


def _garbage(text: str, roll: float) -> str:
    """Broken JSON: cut short, a trailing comma, or prose where the value should be. An answer that is no JSON stays."""
    start, end = _answer(text)
    value = text[start:end].strip()
    if value[:1] not in ("{", "["):
        return text
    broken = (value[:-1], value[:-1] + ",,}", "Here is the JSON you asked for, with a few notes.")
    return f"{text[:start]}\n{broken[int(roll * 3)]}\n{text[end:]}"


def _last_tag(text: str) -> re.Match[str] | None:
    found = list(_TAG.finditer(text))
    return found[-1] if found else None


def _missing_tag(text: str, roll: float) -> str:
    tag = _last_tag(text)
    if tag is None:
        return text
    close = f"</{tag[1]}>"
    return text[: tag.end() - len(close)] + text[tag.end() :]


def _duplicate_tag(text: str, roll: float) -> str:
    tag = _last_tag(text)
    return text if tag is None else f"{text}\n{tag[0]}"


def _scratchpad_leak(text: str, roll: float) -> str:
    """A scratchpad inside the answer's tag, closed or not; without tags, in front of the text."""
    plan = "<scratchpad>\nPlan: open with a scene, then the value and its reason.\n"
    plan += "</scratchpad>\n" if roll < 0.5 else ""
    tag = _last_tag(text)
    if tag is None or tag[1] == "scratchpad":
        return plan + text
    inside = tag.start() + len(tag[1]) + 2
    return f"{text[:inside]}\n{plan}{text[inside:]}"


def _wrong_verdict(text: str, roll: float) -> str:
    """The last verdict word becomes another that only looks like one. Prose holds none, but for a last line."""
    start, end = _answer(text)
    if end - start > _SHORT and text[start:end].strip()[:1] not in ("{", "["):
        if end < len(text):
            return text
        start = text.rstrip().rfind("\n") + 1
    found = list(_VERDICT.finditer(text[start:end]))
    if not found:
        return text
    last = found[-1]
    return text[: start + last.start(1)] + _VERDICTS[last[1].lower()] + text[start + last.end(1) :]


_SPOILERS = {
    "max_tokens": _max_tokens,
    "refusal": _refusal,
    "refusal_text": _refusal_text,
    "garbage": _garbage,
    "missing_tag": _missing_tag,
    "duplicate_tag": _duplicate_tag,
    "scratchpad_leak": _scratchpad_leak,
    "wrong_verdict": _wrong_verdict,
    "empty": lambda text, roll: "",
}
