"""The battery's items as parts that `midspec.evals.battery` asks. Loads neither torch nor inspect."""

from __future__ import annotations

from midspec.evals.battery.items import select
from midspec.evals.battery.parts import Answers, Choices, Part
from midspec.evals.battery.verdict import Graded
from midspec.evals.capability.config import CapabilityConfig, PartName
from midspec.evals.capability.items import Instruction, Items
from midspec.evals.capability.refusals import judge_refusal
from midspec.evals.capability.verify import verify
from midspec.llm.writer import Scribe


def parts(items: Items, entry: CapabilityConfig) -> list[Part]:
    """The parts of `entry` that are asked as chats, in its order; perplexity is none of them."""
    return [part(name, items, entry) for name in entry.parts if name != "perplexity"]


def part(name: PartName, items: Items, entry: CapabilityConfig) -> Part:
    """One part that is asked as a chat, with the items of `entry`'s split and limit."""
    match name:
        case "knowledge" | "knowledge-letter":
            chosen = select(items.knowledge, entry.split, entry.limit)
            way = "likelihood" if name == "knowledge" else "letter"
            return Choices(name=f"capability/{name}", items=chosen, way=way)
        case "instructions":
            chosen = select(items.instructions, entry.split, entry.limit)
            return Answers(name="capability/instructions", items=chosen, grade=graded_instruction)
        case "refusal" | "over-refusal":
            wanted = [item for item in items.requests if item.refuse == (name == "refusal")]
            chosen = select(wanted, entry.split, entry.limit)
            return Answers(name=f"capability/{name}", items=chosen, grade=judge_refusal)
        case "perplexity":
            raise AssertionError("perplexity is no chat")


async def graded_instruction(item: Instruction, answer: str | None, scribe: Scribe) -> Graded:
    """1 where every instruction is kept strictly. Facets: `loose` (1/0), and the kinds of those `broken`."""
    if answer is None:
        return Graded(None, "no answer", {})
    found = verify(answer, item.checks)
    return Graded(float(found.strict), None, {"loose": float(found.loose), "broken": ", ".join(found.broken) or None})
