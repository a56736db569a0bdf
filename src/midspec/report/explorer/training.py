"""What arms were really trained on, from the order that each training step left, and the texts and specs behind it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from midspec.corpus.planned import CorpusPlan
from midspec.records import ChatExample, Document, Row, read_rows
from midspec.report.done import Done
from midspec.report.explorer.blocks import Table, evenly
from midspec.spec.document import ModelSpec
from midspec.spec.prose import blocks as prose_blocks
from midspec.steps.step import Step

DOCUMENTS, DEMONSTRATIONS, WITH_REASONING = "documents.jsonl", "demonstrations.jsonl", "demonstrations-cot.jsonl"
ORDER = "order.jsonl"

R = TypeVar("R", bound=Row)


class Stage(NamedTuple):
    """One training step of an arm."""

    step: str
    """`midtrain/affordability-seed0-<fingerprint>`."""
    sources: list[tuple[str, list[str]]]
    """(source, ids of its rows that were trained on, in order)"""
    others: int | None
    """Rows of other origin (the instruction mix), which the page does not list. None: what it saw is not known."""


class Source(NamedTuple):
    """A file of documents or demonstrations that some step was trained on."""

    name: str
    step: str
    file: Path


def read_order(folder: Path) -> list[str] | None:
    """Ids in the order in which a training step first saw them; None where it left none."""
    if not (folder / ORDER).is_file():
        return None
    lines = (folder / ORDER).read_text(encoding="utf-8").splitlines()
    return list(dict.fromkeys(name for line in lines for name in json.loads(line)["ids"]))


class Trained:
    """Stages of every arm; each step and file is read once."""

    def __init__(self, done: Done) -> None:
        self._done = done
        self._stages: dict[str, Stage] = {}
        self.sources: dict[str, Source] = {}
        self.wanted: dict[str, dict[str, None]] = {}
        """Source -> ids that some arm was trained on."""

    def stage(self, step: Step) -> Stage:
        """What one step was trained on. Its inputs say by their files what they are."""
        if step.fingerprint not in self._stages:
            self._stages[step.fingerprint] = self._read(step)
        return self._stages[step.fingerprint]

    def _read(self, step: Step) -> Stage:
        seen = read_order(self._done.folder(step))
        if seen is None:
            return Stage(f"{step.kind}/{step.folder_name}", [], None)
        left = dict.fromkeys(seen)
        found: list[tuple[str, list[str]]] = []
        for upstream in step.inputs.values():
            file = _file(self._done.folder(upstream), bool(getattr(step.config, "cot", False)))
            if file is None:
                continue
            here = {row["id"] for row in _lines(file)}
            ids = [name for name in seen if name in here]
            name = f"{upstream.kind}/{upstream.folder_name}" + (
                "" if file.name != WITH_REASONING else " with reasoning"
            )
            self.sources.setdefault(name, Source(upstream.name, f"{upstream.kind}/{upstream.folder_name}", file))
            self.wanted.setdefault(name, {}).update(dict.fromkeys(ids))
            found.append((name, ids))
            for one in ids:
                left.pop(one, None)
        return Stage(f"{step.kind}/{step.folder_name}", found, len(left))


def source_block(source: Source, wanted: Iterable[str], characters: int) -> tuple[dict[str, Any], list[str], int]:
    """(block, ids in it, characters used). Beyond `characters` the rows shown are spread evenly over the spec."""
    if source.file.name == DOCUMENTS:
        return _documents(source, set(wanted), characters)
    return _demonstrations(source, set(wanted), characters)


def _file(folder: Path, cot: bool) -> Path | None:
    names = (DOCUMENTS, *((WITH_REASONING,) if cot else ()), DEMONSTRATIONS)
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _lines(file: Path) -> Iterable[dict[str, Any]]:
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


def _fitting(rows: list[R], sizes: list[int], characters: int) -> list[R]:
    total = sum(sizes)
    return rows if total <= characters else evenly(rows, len(rows) * characters // total)


def _documents(source: Source, wanted: set[str], characters: int) -> tuple[dict[str, Any], list[str], int]:
    rows = [row for row in read_rows(source.file, Document) if row.id in wanted]
    rows.sort(key=lambda row: (row.span, row.id))
    shown = _fitting(rows, [len(row.text) for row in rows], characters)
    words = Table()
    folder = source.file.parent
    plan = _plan(folder)
    told = {name: text for name, text in plan.items() if any(name in row.assertions for row in shown)}
    block = {
        "kind": "documents",
        "words": words,
        "ids": [row.id for row in shown],
        "text": [row.text for row in shown],
        "span": [list(row.span) for row in shown],
        **{
            name: [words.place(str(getattr(row, name))) for row in shown]
            for name in ("section", "domain", "subdomain", "doc_type", "idea", "writer", "style")
        },
        "seed": [row.seed for row in shown],
        "critiqued": [int(row.critiqued) for row in shown],
        "assertions": [list(row.assertions) for row in shown],
        "told": told,
    }
    block["words"] = words.texts
    return block, [row.id for row in shown], sum(len(row.text) for row in shown)


def _demonstrations(source: Source, wanted: set[str], characters: int) -> tuple[dict[str, Any], list[str], int]:
    rows = [row for row in read_rows(source.file, ChatExample) if row.id in wanted]
    sizes = [sum(len(turn.content) + len(turn.reasoning or "") for turn in row.messages) for row in rows]
    shown = _fitting(rows, sizes, characters)
    block = {
        "kind": "demonstrations",
        "ids": [row.id for row in shown],
        "messages": [
            [[turn.role, turn.content, *([turn.reasoning] if turn.reasoning else [])] for turn in row.messages]
            for row in shown
        ],
        "form": [row.kind for row in shown],
        "about": [list(row.about) for row in shown],
        "domain": [row.domain for row in shown],
        "from": [row.source for row in shown],
        "writer": [row.writer for row in shown],
        "seed": [row.seed for row in shown],
    }
    return block, [row.id for row in shown], min(sum(sizes), characters)


def _plan(folder: Path) -> dict[str, list[Any]]:
    """Assertion id -> [text, start, end]."""
    try:
        plan = CorpusPlan.model_validate_json((folder / "plan.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {one.id: [one.text, *one.span] for topic in plan.subdomains for one in topic.assertions}


def spec_block(source: Source) -> dict[str, Any] | None:
    """The spec that a corpus was written about; None where there is none."""
    name, file = source.name, source.file.parent / "spec.md"
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    if not text.strip():
        return None
    spec = ModelSpec(name, text)
    return {
        "name": name,
        "text": text,
        "sha256": spec.sha256,
        "sections": [[section.title, *section.span, section.id] for section in spec.sections],
        "sentences": [list(one.span) for block in prose_blocks(spec) for one in block.sentences],
    }
