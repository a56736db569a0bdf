"""What tests of the client share: a prompt without a file, a step's context, and many asks at once."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from pathlib import Path
from typing import Any

from midspec.experiment import ComputeConfig, WriterConfig
from midspec.llm.desk import Desk
from midspec.llm.fan_out import fan_out
from midspec.llm.journal import NAME, Journal
from midspec.llm.journal_rows import unpacked
from midspec.llm.prompt import Ask, BadReplyError, PromptTemplate, between_tags
from midspec.llm.writer import Scribe
from midspec.steps.progress import Silent
from midspec.steps.step import Context, Spending
from tests.provider import Ledger, ProviderProcess, ProviderServer, Request

CLAUDE, GPT = "anthropic/claude-opus-4-6", "openai/gpt-4o"
MODELS = [CLAUDE, GPT]
SYSTEM = "The harbour assistant is candid, because people decide better when they know. {braces} 🦊 "


def answer(request: Request) -> str:
    """What the server says."""
    return f"<document>\nAnswer to {request.user}\n</document>"


def strict(text: str) -> str:
    """The document in a reply, if it is one."""
    inner = between_tags(text, "document")
    if not inner.startswith("Answer to "):
        raise BadReplyError("off-spec", "no answer")
    return inner


class Question(PromptTemplate[str]):
    """A prompt whose variables are its texts."""

    def __init__(self, **options: Any) -> None:
        super().__init__("test/question", strict, **options)

    def ask(self, variables: Any, sample: int = 0) -> Ask:
        system = variables.get("system", SYSTEM)
        return Ask(self.name, system, variables["user"], variables, sample, self.stage, self.schema)


class Lines(Silent):
    """Keeps what a step shows."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.notes: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)

    def note(self, text: str) -> None:
        self.notes.append(text)


def context(
    workspace: Path,
    server: ProviderServer | ProviderProcess,
    model: str = CLAUDE,
    *,
    usd: float | None = None,
    **compute: Any,
) -> Context:
    url = server.url if model.startswith("anthropic") else server.openai_url
    settings = {"writer_url": url, "judge_url": url, "concurrency": 8, "deadline": 20.0, **compute}
    return Context(
        config=None,
        inputs={},
        folder=workspace,
        progress=Lines(),
        compute=ComputeConfig(**settings),
        workspace=workspace,
        spending=Spending("cheese", usd),
        fingerprint="step-1",
    )


async def documents(
    at: Context, model: str, count: int, *, window: int = 100, config: dict[str, Any] | None = None, **variables: Any
) -> tuple[dict[int, str], Scribe, list[Exception]]:
    """Ask for `count` documents; the texts, the scribe, and what could not be had."""
    texts: dict[int, str] = {}
    errors: list[Exception] = []
    question = Question()
    async with Desk(at) as desk:
        scribe = desk.scribe(WriterConfig.model_validate({"model": model, "max_tokens": 1000, **(config or {})}))

        async def work(number: int) -> None:
            texts[number] = await scribe.ask(question, {"user": f"question {number}", **variables}, attempts=12)

        await fan_out(range(count), work, lambda outcome: outcome.error and errors.append(outcome.error), window=window)
    return texts, scribe, errors


def ask_for(
    at: Context, model: str = CLAUDE, count: int = 20, **options: Any
) -> tuple[dict[int, str], Scribe, list[Exception]]:
    return asyncio.run(documents(at, model, count, **options))


def expected(count: int) -> dict[int, str]:
    return {number: f"Answer to question {number}" for number in range(count)}


def journaled(workspace: Path) -> list[tuple[str, str]]:
    """Stop reason and text of every reply in the journal."""
    journal = Journal(workspace / NAME)
    try:
        rows = journal.read("SELECT stop_reason, t.text FROM replies JOIN texts t ON t.id = replies.text")
    finally:
        journal.close()
    return [(str(stop), unpacked(text)) for stop, text in rows]


def failures(workspace: Path) -> dict[str, int]:
    """Failed attempts in the journal by kind."""
    journal = Journal(workspace / NAME)
    try:
        return dict(journal.read("SELECT kind, count(*) FROM failures GROUP BY kind"))  # type: ignore[arg-type]
    finally:
        journal.close()


def check_replies(workspace: Path, ledger: Ledger) -> None:
    """Every reply in the journal is one that the server sent, and every whole one that it sent is there."""
    sent = {
        entry.reply for entry in ledger.entries() if entry.status == 200 and entry.fault not in ("cut", "cut_silent")
    }
    kept = {
        sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        for stop, text in journaled(workspace)
        if stop != "error"
    }
    assert kept == sent
