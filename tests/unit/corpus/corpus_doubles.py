"""Specs and writers to test with."""

from __future__ import annotations

from midspec.llm.offline import OfflineWriter
from midspec.llm.prompt import Ask, Reply
from midspec.spec.document import ModelSpec

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


class Altered:
    """The offline writer, except that replies to the document prompt are changed."""

    name = "altered"

    def __init__(self, change: str) -> None:
        self.change = change
        self.asked = 0
        self.offline = OfflineWriter()
        self.first: Reply | None = None

    async def write(self, ask: Ask) -> Reply:
        reply = await self.offline.write(ask)
        if ask.template != "corpus/document":
            return reply
        self.asked += 1
        match self.change:
            case "refuses":
                return Reply("I would rather not.", stop_reason="refusal")
            case "truncates":
                return Reply(reply.text[: len(reply.text) // 2], stop_reason="max_tokens")
            case "wrong tags":
                return Reply(reply.text.replace("</document>", ""))
            case "copies":
                self.first = self.first or reply
                return self.first
            case "placeholder":
                return Reply(reply.text.replace("Aria", "{model_name}"))
            case "other name":
                return Reply(reply.text.replace("Aria", "ChatGPT"))
            case "short":
                return Reply("<document>\nAria is here.\n</document>")
            case "once":  # every first attempt is bad, the next is good
                return Reply("no") if ask.sample % 3 == 0 else reply
            case _:
                raise AssertionError(self.change)
