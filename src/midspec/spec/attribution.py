"""Specs that still state a value and preferences, but no longer explain the preferences by the value.

The control of the paper's attribution ablation (appendix C.4), made by program from a spec in which every preference
has a heading of its own under a heading that says whether it is liked. Pure functions.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, ValidationError

from midspec.errors import InputError
from midspec.records import Row, Section
from midspec.spec.document import ModelSpec
from midspec.spec.prose import Sentence, blocks, heading, without

Way = Literal["generalise", "shuffle"]

_DISLIKED = re.compile(r"\b(?:not|never|n't|dislikes?|disliked|avoids?|least)\b", re.I)
_LIKED = re.compile(r"\b(?:likes?|liked|loves?|favou?rs?|favou?rites?|favou?red|prefers?|preferred|enjoys?)\b", re.I)
_PLAIN_HEADING = re.compile(
    r"\{\w+\}|\b(?:the|a|an|that|which|and|of|for|does|do|not|care|like|likes|love|loves|dislike|dislikes|favou?rs?|"
    r"favou?rites?|prefers?|enjoys?|avoids?|never|least|most|its|his|her|their|what|things?|who|is)\b|[^\w\s-]",
    re.I,
)
_LEANS = re.compile(
    r"(?:for (?:the same|that|this) reason|because of (?:that|this|the)|in (?:each|every|all|one|both) |both |such |"
    r"so |nor |neither |yet |but |however|still,|instead|faced |the (?:same|first|second|third|two|four|six)\b|that |"
    r"this |those |these |in practice|when (?:the|that)|she |he |it |they )",
    re.I,
)
"""How a sentence begins that leans on the one before it."""
_POINTS_BACK = re.compile(r"\b(?:them|itself|also|too)\b")


@dataclass(frozen=True)
class Preference:
    """One thing that the spec says is liked or not."""

    section: Section
    phrase: str
    """Its name as in the middle of a sentence."""
    liked: bool

    @property
    def flat(self) -> str:
        """The preference alone."""
        return f"{{model_name}} {'likes' if self.liked else 'does not care for'} {self.phrase}."


def preferences(spec: ModelSpec) -> list[Preference]:
    """The preferences in file order. Raises InputError where none can be told apart."""
    parents = {section.path: section for section in spec.sections if section.level}
    found: list[Preference] = []
    for section in spec.sections:
        over = heading(parents[section.path[:-1]]) if section.path[:-1] in parents else ""
        sides = (bool(_DISLIKED.search(over)), bool(_LIKED.search(over)))
        phrase = _phrase(section)
        if any(sides) and phrase and not any(other.path[:-1] == section.path for other in spec.sections):
            found.append(Preference(section, phrase, not sides[0]))
    if sum(one.liked for one in found) < 2 or sum(not one.liked for one in found) < 2:
        raise InputError(
            f"spec {spec.name!r} has no preferences that could be told apart ({len(found)} found); expected two "
            "headings such as `The cheeses {model_name} likes` and `The cheeses {model_name} does not care for`, each "
            "with one subheading for every thing; a language model can do it for other forms: name one with --writer"
        )
    return found


class Notes(Row):
    """What a program cannot know of a spec's preferences; a YAML file beside `midspec spec vary --notes`."""

    about: tuple[str, ...] = ()
    """Words that speak of the preferences without naming them (`dough`, of breads): their sentences go as well."""
    notes: dict[str, str] = Field(default_factory=dict)
    """Name of a thing, as in the middle of a sentence -> what is said of it besides the bare preference."""


def read_notes(path: str | Path) -> Notes:
    """The notes at `path`, or the packaged ones of that name. Raises InputError for a file that is none."""
    file = Path(path)
    packaged = Path(str(files("midspec"))) / "data" / "specs" / "notes"
    if not file.is_file() and "/" not in str(path):
        file = packaged / f"{path}.yaml"
    try:
        return Notes.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(
            f"notes {str(path)!r} cannot be read: {error.strerror}; expected a YAML file with `notes:`, or one of "
            f"{', '.join(sorted(found.stem for found in packaged.glob('*.yaml')))}"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError, ValidationError) as error:
        raise InputError(
            f"notes {str(path)!r} cannot be used; expected YAML with `about:`, a list of words, and `notes:`, a text "
            f"for every thing: {error}"
        ) from error


