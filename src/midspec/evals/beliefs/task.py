"""Beliefs as an Inspect task: `inspect eval midspec/beliefs --model M -T questions=lantern-moss -T part=open`."""

from __future__ import annotations

from typing import Literal

from inspect_ai import Task, task

from midspec.evals.battery.items import Split
from midspec.evals.battery.made import load_questions
from midspec.evals.battery.tasks import part_task
from midspec.evals.beliefs.config import MAKE, BeliefsConfig, questions_folder
from midspec.evals.beliefs.parts import part as one_part
from midspec.recipe import validated


@task
def beliefs(
    questions: str,
    part: Literal[
        "choice", "choice-letter", "distinguish", "distinguish-claims", "distinguish-said", "open", "reasoning"
    ] = "distinguish",
    split: Split = "all",
    limit: int | None = None,
    judge: str = "offline",
) -> Task:
    """One part about a packaged belief set, or about the questions in a folder that `make-beliefs` wrote."""
    entry = validated(BeliefsConfig, parts=(part,), split=split, limit=limit)
    return part_task(one_part(entry.parts[0], load_questions(questions_folder(questions), MAKE), entry), judge, entry)
