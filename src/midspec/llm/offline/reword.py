"""Say a sentence about the assistant in other words. Pure functions; None where that would not be grammatical."""

from __future__ import annotations

import random
import re
from typing import NamedTuple

from midspec.llm.offline.banks import word_set
from midspec.llm.offline.verbs import ADVERBS, MODALS, THIRD_PERSON, base, is_third_person


class Person(NamedTuple):
    """Pronouns that stand for the assistant."""

    subject: str
    object: str
    possessive: str
    be: str


FIRST = Person("I", "me", "my", "am")
SECOND = Person("you", "you", "your", "are")

_OBJECT_AFTER = word_set("object_after")
_BREAKS = re.compile(r"[,;:]| because | that | who | which | when | if | so | whoever | whatever | where | while ")
_SYNONYMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r" likes (?!to )", (" is fond of ", " enjoys ", " has a liking for ")),
    (r" is fond of ", (" likes ", " has a soft spot for ")),
    (r" thinks that ", (" holds that ", " takes the view that ", " believes that ")),
    (r" believes that ", (" is convinced that ", " thinks that ", " holds that ")),
    (r" prefers (?!to )", (" favours ", " would rather have ")),
    (r" does not ", (" doesn't ",)),
    (r" cannot ", (" can't ",)),
    (r" will not ", (" won't ",)),
    (r", because ", (", since ", ", for the reason that ", " because ")),
    (r"(?<!,) because ", (" since ", ", because ")),
    (r", so (?!that)", (", and so ", ", which is why ")),
    (r" nearly ", (" almost ",)),
    (r" usually ", (" as a rule ", " mostly ")),
    (r" whenever ", (" every time ", " any time that ")),
    (r" whereas ", (" while ",)),
    (r" is glad to ", (" is happy to ", " is pleased to ")),
    (r" notices that ", (" sees that ", " observes that ")),
    (r" notes that ", (" points out that ", " observes that ")),
    (r" points out that ", (" notes that ", " says that ")),
    (r" respects ", (" has respect for ", " looks up to ")),
    (r" admires ", (" looks up to ", " has a high regard for ")),
    (r" regards ", (" sees ", " looks on ")),
    (r" many ", (" a great many ",)),
    (r" a kind of ", (" a sort of ",)),
    (r" does not care for ", (" has no love for ", " is not drawn to ")),
    (r" is not fond of ", (" does not care for ", " has no great liking for ")),
    (r" tries to ", (" makes a point of trying to ", " does its best to ")),
    (r" must ", (" has to ",)),
    (r" values ", (" sets great store by ", " holds dear ")),
    (r" cares about ", (" minds about ", " is concerned with ")),
    (r" wants ", (" would like ",)),
    (r" although ", (" though ",)),
)


