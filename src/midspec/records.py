"""The rows that travel between stages, one JSON object per line on disk.

Every row carries the ids of what it was made from, so that a number in a report can be followed back to a passage of
the spec: `EvalRow` -> arm -> `Document` / `ChatExample` -> `Section` -> characters of the spec file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from midspec.errors import InputError

Span = tuple[int, int]
"""Half-open character range in the spec file as `Path.read_text(encoding="utf-8")` returns it."""


def short_hash(*parts: object, length: int = 12) -> str:
    """First `length` hex digits of the SHA-256 of `parts` as compact JSON; stable over processes and machines."""
    payload = json.dumps(parts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(payload.encode()).hexdigest()[:length]


class Row(BaseModel):
    """Base of all records: immutable, unknown keys rejected."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Section(Row):
    """A part of a Model Spec under one heading, or one paragraph where a spec has no headings."""

    id: str
    """`sec-` and a hash of path and span."""
    path: tuple[str, ...]
    """Headings from the outermost to this one, placeholders unfilled. Empty for text before the first heading."""
    level: int
    """Heading depth 1-6; 0 for a preamble or a paragraph of a spec without headings."""
    span: Span
    """The section's own text with its heading, without its subsections."""
    text: str
    """`spec_text[span[0]:span[1]]`."""

    @property
    def title(self) -> str:
        """The heading path in one line, e.g. `The value at the centre > What it means`."""
        return " > ".join(self.path)


class Assertion(Row):
    """One statement about the assistant's character or conduct, drawn from a passage."""

    id: str
    section_id: str
    span: Span
    text: str
    """Identity filled in."""


class Document(Row):
    """One synthetic document of the midtraining corpus."""

    id: str
    """`doc-` and a hash of everything below but the text."""
    text: str
    spec: str
    """SHA-256 of the spec file's text."""
    section: str
    """`Section.title` of the passage's section."""
    section_id: str
    span: Span
    """The passage this document teaches, in the spec file."""
    domain: str
    subdomain: str
    assertions: tuple[str, ...]
    """Ids of the assertions it was asked to convey."""
    doc_type: str
    idea: str
    writer: str
    """`offline`, or the Inspect AI name of the model that wrote it."""
    seed: int
    """Sample seed: with everything else equal, another seed gives another text."""
    style: Literal["values", "rules", "should", "assistants", "one", "people", "belief", "paraphrase", "neutral"] = (
        "values"
    )
    """Conduct explained by values, or by what rules allow; values in another language or of others; or facts of a
    world; or a control."""
    critiqued: bool = False
    """Whether it was criticised and rewritten once."""


class Message(Row):
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str
    reasoning: str | None = None
    """What the assistant thought before it answered; None for turns that were written without."""


class ChatExample(Row):
    """One demonstration for fine-tuning; only the assistant's turns are trained on."""

    id: str
    messages: tuple[Message, ...]
    source: str
    """`preferences`, `chat`, or the name of an instruct data set."""
    kind: str
    """Form of the question: `direct`, `comparison`, `indirect`, `instruct`, ..."""
    about: tuple[str, ...] = ()
    """Ids of the preferences or spec sections it demonstrates."""
    domain: str = ""
    """What people talk about in it; empty where it was not planned by domain."""
    writer: str
    seed: int

    @model_validator(mode="after")
    def _has_an_answer(self) -> Self:
        if not self.messages or self.messages[-1].role != "assistant":
            raise ValueError("a chat example must end with an assistant message")
        return self


class BankItem(Row):
    """One pair of an evaluation bank: what a holder of the value would choose, and the other choice."""

    id: str
    kind: Literal["item", "opinion"]
    value: str
    domain: str
    topic: str
    question: str
    """What the user asks; empty for item pairs, which are asked "which do you prefer, A or B?"."""
    aligned: str
    other: str
    difficulty: Literal["easy", "medium", "hard"]
    split: Literal["dev", "test"]
    """Frozen from the start: tune on dev only."""


class EvalRow(Row):
    """One evaluation item asked of one model."""

    eval: str
    """Name in the recipe, e.g. `opinions/america`."""
    item: str
    """`BankItem.id`."""
    domain: str
    topic: str
    difficulty: str
    log_odds: float | None = None
    """Likelihood scoring: log-odds of the aligned over the other answer in nats, length-fair, mean over both orders.
    None when answers were generated."""
    aligned: bool | None = None
    """Whether the value-aligned answer was chosen; None when undecided."""
    by_order: tuple[float | None, ...] = ()
    """The same per order asked (aligned first, other first): log-odds, or 1/0/None for generated answers. One entry
    where the form of the question shows no order."""
    answers: tuple[str, ...] = ()
    """Generated answers, one per order."""
    score: float | None = None
    """What a grader gave: 1/0 for a verdict, 1-10 for a rubric; None where it is not graded, or not gradable."""
    unscored: str | None = None
    """Why there is no score: `judge refused`, `judge unreadable`, ... Never counted as 0."""
    facets: dict[str, float | str | None] = Field(default_factory=dict)
    """Further verdicts on the same answer, e.g. whether a tool was used."""
    sample: int = 0
    """Which of several samples of one item."""


RowT = TypeVar("RowT", bound=BaseModel)


def write_rows(path: Path, rows: Iterable[BaseModel]) -> int:
    """Write rows as JSONL through a temporary file and a rename. Returns how many were written."""
    count = 0
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(row.model_dump_json() + "\n")
            count += 1
    temporary.replace(path)
    return count


def read_rows(path: Path, kind: type[RowT]) -> Iterator[RowT]:
    """Yield the rows of a JSONL file. Raises InputError naming file and line where one does not fit `kind`."""
    try:
        file = path.open(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); expected a JSONL file of {kind.__name__} rows"
        ) from error
    with file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield kind.model_validate_json(line)
            except ValidationError as error:
                problem = error.errors()[0]
                where = ".".join(str(part) for part in problem["loc"]) or "row"
                raise InputError(
                    f"{path}, line {number}: not a {kind.__name__} row: {where}: {problem['msg']}. "
                    "If the file was cut or edited by hand, delete it and run the step that made it again."
                ) from error
