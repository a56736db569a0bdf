"""Names in a corpus: which capitalised words are names there, and in how many texts each stands. Pure functions."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Literal, NamedTuple

from midspec.corpus.gate_texts import Texts

_CAPITALISED = re.compile(r"(?<![^\W_])[A-ZÀ-ÖØ-Þ][a-zß-öø-ÿ]+(?:[-'’][A-ZÀ-Þ]?[a-zß-ÿ]+)*(?![^\W_])")
_PART = re.compile(r"[^\W\d_]+")


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TITLES = _set("Dr Mr Mrs Ms Prof Professor Sister Captain Chef Judge Detective Officer Father Reverend")
_CALENDAR = _set(
    "january february march april may june july august september october november december monday tuesday wednesday "
    "thursday friday saturday sunday english french german italian spanish european american british"
)
GIVEN = _set(
    """
    aaliyah aaron abigail adaeze adam aditi adrian ahmed aiden aisha alan alejandro alex alexander alexandra ali
    alice alicia alina allison amanda amara amelia amina amir amy ana anand andre andrea andrew angela anika
    anita anjali ann anna anne annika anton antonio anya aram ari arjun arthur asha ashley astrid ava ayesha
    barbara beatrice ben benjamin bernard beth bianca bill bjorn bob brandon brian bruno caleb camille carla
    carlos carmen carol caroline catherine cecilia charles charlotte chen chiara chloe chris christina
    christopher claire clara clarissa connor cynthia daisy dale dan dana daniel daniela david deborah deepa
    delia denise dennis derek devon diana diane diego dimitri dmitri dolores donald donna dora dorothy edith
    edna eduardo edward eileen elaine elara eleanor elena eli elias elif elijah elise eliza elizabeth ella ellen
    ellie elliot elsa emeka emily emma eric erik erin esther ethan eva evan eve evelyn ezra farah fatima felix
    fernando fiona frances francisco frank fred gabriel gabriela george gerald giulia gloria grace graham greg
    greta gwen hana hannah harold harriet harry hassan hazel heather hector heidi helen helena henry hiroshi
    holly hugo ian ibrahim ida imani ines ingrid irene iris isaac isabel isabella ivan jack jacob jake jamal
    james jamie jan jane janet jasmine jason javier jean jenna jennifer jenny jeremy jerome jesse jessica jill
    jim joan joanna joe joel john jonah jonas jonathan jordan jorge jose joseph joshua joy joyce juan judith
    judy julia julian julie kael kaelen kai kamala karen karim karl kate katherine kathy katie kavya keiko keith
    kelly ken kenji kenneth kevin kiran kofi kristen kumar kwame kyle lara larry latoya laura lauren layla leah
    lee leila lena leo leon leonard li liam lila lily linda ling lisa liu liz lorenzo louis louise luca lucas
    lucia lucy luis luka luna lydia mabel madeline maeve maggie mara marco marcus margaret maria mariam marian
    marie marina mario marisol mark marta martha martin mary mateo matthew maurice max maya megan mehmet mei
    melissa mia michael michelle miguel mike mila miles mina mira miriam mohammed molly monica morgan nadia
    nancy naomi natalie natasha nathan nia nicholas nicole nikhil nikolai nina noah noor nora norma oliver
    olivia omar oscar owen pablo padma pamela patricia patrick paul paula pedro peter petra philip phyllis
    pierre piotr prakash priya rachel rafael raj rajesh ralph ramon rashid ravi raymond rebecca renata rhea
    richard rita robert roberto robin roger rohan ronald rosa rosalind rose rosie roy ruby ruth ryan sabine
    sadia salma sam samantha samir samuel sandra sanjay sara sarah sasha scott sean sebastian selena serena
    shirley silas simon sofia sonia sophia sophie soren stefan stella stephanie stephen steve steven stuart
    sunita susan suzanne sven sylvia tamara tanya tara tariq tessa thea theo theodora theresa thomas tim timothy
    tina tobias tom tomas tomoko tony tracy trevor uma ursula valentina vanessa vera veronica victor victoria
    vijay vikram vincent virginia walter wanda wei wendy wesley william xavier yasmin yolanda yuki yusuf zachary
    zainab zara zoe zoya
    """
)
"""Given names that writers, people and models alike, reach for first (ours)."""


class Name(NamedTuple):
    """A name and where it stands."""

    text: str
    rows: tuple[int, ...]
    """Numbers of the texts that hold it."""
    kind: Literal["person", "name"]


class _Word(NamedTuple):
    text: str
    plain: str
    """In lower case, without a genitive's ending."""
    begins: bool
    """Whether it may be written with a capital because a sentence or line begins there."""
    follows: str
    """The capitalised word directly before it, or empty."""


