"""What decides the rows of the capability battery. Loads neither torch nor inspect."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field, field_validator

from midspec.errors import InputError
from midspec.evals.battery.config import BatteryConfig, BatteryStepConfig, known_parts
from midspec.evals.capability.items import packaged_items
from midspec.evals.capability.refusals import REFUSAL_VERDICT
from midspec.experiment import WriterConfig
from midspec.llm.offline.version import offline_version
from midspec.steps.step import Step
from midspec.train.models import ModelRef

VERSION = 1

PartName = Literal["perplexity", "knowledge", "knowledge-letter", "instructions", "refusal", "over-refusal"]
PARTS: tuple[PartName, ...] = (
    "perplexity", "knowledge", "knowledge-letter", "instructions", "refusal", "over-refusal",
)  # fmt: skip


class CapabilityConfig(BatteryConfig):
    """One run of the battery."""

    parts: tuple[PartName, ...] = Field(default=PARTS, min_length=1)
    """`perplexity` and `knowledge` need a local model, and are left out with others; the rest asks any."""

    @field_validator("parts")
    @classmethod
    def _known(cls, value: tuple[PartName, ...]) -> tuple[PartName, ...]:
        return known_parts(value, PARTS, "capability")


class CapabilityStepConfig(BatteryStepConfig):
    """What decides the rows of one run on one checkpoint."""

    eval: CapabilityConfig


PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "full": MappingProxyType({}),
        "quick": MappingProxyType({"limit": 10, "max_tokens": 96}),
    }
)
"""`quick`: ten items of each part and short answers, to see that everything runs."""


def from_preset(name: str, **changes: Any) -> CapabilityConfig:
    """The settings of a preset with `changes` to single fields; a change of None keeps the preset's value.

    Raises InputError for a preset or a setting that is not known.
    """
    if name not in PRESETS:
        raise InputError(f"capability preset {name!r} is not known; expected one of: {', '.join(PRESETS)}")
    from midspec.recipe import validated

    changed = {key: value for key, value in changes.items() if value is not None}
    return validated(CapabilityConfig, **{**PRESETS[name], **changed})


def capability_step(
    name: str,
    model: ModelRef | str,
    entry: CapabilityConfig,
    judge: WriterConfig,
    *,
    checkpoint: Step | None = None,
) -> Step:
    """Ask the battery of one checkpoint, or of the model as it is. `judge` reads whether answers refuse.

    Raises InputError for a checkpoint of a model that is not local.
    """
    if checkpoint is not None and isinstance(model, str):
        raise InputError(f"a checkpoint belongs to a local model, and {model!r} is not one; expected midspec/<model>")
    return Step(
        kind="evaluate",
        name=name,
        function="midspec.evals.capability.step:run",
        config=CapabilityStepConfig(
            model=model,
            eval=entry,
            items_sha256=packaged_items().sha256,
            prompt=REFUSAL_VERDICT.fingerprint,
            judge=judge,
            judge_version=offline_version(judge),
        ),
        version=VERSION,
        inputs={} if checkpoint is None else {"checkpoint": checkpoint},
        resumable=True,
    )
