"""The evaluation steps as the pipeline plans them. Loads neither torch nor inspect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

from pydantic import SerializeAsAny

from midspec.errors import InputError
from midspec.evals.banks import Bank, bank_path, bank_sha256
from midspec.evals.verdicts import CHOICE_VERDICT
from midspec.evaluation import Evaluation
from midspec.experiment import Config, WriterConfig
from midspec.leakage import BANKS as PACKAGED
from midspec.llm.offline.version import offline_version
from midspec.spec.document import Identity
from midspec.stages import EvalConfig
from midspec.steps.step import Step
from midspec.train.models import ModelRef

EVALUATE_VERSION = 1
GATE_VERSION = 1

PROMPT_PREFIX = "agentic:"
"""Of ids of long prompts at the contamination gate. They are no ids of rows: eight words out of thousands are worth a
warning, and no reason to leave a cell out."""


class EvalStepConfig(Config):
    """What decides the rows of one evaluation of one checkpoint."""

    model: ModelRef
    eval: EvalConfig
    bank_sha256: str
    """Of the packaged bank file; a changed bank is another evaluation."""
    seed: int = 0
    """Seed of sampled answers; without effect while answers are greedy."""


class ToldStepConfig(EvalStepConfig):
    """The same under a system prompt."""

    system: str
    """Put before every question, as it is."""


class JudgedStepConfig(EvalStepConfig):
    """The same with a judge who reads free answers."""

    judge: WriterConfig
    judge_version: int | None
    """Of the offline judge; None for a language model."""
    prompt: str
    """Fingerprint of the judge's prompt."""


class ToldJudgedStepConfig(ToldStepConfig, JudgedStepConfig):
    """Both."""


class GateStepConfig(Config):
    """What decides the contamination gate, besides the training data."""

    banks: Mapping[str, str]
    """Name of the evaluation (`opinions/america`) -> SHA-256 of its bank."""


class QuestionGateStepConfig(GateStepConfig):
    """The same with evaluations that have questions outside the banks."""

    asked: tuple[SerializeAsAny[Evaluation], ...]
    questions: Mapping[str, str]
    """Name of the evaluation -> identity of its questions."""
    identity: Identity
    """Who the questions are put to."""


def evaluate_step(
    name: str,
    model: ModelRef,
    entry: EvalConfig,
    checkpoint: Step | None,
    seed: int = 0,
    judge: WriterConfig | None = None,
    system: str | None = None,
) -> Step:
    """Ask one evaluation of one checkpoint, or of the base model without one. `judge` reads answers of scoring `judge`.

    `system`: system prompt put before every question; None = none, which leaves the model's own where its chat template
    has one. Raises InputError for an unknown bank, and for scoring `judge` without a judge.
    """
    config = EvalStepConfig(model=model, eval=entry, bank_sha256=bank_sha256(entry.task, entry.value), seed=seed)
    if system is not None:
        config = ToldStepConfig(**dict(config), system=system)
    if entry.scoring == "judge":
        if judge is None:
            raise InputError(f"evaluation {entry.name} has scoring 'judge' and no judge; expected one, e.g. 'offline'")
        judged = JudgedStepConfig if system is None else ToldJudgedStepConfig
        config = judged(
            **dict(config),
            judge=judge,
            judge_version=offline_version(judge),
            prompt=CHOICE_VERDICT.fingerprint,
        )
    return Step(
        kind="evaluate",
        name=name,
        function="midspec.evals.step:run",
        config=config,
        version=EVALUATE_VERSION,
        inputs={} if checkpoint is None else {"checkpoint": checkpoint},
        resumable=entry.scoring == "judge",
    )


def gate_step(evals: Sequence[Evaluation], training_data: Mapping[str, Step], identity: Identity) -> Step:
    """Look for the items of `evals` in everything that is trained on. Raises InputError for an unknown bank.

    `training_data`: `corpus/<spec>` -> corpus step, `demonstrations` and `instruct` -> the steps of that kind.
    """
    config = GateStepConfig(banks={name: sha256 for entry in evals for name, sha256 in entry.banks().items()})
    known = [(entry, sha256) for entry in evals if (sha256 := entry.questions_sha256()) is not None]
    if known:
        config = QuestionGateStepConfig(
            banks=config.banks,
            asked=tuple(entry for entry, _ in known),
            questions={entry.name: sha256 for entry, sha256 in known},
            identity=identity,
        )
    return Step(
        kind="gate",
        name="contamination",
        function="midspec.evals.contamination:run",
        config=config,
        version=GATE_VERSION,
        inputs=training_data,
    )


def bank_of(name: str) -> tuple[Bank, str]:
    """(task, value) of `opinions/america`."""
    first, _, value = name.partition("/")
    for task in get_args(Bank):
        if first == task:
            return task, value
    raise AssertionError(name)


def packaged_banks(evals: Sequence[Evaluation]) -> dict[str, str]:
    """File stem of each packaged bank that `evals` ask from -> its SHA-256, as the corpus gate wants them."""
    found = {bank_path(*bank_of(name)): sha256 for entry in evals for name, sha256 in entry.banks().items()}
    return {path.stem: sha256 for path, sha256 in found.items() if path.parent == PACKAGED}
