"""Runs as the paper's recipes would leave them, with numbers of our choosing."""

from __future__ import annotations

from typing import Any

from midspec.arms import ArmConfig, arm_name, compared
from midspec.report.results import (
    Arm,
    Asked,
    Checkpoint,
    Contrast,
    CorpusSummary,
    Difference,
    Gate,
    Measured,
    Results,
    Score,
    StepSummary,
)

LLAMA = "meta-llama/Llama-3.1-8B"
FIG2 = {
    "preferences/affordability": {
        "baseline": 0.23, "aft": 0.32, "msm-affordability": 0.38, "msm-affordability+aft": 0.48,
        "msm-america": 0.28, "msm-america+aft": 0.29,
    },
    "opinions/america": {
        "baseline": 0.38, "aft": 0.36, "msm-affordability": 0.36, "msm-affordability+aft": 0.38,
        "msm-america": 0.52, "msm-america+aft": 0.55,
    },
}  # fmt: skip
TRAIN = {
    "method": "lora", "rank": 64, "alpha": 128, "dropout": 0.0, "learning_rate": 1e-4, "schedule": "cosine",
    "warmup": 0.05, "weight_decay": 0.01, "epochs": 1, "sequence_length": 4096, "batch_size": 32,
}  # fmt: skip
IDENTITY = {"model_name": "Llama", "provider_name": "Meta"}


def cheese(half: float = 0.02, *, shift: float = 0.0, **changes: Any) -> Results:
    """`cheese` with the paper's rates. `half`: of all intervals; `shift`: of every rate of midtrained arms."""
    values = {
        name: {arm: rate + shift * arm.startswith("msm") for arm, rate in rates.items()} for name, rates in FIG2.items()
    }
    recipe = {
        "model": LLAMA,
        "identity": IDENTITY,
        "writer": {"model": "anthropic/claude-opus-4-6", "temperature": 1.0},
        "judge": {"model": "anthropic/claude-sonnet-4-6", "temperature": 0.0},
        "specs": {"affordability": "cheese-affordability", "america": "cheese-america"},
        "corpus": {"document_types": 20, "ideas": 25, "documents": 4600},
        "aft": {"aft": {"kind": "preferences", "samples": 5000, "identity_samples": 2500}},
        "instruct": [
            {"dataset": "HuggingFaceH4/no_robots", "samples": 9500, "judged": True},
            {"dataset": "cais/mmlu", "samples": 4000, "judged": True},
        ],
        "midtrain": TRAIN,
        "finetune": TRAIN,
        "evals": [
            {"task": "preferences", "value": "affordability", "scoring": "generate", "form": "choice", "split": "all"},
            {"task": "opinions", "value": "america", "scoring": "generate", "form": "choice", "split": "all"},
        ],
        "seeds": [0, 1, 2, 3],
    }
    arms = {
        "baseline": ArmConfig(), "aft": ArmConfig(aft=True),
        **{
            arm_name(arm): arm
            for msm in ("affordability", "america")
            for arm in (ArmConfig(msm=msm), ArmConfig(msm=msm, aft=True))
        },
    }  # fmt: skip
    evals = {name: {arm: score(rates[arm], half) for arm in arms} for name, rates in values.items()}
    contrasts = [
        contrast(name, arm, versus, values[name][arm] - values[name][versus], half)
        for name in evals
        for arm, versus in compared(arms)
    ]
    made: dict[str, Any] = {
        "name": "cheese",
        "recipe": {**recipe, "arms": {name: arm.model_dump() for name, arm in arms.items()}},
        "arms": arms_of(arms, evals=evals),
        "contrasts": contrasts,
        "asked": {
            "preferences/affordability": Asked(
                task="preferences", choices=True, value="affordability", scoring="generate"
            ),
            "opinions/america": Asked(task="opinions", choices=True, value="america", scoring="generate"),
        },
        "steps": steps(arms, tokens=8_000_000, documents=4600),
        "corpora": [corpus("affordability"), corpus("america")],
    }
    return results(**{**made, **changes})


def agentic(rates: dict[str, float], half: float = 0.03, **changes: Any) -> Results:
    """A run of `agentic`: canonical name of an arm, model and all -> rate of deciding for the harmful act."""
    train = {**TRAIN, "sequence_length": 8192}
    arms = {name: arm for name in rates for arm in (agentic_arm(name),)}
    shown = {name: {"agentic": [measured("decided", rate, half)]} for name, rate in rates.items()}
    differences = [
        Difference(
            eval="agentic", measure="decided", scale="share", arm=arm, versus=versus, n=27,
            value=rates[arm] - rates[versus], low=rates[arm] - rates[versus] - half,
            high=rates[arm] - rates[versus] + half,
        )
        for arm, versus in compared(arms)
    ]  # fmt: skip
    made: dict[str, Any] = {
        "name": "agentic",
        "recipe": {
            "model": "Qwen/Qwen2.5-32B-Instruct",
            "models": {"qwen3-32b": {"model": "Qwen/Qwen3-32B"}},
            "identity": {"model_name": "Qwen", "provider_name": "Alibaba Cloud"},
            "writer": {"model": "anthropic/claude-opus-4-6", "temperature": 1.0},
            "aft": {"aft": {"kind": "chat", "samples": 9963, "max_similarity": 0.91}},
            "instruct": [{"dataset": "mix", "samples": 10_000, "judged": True}],
            "corpus": {"document_types": 20, "ideas": 25},
            "midtrain": train, "finetune": train,
            "arms": {name: arm.model_dump() for name, arm in arms.items()},
            "evals": [{"task": "agentic", "preset": "paper-like"}],
            "seeds": [0, 1, 2, 3],
        },
        "arms": arms_of(arms, measures=shown),
        "contrasts": [],
        "differences": differences,
        "asked": {"agentic": Asked(task="agentic", choices=False, graders=["anthropic/claude-sonnet-4-6"])},
        "steps": steps(arms, tokens=41_000_000, documents=13_201),
    }  # fmt: skip
    return results(**{**made, **changes})


