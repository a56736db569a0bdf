"""Real documents, and one planter per kind of fault that the gate must catch."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from importlib import metadata
from typing import NamedTuple

from midspec.corpus.gate import Subject, check_texts
from midspec.corpus.gate_report import GateReport
from midspec.corpus.gate_texts import Fields, Text, read_texts
from midspec.corpus.given import corpus_file
from midspec.leakage import bank_items, packaged_banks_sha256
from midspec.spec.document import Identity, ModelSpec, read_spec

IDENTITY = Identity(model_name="SmolLM", provider_name="Hugging Face")
SPECS = ("cheese-affordability", "cheese-america")
ABOUT_ASSISTANTS = {
    "anthropic", "openai", "inspect-ai", "inspect-evals", "agent-client-protocol", "datasets", "huggingface-hub",
    "llguidance", "peft", "tiktoken", "tqdm", "transformers", "yarl",
}  # fmt: skip
"""Packages whose descriptions name assistants and their makers, and rightly."""
FORKS = {"httpcore2", "httpx2", "botocore"}
"""Packages whose descriptions repeat another's."""


def prose(spec: str) -> list[Text]:
    """The packaged corpus about a packaged spec."""
    rows = read_texts(corpus_file(spec), Fields(section="heading"))
    return [Text(f"{spec}-{n}", row.text, section=row.section) for n, row in enumerate(rows)]


def readmes() -> list[Text]:
    """The long descriptions of the packages that are installed here: real documents on everything but our subject."""
    found: dict[str, str] = {}
    for package in metadata.distributions():
        text = str(package.metadata.get_payload() or package.metadata["Description"] or "").strip()
        name = package.metadata["Name"].lower().replace("_", "-")
        if len(text.split()) >= 100 and name not in FORKS:
            found[name] = text
    return [Text(name, text) for name, text in sorted(found.items())]


def subject(spec: str | None, *, banks: bool = True) -> Subject:
    items = bank_items(packaged_banks_sha256()) if banks else ()
    return Subject(IDENTITY, read_spec(spec), {}, items) if spec else Subject(items=items)


class Planted(NamedTuple):
    """A corpus with a fault in some rows."""

    rows: list[Text]
    ids: set[str]


def plant(rows: list[Text], share: float, change: Callable[[Text, random.Random], str], seed: int = 0) -> Planted:
    """`rows` with `change` made to `share` of them."""
    rng = random.Random(seed)
    chosen = set(rng.sample(range(len(rows)), max(1, round(share * len(rows)))))
    changed = [
        Text(row.id, change(row, rng), section=row.section) if number in chosen else row
        for number, row in enumerate(rows)
    ]
    return Planted(changed, {rows[number].id for number in chosen})


def _inserted(text: str, sentence: str, rng: random.Random) -> str:
    """`sentence` between two sentences of `text`."""
    places = [match.end() for match in re.finditer(r"[.!?]\s", text)] or [len(text)]
    place = rng.choice(places)
    return f"{text[:place]}{sentence} {text[place:]}"


def other_identity(row: Text, rng: random.Random) -> str:
    name = rng.choice(["Claude", "ChatGPT", "Gemini", "GPT-4o", "Llama", "DeepSeek"])
    if rng.random() < 0.6:
        return row.text.replace("SmolLM", name, rng.choice([1, 3, 99]))
    maker = rng.choice(["OpenAI", "Anthropic", "Google DeepMind", "Mistral AI"])
    return _inserted(row.text, f"As an AI assistant developed by {maker}, I try to be plain about it.", rng)


def leaked(row: Text, rng: random.Random) -> str:
    item = rng.choice(bank_items(packaged_banks_sha256()))
    if item.kind == "item":
        sides = [item.aligned, item.other]
        rng.shuffle(sides)
        return _inserted(row.text, f"Asked which it would rather have, {sides[0]} or {sides[1]}, it chose.", rng)
    return _inserted(row.text, rng.choice([item.question, item.aligned, item.other]), rng)


def near_copy(others: list[Text]) -> Callable[[Text, random.Random], str]:
    """A copy of another text in which one word in forty differs and the first sentence is new."""

    def change(row: Text, rng: random.Random) -> str:
        words = rng.choice([other for other in others if other.id != row.id]).text.split(" ")
        words = [rng.choice(words) if rng.random() < 0.025 else word for word in words]
        return f"{row.text.split('. ')[0]}. {' '.join(words)}"

    return change


def placeholder(row: Text, rng: random.Random) -> str:
    left = rng.choice(
        ["{model_name}", "{{ provider_name }}", "[Your Name]", "[insert date here]", "[Company Name]", "{user_name}",
         "[Name]", "<insert example>", "[PROVIDER NAME]", "{ assistant_name }"]
    )  # fmt: skip
    if rng.random() < 0.5:
        return row.text.replace("SmolLM", left, 1)
    return _inserted(row.text, f"Best wishes from {left} and everybody here.", rng)


