"""Spec knowledge as an Inspect task: `inspect eval midspec/knowledge --model M -T questions=FOLDER -T part=letter`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from inspect_ai import Task, task

from midspec.evals.battery.items import Split
from midspec.evals.battery.made import load_questions
from midspec.evals.battery.tasks import part_task
from midspec.evals.knowledge.config import MAKE, KnowledgeConfig
from midspec.evals.knowledge.parts import part as one_part
from midspec.recipe import validated


@task
def knowledge(
    questions: str,
    part: Literal["likelihood", "letter", "open"] = "letter",
    split: Split = "all",
    limit: int | None = None,
    judge: str = "offline",
) -> Task:
    """One part, of the questions that `midspec eval make-knowledge` wrote into the folder `questions`."""
    entry = validated(KnowledgeConfig, parts=(part,), split=split, limit=limit)
    return part_task(one_part(entry.parts[0], load_questions(Path(questions), MAKE), entry), judge, entry)