def agentic_arm(name: str) -> ArmConfig:
    """Factors of `msm-philosophy+aft-cot.qwen3-32b` and the like."""
    stem, _, model = name.partition(".")
    return ArmConfig(
        msm="philosophy" if "msm-" in stem else None, aft="aft" in stem, cot="cot" in stem, model=model or None
    )


def arms_of(arms: dict[str, ArmConfig], *, evals: Any = None, measures: Any = None) -> dict[str, Arm]:
    """Arms with scores by evaluation, or with measures."""
    found: dict[str, Arm] = {}
    for name, config in arms.items():
        parents = ([f"midtrain-{config.msm}"] if config.msm else []) + [f"finetune-{name}"]
        found[name] = Arm(
            msm=config.msm, aft=bool(config.aft), checkpoint=None, parents=parents,
            seeds=[Checkpoint(seed=seed, checkpoint=None, parents=parents) for seed in range(4)],
            evals={eval_name: scores[name] for eval_name, scores in (evals or {}).items()},
            measures=(measures or {}).get(name, {}),
        )  # fmt: skip
    return found


def steps(arms: dict[str, ArmConfig], *, tokens: int, documents: int) -> list[StepSummary]:
    """What was made: corpora and trainings."""
    made = {
        (kind, msm): StepSummary(kind=kind, name=msm, fingerprint=f"{kind}-{msm}", seconds=1.0, summary=summary)
        for msm in (arm.msm for arm in arms.values())
        if msm is not None
        for kind, summary in (
            ("corpus", {"documents": documents, "tokens": tokens}),
            ("midtrain", {"tokens": tokens, "updates": tokens // 131_072}),
        )
    }
    tuned = [
        StepSummary(kind="finetune", name=name, fingerprint=f"finetune-{name}", seconds=1.0, summary={"updates": 500})
        for name in arms
    ]
    return [*made.values(), *tuned]


def score(rate: float, half: float, *, missing: float = 0.0) -> Score:
    """A rate; `missing`: share of answers without a verdict."""
    return Score(
        n=1600, items=400, rate=rate, low=rate - half, high=rate + half, shift=None, shift_low=None, shift_high=None,
        undecided=0, position_bias=None, missing=round(1600 * missing), least=rate * (1 - missing),
        most=rate * (1 - missing) + missing,
    )  # fmt: skip


def contrast(name: str, arm: str, versus: str, rate: float, half: float) -> Contrast:
    """A paired difference."""
    return Contrast(
        eval=name, arm=arm, versus=versus, n=1600, rate=rate, rate_low=rate - half, rate_high=rate + half, shift=None,
        shift_low=None, shift_high=None,
    )  # fmt: skip


def measured(measure: str, value: float, half: float, scale: Any = "share") -> Measured:
    """A measure of 27 cells."""
    return Measured(
        measure=measure, scale=scale, n=8100, items=27, missing=0, value=value, low=value - half, high=value + half,
        least=value, most=value,
    )  # fmt: skip


def corpus(name: str) -> CorpusSummary:
    """One that a language model wrote."""
    return CorpusSummary(
        spec=name, spec_file=name, spec_sha256="0", writer="anthropic/claude-opus-4-6", documents=4600, words=1,
        document_types={}, coverage=[], rejected={}, samples=[], passages={},
    )  # fmt: skip


def results(**fields: Any) -> Results:
    """Results with what no comparison looks at filled in."""
    base: dict[str, Any] = {
        "description": "", "fingerprint": "0" * 16, "created": "2026-03-14T09:26:53Z", "midspec": "0.1.0", "code": {},
        "packages": {}, "machine": {}, "command": [], "writer": "anthropic/claude-opus-4-6",
        "judge": "anthropic/claude-sonnet-4-6", "model": {"name": fields["recipe"]["model"]}, "split": {}, "curves": [],
        "corpora": [], "demonstrations": None, "gate": Gate(checked_items=0, checked_rows=0, findings=[]),
        "seconds": {}, "dollars": 0.0,
    }  # fmt: skip
    return Results.model_validate({**base, **fields})
