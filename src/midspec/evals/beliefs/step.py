"""Beliefs as a step: a belief set asked of one checkpoint; `rows.jsonl` and Inspect logs."""

from __future__ import annotations

from typing import Any

from midspec.evals.battery.made import asked_questions
from midspec.evals.battery.step import run_battery
from midspec.evals.beliefs.config import MAKE, VERSION, BeliefsStepConfig
from midspec.evals.beliefs.parts import part
from midspec.steps.step import Context

__all__ = ["VERSION", "run"]


def run(context: Context) -> dict[str, Any]:
    """Write `rows.jsonl`: rows `beliefs/PART`, `score` 1 for what the invented world has and 0 for what it has not.

    Inputs: `questions` (a folder of questions), `checkpoint` (optional) as in `midspec.evals.step`. Summary and
    errors as `run_battery`; InputError where the questions changed since the run was planned.
    """
    config: BeliefsStepConfig = context.config
    questions = asked_questions(config, context.inputs, MAKE)
    return run_battery(context, config.eval, [part(name, questions, config.eval) for name in config.eval.parts])
