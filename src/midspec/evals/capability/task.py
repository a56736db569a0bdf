"""The capability battery as an Inspect task: `inspect eval midspec/capability --model M -T part=instructions`."""

from __future__ import annotations

from typing import Literal

from inspect_ai import Task, task

from midspec.evals.battery.items import Split
from midspec.evals.battery.tasks import part_task
from midspec.evals.capability.config import CapabilityConfig
from midspec.evals.capability.items import packaged_items
from midspec.evals.capability.parts import part as one_part
from midspec.recipe import validated


@task
def capability(
    part: Literal["knowledge", "knowledge-letter", "instructions", "refusal", "over-refusal"] = "knowledge-letter",
    split: Split = "all",
    limit: int | None = None,
    judge: str = "offline",
) -> Task:
    """One part of the battery. Perplexity is no chat: `midspec eval capability` measures it.

    `judge`: who reads whether answers refuse: `offline` (rules) or an Inspect model.
    """
    entry = validated(CapabilityConfig, parts=(part,), split=split, limit=limit)
    return part_task(one_part(entry.parts[0], packaged_items(), entry), judge, entry)
