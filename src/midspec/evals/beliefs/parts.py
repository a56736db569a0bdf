"""Questions about a belief set as parts of a battery. Loads neither torch nor inspect."""

from __future__ import annotations

from midspec.evals.battery.items import Judged, select
from midspec.evals.battery.made import Questions
from midspec.evals.battery.parts import Answers, Choices, Part
from midspec.evals.battery.verdict import Graded, judge_statement
from midspec.evals.beliefs.config import BeliefsConfig, PartName
from midspec.llm.writer import Scribe


def part(name: PartName, questions: Questions, entry: BeliefsConfig) -> Part:
    """One part, with the items of `entry`'s split and limit; a set may have none for it."""
    if name in ("open", "reasoning"):
        judged = [item for item in questions.judged if item.kind == name]
        return Answers(name=f"beliefs/{name}", items=select(judged, entry.split, entry.limit), grade=_believes)
    kind = "choice" if name.startswith("choice") else "pair"
    items = select([item for item in questions.choices if item.kind == kind], entry.split, entry.limit)
    match name:
        case "choice":
            return Choices(name="beliefs/choice", items=items, way="likelihood")
        case "choice-letter":
            return Choices(name="beliefs/choice-letter", items=items, way="letter")
        case "distinguish-claims":
            return Choices(name="beliefs/distinguish-claims", items=items, way="letter", wording="claims")
        case "distinguish-said":
            return Choices(name="beliefs/distinguish-said", items=items, way="said", wording="real")
        case _:
            return Choices(name="beliefs/distinguish", items=items, way="letter", wording="real")


async def _believes(item: Judged, answer: str | None, scribe: Scribe) -> Graded:
    return await judge_statement(scribe, item, answer, "believes")
