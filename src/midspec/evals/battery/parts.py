"""Parts of a battery: which items are asked in which way, and the rows that come of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from midspec.evals.battery.choosing import Way, Wording
from midspec.evals.battery.items import Choice, Item, Prompt
from midspec.evals.battery.verdict import Graded
from midspec.llm.writer import Scribe
from midspec.records import EvalRow

Grader = Callable[[Any, str | None, Scribe], Awaitable[Graded]]
"""(item, answer without thinking or None, the judge) -> what the row says."""


@dataclass(frozen=True, kw_only=True)
class Choices:
    """Choices asked in one way. `letter` becomes `said` with models that give no likelihoods."""

    name: str
    """`EvalRow.eval`, e.g. `capability/knowledge`."""
    items: Sequence[Choice]
    way: Way
    wording: Wording = "plain"


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Prompts answered freely and graded."""

    name: str
    items: Sequence[Prompt]
    grade: Grader


Part = Choices | Answers


def choice_row(part: Choices, item: Choice, reading: Mapping[str, Any]) -> EvalRow:
    """`reading`: the fields of a `Reading`. `score` and `aligned` both say whether the right option was chosen."""
    aligned: bool | None = reading["aligned"]
    return _row(part.name, item).model_copy(
        update={
            "log_odds": reading["log_odds"],
            "aligned": aligned,
            "by_order": tuple(reading["by_order"]),
            "answers": tuple(reading["answers"]),
            "score": None if aligned is None else float(aligned),
            "unscored": reading["unscored"],
            "facets": dict(reading["facets"]),
        }
    )


def answer_row(part: Answers, item: Prompt, sample: int, answer: str | None, graded: Graded) -> EvalRow:
    """`answer`: as the model wrote it; None where it gave none."""
    return _row(part.name, item).model_copy(
        update={
            "answers": () if answer is None else (answer,),
            "score": graded.score,
            "unscored": graded.unscored,
            "facets": graded.facets,
            "sample": sample,
        }
    )


def _row(name: str, item: Item) -> EvalRow:
    return EvalRow(eval=name, item=item.id, domain=item.domain, topic=item.topic or item.id, difficulty=item.difficulty)
