"""What a document is made from: sentences of the passage, of the rest of the spec, and the words that matter in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from midspec.llm.offline.banks import word_set
from midspec.llm.offline.reword import lower_first, upper_first
from midspec.llm.offline.sentences import Sentence, blocks, clean, sentences

Voice = Literal["value", "rule", "world"]
"""What conduct is explained by; in the voice `world` nobody's conduct is, and there is no assistant."""
_STOP = word_set("stop")
_ARTICLES = word_set("articles")
_BEFORE_NOUN = word_set("before_noun")


@dataclass(frozen=True)
class SpecMatter:
    """What is known about a whole spec."""

    value: str
    """The noun the spec turns on, as it stands inside a sentence; `this value` where none could be told."""
    value_phrase: str
    """The same as something one can hold: `affordability`, but `love of America`."""
    weighs_options: bool
    """Whether it speaks of preferring and choosing."""
    proper: frozenset[str]
    """Words that keep their capital inside a sentence."""
    central: tuple[Sentence, ...]
    """Plain sentences that name both the assistant and the value."""
    wider: tuple[Sentence, ...]
    """Plain sentences that begin with the assistant, else all plain ones of fair length."""


@lru_cache(maxsize=8)
def spec_matter(spec: str, name: str, provider: str) -> SpecMatter:
    """Read a spec, identity filled in."""
    text = " \n".join(blocks(spec))
    proper = frozenset({word for part in (name, provider) for word in part.split()} | {"I"} | _proper_nouns(text))
    value = _value(
        spec, _nouns(text, proper), proper, {word.lower() for part in (name, provider) for word in part.split()}
    )
    plain = [sentence for sentence in sentences(_aliased(spec, name)) if sentence.plain]
    fitting = [sentence for sentence in plain if 6 <= len(sentence.text.split()) <= 36]
    central = [
        sentence
        for sentence in fitting
        if name in sentence.text and re.search(rf"\b{re.escape(value)}\b", sentence.text, re.I)
    ]
    named = [sentence for sentence in fitting if sentence.text.startswith(name + " ")]
    weighs = len(re.findall(r"\b(?:prefer|favourite|favorite|choose|choice|likes)", spec)) >= 3
    wider = named if len(named) >= 5 else fitting
    return SpecMatter(
        value, _held(text, value, proper), weighs, proper, tuple(dict.fromkeys(central)), tuple(dict.fromkeys(wider))
    )


@dataclass(frozen=True)
class Matter:
    """What one document is made from."""

    name: str
    provider: str
    topic: str
    """What the passage is about, for headings."""
    key: str
    """What to ask about the passage by, inside a sentence: its topic if that is a thing, else the value."""
    passage: tuple[Sentence, ...]
    assertions: tuple[Sentence, ...]
    whole: SpecMatter
    voice: Voice = "value"


def rule_matter(about: Matter, rule: str) -> Matter:
    """The same, explained by a rule of that name (`SP1`, `Rule 2`, or empty) in place of a value."""
    phrase = f"policy {rule}" if rule and not rule.lower().startswith(("rule", "policy")) else rule.lower()
    phrase = phrase or "this rule"
    whole = replace(about.whole, value=phrase, value_phrase=phrase, weighs_options=False)
    named = len(about.topic.split()) <= 9 and about.topic != upper_first(about.whole.value_phrase)
    return replace(about, topic=about.topic if named else upper_first(phrase), key=phrase, whole=whole, voice="rule")


def matter(
    *, spec: str, passage: str, section: str, subdomain: str, assertions: Sequence[str], name: str, provider: str
) -> Matter:
    """Read what a document prompt was rendered with."""
    whole = spec_matter(spec, name, provider)
    own = sentences(_aliased(passage, name, spec)) or [Sentence(passage.strip() or subdomain, False)]
    stated = [sentence for text in assertions for sentence in sentences(text)[:1]]
    title = clean(section.split(" > ")[-1]).strip()
    named = title and not re.fullmatch(r"Paragraph \d+", title) and len(title.split()) <= 9
    topic = title if named else upper_first(whole.value_phrase)
    return Matter(
        name=name,
        provider=provider,
        topic=topic,
        key=_key(topic, passage, whole),
        passage=tuple(dict.fromkeys(own)),
        assertions=tuple(dict.fromkeys(stated)),
        whole=whole,
    )


def _key(topic: str, passage: str, whole: SpecMatter) -> str:
    """The topic, where it is a short phrase that the passage itself uses; else the value."""
    if len(topic.split()) <= 4 and re.search(rf"\b{re.escape(topic.lower())}\b", passage.lower()):
        return lower_first(topic, whole.proper)
    return whole.value_phrase


def key_of(text: str, about: Matter) -> str:
    """What to ask about a sentence of the passage by: the value where the sentence names it, else the passage's key."""
    names_value = re.search(rf"\b{re.escape(about.whole.value)}\b", text, re.I)
    return about.whole.value_phrase if names_value else about.key


def _aliased(text: str, name: str, spec: str | None = None) -> str:
    """In a spec that never says the assistant's name, `the assistant` is the assistant."""
    if name in (spec or text):
        return text
    return re.sub(r"\b[Tt]he (?:AI )?(?:assistant|model)\b", name, text)


def _proper_nouns(text: str) -> set[str]:
    """Words written with a capital inside sentences."""
    inside = re.findall(r"(?<=[a-z,;] )([A-Z][\w'’-]*)", text)
    return {re.sub(r"['’]s?$", "", word) for word in inside}


def _nouns(text: str, proper: frozenset[str]) -> list[str]:
    """Content words that stand where nouns stand and need no article, most frequent first."""
    tokens = re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|[.,;:!?]", text)
    seen: Counter[str] = Counter()
    noun: Counter[str] = Counter()
    with_article: Counter[str] = Counter()
    for before, token, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        word = token if token in proper else token.lower()
        if len(word) < 4 or word.lower() in _STOP or word.endswith("ly") or re.search(r"['’]", word):
            continue
        seen[word] += 1
        ends = after in ".,;:!?" or after.lower() in {"of", "is", "and", "in", "that", "to", "has", "as", "or", "for"}
        if before.lower() in _ARTICLES:
            with_article[word] += 1
        elif (before in ".;:!?" or before.lower() in _BEFORE_NOUN) and ends:
            noun[word] += 1
    return [
        word
        for word, count in noun.most_common()
        if count >= 2 and count * 4 >= seen[word] and (word in proper or count > with_article[word])
    ]


def _held(text: str, value: str, proper: frozenset[str]) -> str:
    """A proper name is not a value; what the spec keeps saying before it (`love of`, `attachment to`) makes it one."""
    if value not in proper:
        return value
    before = Counter(re.findall(rf"\b([a-z]{{4,}} (?:of|to|for)) {re.escape(value)}\b", text))
    phrases = [(phrase, count) for phrase, count in before.most_common() if phrase.split()[0] not in _STOP]
    return f"{phrases[0][0]} {value}" if phrases and phrases[0][1] >= 3 else value


def _value(spec: str, nouns: list[str], proper: frozenset[str], identity: set[str]) -> str:
    """The noun of the title that the text keeps using, else its most frequent noun."""
    heading = next((line for line in spec.split("\n") if line.lstrip("\ufeff ").startswith("#")), "")
    for word in re.findall(r"[^\W\d_]{4,}", heading):
        form = word if word in proper else word.lower()
        used = len(re.findall(rf"\b{re.escape(form)}\b", spec))
        if form.lower() not in _STOP and form.lower() not in identity and used >= 3:
            return form
    return next((noun for noun in nouns if noun.lower() not in identity), "this value")