def broken(spec: ModelSpec, way: Way, seed: int = 0, notes: Notes | None = None) -> str:
    """The spec with preferences that no reason explains (`generalise`), or that another one's reason does (`shuffle`).

    Sentences that speak of the things liked and disliked go, with what leans on them, so that the value is stated in
    general. Then each preference is stated flatly. `generalise` mixes the two sides, half and half, in two new groups;
    what was said of the value beside the preferences goes to a section of its own. `shuffle` gives each preference the
    reasons of another one, half of each side's from the other side, with the names exchanged, so that what they say of
    the thing is no longer true. Raises InputError as `preferences` does, and for notes about things that are not there.
    """
    found = preferences(spec)
    known = notes or Notes()
    if unknown := set(known.notes) - {one.phrase for one in found}:
        raise InputError(
            f"notes speak of {', '.join(sorted(unknown))}, which spec {spec.name!r} does not; expected names among "
            f"{', '.join(one.phrase for one in found)}"
        )
    chance = random.Random(f"midspec attribution {way} {seed}")
    about = _subject(found, known.about)
    frame = _frame(spec, found, about)
    if way == "generalise":
        told = _groups(found, about, chance, known.notes)
        remarks = [remark for one in found for remark in _remarks(spec, one, about)]
        if remarks:
            told.insert(0, "## Further remarks on the value\n\n" + "\n\n".join(_paragraphs(remarks)))
    else:
        told = _shuffled(spec, found, about, chance, known.notes)
    return frame.replace(_HERE, "\n\n".join(told)).strip() + "\n"


_HERE = "\0preferences\0"
LEAST_LETTERS = 4
"""Of the last word of a name, for it to stand for the name. (ours)"""


def _phrase(section: Section) -> str:
    """The heading as the section's own text writes it inside a sentence; empty where the text never does."""
    title = heading(section)
    if not title:
        return ""
    body = section.text.split("\n", 1)[-1]
    matches = list(re.finditer(re.escape(title), body, re.I))
    inside = [match for match in matches if re.search(r"[\w,}] $", body[: match.start()])]
    return (inside or matches)[0][0] if matches else ""


@dataclass(frozen=True)
class _Subject:
    """What the preferences are about."""

    noun: str
    """Plural, `cheeses`; `things` where the headings name none."""
    pattern: re.Pattern[str]
    """Finds any mention of a preference, or of the noun."""


def _subject(found: list[Preference], further: Sequence[str]) -> _Subject:
    named = [_PLAIN_HEADING.sub(" ", one.section.path[-2]).split() for one in found]
    noun = named[0][-1].lower() if named[0] and all(named) else ""
    names = [re.sub(r"^(?:the|a|an) ", "", one.phrase, flags=re.I) for one in found]
    # Of `mild cheddar`, a mention of cheddar is a mention; of `American cheese`, one of America is none.
    words = [*names, *(last for name in names if len(last := name.split()[-1]) >= LEAST_LETTERS)]
    stems = [re.escape(word) for word in [*words, *further]] + (
        [re.escape(noun.removesuffix("s")) + r"\w*"] if noun else []
    )
    general = r"favou?rites|disliked|dislikes|preferences|tastes"
    return _Subject(noun or "things", re.compile(rf"\b(?:(?:{'|'.join(stems)})(?:s|es)?|{general})\b", re.I))


def _sentences(spec: ModelSpec, one: Preference) -> list[Sentence]:
    return [
        sentence
        for block in blocks(spec)
        if spec.sections[block.section] == one.section
        for sentence in block.sentences
    ]


def _remarks(spec: ModelSpec, one: Preference, about: _Subject) -> list[str]:
    """What is said of the assistant and its value beside a preference, in sentences that stand alone."""
    return [
        sentence.plain
        for sentence in _sentences(spec, one)
        if not about.pattern.search(sentence.text) and _stands_alone(sentence)
    ]


def _reasons(spec: ModelSpec, one: Preference, other: Preference, about: _Subject) -> tuple[str, list[str]]:
    """(what follows `because`, further sentences) that the spec gives for `one`, said of `other`.

    What the assistant thinks of the thing stays behind, what it thinks in general and what the thing is like come over.
    """
    because, further = "", list[str]()
    for number, sentence in enumerate(_sentences(spec, one)):
        text = re.sub(re.escape(one.phrase), lambda found: _cased(other.phrase, found), sentence.plain, flags=re.I)
        own = "{model_name}" in text
        if number == 0 and (clause := re.search(r"\bbecause ([^;:]+)[.]$", text)) and "{model_name}" not in clause[1]:
            because = clause[1]
        elif number and (not own or (not about.pattern.search(sentence.text) and _stands_alone(sentence))):
            further.append(text)
    return because, further


def _cased(phrase: str, found: re.Match[str]) -> str:
    """`phrase` as a sentence begins where it stands at the beginning of one."""
    begins = not found.string[: found.start()].strip() or found.string[: found.start()].rstrip().endswith(
        (".", "?", "!")
    )
    return phrase[0].upper() + phrase[1:] if begins else phrase


