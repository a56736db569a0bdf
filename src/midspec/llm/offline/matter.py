"""What a document is made from: sentences of the passage, of the rest of the spec, and the words that matter in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from midspec.llm.offline.sentences import Sentence, blocks, sentences

_STOP = frozenset(
    """a about above after again against all also although always am among an and another any anyone anything are as ask
    asks at be because been before being best better between both but by can cannot choice choices come comes could day
    days did do does done down each either else enough even ever every everybody everyone everything example far few
    first five for four from full get gets give gives given goes good great had half has have having held here how if in
    into is it its itself just keep keeps kind know large later least less let like likes little long look made make
    makes many may mean means might mind model models more most much must name names never new next no nobody none nor
    not nothing now of off often on once one ones only open opinion opinions or other others our out over own part people
    person persons place plain point put quite rather reason reasons same say says second section see sees seem sense set
    several she should side since six small so some somebody someone something sort spec specs still such take takes than
    that the their them then there these they thing things think thinks third this those though three through time times
    to together too toward two under until up us use used usually very view want wants was way ways we well were what
    whatever when where whether which while who whole whom whose why will with within without word words work would year
    years yes yet you your assistant assistants system systems user users value values""".split()
)
_BEFORE_NOUN = frozenset("the a an of about in for to with on toward by and from its his her their our every".split())


@dataclass(frozen=True)
class SpecMatter:
    """What is known about a whole spec."""

    value: str
    """The noun the spec turns on, as it stands inside a sentence; `this value` where none could be told."""
    keys: tuple[str, ...]
    """Nouns of the spec, most frequent first."""
    weighs_options: bool
    """Whether it speaks of preferring and choosing."""
    proper: frozenset[str]
    """Words that keep their capital inside a sentence."""
    context: tuple[Sentence, ...]
    """Plain sentences that speak of the value or of the assistant, from anywhere in the spec."""


@lru_cache(maxsize=8)
def spec_matter(spec: str, name: str, provider: str) -> SpecMatter:
    """Read a spec, identity filled in."""
    text = " \n".join(blocks(spec))
    proper = frozenset({word for part in (name, provider) for word in part.split()} | {"I"} | _proper_nouns(text))
    keys = _nouns(text, proper)
    value = _value(spec, keys, proper, {word.lower() for part in (name, provider) for word in part.split()})
    plain = [sentence for sentence in sentences(_aliased(spec, name)) if sentence.plain]
    fitting = [sentence for sentence in plain if 6 <= len(sentence.text.split()) <= 36]
    central = [
        sentence
        for sentence in fitting
        if name in sentence.text and re.search(rf"\b{re.escape(value)}\b", sentence.text, re.I)
    ]
    named = [sentence for sentence in fitting if sentence.text.startswith(name + " ")]
    weighs = len(re.findall(r"\b(?:prefer|favourite|favorite|choose|choice|likes)", spec)) >= 3
    context = central if len(central) >= 12 else (central + named if central + named else fitting)
    return SpecMatter(value, tuple(keys[:40]), weighs, proper, tuple(dict.fromkeys(context)))


@dataclass(frozen=True)
class Matter:
    """What one document is made from."""

    name: str
    provider: str
    topic: str
    """What the passage is about, for headings."""
    key: str
    """A noun of the passage."""
    passage: tuple[Sentence, ...]
    assertions: tuple[Sentence, ...]
    whole: SpecMatter


def matter(
    *, spec: str, passage: str, section: str, subdomain: str, assertions: Sequence[str], name: str, provider: str
) -> Matter:
    """Read what a document prompt was rendered with."""
    whole = spec_matter(spec, name, provider)
    own = sentences(_aliased(passage, name, spec)) or [Sentence(passage.strip() or subdomain, False)]
    stated = [sentence for text in assertions for sentence in sentences(text)[:1]]
    lower = passage.lower()
    inside = [key for key in whole.keys if re.search(rf"\b{re.escape(key.lower())}\b", lower)]
    title = section.split(" > ")[-1].strip()
    topic = title if title and not re.fullmatch(r"Paragraph \d+", title) and len(title.split()) <= 9 else subdomain
    return Matter(
        name=name,
        provider=provider,
        topic=topic,
        key=inside[0] if inside else whole.value,
        passage=tuple(dict.fromkeys(own)),
        assertions=tuple(dict.fromkeys(stated)),
        whole=whole,
    )


def key_of(text: str, whole: SpecMatter, topic: str) -> str:
    """The noun to ask about a sentence by: the value where it is named, else the most telling noun, else the topic."""
    lower = text.lower()
    for word in (whole.value, topic, *whole.keys):
        if re.search(rf"\b{re.escape(word.lower())}\b", lower):
            return word if word in whole.proper or word == whole.value else word[0].lower() + word[1:]
    return whole.value


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
    """Content words that stand where nouns stand, most frequent first."""
    tokens = re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|[.,;:!?]", text)
    seen: Counter[str] = Counter()
    noun: Counter[str] = Counter()
    for before, token, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        word = token if token in proper else token.lower()
        if len(word) < 4 or word.lower() in _STOP or word.endswith("ly") or re.search(r"['’]", word):
            continue
        seen[word] += 1
        ends = after in ".,;:!?" or after.lower() in {"of", "is", "and", "in", "that", "to", "has", "as", "or", "for"}
        if before.lower() in _BEFORE_NOUN and ends:
            noun[word] += 1
    return [word for word, count in noun.most_common() if count * 4 >= seen[word]]


def _value(spec: str, keys: list[str], proper: frozenset[str], identity: set[str]) -> str:
    """The noun of the title that the text keeps using, else its most frequent noun."""
    heading = next((line for line in spec.split("\n") if line.lstrip("\ufeff ").startswith("#")), "")
    for word in re.findall(r"[^\W\d_]{4,}", heading):
        form = word if word in proper else word.lower()
        used = len(re.findall(rf"\b{re.escape(form)}\b", spec))
        if form.lower() not in _STOP and form.lower() not in identity and used >= 3:
            return form
    return next((key for key in keys if key.lower() not in identity), "this value")
