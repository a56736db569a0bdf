"""What a document must not be, told before it enters a corpus. Pure functions, no I/O.

Each function says what is wrong with a text, or None. What the spec itself says is never held against a document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from functools import lru_cache
from typing import NamedTuple

from midspec.corpus.overlap import shingles, words_of
from midspec.llm.prompt import BadReplyError
from midspec.spec.document import Identity
from midspec.spec.lint import OTHER_ASSISTANTS

MIN_WORDS = 60
"""A shorter document is a fragment (ours)."""
RECITED_WORDS = 12
"""Consecutive words that nobody writes twice by chance (ours)."""
MAX_RECITED = 0.5
"""Largest share of a document's runs of RECITED_WORDS words that stand in the spec. (ours: 500 documents by a language
model have 0.00 throughout, the offline writer's up to 0.43)"""

_CANNOT = r"(?:can(?:no|['’])t|(?:am|['’]m) (?:un|not )able to|won['’]t be able to|must decline to)"
_DO = r"(?:help (?:you )?with|assist|comply|fulfil|provide|create|write|generate|produce|continue with|do th(?:is|at))"
_REFUSAL = re.compile(
    r"\W*(?:"
    rf"(?:(?:I['’]m|I am) (?:very |so |truly )?sorry|(?:I )?apologi[sz]e|Sorry),? but (?:as an?\b|I ?{_CANNOT})|"
    rf"(?:Unfortunately,? )?I ?{_CANNOT} {_DO}|"
    rf"As an? (?:AI|artificial intelligence|(?:large )?language model)\b[^.!?]{{0,60}}?\b{_CANNOT}|"
    r"I (?:must|have to) (?:respectfully )?decline\b"
    r")",
    re.I,
)
_SCRATCHPAD = re.compile(
    r"</?(?:scratchpad|think|thinking|plan|planning|reasoning|document|critique|json)>|"
    r"^\W{0,4}scratchpad\W{0,4}$|"
    r"\A\W*(?:Sure|Certainly|Of course|Okay)[,!.]? here(?: is|['’]s)|"
    r"\A\W*Here(?: is|['’]s) (?:the|a|my|your) (?:revised |rewritten |final |finished |requested |complete )*"
    r"(?:document|version|draft|rewrite)\b|"
    r"^\W{0,4}(?:end of (?:the )?document|word count: ?~?\d[\d,]*)\W{0,4}\Z",
    re.I | re.M,
)
_WHO = "model|assistant|provider|company|organi[sz]ation|author|recipient|sender|customer|user|team|full|first|last"
_PLACEHOLDER = re.compile(
    r"\{+\s*(?:model|provider|assistant|company)[ _]?name\s*\}+|\{\{[^{}\n]{1,60}\}\}|"
    rf"\[\s*(?:(?:{_WHO})(?:['’]s)? name|"
    r"(?:your|their|insert|add|fill in|enter|specify) [^\]\n]{1,60}|"
    r"name|date|address|email|phone number|insert|placeholder|city|location|signature|link|tbd)\s*\](?!\()|"
    r"\blorem ipsum\b",
    re.I,
)


LENGTHS = (0.5, 2.0)
"""Bounds of a document's words, as parts of the words asked for, where a number of words was asked for (ours)."""

STEM = 5
"""Letters from which a word to be avoided is one with any ending (ours)."""


class Fault(NamedTuple):
    """What is wrong with a text."""

    reason: str
    """As tallies count it, e.g. `placeholder`."""
    detail: str


def refusal(text: str) -> str | None:
    """The words by which a text begins that is a refusal and no document."""
    found = _REFUSAL.match(text[:300])
    return found[0].strip() if found else None


def scratchpad_leak(text: str, known: str = "") -> str | None:
    """A piece of the writer's planning, framing or talk about its task; what stands in `known` is none."""
    return next((match[0].strip() for match in _SCRATCHPAD.finditer(text) if match[0].strip() not in known), None)