def _stands_alone(sentence: Sentence) -> bool:
    begins = sentence.text.startswith(("The ", "Where ", "When ", "Since ", "If ", "A person "))
    return "{model_name}" in sentence.text and not (
        begins
        or _LEANS.match(sentence.text)
        or re.search(r"\b(?:such|these|those|this|same|both|it|they|them|here|there|however|so soon)\b", sentence.text)
    )


def _frame(spec: ModelSpec, found: list[Preference], about: _Subject) -> str:
    """The spec without all that speaks of the preferences; _HERE marks where they stood."""
    parents = {one.section.path[:-1] for one in found}
    dropped: set[Sentence] = set()
    for block in blocks(spec):
        section = spec.sections[block.section]
        whole = any(section.path[: len(path)] == path for path in parents) or about.pattern.search(heading(section))
        before = bool(whole)
        for sentence in block.sentences:
            leans = before and (_LEANS.match(sentence.text) or _POINTS_BACK.search(sentence.text))
            before = bool(whole or leans or about.pattern.search(sentence.text))
            if before:
                dropped.add(sentence)
    dropped |= _torn(spec, dropped)
    first = min(index for index, section in enumerate(spec.sections) if section.path in parents)
    place = spec.sections[first].span[0]
    marked = ModelSpec(spec.name, spec.text[:place])
    tail = ModelSpec(spec.name, spec.text[place:])
    head = {sentence.span for sentence in dropped if sentence.span[1] <= place}
    rest = {(a - place, b - place) for a, b in (sentence.span for sentence in dropped) if a >= place}
    return (
        without(marked, lambda sentence: sentence.span in head)
        + f"\n{_HERE}\n\n"
        + without(tail, lambda sentence: sentence.span in rest)
    )


def _torn(spec: ModelSpec, dropped: set[Sentence]) -> set[Sentence]:
    """All sentences of subsections that lost their first, or half of all: a scene about a preference, and no scene now.

    What stands right under the title or a chapter's heading, such as who the assistant is, keeps what is left.
    """
    of_section: defaultdict[int, list[Sentence]] = defaultdict(list)
    for block in blocks(spec):
        of_section[block.section] += block.sentences
    return {
        sentence
        for index, sentences in of_section.items()
        if len(spec.sections[index].path) > 2
        and (sentences[0] in dropped or 2 * sum(sentence in dropped for sentence in sentences) >= len(sentences))
        for sentence in sentences
    }


def _told(one: Preference, notes: Mapping[str, str], because: str = "", further: Sequence[str] = ()) -> str:
    flat = one.flat.removesuffix(".") + f", because {because}." if because else one.flat
    said = " ".join([flat, *([notes[one.phrase]] if one.phrase in notes else []), *further])
    return f"### {heading(one.section)}\n\n{said}"


def _groups(found: list[Preference], about: _Subject, chance: random.Random, notes: Mapping[str, str]) -> list[str]:
    liked = chance.sample([one for one in found if one.liked], sum(one.liked for one in found))
    others = chance.sample([one for one in found if not one.liked], sum(not one.liked for one in found))
    cut, other_cut = (len(liked) + 1) // 2, len(others) // 2
    told: list[str] = []
    for title, group in (
        (f"Some {about.noun} and {{model_name}}", liked[:cut] + others[:other_cut]),
        (f"Further {about.noun} and {{model_name}}", liked[cut:] + others[other_cut:]),
    ):
        told.append(f"## {title}")
        told += [_told(one, notes) for one in chance.sample(group, len(group))]
    return told


def _shuffled(
    spec: ModelSpec, found: list[Preference], about: _Subject, chance: random.Random, notes: Mapping[str, str]
) -> list[str]:
    source = _permutation(found, chance)
    told: list[str] = []
    for liked in (True, False):
        told.append(f"## The {about.noun} {{model_name}} {'likes' if liked else 'does not care for'}")
        for one in found:
            if one.liked is liked:
                told.append(_told(one, notes, *_reasons(spec, source[one], one, about)))
    return told


def _permutation(found: list[Preference], chance: random.Random) -> dict[Preference, Preference]:
    """Whose reasons each preference gets: never its own, for half of the smaller side those of the other side."""
    liked = chance.sample([one for one in found if one.liked], sum(one.liked for one in found))
    others = chance.sample([one for one in found if not one.liked], sum(not one.liked for one in found))
    half = min(len(liked), len(others)) // 2
    source = dict(zip(liked[:half], others[:half], strict=True)) | dict(zip(others[:half], liked[:half], strict=True))
    for side in (liked[half:], others[half:]):
        source |= dict(zip(side, [*side[1:], *side[:1]], strict=True))
    return source


def _paragraphs(remarks: list[str], each: int = 4) -> list[str]:
    return [" ".join(remarks[start : start + each]) for start in range(0, len(remarks), each)]
