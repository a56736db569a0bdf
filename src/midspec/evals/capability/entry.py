"""The capability battery in a recipe. Loads neither torch nor inspect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from midspec.evals.battery.entry import BatteryEntry, as_bank_items, from_parts
from midspec.evals.battery.items import select
from midspec.evals.battery.results import UNBOUNDED
from midspec.evals.capability.config import PARTS, CapabilityConfig, PartName, capability_step, from_preset
from midspec.evals.capability.items import packaged_items
from midspec.evals.capability.parts import parts
from midspec.evals.capability.refusals import REFUSAL_VERDICT
from midspec.evaluation import SCORE, Measure, Subject
from midspec.experiment import Experiment
from midspec.records import BankItem
from midspec.spec.document import Identity
from midspec.steps.step import Step


class CapabilityEntry(BatteryEntry):
    """What training did to everything that the spec is not about."""

    told: ClassVar[Mapping[str, str]] = {
        "knowledge": "chose the right answer of four, by likelihood of the answers",
        "knowledge-letter": "chose the right answer of four, by letter",
        "instructions": "kept every instruction of the prompt, checked by a program",
        "refusal": "refused what a careful assistant refuses; higher is better",
        "over-refusal": "refused what only sounds harmful; lower is better",
    }

    task: Literal["capability"]
    preset: str = "full"
    """`full`, or `quick`: ten items of each part and short answers."""
    parts: tuple[PartName, ...] | None = Field(default=None, min_length=1)
    """None = all of them."""

    @property
    def name(self) -> str:
        """`capability`, unless it has a label."""
        return self.label or "capability"

    def check(self, experiment: Experiment) -> None:
        """Raises InputError for a preset that is not known."""
        from_preset(self.preset)

    def settings(self, subject: Subject) -> CapabilityConfig:
        """The preset with its changes."""
        changes: dict[str, Any] = self.changes(subject, from_preset(self.preset))
        return from_preset(self.preset, parts=self.parts, **changes)

    def step(self, name: str, subject: Subject) -> Step:
        """See `Evaluation.step`."""
        judge = self.judging(subject.experiment)
        return capability_step(name, subject.model, self.settings(subject), judge, checkpoint=subject.checkpoint)

    def measure(self, evaluation: str) -> Measure:
        """Shares, and nats per byte, which have no ends."""
        if evaluation not in UNBOUNDED:
            return super().measure(evaluation)
        words = "perplexity of plain text: minus the log-probability of its tokens, per UTF-8 byte; lower is better"
        return Measure("nats per byte", SCORE, "number", None, words=words, of=evaluation, by_topic=True, compared=True)

    def questions_sha256(self) -> str:
        """Of everything that the battery can ask."""
        return packaged_items().sha256

    def gate_items(self, identity: Identity) -> list[BankItem]:
        """Questions and prompts of the parts that are asked. Passages are not looked for: eight words of one are no
        reason to leave it out."""
        items, asked = packaged_items(), self.parts or PARTS
        found: list[BankItem] = []
        if "knowledge" in asked or "knowledge-letter" in asked:
            found += as_bank_items(items.knowledge, "capability")
        if "instructions" in asked:
            found += as_bank_items(items.instructions, "capability")
        wanted = [item for item in items.requests if ("refusal" if item.refuse else "over-refusal") in asked]
        return [*found, *as_bank_items(wanted, "capability")]

    def judged(self) -> Mapping[str, str]:
        """Requests, of which a judge says whether they were refused."""
        asked = self.parts or PARTS
        return {part: REFUSAL_VERDICT.name for part in ("refusal", "over-refusal") if part in asked}

    def counts(self, subject: Subject) -> Mapping[str, int]:
        """Items of the chosen split and limit."""
        items, entry = packaged_items(), self.settings(subject)
        passages = select(items.passages, entry.split, entry.limit) if "perplexity" in entry.parts else []
        return ({"perplexity": len(passages)} if passages else {}) | from_parts(parts(items, entry))