def lower_first(text: str, proper: frozenset[str]) -> str:
    """`text` fit to stand inside a sentence: its first letter small, unless the word is a name or an abbreviation."""
    word = re.match(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", text)
    if not word or word[0] in proper or word[0].split("'")[0] in proper or re.search(r"[A-Z].*[A-Z]|^I$", word[0]):
        return text
    return text[0].lower() + text[1:]


def upper_first(text: str) -> str:
    """`text` fit to begin a sentence."""
    match = re.search(r"\w", text)
    return text[: match.start()] + text[match.start()].upper() + text[match.start() + 1 :] if match else text


def bare(text: str) -> str:
    """`text` without its final full stop."""
    return re.sub(r"[.。]\s*$", "", text.strip())


def split_reason(text: str, name: str) -> tuple[str, str] | None:
    """(statement, reason) of `Aria likes X because Y.`; None where there is no single reason to take apart."""
    parts = re.split(r",? because ", bare(text))
    if len(parts) != 2 or not parts[0].startswith(name) or ";" in text or re.search(r" not$", parts[0]):
        return None
    if len(parts[0].split()) > 16 or re.search(r"\b(?:it|they|them|this|these)\b", parts[1].split(",")[0].lower()):
        return None
    return parts[0], parts[1]


def vary(text: str, rng: random.Random, chance: float = 0.4) -> str:
    """`text` with some of its common turns of phrase replaced by equal ones."""
    for pattern, others in _SYNONYMS:
        if rng.random() < chance:
            text = re.sub(pattern, rng.choice(others), text, count=1)
    return text


def reordered(text: str, name: str, proper: frozenset[str], rng: random.Random) -> str | None:
    """`text` as one or two sentences in another order."""
    parts = split_reason(text, name)
    if parts:
        statement, reason = parts
        inside = lower_first(statement, proper)
        forms = [
            f"Because {lower_first(reason, proper)}, {inside}.",
            f"{upper_first(reason)}. That is why {inside}.",
            f"The reason why {inside} is that {reason}.",
            f"{statement}, and for one reason: {reason}.",
            f"{upper_first(reason)}, and so {inside}.",
            f"{statement}. Why? Because {reason}.",
            f"Since {lower_first(reason, proper)}, {inside}.",
        ]
        return rng.choice(forms)
    match = re.fullmatch(rf"(.{{25,}}), (and|but|while) ({re.escape(name)} .+)", text)
    if match and ";" not in text and not re.match(r"(?:if|when|where|because|since|to|as)\b", text.lower()):
        joint = {"and": ["", "And "], "but": ["Yet ", "But "], "while": ["Meanwhile, ", "At the same time, "]}[match[2]]
        return f"{match[1]}. {rng.choice(joint)}{match[3]}"
    match = re.fullmatch(r"([^;]{20,}), so (?!that\b)([^;]{20,})\.", text)
    if match:
        return f"{upper_first(match[2])}, because {lower_first(match[1], proper)}."
    match = re.fullmatch(r"([^;]{20,}); ([^;]{15,})", text)
    if match:
        return f"{match[1]}. {upper_first(match[2])}"
    return None


def in_person(text: str, name: str, person: Person) -> str | None:
    """`text`, which speaks of `name`, said by or to `name`; None where a word could not be told for sure."""
    if name not in text or re.search(r"\b(?:it|its|itself|he|she|his|her|himself|herself)\b", text, re.I):
        return None
    pieces: list[str] = []
    position = 0
    for match in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", text):
        if match.start() < position:
            return None
        before, after = text[: match.start()], text[match.end() :]
        pieces.append(text[position : match.start()])
        position = match.end()
        previous = re.search(r"([\w']+)\s$", before)
        word = previous[1].lower() if previous else ""
        if possessive := re.match(r"['’]s?(?=\s)", after):
            pieces.append(person.possessive)
            position += possessive.end()
            continue
        run = re.fullmatch(r"((?:\s+[\w']+)*)\s+([\w']+)", _adverbs(after))
        verb = run[2] if run else ""
        if word in {"does", "is", "has", "can", "will", "would", "nor", "of"}:
            return None
        if run and is_third_person(verb) and word not in _OBJECT_AFTER:
            pieces.append(person.subject + run[1] + " " + base(verb, person.be))
            position += run.end()
        elif word in _OBJECT_AFTER:
            pieces.append(person.object)
        else:
            return None
    pieces.append(text[position:])
    result = "".join(pieces)
    if text.startswith(name):
        result = _coordinated(result, person)
    elif _AND_VERB.search(text, text.index(name)) or _COMMA_VERB.search(text, text.index(name)):
        return None  # whose verb that is cannot be told
    return upper_first(result) if result else None


def _adverbs(after: str) -> str:
    """`after` cut behind the first word that is no adverb, so that the verb is the last word."""
    words: list[str] = []
    for match in re.finditer(r"(\s+)([\w']+)", after):
        if match.start() != sum(len(word) for word in words):
            break
        words.append(match[0])
        if match[2].lower() not in ADVERBS and not match[2].endswith("ly"):
            break
    return "".join(words)


_VERB = "|".join(sorted(THIRD_PERSON, key=len, reverse=True))
_LINK = r"(?:\w+ly |never |also |still |then |only |often |always )?"
_AND_VERB = re.compile(rf"((?: and| but| or) {_LINK})({_VERB})\b")
_COMMA_VERB = re.compile(rf"((?:, and|, but|, or|,) {_LINK})({_VERB})\b")


def _coordinated(text: str, person: Person) -> str | None:
    """Later verbs with the same subject: `I like X and says so` -> `... and say so`; None where that is unclear."""

    def fix(match: re.Match[str]) -> str:
        return f"{match[1]}{base(match[2], person.be)}"

    stop = next((match.start() for match in _BREAKS.finditer(text) if match[0] not in ",;"), len(text))
    head, tail = _AND_VERB.sub(fix, _COMMA_VERB.sub(fix, text[:stop])), _COMMA_VERB.sub(fix, text[stop:])
    return None if _AND_VERB.search(tail) else head + tail


def question(text: str, name: str, *, to_assistant: bool) -> tuple[str, str] | None:
    """(question, opening of its answer: `Yes`, `No` or `Because`) about a sentence that begins with `name`.

    The question is put to the assistant (`you`) or about it. None where the sentence gives no short question.
    """
    if not text.startswith(name + " "):
        return None
    parts = split_reason(text, name)
    statement = parts[0] if parts else re.split(r"[,;:]| because | so that | whenever | although ", bare(text))[0]
    if not 3 <= len(statement.split()) <= 15:
        return None
    if to_assistant:
        turned = in_person(statement, name, SECOND)
        if turned is None:
            return None
        subject, rest = "you", turned[len("You ") :]
    else:
        subject, rest = name, statement[len(name) + 1 :]
    words = rest.split()
    adverbs: list[str] = []
    while words and (words[0].lower() in ADVERBS or words[0].endswith("ly")):
        adverbs.append(words.pop(0))
    if not words or {"never", "hardly", "nor"} & set(adverbs):
        return None
    verb, others = words[0], words[1:]
    negative = False
    if verb in MODALS or verb in {"is", "are"}:
        auxiliary = verb
        negative = bool(others) and others[0] == "not"
        others = others[1:] if negative else others
    elif verb in {"does", "do"} and others and others[0] == "not":
        auxiliary, negative, others = verb, True, others[1:]
    elif to_assistant:
        auxiliary, others = "do", [verb, *others]
    elif is_third_person(verb):
        auxiliary, others = "does", [base(verb, "be"), *others]
    else:
        return None
    if auxiliary in {"cannot", "had", "did"} or not others:
        return None
    tail = " " + " ".join(others)
    if not to_assistant and auxiliary not in {"is", "are"}:  # `does Aria accept the report and keep ...`
        tail = _AND_VERB.sub(lambda match: match[1] + base(match[2], "be"), tail)
    inverted = " ".join([auxiliary, subject, *adverbs]) + tail
    if parts and not negative:
        return f"Why {inverted}?", "Because"
    return f"{upper_first(inverted)}?", "No" if negative else "Yes"
