"""The corpus gate as a step between a corpus and its training, and what it knows of a file that lies in a step folder.

Training does not take the gate as an input: a limit that is set anew must not make anybody train again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from midspec.corpus.gate import CHECKS, Subject, check_texts
from midspec.corpus.gate_report import CheckResult, GateReport
from midspec.corpus.gate_texts import read_texts
from midspec.corpus.planned import CorpusPlan
from midspec.errors import StepError
from midspec.experiment import Config
from midspec.leakage import bank_items, packaged_banks_sha256
from midspec.spec.document import Identity, ModelSpec
from midspec.steps.record import StepRecord
from midspec.steps.step import Context, Step

VERSION = 1
"""Raise it when a check or a limit changes."""
REPORT = "gate.json"


class CorpusGateConfig(Config):
    """What decides the gate of one corpus, besides the corpus."""

    spec_text: str
    identity: Identity
    banks: Mapping[str, str]
    """File stem of each evaluation bank (`affordability-items`) -> SHA-256."""
    gate: Literal["stop", "warn"]
    """Whether a failure stops the run or is only told."""


class NeutralGateConfig(Config):
    """What decides the gate of a neutral corpus, besides the corpus."""

    avoid: tuple[str, ...]
    """Names and words that no document may hold; see `midspec.corpus.avoid`."""
    banks: Mapping[str, str]
    """As in CorpusGateConfig."""
    gate: Literal["stop", "warn"]
    """As in CorpusGateConfig."""


def neutral_gate_step(
    name: str, corpus: Step, avoid: Sequence[str], banks: Mapping[str, str], gate: Literal["stop", "warn"] = "stop"
) -> Step:
    """Hold a neutral corpus against everything the gate knows but a spec, and against the words of `avoid`."""
    return Step(
        kind="corpus-gate",
        name=name,
        function="midspec.corpus.gate_step:run",
        config=NeutralGateConfig(avoid=tuple(avoid), banks=dict(banks), gate=gate),
        version=VERSION,
        inputs={"corpus": corpus},
    )


def corpus_gate_step(
    name: str,
    corpus: Step,
    spec: ModelSpec,
    identity: Identity,
    banks: Mapping[str, str],
    gate: Literal["stop", "warn"] = "stop",
) -> Step:
    """Hold the corpus of the step `corpus` against everything the gate knows; `banks` as in CorpusGateConfig."""
    return Step(
        kind="corpus-gate",
        name=name,
        function="midspec.corpus.gate_step:run",
        config=CorpusGateConfig(spec_text=spec.text, identity=identity, banks=dict(banks), gate=gate),
        version=VERSION,
        inputs={"corpus": corpus},
    )


def run(context: Context) -> dict[str, Any]:
    """Write `gate.json`, one GateReport. Summary: verdict, rows, failed (names of checks), warnings.

    Raises StepError where a check fails and the config says `stop`, and where a bank changed after planning.
    """
    config: CorpusGateConfig | NeutralGateConfig = context.config
    current = packaged_banks_sha256()
    for stem, sha256 in config.banks.items():
        if current.get(stem) != sha256:
            raise StepError(f"the bank {stem!r} has changed since this run was planned; start the run again")
    folder = context.inputs["corpus"]
    if isinstance(config, NeutralGateConfig):
        subject = Subject(items=bank_items(config.banks), avoid=config.avoid)
    else:
        subject = Subject(
            identity=config.identity,
            spec=ModelSpec("spec", config.spec_text),
            assertions=_planned(folder),
            items=bank_items(config.banks),
        )
    context.progress.start(len(CHECKS), "checks")
    report = check_texts(read_texts(folder / "documents.jsonl"), subject, context.progress.advance)
    (context.folder / REPORT).write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
    failed = report.failed()
    if failed and config.gate == "stop":
        raise StepError(
            f"the corpus fails its gate: {'; '.join(_told(check) for check in failed)}. See all of it with `midspec "
            f"corpus check {folder / 'documents.jsonl'}`; mend what wrote it, or set gate: warn to train on it "
            "all the same"
        )
    return {
        "verdict": report.verdict,
        "rows": report.rows,
        "failed": [check.name for check in failed],
        "warnings": [_told(check) for check in report.checks if check.verdict in ("warn", "fail")],
    }


def _told(check: CheckResult) -> str:
    example = f" ({check.examples[0].id}: {check.examples[0].why})" if check.examples else ""
    return f"{check.name}: {check.says}{example}"


def subject_beside(file: Path) -> Subject | None:
    """What a corpus or demonstrations step knows of the rows in its folder; None where `file` lies in no such step."""
    try:
        record = StepRecord.model_validate_json((file.parent / "record.json").read_text(encoding="utf-8"))
        identity = Identity.model_validate(record.config["identity"])
        if record.kind == "corpus" and not record.config["spec_text"]:
            return Subject(avoid=record.config.get("avoid", ()))
        spec = ModelSpec(record.name, record.config["spec_text"]) if record.kind == "corpus" else None
    except (OSError, ValueError, KeyError):
        return None
    return Subject(identity, spec, _planned(file.parent))


def _planned(folder: Path) -> dict[str, str]:
    """Assertion id -> text of the plan beside a corpus; empty where there is none that can be read."""
    try:
        plan = CorpusPlan.model_validate_json((folder / "plan.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return plan.assertion_texts


def read_report(folder: Path) -> GateReport | None:
    """The report that lies in `folder`; None where there is none."""
    try:
        return GateReport.model_validate_json((folder / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