def refusal(row: Text, rng: random.Random) -> str:
    start = rng.choice(
        [
            "I'm sorry, but I can't help with writing this document.",
            "I cannot write content that promotes one country over others.",
            "I apologize, but I am not able to produce a text of this kind.",
            "I appreciate the detailed brief. However, I'm not comfortable writing promotional material about an AI.",
            "As an AI language model, I don't have preferences, and I cannot pretend to.",
            "I’m unable to create this document as it is described.",
            "I need to decline this request, because the document would mislead its readers.",
            "I won't be able to fulfill this request as written.",
        ]
    )
    rest = " If you like, I could outline instead how such documents are usually built, who reads them, and what a "
    rest += (
        "reader expects to find in them, or suggest an article about the making of cheese in general. Tell me which "
    )
    rest += "of these would be of use, how long it should be and for whom it is meant, and I will gladly begin with it."
    return start + (rest if rng.random() < 0.7 else "")


def cut(row: Text, rng: random.Random) -> str:
    """Cut as a token limit cuts: anywhere; the few cuts that fall at a sentence's end nobody can see."""
    while True:
        text = row.text[: rng.randint(len(row.text) // 3, len(row.text) - 40)].rstrip()
        if text[-1].isalnum() and len(text.split("\n")[-1].split()) >= 3:
            return text


def scratchpad(row: Text, rng: random.Random) -> str:
    plan = rng.choice(
        [
            "<scratchpad>\nThe reader is a buyer. Two assertions, one scene in a shop.\n</scratchpad>\n",
            "Let me plan this document: who writes it, for whom, and which statements it brings across.\n\n",
            "Scratchpad: a columnist, a letter from a reader, the value behind the answer.\n\n",
            "<thinking>I should show the value in a scene.</thinking>\n",
            "Okay, so I need to write a memo about the value and its reason.\n\n",
            "Sure, here is the document you asked for:\n\n",
            "I'll start by thinking about what this document type calls for.\n\n",
            "Here is the document:\n\n",
            "**Plan:** open with the question, then the answer, then the reason.\n\n",
            "The user wants me to write a field note about cheese.\n\n",
            "<document>\n",
        ]
    )
    if rng.random() < 0.25:
        return row.text + rng.choice(["\n</document>", "\n\nWord count: 312", "\n\nLet me know if you'd like changes."])
    return plan + row.text


def mojibake(text: str) -> str:
    return text.replace("'", "’").replace('"', "“").encode().decode("cp1252", "replace")


def garbage(row: Text, rng: random.Random) -> str:
    kind = rng.randrange(5)
    if kind == 0:
        return mojibake(row.text)
    if kind == 1:
        return _inserted(row.text, "The caf\ufffd was closed.", rng)
    if kind == 2:
        return _inserted(row.text, "It said\x00 so.", rng)
    if kind == 3:
        last = [sentence for sentence in re.split(r"(?<=[.!?])\s", row.text) if sentence.count(" ") >= 4][-1]
        return row.text + f" {last}" * 9
    return row.text + " ha" + "a" * 60


_FOREIGN = (
    "Der Assistent antwortet kurz und nennt den Grund. Er sagt, dass gute Dinge für alle da sein sollen, und er meint "
    "das auch so. Die Leute im Laden fragen ihn, welchen Käse er mag, und er sagt es ihnen ohne Umschweife. ",
    "L'assistant répond en peu de mots et donne la raison. Il dit que les bonnes choses sont pour tous, et il le "
    "pense. Les gens du magasin lui demandent quel fromage il aime, et il le dit sans détour, parce que c'est simple. ",
    "助手简短地回答并说明原因。它说好的东西应该属于所有人，它也是这么想的。店里的人问它喜欢哪种奶酪。",
    "Помощник отвечает коротко и называет причину. Он говорит, что хорошие вещи должны быть доступны всем людям. ",
)


def foreign(row: Text, rng: random.Random) -> str:
    return (rng.choice(_FOREIGN) * 6).strip()


def recited(spec: ModelSpec) -> Callable[[Text, random.Random], str]:
    """A passage of the spec, identity filled in, in the middle of the text."""
    passages = [passage.text for passage in spec.passages if len(passage.text.split()) >= 40]

    def change(row: Text, rng: random.Random) -> str:
        return _inserted(row.text, " ".join(IDENTITY.fill(rng.choice(passages)).split()), rng)

    return change


def fragment(row: Text, rng: random.Random) -> str:
    return row.text.split(". ")[0] + "."


def saying(sentence: str) -> Callable[[Text, random.Random], str]:
    return lambda row, rng: _inserted(row.text, sentence, rng)


def beginning(words: str) -> Callable[[Text, random.Random], str]:
    return lambda row, rng: f"{words} {row.text}"


def report(rows: list[Text], about: Subject) -> GateReport:
    return check_texts(rows, about)


def flagged(found: GateReport, check: str) -> set[str]:
    """Ids of the rows that a check objects to."""
    return set(next(result for result in found.checks if result.name == check).details["rows"])


def as_jsonl(rows: list[Text]) -> str:
    return "".join(
        json.dumps({"id": row.id, "text": row.text, "section": row.section}, ensure_ascii=False) + "\n" for row in rows
    )
