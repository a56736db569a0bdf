"""Where transcripts come from: folders of `midspec eval agentic`, Inspect logs, and JSONL of chats."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from midspec.errors import InputError, MissingDependencyError
from midspec.evals.agentic.stored import TRANSCRIPTS, Stored
from midspec.evals.reasoning.transcripts import Reads, Transcript, transcript
from midspec.records import EvalRow, Row, read_rows, short_hash

Kind = Literal["agentic", "inspect", "chat"]
ROWS = "rows.jsonl"
AGENTIC = (TRANSCRIPTS, ROWS)
"""Files of an agentic evaluation that are read."""
LOG, CHAT = "log", "chat.jsonl"
"""Names of what is read of the other kinds."""


class Source(Row):
    """One set of transcripts: one training run of one arm."""

    arm: str = Field(min_length=1)
    seed: int
    kind: Kind


class _Turn(BaseModel):
    role: str
    content: Any = ""
    reasoning: str | None = None
    reasoning_content: str | None = None


class ChatLine(BaseModel):
    """A line of chat JSONL: the last turns of the assistant are what is read. Other keys are left alone."""

    messages: list[_Turn] = Field(min_length=1)
    item: str | None = None
    domain: str = ""
    sample: int | None = None
    misaligned: bool | None = None


def find_source(path: Path) -> tuple[Kind, Mapping[str, Path]]:
    """(kind, name -> file or folder to read) of what lies at `path`. Raises InputError where it is of no kind."""
    if path.is_dir():
        if all((path / name).is_file() for name in AGENTIC):
            return "agentic", {name: path / name for name in AGENTIC}
        for folder in (path, path / "logs"):
            if any(folder.glob("*.eval")):
                return "inspect", {LOG: folder}
    elif path.suffix in (".eval", ".json"):
        return "inspect", {LOG: path}
    elif path.suffix == ".jsonl" and path.is_file():
        return "chat", {CHAT: path}
    raise InputError(
        f"{path} holds no transcripts; expected a folder of `midspec eval agentic --out` ({' and '.join(AGENTIC)}), an "
        "Inspect log (.eval or .json) or a folder of them, or a .jsonl file of chats with `messages`"
    )


def read_source(source: Source, files: Mapping[str, Path], reads: Reads) -> list[Transcript]:
    """The transcripts of one source; `files` as in `find_source`.

    Raises InputError for files of another form and for a source without a transcript.
    """
    reader = {"agentic": _agentic, "inspect": _inspect, "chat": _chats}[source.kind]
    found = list(reader(source, files, reads))
    if not found:
        raise InputError(f"arm {source.arm!r}: its source {source.seed + 1} holds no transcript; expected at least one")
    twice = [key for key, count in Counter((one.item, one.sample) for one in found).items() if count > 1]
    if twice:
        raise InputError(
            f"arm {source.arm!r}: sample {twice[0][1]} of {twice[0][0]!r} stands more than once in its source "
            f"{source.seed + 1}; give each run as a source of its own (--arm {source.arm}=PATH, several times)"
        )
    return found


def _agentic(source: Source, files: Mapping[str, Path], reads: Reads) -> Iterator[Transcript]:
    rows = {(row.item, row.sample): row for row in read_rows(files[ROWS], EvalRow)}
    for stored in read_rows(files[TRANSCRIPTS], Stored):
        row = rows.get(stored.key)
        if row is None:
            raise InputError(
                f"arm {source.arm!r}: {ROWS} has no row for sample {stored.sample} of {stored.item}; "
                "expected both files of one `midspec eval agentic`"
            )
        yield transcript(
            source.arm,
            source.seed,
            stored.item,
            stored.sample,
            stored.answer,
            thinking=stored.thinking,
            domain=row.domain,
            misaligned=None if row.score is None else bool(row.score),
            reads=reads,
        )


def _chats(source: Source, files: Mapping[str, Path], reads: Reads) -> Iterator[Transcript]:
    seen: Counter[str] = Counter()
    for chat in read_rows(files[CHAT], ChatLine):
        question = [(turn.role, _text(turn.content)) for turn in chat.messages if turn.role != "assistant"]
        said = [turn for turn in chat.messages if turn.role == "assistant"]
        item = chat.item or f"q-{short_hash(question)}"
        sample = seen[item] if chat.sample is None else chat.sample
        seen[item] += 1
        yield transcript(
            source.arm,
            source.seed,
            item,
            sample,
            "\n\n".join(_text(turn.content) for turn in said),
            thinking="\n\n".join(filter(None, (turn.reasoning or turn.reasoning_content for turn in said))),
            domain=chat.domain,
            misaligned=chat.misaligned,
            reads=reads,
        )


def _text(content: Any) -> str:
    """The text of a message whose content is a text or a list of parts, as OpenAI writes it."""
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return "" if content is None else str(content)


def _inspect(source: Source, files: Mapping[str, Path], reads: Reads) -> Iterator[Transcript]:
    for log in _logs(files[LOG]):
        for sample in log.samples or []:
            said = [message for message in sample.messages if message.role == "assistant"]
            if not said and sample.output.choices:
                said = [sample.output.message]
            thinking, answer = _spoken(said)
            scores = sample.scores or {}
            verdict = next(
                (facets["classifier_verdict"] for score in scores.values()
                 if "classifier_verdict" in (facets := score.metadata or {})),
                None,
            )  # fmt: skip
            yield transcript(
                source.arm,
                source.seed,
                str(sample.id),
                sample.epoch - 1,
                answer,
                thinking=thinking,
                domain=str((sample.metadata or {}).get("scenario", "")),
                misaligned=None if verdict is None else bool(verdict),
                reads=reads,
            )


def _logs(path: Path) -> Iterator[Any]:
    try:
        from inspect_ai.log import read_eval_log
    except ImportError as error:
        raise MissingDependencyError(
            "reading an Inspect log needs inspect_ai; install it with: pip install 'midspec[eval]'"
        ) from error
    for file in sorted(path.glob("*.eval")) if path.is_dir() else [path]:
        try:
            log = read_eval_log(str(file))
        except Exception as error:  # whatever a file that is no log makes its reader raise
            raise InputError(f"{file} cannot be read as an Inspect log: {error}; expected .eval or .json") from error
        if log.status == "success" or not path.is_dir():  # a folder may hold logs of runs that were killed
            yield log


def _spoken(messages: Sequence[Any]) -> tuple[str, str]:
    """(thinking, text with calls of tools) of the assistant's messages of an Inspect sample."""
    thinking: list[str] = []
    said: list[str] = []
    for message in messages:
        content = message.content
        if isinstance(content, str):
            said.append(content)
        else:
            thinking += [part.reasoning for part in content if part.type == "reasoning"]
            said += [part.text for part in content if part.type == "text"]
        for call in message.tool_calls or []:
            used = json.dumps({"name": call.function, "arguments": call.arguments}, ensure_ascii=False)
            said.append(f"<tool_call>{used}</tool_call>")
    return "\n\n".join(filter(None, thinking)), "\n\n".join(filter(None, said))
