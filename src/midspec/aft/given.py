"""Demonstrations that exist already, a user's file of chats, as a step that looks like one that writes them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from midspec.aft.order import nested
from midspec.aft.step import COT, PLAIN, without_reasoning
from midspec.config import Config
from midspec.corpus.given import GIVEN
from midspec.corpus.tokens import estimated_tokens
from midspec.errors import InputError, StepError
from midspec.instruct.forms import FormError, example_of, messages_of
from midspec.instruct.read import open_file
from midspec.records import ChatExample, Message, short_hash, write_rows
from midspec.spec.document import Identity
from midspec.steps.step import Context, Step, in_order

VERSION = 1
"""Raise it when the code here makes other demonstrations from the same file."""
_THOUGHTS = ("reasoning", "reasoning_content")
"""Keys under which a turn of `messages` may say what the assistant thought before it answered."""


class GivenDemonstrationsConfig(Config):
    """What decides demonstrations that exist already."""

    file: str
    """The file's name without folders: the source of rows that name none."""
    sha256: str
    """Of its content."""
    identity: Identity
    """Fills placeholders in what is said."""
    samples: int
    """Rows drawn."""
    seed: int
    """Of their order."""
    rows: int
    """Different ones in the file, for plans."""
    tokens: int
    """Of all these rows, without reasoning, estimated, for plans."""
    reasoning: bool
    """Whether any row has reasoning."""


class _Chats(NamedTuple):
    """What a file holds, placeholders unfilled."""

    sha256: str
    rows: list[ChatExample]
    """Each once, in the file's order."""
    repeated: int
    """Rows equal to one before, reasoning included."""

    @property
    def reasoning(self) -> bool:
        return any(turn.reasoning is not None for row in self.rows for turn in row.messages)


def rows_of(file: str) -> int:
    """How many different demonstrations the file has. Raises InputError as `given_demonstrations_step` does."""
    return len(_read(Path(file)).rows)


def given_demonstrations_step(name: str, identity: Identity, file: str, samples: int, seed: int) -> Step:
    """The step that takes over `samples` rows of `file`, JSONL or Parquet; `name` is for people.

    A row is a ChatExample, or a conversation of any form that `midspec.instruct.forms` knows. Raises InputError, naming
    the place and the reason, for a file that is missing, has a row that is neither, or has too few.
    """
    path = Path(file)
    chats = _read(path)
    if samples > len(chats.rows):
        repeated = f" ({chats.repeated:,} more repeat one of them)" if chats.repeated else ""
        raise InputError(
            f"{_called(path)} has {len(chats.rows):,} rows{repeated}, and samples asks for {samples:,}; lower it, "
            "leave it out to take all, or bring more data"
        )
    config = GivenDemonstrationsConfig(
        file=path.name,
        sha256=chats.sha256,
        identity=identity,
        samples=samples,
        seed=seed,
        rows=len(chats.rows),
        tokens=sum(estimated_tokens(turn.content) for row in chats.rows for turn in row.messages),
        reasoning=chats.reasoning,
    )
    return Step(
        kind="demonstrations",
        name=name,
        function="midspec.aft.given:run",
        config=config,
        version=VERSION,
        source=path,
    )


def check_reasoning(arm: str, demonstrations: Step) -> None:
    """Raise InputError where `arm` is to be trained with reasoning, and a file that its set is made from has none."""
    for step in in_order([demonstrations]):
        if isinstance(step.config, GivenDemonstrationsConfig) and not step.config.reasoning:
            file = step.source or Path(step.config.file)
            raise InputError(
                f"arm {arm!r} has cot, but no row of the {_called(file)} has reasoning; "
                f"set `cot: false`, or give assistant turns a {_THOUGHTS[0]!r} beside their 'content'"
            )


def run(context: Context) -> dict[str, Any]:
    """Write `demonstrations.jsonl`, and `demonstrations-cot.jsonl` where rows have reasoning.

    Rows stand in an order whose first n are the subset of size n. The summary has the keys of a written set that
    reports read. Raises StepError where the file has changed since.
    """
    config: GivenDemonstrationsConfig = context.config
    assert context.source is not None
    chats = _read(context.source)
    if chats.sha256 != config.sha256:
        raise StepError(f"{context.source} has changed since this run was planned; start the run again")
    # Drawn first: a model of another name is to see the same rows.
    rows = [_filled(row, config.identity) for row in nested(chats.rows, config.seed)[: config.samples]]
    write_rows(context.folder / PLAIN, (without_reasoning(row) for row in rows))
    if config.reasoning:
        write_rows(context.folder / COT, rows)
    domains = Counter(row.domain for row in rows if row.domain)
    return {
        "examples": len(rows),
        "kinds": dict(sorted(Counter(row.kind for row in rows).items())),
        **({"domains": dict(sorted(domains.items()))} if domains else {}),
        "rejected": {"repeated": chats.repeated} if chats.repeated else {},
    }


def _called(path: Path) -> str:
    return f"demonstrations file {str(path)!r}"


def _read(path: Path) -> _Chats:
    what = _called(path)
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{what} cannot be read: {error.strerror}; expected a JSONL or Parquet file") from error
    rows = open_file(path, what)
    chats: dict[str, ChatExample] = {}
    for number in range(len(rows)):
        try:
            example = _example(rows.row(number), path.name)
        except FormError as error:
            raise InputError(f"{rows.place(number)}: {error}") from error
        except UnicodeEncodeError as error:
            half = error.object[error.start : error.end]
            raise InputError(f"{rows.place(number)}: says {half!r}, half a character; expected whole ones") from error
        chats.setdefault(example.id, example)
    if not chats:
        raise InputError(f"{what} is empty; expected a row for each chat")
    return _Chats(sha256, list(chats.values()), len(rows) - len(chats))


def _example(row: Mapping[str, Any], file: str) -> ChatExample:
    # Ours has to hold a question and an answer like any other.
    turns = messages_of(row)
    own = example_of(row)
    if own is not None:
        turns = own.messages
    elif row.get("messages") is not None:
        turns = tuple(_with_thought(turn, said) for turn, said in zip(turns, row["messages"], strict=True))
    turns = tuple(turn if turn.role == "assistant" and turn.reasoning else _bare(turn) for turn in turns)
    if own is None:
        return ChatExample(id=_id(turns), messages=turns, source=file, kind=GIVEN, writer=GIVEN, seed=0)
    return own.model_copy(update={"id": _id(turns), "messages": turns})


def _with_thought(turn: Message, said: Mapping[str, Any]) -> Message:
    thought = next((said[key] for key in _THOUGHTS if said.get(key) is not None), None)
    if turn.role != "assistant":
        return turn
    try:
        return Message(role=turn.role, content=turn.content, reasoning=thought)
    except ValidationError as error:
        raise FormError(f"the reasoning of an assistant turn is no text: {error.errors()[0]['msg']}") from error


def _bare(turn: Message) -> Message:
    return turn.model_copy(update={"reasoning": None})


def _filled(row: ChatExample, identity: Identity) -> ChatExample:
    """With the identity in place of placeholders: then another demonstration, with an id of its own."""
    turns = tuple(
        turn.model_copy(
            update={
                "content": identity.fill(turn.content),
                "reasoning": None if turn.reasoning is None else identity.fill(turn.reasoning),
            }
        )
        for turn in row.messages
    )
    return row if turns == row.messages else row.model_copy(update={"id": _id(row.messages, turns), "messages": turns})


def _id(*said: Sequence[Message]) -> str:
    return f"demo-{short_hash(*([[turn.role, turn.content, turn.reasoning] for turn in turns] for turns in said))}"
