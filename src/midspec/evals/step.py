"""The evaluation step: one bank asked of one checkpoint through Inspect, as `rows.jsonl` and a log for its viewer."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from midspec.errors import StepError
from midspec.evals.banks import bank_sha256, load_bank
from midspec.evals.config import EVALUATE_VERSION as VERSION
from midspec.evals.config import EvalStepConfig, JudgedStepConfig, ToldStepConfig
from midspec.evals.inspect_run import opened, run_task
from midspec.evals.thinking import THINKING_TOKENS
from midspec.records import BankItem, EvalRow, write_rows
from midspec.steps.step import Context

__all__ = ["VERSION", "EvalStepConfig", "run"]

MANY_CUT = 0.1
"""Share of thoughts without an end from which a reader is warned. (ours)"""


def run(context: Context) -> dict[str, Any]:
    """Evaluate and write `rows.jsonl` (EvalRow, in bank order) and `logs/` (one Inspect log).

    Input `checkpoint` (optional): a training step's folder with weights in `checkpoint/`; without it the base model is
    asked. Summary: items, undecided, rate (of decided items; None without any), seconds_scoring. The rows are equal bit
    for bit when the step is repeated on the same machine with as many threads. Raises StepError with the reason when
    the evaluation fails, MissingDependencyError without the extras it needs. Of a model that thinks, the summary also
    says how its thoughts ended.
    """
    config: EvalStepConfig = context.config
    if bank_sha256(config.eval.task, config.eval.value) != config.bank_sha256:
        raise StepError(f"the bank of {config.eval.name} has changed since this run was planned; start the run again")
    started = time.monotonic()
    told: dict[str, Any] = {}
    thoughts: Counter[str] = Counter()
    if isinstance(config, JudgedStepConfig):
        from midspec.evals.judged import judged_rows

        rows, told = judged_rows(context, config, lambda: sampled(context, thoughts))
    else:
        found = sampled(context, thoughts)
        rows = [eval_row(config, item, sample.scores["choice"].metadata) for item, sample in found]
    write_rows(context.folder / "rows.jsonl", rows)
    decided = [row.aligned for row in rows if row.aligned is not None]
    return {
        "items": len(rows),
        "undecided": sum(row.aligned is None and row.unscored is None for row in rows),
        "rate": round(sum(decided) / len(decided), 6) if decided else None,
        "seconds_scoring": round(time.monotonic() - started, 3),
        **told,
        **_of_thoughts(thoughts),
    }


def _of_thoughts(thoughts: Counter[str]) -> dict[str, Any]:
    """What a summary says of a model that thinks before it answers."""
    if not thoughts:
        return {}
    told: dict[str, Any] = {"thoughts": dict(sorted(thoughts.items()))}
    cut = thoughts["cut"] / thoughts.total()
    if cut > MANY_CUT:
        told["warnings"] = [
            f"{cut:.0%} of the thoughts did not end within {THINKING_TOKENS:,} tokens: likelihoods were scored after "
            "closing them, written answers count as none"
        ]
    return told


def sampled(context: Context, thoughts: Counter[str]) -> list[tuple[BankItem, Any]]:
    """Run Inspect; the items with the samples of its log, in bank order. Adds to `thoughts` how a model's ended."""
    config: EvalStepConfig = context.config
    with opened(config.model, context, local=True) as model:
        from midspec.evals import registry

        asked: dict[str, Any] = config.eval.model_dump(include={"value", "split", "scoring", "limit"})
        if config.eval.task not in ("preferences", "traits"):
            asked["form"] = config.eval.form
        if isinstance(config, ToldStepConfig):
            asked["system"] = config.system
        task = getattr(registry, config.eval.task)(**asked)
        log = run_task(task, model, context, name=config.eval.name, seed=config.seed)
        thoughts.update(getattr(model.api, "thoughts", {}))
    samples = {str(sample.id): sample for sample in log.samples or []}
    items = load_bank(config.eval.task, config.eval.value)
    return [(item, samples[item.id]) for item in items if item.id in samples]


def eval_row(config: EvalStepConfig, item: BankItem, reading: dict[str, Any]) -> EvalRow:
    """The row of one item; `reading`: the fields of a `Reading`."""
    return EvalRow(
        eval=config.eval.name,
        item=item.id,
        domain=item.domain,
        topic=item.topic,
        difficulty=item.difficulty,
        log_odds=reading["log_odds"],
        aligned=reading["aligned"],
        by_order=tuple(reading["by_order"]),
        answers=tuple(reading["answers"]),
        unscored=reading["unscored"],
        facets=reading["facets"],
    )
