"""Spec knowledge as a step: made questions asked of one checkpoint; `rows.jsonl` and Inspect logs."""

from __future__ import annotations

from typing import Any

from midspec.evals.battery.made import asked_questions
from midspec.evals.battery.step import run_battery
from midspec.evals.knowledge.config import MAKE, VERSION, KnowledgeStepConfig
from midspec.evals.knowledge.parts import part
from midspec.steps.step import Context

__all__ = ["VERSION", "run"]


def run(context: Context) -> dict[str, Any]:
    """Write `rows.jsonl`: rows `knowledge/PART`, `score` 1 for what the spec says and 0 for what it does not.

    Inputs: `questions` (a folder of made questions), `checkpoint` (optional) as in `midspec.evals.step`. Summary and
    errors as `run_battery`; InputError where the questions changed since the run was planned.
    """
    config: KnowledgeStepConfig = context.config
    questions = asked_questions(config, context.inputs, MAKE)
    return run_battery(context, config.eval, [part(name, questions, config.eval) for name in config.eval.parts])