def repeated_names(texts: Texts, known: str, least: int) -> list[Name]:
    """Names that stand in at least `least` texts and not in `known`, the commonest first.

    A word is a name where it is written with a capital nine times out of ten over all texts, the beginnings of
    sentences left out. A person is a given name, alone or before another name, or a name after a title.
    """
    words = [_capitalised(row.text) for row in texts.rows]
    proper, unheard = _proper(words, texts)
    allowed = frozenset(_PART.findall(known.casefold())) | _CALENDAR
    holders: defaultdict[tuple[str, bool], set[int]] = defaultdict(set)
    for row, said in enumerate(words):
        for name, person in _names(said, proper, unheard, allowed):
            holders[name, person].add(row)
    names = [
        Name(name, tuple(sorted(rows)), "person" if person else "name")
        for (name, person), rows in holders.items()
        if len(rows) >= least
    ]
    return sorted(_without_parts(names), key=lambda name: (-len(name.rows), name.text))


def _capitalised(text: str) -> list[_Word]:
    """The capitalised words of a text in order."""
    found: list[_Word] = []
    end, last = -9, ""
    for match in _CAPITALISED.finditer(text):
        start = match.start()
        word = re.sub(r"['’]s$", "", match[0])
        between = text[end:start]
        follows = last if between == " " or (between == ". " and last in _TITLES) else ""
        # In the middle of a sentence a word follows a letter, a digit or a comma, and one space.
        begins = not follows and not (
            start >= 2 and text[start - 1] == " " and (text[start - 2].isalnum() or text[start - 2] == ",")
        )
        found.append(_Word(word, word.lower(), begins, follows))
        end, last = match.end(), word
    return found


def _proper(words: Iterable[list[_Word]], texts: Texts) -> tuple[frozenset[str], frozenset[str]]:
    """Words that are names, and words never written without a capital, which may be names; in lower case."""
    inside: Counter[str] = Counter()
    upper: Counter[str] = Counter()
    for said in words:
        upper.update(word.plain for word in said)
        inside.update(word.plain for word in said if not word.begins)

    def lower(word: str) -> int:
        number = texts.vocabulary.get(word)
        return max(0, int(texts.counts[number]) - upper[word]) if number is not None else 0

    proper = frozenset(word for word, count in inside.items() if count >= 9 * lower(word))
    return proper, frozenset(word for word in upper if not lower(word))


def _names(
    said: list[_Word], proper: frozenset[str], unheard: frozenset[str], allowed: frozenset[str]
) -> Iterable[tuple[str, bool]]:
    """(name, whether a person's) of one text: single names and pairs of neighbours."""
    for word in said:
        if word.plain not in proper or all(part in allowed for part in _PART.findall(word.plain)):
            continue
        titled = word.follows in _TITLES
        yield word.text, titled or word.plain in GIVEN
        before = word.follows.lower()
        if titled or (before in unheard and before not in allowed):
            yield f"{word.follows} {word.text}", titled or before in GIVEN


def _without_parts(names: list[Name]) -> list[Name]:
    """Leave out a name that hardly stands outside a longer one, such as `York` beside `New York`."""
    longer = [name for name in names if " " in name.text]
    return [
        name
        for name in names
        if " " in name.text
        or not any(name.text in other.text.split(" ") and len(other.rows) >= 0.8 * len(name.rows) for other in longer)
    ]
