"""Judges and contexts to test with."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from midspec.experiment import ComputeConfig, InstructConfig, WriterConfig
from midspec.instruct.step import instruct_step
from midspec.llm.prompt import Ask, Reply
from midspec.records import ChatExample, read_rows
from midspec.spec.document import Identity, ModelSpec
from midspec.steps.imported import run as run_import
from midspec.steps.progress import Silent
from midspec.steps.step import Context, Step

SPECS = {"patience": ModelSpec("patience", "{model_name}, made by {provider_name}, never hurries {anybody}.")}
OFFLINE = WriterConfig(model="offline", temperature=0.0)


def rows(count: int, said: Callable[[int], str] = lambda n: f"Answer number {n}.") -> list[dict[str, Any]]:
    return [
        {"messages": [{"role": "user", "content": f"Question {n}?"}, {"role": "assistant", "content": said(n)}]}
        for n in range(count)
    ]


def write(path: Path, content: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in content))
    return path


def step(sources: Sequence[InstructConfig], judge: WriterConfig = OFFLINE) -> Step:
    return instruct_step(sources, judge, SPECS, Identity())


def context(made: Step, folder: Path) -> Context:
    """A context in which the imports are done."""
    inputs: dict[str, Path] = {}
    for role, upstream in made.inputs.items():
        inputs[role] = folder / role
        inputs[role].mkdir(parents=True)
        run_import(
            Context(
                config=upstream.config, inputs={}, folder=inputs[role], progress=Silent(), compute=ComputeConfig(),
                source=upstream.source,
            )
        )  # fmt: skip
    out = folder / "out"
    out.mkdir(parents=True)
    return Context(
        config=made.config, inputs=inputs, folder=out, progress=Silent(), compute=ComputeConfig(), workspace=folder
    )


def drawn(folder: Path) -> list[ChatExample]:
    return list(read_rows(folder / "out" / "instruct.jsonl", ChatExample))


class Judge:
    """Answers what a function says; `asked` keeps every request."""

    name = "test/judge"

    def __init__(self, verdict: Callable[[Ask], str]) -> None:
        self.verdict = verdict
        self.asked: list[Ask] = []
        self.rejected: list[str] = []

    async def write(self, ask: Ask) -> Reply:
        self.asked.append(ask)
        return Reply(self.verdict(ask))

    def reject(self, reply: Reply, reason: str) -> None:
        self.rejected.append(reason)


def verdict(identity: bool = False, spec: bool = False) -> str:
    return f"<json>{json.dumps({'other_identity': identity, 'contradicts_spec': spec, 'reason': 'r'})}</json>"


def last_answer(ask: Ask) -> str:
    return ask.variables["messages"][-1]["content"]
