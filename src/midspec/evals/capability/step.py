"""The capability battery as a step: `rows.jsonl`, logs, and what changed beside another run."""

from __future__ import annotations

from typing import Any

from midspec.errors import InputError, StepError
from midspec.evals.battery.items import select
from midspec.evals.battery.step import NO_LIKELIHOODS, run_battery
from midspec.evals.capability.config import VERSION, CapabilityStepConfig
from midspec.evals.capability.items import packaged_items
from midspec.evals.capability.parts import parts
from midspec.records import EvalRow, read_rows, write_rows
from midspec.steps.step import Context

__all__ = ["VERSION", "run"]

LOOSE = "loose"


def run(context: Context) -> dict[str, Any]:
    """Write `rows.jsonl`: rows `capability/PART`, one per item and sample, in the order of the parts.

    `score`: nats per byte of a passage (lower is better); 1/0 for a right choice, an instruction kept strictly, a
    refusal. Input `checkpoint` (optional) as in `midspec.evals.step`. Summary: as `run_battery`, and
    `instructions_loose`. Raises StepError where the model answers nothing, InputError where the items changed.
    """
    config: CapabilityStepConfig = context.config
    items = packaged_items()
    if items.sha256 != config.items_sha256:
        raise InputError("the items of the capability battery changed since this run was planned; start the run again")
    passages = select(items.passages, config.eval.split, config.eval.limit) if "perplexity" in config.eval.parts else []
    not_run: dict[str, str] = {}
    predicted: list[EvalRow] = []
    if passages and isinstance(config.model, str):
        not_run["capability/perplexity"] = NO_LIKELIHOODS
    elif passages and not isinstance(config.model, str):
        kept = context.folder / "parts" / "capability-perplexity.jsonl"
        if not kept.exists():
            from midspec.evals.capability.perplexity import perplexity_rows

            predicted = perplexity_rows(context, config.model, passages)
            kept.parent.mkdir(exist_ok=True)
            write_rows(kept, predicted)
        predicted = list(read_rows(kept, EvalRow))
    asked = parts(items, config.eval)
    summary = run_battery(context, config.eval, asked, earlier=predicted)
    if not summary["items"]:
        raise StepError(f"capability: nothing could be asked of {config.model}; expected parts that it can answer")
    loose = [row.facets[LOOSE] for row in read_rows(context.folder / "rows.jsonl", EvalRow) if LOOSE in row.facets]
    return {
        **summary,
        "not_run": {**not_run, **summary["not_run"]},
        "instructions_loose": sum(float(one or 0) for one in loose) / len(loose) if loose else None,
    }
