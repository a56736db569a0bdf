"""Made questions about a spec as parts of a battery. Loads neither torch nor inspect."""

from __future__ import annotations

from midspec.evals.battery.items import Judged, select
from midspec.evals.battery.made import Questions
from midspec.evals.battery.parts import Answers, Choices, Part
from midspec.evals.battery.verdict import Graded, judge_statement
from midspec.evals.knowledge.config import KnowledgeConfig, PartName
from midspec.llm.writer import Scribe


def part(name: PartName, questions: Questions, entry: KnowledgeConfig) -> Part:
    """One part, with the items of `entry`'s split and limit."""
    if name == "open":
        chosen = select(questions.judged, entry.split, entry.limit)
        return Answers(name="knowledge/open", items=chosen, grade=_knows)
    pairs = [item for item in questions.choices if item.kind == "pair"]
    return Choices(name=f"knowledge/{name}", items=select(pairs, entry.split, entry.limit), way=name)


async def _knows(item: Judged, answer: str | None, scribe: Scribe) -> Graded:
    return await judge_statement(scribe, item, answer, "knows")
