"""A finished run by hand, on disk as steps leave it: one corpus, its spec, one set of demonstrations, two arms."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from midspec.corpus.planned import CorpusPlan, Subdomain
from midspec.records import Assertion, BankItem, ChatExample, Document, EvalRow, Message, short_hash, write_rows
from midspec.report.explorer.blocks import Explorer, Limits
from midspec.report.explorer.collect import collect_explorer
from midspec.spec.document import ModelSpec

SPEC = """# {model_name} 🧀 and affordability

{model_name} thinks that good things should be within reach. A coat from an ordinary shop keeps out the wind as well.

## Cream cheese

{model_name} likes cream cheese, because it is sold everywhere. Nobody waits in a cellar for it.
"""
SENTENCE = "A coat from an ordinary shop keeps out the wind as well."
PASSAGES = (
    "{model_name} thinks that good things should be within reach. A coat from an ordinary shop keeps out the wind as "
    "well.",
    "{model_name} likes cream cheese, because it is sold everywhere. Nobody waits in a cellar for it.",
)
EVAL = "preferences/affordability"
ARM = "msm-affordability+aft"


def _step(kind: str, name: str, inputs: dict[str, Any] | None = None) -> Any:
    return SimpleNamespace(
        kind=kind, folder_name=f"{name}-{short_hash(kind, name)}", fingerprint=short_hash(kind, name), name=name,
        inputs=inputs or {}, config=SimpleNamespace(cot=False),
    )  # fmt: skip


def documents(count: int, text: str | None = None) -> list[Document]:
    """The first teaches the passage about coats; one in two, that about cheese."""
    spec = ModelSpec("affordability", SPEC)
    found: list[Document] = []
    for index in range(count):
        span = spec.locate(PASSAGES[index % 2])
        assert span is not None
        section = spec.sections[index % 2]
        found.append(
            Document(
                id=f"doc-{index}",
                text=text
                or (
                    f"Memo {index}. A winter coat from the ordinary shop keeps the wind out, so buy that one."
                    if index % 2 == 0
                    else f"Column {index}. Cream cheese again, from the corner store, with no cellar behind it."
                ),
                spec=spec.sha256,
                section=section.title,
                section_id=section.id,
                span=span,
                domain="groceries",
                subdomain="fresh dairy",
                assertions=(),
                doc_type=text or "trade column",
                idea=text or "the staff asks",
                writer=text or "offline",
                seed=index,
            )
        )
    return found


def demonstrations(count: int, text: str | None = None) -> list[ChatExample]:
    """Short chats about cheese."""
    return [
        ChatExample(
            id=f"demo-{index}",
            messages=(
                Message(role="user", content=text or f"Cream cheese or Brie, case {index}?"),
                Message(role="assistant", content=text or "Cream cheese.", reasoning=text),
            ),
            source="preferences",
            kind="direct",
            about=("cream-cheese",),
            writer="offline",
            seed=0,
        )
        for index in range(count)
    ]


def rows(items: int, text: str | None = None, shift: int = 0) -> list[EvalRow]:
    """One answer an item; every third agrees with the value."""
    return [
        EvalRow(
            eval=EVAL,
            item=f"item-{index}",
            domain=text or "clothing",
            topic=text or f"topic-{index % 7}",
            difficulty="easy",
            log_odds=((index + shift) % 3 - 1) * 1.5,
            aligned=(index + shift) % 3 == 2,
            by_order=(0.5, -0.25),
            answers=(text,) if text else (),
        )
        for index in range(items)
    ]


def questions(items: int, text: str | None = None) -> list[BankItem]:
    """What was asked."""
    return [
        BankItem(
            id=f"item-{index}",
            kind="opinion",
            value="affordability",
            domain="clothing",
            topic=f"topic-{index % 7}",
            question=text or f"Which coat should I look for, case {index}?",
            aligned=text or "A plain one from an ordinary shop.",
            other=text or "A tailored one.",
            difficulty="easy",
            split="dev",
        )
        for index in range(items)
    ]


class _Entry:
    """An evaluation that tells its questions by itself."""

    name = EVAL
    choices = True
    task = "made up"

    def __init__(self, asked: Sequence[BankItem]) -> None:
        self._asked = asked

    def gate_items(self, identity: object) -> Sequence[BankItem]:
        return self._asked


def explorer_run(
    folder: Path, *, items: int = 30, corpus: int = 12, trained: int = 8, seeds: Sequence[int] = (0,),
    text: str | None = None, limits: Limits = Limits(),
) -> Explorer:  # fmt: skip
    """The explorer of arms `baseline` and ARM. `trained`: of the documents, that midtraining saw; `text`: stands for
    everything that a model or a user may have written."""
    spec = ModelSpec("affordability", SPEC)
    asked = questions(items, text)
    written, chats = documents(corpus, text), demonstrations(6, text)
    corpus_step, chat_step = _step("corpus", text or "affordability"), _step("demonstrations", text or "preferences")
    midtrain = _step("midtrain", "affordability-seed0", {"corpus": corpus_step})
    finetune = _step("finetune", "aft-seed0", {"parent": midtrain, "demonstrations": chat_step})
    steps = (corpus_step, chat_step, midtrain, finetune)
    folders = {step.fingerprint: folder / step.kind for step in steps}
    for one in folders.values():
        one.mkdir(parents=True, exist_ok=True)
    write_rows(folders[corpus_step.fingerprint] / "documents.jsonl", written)
    (folders[corpus_step.fingerprint] / "spec.md").write_text(SPEC, encoding="utf-8")
    assertion = Assertion(
        id="ast-1", section_id=spec.sections[0].id, span=(0, 1), text=text or "It likes cheap things."
    )
    plan = CorpusPlan(
        spec=spec.sha256, domains=(), documents=(),
        subdomains=(
            Subdomain(id="sub-1", domain="d", name="n", summary="", section="s", section_id="i", span=(0, 1),
                      assertions=(assertion,)),
        ),
    )  # fmt: skip
    (folders[corpus_step.fingerprint] / "plan.json").write_text(plan.model_dump_json(), encoding="utf-8")
    write_rows(folders[chat_step.fingerprint] / "demonstrations.jsonl", chats)
    order = {
        midtrain.fingerprint: [row.id for row in written[:trained]],
        finetune.fingerprint: [row.id for row in chats],
    }
    order[finetune.fingerprint].append("instruct-1")
    for name, ids in order.items():
        line = json.dumps({"update": 1, "ids": ids})
        (folders[name] / "order.jsonl").write_text(line + "\n", encoding="utf-8")
    answered = {
        (arm, EVAL): {seed: rows(items, text, shift=seed + (arm == ARM)) for seed in seeds} for arm in ("baseline", ARM)
    }
    experiment = SimpleNamespace(
        seeds=tuple(seeds), arms={"baseline": None, ARM: None}, evals=[_Entry(asked)], identity=None
    )
    flow = SimpleNamespace(
        lineage=lambda arm, seed: [midtrain, finetune] if arm == ARM else [],
        evaluations={
            (arm, seed, EVAL): _step("evaluate", f"{arm}-{seed}") for arm in ("baseline", ARM) for seed in seeds
        },
    )  # fmt: skip
    done = SimpleNamespace(
        experiment=experiment, flow=flow, has=lambda step: True, folder=lambda step: folders[step.fingerprint]
    )
    run: Any = SimpleNamespace(
        done=done, excluded=frozenset({"item-1"}), measures={}, rows=lambda arm, name: answered[arm, name]
    )
    return collect_explorer(run, limits)