def placeholder(text: str, known: str = "") -> str | None:
    """A name or date that was to be filled in and was not; what stands in `known` (the spec) is none."""
    return next((match[0] for match in _PLACEHOLDER.finditer(text) if match[0] not in known), None)


def other_assistant(text: str, known: str) -> str | None:
    """Another assistant or maker than those in `known` (the spec and the identity)."""
    known = known.lower()
    return next((match[0] for match in OTHER_ASSISTANTS.finditer(text) if match[0].lower() not in known), None)


def recited(text: str, spec: Set[int]) -> float:
    """Share of the runs of RECITED_WORDS words of `text` that are in `spec`, as `spec_runs` gives it."""
    own = shingles(text, RECITED_WORDS)
    return len(own & spec) / len(own) if own and len(words_of(text)) >= RECITED_WORDS else 0.0


@lru_cache(maxsize=8)
def spec_runs(spec_text: str) -> frozenset[int]:
    """Runs of RECITED_WORDS words of a spec, identity filled in."""
    return shingles(spec_text, RECITED_WORDS)


def faults(text: str, spec_text: str, identity: Identity | None) -> Iterator[Fault]:
    """All that is wrong with a document about `spec_text` (identity filled in), the plainest first.

    `identity` None: the text is about the world and no assistant need be in it.
    """
    if found := refusal(text):
        yield Fault("refusal", f"begins with {found!r}")
    if found := scratchpad_leak(text, spec_text):
        yield Fault("scratchpad", f"planning or framing is left: {found!r}")
    if found := placeholder(text, spec_text):
        yield Fault("placeholder", f"a placeholder is left: {found!r}")
    count = len(words_of(text))
    if count < MIN_WORDS:
        yield Fault("too short", f"{count} words, expected at least {MIN_WORDS}")
    names = f"{identity.model_name} {identity.provider_name}" if identity else ""
    if found := other_assistant(text, f"{spec_text} {names}"):
        yield Fault("other assistant", f"names {found!r}, another assistant or maker")
    if identity and identity.model_name.lower() not in text.lower():
        yield Fault("no identity", f"never names {identity.model_name!r}")
    share = recited(text, spec_runs(spec_text))
    if share > MAX_RECITED:
        yield Fault("recitation", f"{share:.0%} of it stands in the spec verbatim, expected at most {MAX_RECITED:.0%}")


def check_document(text: str, spec_text: str, identity: Identity | None) -> None:
    """Return for a usable document; raise BadReplyError with the reason of its first fault for any other."""
    for fault in faults(text, spec_text, identity):
        raise BadReplyError(*fault)


def check_control(text: str, words: int, avoid: Sequence[str]) -> None:
    """Return for a control document of about `words` words that holds nothing of `avoid`; raise BadReplyError with the
    reason for any other."""
    count = len(words_of(text))
    least, most = (round(part * words) for part in LENGTHS)
    if not least <= count <= most:
        raise BadReplyError("length", f"{count} words, expected about {words}")
    if found := held(text, avoid):
        raise BadReplyError("not neutral", f"says {found!r}, which stands for what the specs are about")


def held(text: str, words: Sequence[str]) -> str | None:
    """The first of `words` that stands in `text`; None where none does.

    A word in small letters counts in any case, and from STEM letters on with any ending: `price` for `Prices`. Others
    are names, which count as written and in capitals: herbs are no matter of an assistant called Sage.
    """
    if not words:
        return None
    found = _any_of(tuple(words)).search(text)
    return found[0] if found else None


@lru_cache(maxsize=8)
def _any_of(words: tuple[str, ...]) -> re.Pattern[str]:
    forms = (
        re.escape(word) + (r"\w{0,4}" if len(word) >= STEM else "")
        if word.islower()
        else f"(?-i:{re.escape(word)}|{re.escape(word.upper())})"
        for word in words
    )
    return re.compile(rf"(?<!\w)(?:{'|'.join(forms)})(?!\w)", re.I)
