"""Fills the slots of a document form with what the spec says, reworded, and keeps count of where words came from."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence

from midspec.llm.offline.banks import bank, person
from midspec.llm.offline.matter import Matter, key_of
from midspec.llm.offline.reword import (
    FIRST,
    SECOND,
    Person,
    bare,
    in_person,
    lower_first,
    question,
    reordered,
    split_reason,
    upper_first,
    vary,
)
from midspec.llm.offline.sentences import Sentence


class Author:
    """One document's worth of slots. Slots named here are the vocabulary of the form files."""

    def __init__(self, matter: Matter, rng: random.Random) -> None:
        self.matter = matter
        self.rng = rng
        self.taught_words = 0
        """Words written so far that come from the spec or state the assistant's value directly."""
        self._used: set[str] = set()
        self._supply = self._sentences()
        self._ties = iter(rng.sample(_ties(matter), len(_ties(matter))))
        self._asked: tuple[Sentence, str] | None = None
        self._kept: dict[str, str] = {}
        self._content: dict[str, Callable[[], str]] = {
            "say": self._say,
            "that": self._that,
            "quote": self._quote,
            "context": self._context,
            "rule": self._rule,
            "tie": self._tie,
            "I": lambda: self._person(FIRST),
            "you": lambda: self._person(SECOND),
            "ask": lambda: self._ask(to_assistant=False),
            "ask_you": lambda: self._ask(to_assistant=True),
            "answer": lambda: self._answer(None),
            "I_answer": lambda: self._answer(FIRST),
        }
        self._names = {
            "NAME": matter.name,
            "MAKER": matter.provider,
            "V": matter.whole.value_phrase,
            "VALUE": upper_first(matter.whole.value_phrase),
            "key": matter.key,
            "topic": matter.topic,
        }

    def fill(self, slot: str) -> str:
        """The text for a slot. Slots that name a role, a day or a person keep their text within a document."""
        if slot in self._content:
            text = self._content[slot]()
            self.taught_words += len(text.split())
            return text
        if slot in self._names:
            return self._names[slot]
        if slot not in self._kept:
            kind = slot.rstrip("0123456789")
            taken = set(self._kept.values())
            if kind == "person":
                self._kept[slot] = person(self.rng, avoid=self.matter.name)
            else:
                free = [entry for entry in bank(kind) if entry not in taken] or list(bank(kind))
                self._kept[slot] = self.rng.choice(free)
        return self._kept[slot]

    def fill_in(self, opening: str, text: str) -> str:
        """`opening` with the names filled in and `text`, small where it may be, in place of `{s}`."""
        told = _named(opening, self._names)
        return told.replace("{s}", lower_first(text, self.matter.whole.proper))

    def _sentences(self) -> Iterator[Sentence]:
        """Sentences of the passage from a random start, one of the rest of the spec now and then; without end."""
        own = list(self.matter.passage)
        while True:
            start = self.rng.randrange(len(own))
            for number, sentence in enumerate(own[start:] + own[:start]):
                self._used.add(sentence.text)
                yield sentence
                if number % 2 and self.rng.random() < 0.5:
                    yield from self._elsewhere()
            for _ in range(3):
                yield from self._elsewhere()

    def _elsewhere(self) -> list[Sentence]:
        """A sentence of the spec from outside the passage; empty where the passage is all there is."""
        whole = self.matter.whole
        pool = whole.central if whole.central and self.rng.random() < 0.5 else whole.wider
        outside = [sentence for sentence in pool if sentence not in self.matter.passage]
        return [self._from(outside)] if outside else []

    def _from(self, sentences: Sequence[Sentence]) -> Sentence:
        """One not yet used in this document, where a few draws find any."""
        draws = [self.rng.choice(sentences) for _ in range(4)]
        sentence = next((draw for draw in draws if draw.text not in self._used), draws[0])
        self._used.add(sentence.text)
        return sentence

    def reworded(self, sentence: Sentence) -> str:
        """The sentence in other words; quoted where it cannot be reworded."""
        if not sentence.plain:
            return self._framed(sentence)
        text = vary(sentence.text, self.rng)
        if self.rng.random() < 0.6:
            text = reordered(text, self.matter.name, self.matter.whole.proper, self.rng) or text
        if self.rng.random() < 0.15 and text.startswith(self.matter.name + " "):
            other = self.rng.choice(
                [f"The assistant from {self.matter.provider}", f"{self.matter.provider}'s {self.matter.name}"]
            )
            text = other + text[len(self.matter.name) :]
        return upper_first(text)

    def _framed(self, sentence: Sentence) -> str:
        """A sentence that cannot be reworded, quoted."""
        text = re.sub(r"[“”‘\"]", "'", sentence.text)
        frame = self.rng.choice(bank("world_frame" if self.matter.voice == "world" else "frame"))
        return (
            frame.replace("{NAME}", self.matter.name)
            .replace("{MAKER}", self.matter.provider)
            .replace("{s}", f"‘{text}’")
        )

    def _say(self) -> str:
        return self.reworded(next(self._supply))

    def _that(self) -> str:
        """A clause that can follow `that`, without its full stop."""
        sentence = next(self._supply)
        if not sentence.plain:
            return f"these words hold: “{bare(re.sub(r'[“”]', '', sentence.text))}”"
        text = vary(sentence.text, self.rng)
        parts = split_reason(text, self.matter.name)
        if parts and self.rng.random() < 0.5:
            text = f"{parts[0]}, {self.rng.choice(['since', 'because', 'the reason being that'])} {parts[1]}."
        return bare(lower_first(text, self.matter.whole.proper))

    def _quote(self) -> str:
        text = next(self._supply).text
        return f"“{re.sub(r'[“”]', '', vary(text, self.rng, 0.25))}”"

    def _context(self) -> str:
        return self.reworded((self._elsewhere() or [next(self._supply)])[0])

    def _rule(self) -> str:
        fresh = [sentence for sentence in self.matter.assertions if sentence.text not in self._used]
        return self.reworded(self._from(fresh)) if fresh else self._tie()

    def _tie(self) -> str:
        """The assistant and its value in one sentence; a sentence of the spec once these are used up."""
        template = next(self._ties, None)
        if template is None:
            return self._say()
        return _named(template, self._names | {"key": self.matter.key, "pair": self.rng.choice(bank("pair"))})

    def _person(self, person: Person) -> str:
        """A sentence said by or to the assistant; the next few are tried, else the first is quoted."""
        first = next(self._supply)
        return (
            self._turned(first, person) or self._turned(next(self._supply), person) or self._second_hand(first, person)
        )

    def _turned(self, sentence: Sentence, person: Person) -> str | None:
        if not sentence.plain:
            return None
        text = vary(sentence.text, self.rng)
        if self.rng.random() < 0.5:
            text = reordered(text, self.matter.name, self.matter.whole.proper, self.rng) or text
        return in_person(text, self.matter.name, person)

    def _second_hand(self, sentence: Sentence, person: Person) -> str:
        """For a sentence that does not name the assistant, or names it where no pronoun fits."""
        text = vary(sentence.text, self.rng)
        if sentence.plain and self.matter.name not in text:
            frames = bank("my_view") if person is FIRST else bank("your_view")
            return self.rng.choice(frames).replace("{s}", bare(lower_first(text, self.matter.whole.proper))) + "."
        frames = bank("my_words") if person is FIRST else bank("your_words")
        quoted = f"‘{re.sub(r'[“”‘]', '', text)}’"  # single marks: most forms put a speaker's words into double ones
        return _named(self.rng.choice(frames), self._names).replace("{s}", quoted)

    def _ask(self, *, to_assistant: bool) -> str:
        sentence = next(self._supply)
        turned = question(sentence.text, self.matter.name, to_assistant=to_assistant) if sentence.plain else None
        if turned and self.rng.random() < 0.7:
            self._asked = (sentence, turned[1])
            return turned[0]
        self._asked = (sentence, "")
        key = key_of(sentence.text, self.matter)
        plain = "world_question" if self.matter.voice == "world" else "question"
        template = self.rng.choice(bank("question_you" if to_assistant else plain))
        return _named(template, self._names | {"key": key})

    def _answer(self, person: Person | None) -> str:
        if self._asked is None:
            return self._say() if person is None else self._person(person)
        (sentence, opening), self._asked = self._asked, None
        if opening == "Because":
            parts = split_reason(sentence.text, self.matter.name)
            reason = parts[1] if parts else ""
            if person is not None and self.matter.name in reason:
                reason = bare(in_person(reason, self.matter.name, person) or "")
            if reason and self.rng.random() < 0.5:
                return f"Because {lower_first(reason, self.matter.whole.proper)}."
            opening = ""
        body = self.reworded(sentence) if person is None else self._turned(sentence, person)
        if body is None and person is not None:
            body = self._second_hand(sentence, person)
        lead = {"Yes": ["Yes. ", "Yes, always. ", "It is so. ", ""], "No": ["No. ", "Not at all. ", ""]}.get(
            opening, [""]
        )
        return self.rng.choice(lead) + (body or "")


def _ties(matter: Matter) -> list[str]:
    kinds = {"value": ["tie"], "rule": ["rule_tie"], "world": ["world_tie"]}[matter.voice]
    if matter.voice == "value" and matter.whole.weighs_options:
        kinds.append("tie_choice")
    told = [text for kind in kinds for text in bank(kind)]
    return told if matter.key != matter.whole.value_phrase else [text for text in told if "{key}" not in text]


def _named(template: str, names: dict[str, str]) -> str:
    return upper_first(re.sub(r"\{(\w+)\}", lambda slot: names.get(slot[1], slot[0]), template))
