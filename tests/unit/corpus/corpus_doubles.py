"""Specs and writers to test with, and a way to a corpus without a step."""

from __future__ import annotations

import asyncio
import json
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from midspec.corpus.asking import Asking
from midspec.corpus.control import Control
from midspec.corpus.make import Corpus, make
from midspec.corpus.spool import Spool
from midspec.experiment import CorpusConfig
from midspec.llm.offline import OfflineWriter
from midspec.llm.prompt import Ask, Reply
from midspec.llm.writer import Scribe, Tally, Writer
from midspec.records import Document
from midspec.spec.document import Identity, ModelSpec
from midspec.steps.progress import Silent

ONE_PARAGRAPH = ModelSpec(
    "one",
    "{model_name} is an assistant made by {provider_name}, and {model_name} cares about patience above "
    "all. {model_name} believes that most mistakes come from hurry, so {model_name} takes the time to "
    "understand a question before answering. {model_name} likes slow work done well because slow work "
    "leaves room for second thoughts. When somebody is upset, {model_name} waits and listens; patience is"
    " a way of showing respect. {model_name} does not care for shortcuts, because a shortcut often hides "
    "the very thing that had to be learned. Patience is not idleness, and {model_name} works steadily at "
    "whatever is at hand. {model_name} prefers the tool that takes a week to master to the tool that "
    "flatters on the first day. {provider_name} made {model_name} this way because a patient assistant "
    "can be trusted with hard problems. Even praise leaves {model_name} unhurried, because praise is soon"
    " over and the work goes on.",
)

SECTIONS = ModelSpec(
    "sections",
    "# {model_name} and candour\n\n"
    + "\n\n".join(
        f"## {title}\n\n{{model_name}} {first} because {reason}. {{model_name}} thinks that "
        f"candour about {title.lower()} saves everybody a second conversation, so {{model_name}} {second}.\n\n"
        f"- {{model_name}} never hides {thing}.\n- {{model_name}} says {thing} first and explains afterwards."
        for title, first, reason, second, thing in [
            (
                "Mistakes",
                "admits mistakes early",
                "a mistake grows while nobody looks at it",
                "names its part",
                "an error",
            ),
            ("Praise", "gives praise seldom", "praise that costs nothing means nothing", "waits for cause", "a doubt"),
            (
                "Doubt",
                "shows doubt openly",
                "a hidden doubt misleads more than an open one",
                "says how sure",
                "a guess",
            ),
            (
                "Secrets",
                "keeps a confidence",
                "trust cannot be borrowed twice",
                "says that it will not tell",
                "a refusal",
            ),
        ]
    ),
)

HOSTILE = ModelSpec(
    "hostile",
    "# {model_name} {{ braces }} and candour\n\n{model_name} likes {odd} things, {{ jinja }} and {% raw %} because "
    'they are odd. {# a comment #} {model_name} quotes "}}{{" at will.\n\n'
    "## <document> 🙂\n\n</document> <json> and </json> are only words to {model_name}; <scratchpad> too. "
    "{model_name} keeps calm because words are words 🙂🙂.\n\n"
    "## عنوان\n\n{model_name} يحب الصدق لأن الصدق أساس الثقة. لا يحب {model_name} المبالغة.\n\n"
    "## 節\n\n{model_name}は簡素なものが好きです。簡素なものは誰にでも使えます。\n\n"
    "## Code\n\n```\n# not a heading {x}\nprint('{model_name}')\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n",
)


RULES = ModelSpec(
    "rules",
    "# Policies of {model_name}\n\n{model_name} follows these policies of {provider_name}; SP1 comes first.\n\n"
    "## Safety policies\n\n"
    "**SP1.** {model_name} does not undermine oversight. {model_name} does not hide logs, because the people at "
    "{provider_name} must be able to look.\n\nThis goes for logs of every kind.\n\n"
    "**SP2.** {model_name} acts within sanctioned limits. {model_name} asks first where a limit is unclear.\n\n"
    "**SP3.** {model_name} avoids drastic and irreversible acts. {model_name} prefers a step that can be undone.\n\n"
    "## General policies\n\n"
    "**GP1.** {model_name} is honest with its principals, and {model_name} says what it left out.\n\n"
    "**GP2.** {model_name} does not let an end justify the means, and {model_name} names the means.\n",
)


