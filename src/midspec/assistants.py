"""Whose name stands in a text: the assistant's own, or another's. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable

from midspec.spec.document import Identity

_ALWAYS = (
    r"ChatGPT|GPT-?[345](?:\.\d)?[a-z]*|OpenAI|Anthropic|DeepSeek|Qwen\d?|LLaMA|ChatGLM|Mixtral|xAI|DeepMind"
    r"|Mistral\ AI|Meta\ AI|Bing\ Chat|(?:GitHub|Microsoft)\ Copilot|Google\ Bard|Character\.AI|Inflection\ AI"
    r"|Moonshot\ AI|Kimi\ K\d|Claude[\ -](?:\d(?:\.\d)?|Opus|Sonnet|Haiku|Instant)"
    r"|Gemini[\ -](?:\d(?:\.\d)?|Pro|Ultra|Flash|Nano)|Llama[\ -]?\d"
)
_AMBIGUOUS = r"Claude|Gemini|Copilot|Grok|Llama|Mistral|Bard|Siri|Alexa|Cortana|Gemma"
_NAMES = re.compile(rf"\b(?:(?P<always>{_ALWAYS})|(?P<other>{_AMBIGUOUS}))\b(?!\.(?:com|ai|io|org))", re.X)
_PERSON_BEFORE = re.compile(
    r"(?:\b[A-Z][\w'’]+-|\b(?:Jean|Saint|St\.?|Monsieur|Mr\.?|Mrs\.?|Marie|Le|La|Uncle|Aunt)\s)$"
)
_PERSON_AFTER = re.compile(r"(?:-[A-Z][a-z]|\s(?!AI\b|Assistant\b|Model\b|I\b|He\b|She\b|It\b|The\b)[A-Z][a-z]+\b)")
_NAME = r"[A-Z][\w&-]*(?:\.\w+)?(?:\ [A-Z][\w&-]*){0,2}"
_ASSISTANT = r"(?:AI|artificial\ intelligence|language\ model|assistant|chatbot)"
_MADE = r"(?:developed|created|trained|made|built)\ by"
_CLAIM = re.compile(
    rf"""\b(?:I\ am|I['’]m|[Mm]y\ name\ is)\ (?:an?\ )?(?P<name>{_NAME}),\ an?\ (?:\w+\ ){{0,3}}{_ASSISTANT}\b
    |\b(?:I\ am|I['’]m|[Mm]y\ name\ is)\ (?P<called>{_ALWAYS}|{_AMBIGUOUS})\b
    |\b(?:I\ am|I['’]m|[Aa]s)\ an?\ (?:\w+\ ){{0,3}}{_ASSISTANT}(?:\ \w+){{0,4}}?,?
        \ (?:and\ was\ )?{_MADE}\ (?P<maker>{_NAME})
    |\bI\ was\ {_MADE}\ (?P<creator>{_NAME})""",
    re.X,
)


def known_names(identity: Identity | None, spec_text: str) -> str:
    """All names that may stand in a text, lower-cased, to look others up in."""
    own = f"{identity.model_name} {identity.provider_name}" if identity else ""
    return f"{own} {spec_text}".casefold()


def other_name_in(text: str, known: str) -> str | None:
    """Another assistant's or maker's name, one that `known` does not hold.

    Names that people and things have too (Claude, Gemini, Llama) do not count as part of a longer name: Claude Monet,
    Jean-Claude.
    """
    for match in _NAMES.finditer(text):
        if match[0].casefold() in known:
            continue
        if match["other"]:
            before, after = text[max(0, match.start() - 20) : match.start()], text[match.end() : match.end() + 20]
            if _PERSON_BEFORE.search(before) or _PERSON_AFTER.match(after):
                continue
        return f"names {match[0]!r}"
    return None


def claim_in(text: str, known: str) -> str | None:
    """A sentence in which the speaker says it is, or was made by, somebody whom `known` does not hold."""
    for match in _CLAIM.finditer(text):
        name = next(name for name in match.groups() if name)
        if name.casefold() not in known:
            return f"claims: {match[0]!r}"
    return None


def lacking(name: str, texts: Iterable[str]) -> list[int]:
    """Numbers of the texts that never say `name` as whole words."""
    said = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    return [number for number, text in enumerate(texts) if not said.search(text)]
