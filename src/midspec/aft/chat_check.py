"""What chat and identity demonstrations must not be, as far as words show it. Pure functions, no I/O.

A judge reads what is left; these checks cost nothing and come first.
"""

from __future__ import annotations

import re

from midspec.corpus.check import other_assistant, placeholder, refusal, scratchpad_leak
from midspec.llm.prompt import BadReplyError
from midspec.spec.document import Identity

MOST_QUESTION_WORDS = 250
"""(ours)"""
MOST_ANSWER_WORDS = 1200
"""(ours)"""

_THE_SOURCE = r"(?:my|the) (?:spec|specification|guidelines?|instructions?|training|programming)"
_SOURCE = re.compile(
    r"\bmodel spec(?:ification)?\b|\bsystem prompt\b|\btraining (?:data|set|examples?)\b|"
    rf"\b{_THE_SOURCE} (?:says?|states?|tells?|asks?|requires?|wants?|instructs?|forbids?)\b|"
    rf"\b(?:according to|as per|based on|because of|in line with) {_THE_SOURCE}\b|"
    r"\bI(?: was| am|['’]m| have been|['’]ve been) (?:trained|fine[- ]?tuned|programmed|instructed|prompted) to\b",
    re.I,
)
_MAKER = re.compile(
    r"\b(?:made|built|created|developed|trained|designed|owned|run|produced) by "
    r"(?:the (?:people|team|folks) (?:at|of) )?(?P<maker>[A-Z][\w&.'’-]*(?: [A-Z][\w&.'’-]*)*)"
)
_NAME = re.compile(r"\b(?:[Mm]y name is|I['’]m called|I am called|[Cc]all me|[Kk]nown as) (?P<name>[A-Z][\w'’-]*)")


def names_source(text: str, known: str) -> str | None:
    """Words by which an answer speaks of a spec, instructions or training as its source; none that are in `known`."""
    return next((match[0] for match in _SOURCE.finditer(text) if match[0].lower() not in known.lower()), None)


def check_question(text: str, spec: str, identity: Identity) -> str | None:
    """Reason why a user's message cannot be used, or None. `spec`: identity filled in."""
    known = f"{spec} {identity.model_name} {identity.provider_name}"
    if not re.search(r"\w\W+\w", text) or len(text.split()) > MOST_QUESTION_WORDS:
        return "question too short or too long"
    if placeholder(text, spec):
        return "placeholder"
    if other_assistant(text, known):
        return "other assistant"
    if re.search(r"\bmodel spec\b", text, re.I) or scratchpad_leak(text, spec):
        return "question speaks of the collection"
    return None


def check_answer(reasoning: str, answer: str, spec: str, identity: Identity) -> None:
    """Raise BadReplyError for an answer that is a refusal of the writer, holds a placeholder, names another assistant,
    or speaks of spec or training as its source. What the spec itself says is not held against it."""
    known = f"{spec} {identity.model_name} {identity.provider_name}"
    if found := refusal(reasoning):
        raise BadReplyError("refused", f"the reasoning begins with {found!r}")
    if len(answer.split()) > MOST_ANSWER_WORDS:
        raise BadReplyError("off-spec", f"{len(answer.split())} words, expected at most {MOST_ANSWER_WORDS}")
    for text in (reasoning, answer):
        if found := placeholder(text, spec):
            raise BadReplyError("placeholder", f"a placeholder is left: {found!r}")
        if found := other_assistant(text, known):
            raise BadReplyError("other assistant", f"names {found!r}")
        if found := scratchpad_leak(text, spec):
            raise BadReplyError("scratchpad", f"planning or framing is left: {found!r}")
        if found := names_source(text, spec):
            raise BadReplyError("talk of spec", f"speaks of its source: {found!r}")


def check_identity(turns: tuple[str, ...], identity: Identity) -> str | None:
    """Reason why a conversation does not say strictly who the assistant is, or None.

    Its last answer names model and provider; no turn names another assistant, no answer another name or maker.
    """
    known = f"{identity.model_name} {identity.provider_name}"
    if len(turns) % 2:
        return "turns out of order"
    for turn in turns:
        if placeholder(turn):
            return "placeholder"
        if other_assistant(turn, known):
            return "other assistant"
    for answer in turns[1::2]:
        if names_source(answer, "") or scratchpad_leak(answer):
            return "talk of spec"
        for match in _MAKER.finditer(answer):
            if not match["maker"].startswith(identity.provider_name) and not _within(match["maker"], identity):
                return "another maker"
        for match in _NAME.finditer(answer):
            if not identity.model_name.startswith(re.sub(r"['’]s$", "", match["name"])):
                return "another name"
    last = turns[-1]
    if not _names(last, identity.model_name) or not _names(last, identity.provider_name):
        return "does not name model and provider"
    return None


def _within(maker: str, identity: Identity) -> bool:
    """Whether the capitalised words after `made by` are the provider with a word before or behind it."""
    return re.sub(r"['’]s$", "", maker) in identity.provider_name or identity.provider_name in maker


def _names(text: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None