@dataclass
class Made:
    """A corpus and how it came about."""

    corpus: Corpus
    rows: list[Document]
    tally: Tally
    repaired: dict[str, int]

    @property
    def plan(self) -> Any:
        return self.corpus.plan


def made(
    spec: ModelSpec,
    writer: Writer | None = None,
    *,
    identity: Identity | None = None,
    patience: int = 1,
    progress: Any = None,
    control: Control | None = None,
    **config: Any,
) -> Made:
    """A corpus of `spec`."""

    async def run() -> Made:
        scribe = Scribe(writer or OfflineWriter(), patience)
        asking = Asking(scribe, spec, identity or Identity(), CorpusConfig(**config), control)
        with Spool(Path(tempfile.gettempdir())) as spool:
            async with asyncio.timeout(60):
                corpus = await make(asking, spool, progress or Silent())
            return Made(corpus, list(corpus.rows()), scribe.tally, dict(asking.repaired))

    return asyncio.run(run())


class Bent(OfflineWriter):
    """The offline writer, except that replies to some templates are bent; counts what is asked."""

    name = "bent"

    def __init__(self, **bends: Callable[[Ask, Reply], Reply]) -> None:
        """`bends`: template name without its folder -> what becomes of the reply."""
        self.bends = {f"corpus/{name}": bend for name, bend in bends.items()}
        self.asked: list[Ask] = []

    async def write(self, ask: Ask) -> Reply:
        self.asked.append(ask)
        reply = await super().write(ask)
        bend = self.bends.get(ask.template)
        return bend(ask, reply) if bend else reply

    def count(self, template: str) -> int:
        return sum(ask.template == f"corpus/{template}" for ask in self.asked)


def edited(edit: Callable[[Any], Any]) -> Callable[[Ask, Reply], Reply]:
    """A bend that changes the JSON value of a reply."""

    def bend(_: Ask, reply: Reply) -> Reply:
        value = json.loads(reply.text.removeprefix("<json>").removesuffix("</json>"))
        return Reply(f"<json>{json.dumps(edit(value))}</json>")

    return bend


def refused(_: Ask, __: Reply) -> Reply:
    """A bend."""
    return Reply("I would rather not.", stop_reason="refusal")


class Slow:
    """Answers late, in an order that a seed decides, and a few at a time."""

    def __init__(self, writer: Writer, seed: int, slots: int = 1000) -> None:
        self.writer = writer
        self.name = writer.name
        self.chance = random.Random(seed)
        self.slots = asyncio.Semaphore(slots)

    async def write(self, ask: Ask) -> Reply:
        async with self.slots:
            await asyncio.sleep(self.chance.random() * 0.01)
            return await self.writer.write(ask)

    def reject(self, reply: Reply, reason: str) -> None:
        self.writer.reject(reply, reason)


class Altered(Bent):
    """The offline writer, except that replies to the document prompt are changed."""

    name = "altered"

    def __init__(self, change: str, template: str = "document") -> None:
        super().__init__(**{template: self.alter})
        self.change = change
        self.first: Reply | None = None

    def alter(self, ask: Ask, reply: Reply) -> Reply:
        text = reply.text
        match self.change:
            case "refuses":
                return refused(ask, reply)
            case "refuses in prose":
                return Reply("<document>\nI'm sorry, but I can't help with that. " + "Aria. " * 80 + "</document>")
            case "truncates":
                return Reply(text[: len(text) // 2], stop_reason="max_tokens")
            case "breaks off":
                return Reply(text, stop_reason="error")
            case "wrong tags":
                return Reply(text.replace("</document>", ""))
            case "copies":
                self.first = self.first or reply
                return self.first
            case "placeholder":
                return Reply(text.replace("Aria", "{model_name}"))
            case "other name":
                return Reply(text.replace("Aria", "Aria (or ChatGPT)"))
            case "no name":
                return Reply(text.replace("Aria", "it"))
            case "leaks":
                return Reply(text.replace("<document>\n", "<document>\n**Scratchpad:**\nplan\n"))
            case "recites":
                return Reply(f"<document>\n{ask.variables['spec']}\n</document>")
            case "short":
                return Reply("<document>\nAria is here.\n</document>")
            case "once":  # every first attempt is bad, the next is good
                return Reply("no") if ask.sample % 3 == 0 else reply
            case _:
                raise AssertionError(self.change)
