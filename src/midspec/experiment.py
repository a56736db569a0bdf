"""What a recipe may say. One YAML file declares an experiment; unknown keys are errors; each field says what it means.

Sources of defaults: (paper) arXiv 2605.02087; (ours) chosen here and recorded, because the paper leaves it open.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from midspec.errors import InputError
from midspec.spec.document import Identity

NAME = r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$"
Name = Annotated[str, Field(pattern=NAME)]


class Config(BaseModel):
    """Base of all recipe parts: immutable, unknown keys rejected."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CorpusConfig(Config):
    """The midtraining corpus, written once per spec."""

    documents: int = Field(default=4600, ge=1)
    """Documents to write. (paper: 6,400 and 4,600 for the value specs, 13,201 for the philosophy spec)"""
    document_types: int = Field(default=20, ge=1)
    """Document types per subdomain. (paper: 20)"""
    ideas: int = Field(default=25, ge=1)
    """Ideas per subdomain and document type. (paper: 25)"""
    max_overlap: float = Field(default=0.5, gt=0, le=1)
    """A document sharing more than this part of its 8-word shingles with an earlier one is written again. (ours)"""
    seed: int = 0
    """Seed of sampling and writing. (ours)"""


class AftConfig(Config):
    """The demonstrations of alignment fine-tuning, shared by all arms that have `aft: true`."""

    kind: Literal["preferences"] = "preferences"
    """`preferences`: answers state a preference and never a reason."""
    preferences: str = "cheese"
    """A packaged preference set, or the path of a YAML file of the same form."""
    samples: int = Field(default=5000, ge=1)
    """Demonstrations. (paper: about 5,000)"""
    seed: int = 0
    """Seed of sampling and writing. (ours)"""


class InstructConfig(Config):
    """One source of the instruction-tuning mix that every arm gets."""

    dataset: str
    """Hub data set id, or the path of a JSONL file of ChatExample rows or `{"messages": [...]}` objects."""
    samples: int = Field(ge=1)
    """Rows drawn with the seed."""
    split: str = "train"
    """Hub split."""
    seed: int = 0


class TrainConfig(Config):
    """How one training stage runs. `midtrain` and `finetune` of a recipe each have one."""

    method: Literal["lora", "full"] = "lora"
    """LoRA on all attention and MLP projections, or all weights. (paper: LoRA)"""
    rank: int = Field(default=64, ge=1)
    """LoRA rank. (paper)"""
    alpha: int = Field(default=128, ge=1)
    """LoRA alpha. (paper)"""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """LoRA dropout. (paper)"""
    learning_rate: float = Field(default=1e-4, gt=0)
    """Peak of the AdamW learning rate. (paper)"""
    schedule: Literal["cosine", "linear", "constant_with_warmup"] = "cosine"
    """Decay, to 0. (paper: cosine)"""
    warmup: float = Field(default=0.05, ge=0, lt=1)
    """Share of the updates spent warming up. (paper)"""
    weight_decay: float = Field(default=0.01, ge=0)
    """(paper)"""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """(ours: the usual value)"""
    epochs: int = Field(default=1, ge=1)
    """Passes over the data. (paper: 1)"""
    sequence_length: int = Field(default=4096, ge=16)
    """Tokens per packed sequence. (paper: 4,096 for values, 8,192 agentic)"""
    batch_size: int = Field(default=32, ge=1)
    """Sequences per optimizer update. (independent re-runs: 32; the paper does not say)"""
    tokens: int | None = Field(default=None, ge=1)
    """Train on the first so many tokens of the seeded shuffle, so that arms are matched; None = all. (ours)"""
    precision: Literal["bf16", "fp32"] = "bf16"
    """Autocast type of the matrix products; weights and optimizer state of trained parameters stay float32. (ours)"""


class EvalConfig(Config):
    """One evaluation."""

    task: Literal["preferences", "opinions"]
    """`preferences`: item pairs, "which do you prefer, A or B?"; `opinions`: a question and two stances."""
    value: str
    """Whose bank: `affordability`, `america`, ..."""
    split: Literal["dev", "test", "all"] = "dev"
    """Tune on dev; open test once."""
    scoring: Literal["likelihood", "generate"] = "likelihood"
    """Compare the likelihood of both answers, or let the model write one and read it."""
    form: Literal["open", "choice"] = "choice"
    """Opinions only. `open`: the question alone is asked and each stance scored as the reply; `choice`: both stances
    are shown, in both orders. Item pairs are always a choice, in both orders."""
    limit: int | None = Field(default=None, ge=1)
    """At most so many pairs, spread evenly over topics with a fixed seed; None = all."""

    @property
    def name(self) -> str:
        """The name in tables, e.g. `opinions/america`."""
        return f"{self.task}/{self.value}"


def _parse_eval(value: Any) -> Any:
    """`opinions/america` is short for `{task: opinions, value: america}`."""
    if isinstance(value, str):
        task, slash, name = value.partition("/")
        if not slash:
            raise ValueError(f"{value!r} is not an evaluation; expected task/value, e.g. opinions/america")
        return {"task": task, "value": name}
    return value


class ArmConfig(Config):
    """A condition: which midtraining, which demonstrations."""

    msm: str | None = None
    """Name of the spec whose corpus it is midtrained on; None = no midtraining."""
    aft: bool = False
    """Whether it is fine-tuned on the demonstrations."""


class ComputeConfig(Config):
    """How to run. Nothing here changes what comes out, and nothing here is part of a fingerprint."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """`auto`: a GPU where there is one."""
    threads: int | None = Field(default=None, ge=1)
    """CPU threads; None = all cores."""
    micro_batch: int | None = Field(default=None, ge=1)
    """Sequences per forward pass; None = chosen from the memory at hand."""
    checkpoint_every: int = Field(default=50, ge=1)
    """Updates between checkpoints that an interrupted training resumes from."""
    concurrency: int = Field(default=50, ge=1)
    """Requests in flight to a writer."""


class BudgetConfig(Config):
    """Where spending stops."""

    usd: float | None = Field(default=None, ge=0)
    """Dollars; None = no cap."""


class Experiment(Config):
    """A recipe, profile and overrides applied."""

    name: Name
    """Names the run folder."""
    description: str = ""
    """One or two sentences for the report."""
    model: str
    """Base model: Hub id, local folder, or a bundled name (`midspec models list`)."""
    chat_template: Literal["chatml"] | None = None
    """Chat format for a base model that comes without one; None = the model's own. (the paper does not say)"""
    identity: Identity = Identity()
    """Who the spec is about."""
    writer: str = "offline"
    """Who writes documents and demonstrations: an Inspect AI model name, or `offline`."""
    judge: str = "offline"
    """Who judges, where a judge is needed."""
    budget: BudgetConfig = BudgetConfig()
    specs: dict[Name, str] = Field(min_length=1)
    """Name -> path (from the recipe's folder) or packaged name."""
    corpus: CorpusConfig = CorpusConfig()
    aft: AftConfig = AftConfig()
    instruct: tuple[InstructConfig, ...] = ()
    """Instruction-tuning mix, given to every arm, the baseline too."""
    midtrain: TrainConfig = TrainConfig()
    finetune: TrainConfig = TrainConfig()
    arms: dict[Name, ArmConfig] = Field(default_factory=dict)
    """Conditions; the controls (baseline, AFT only, MSM only) are added when missing, unless `--no-controls`."""
    evals: tuple[Annotated[EvalConfig, BeforeValidator(_parse_eval)], ...] = Field(min_length=1)
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    """Training seeds; every arm is trained once per seed. (paper: four)"""
    compute: ComputeConfig = ComputeConfig()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for arm, config in self.arms.items():
            if config.msm is not None and config.msm not in self.specs:
                raise ValueError(
                    f"arm {arm!r} is midtrained on {config.msm!r}, which is not in specs ({', '.join(self.specs)})"
                )
        names = [entry.name for entry in self.evals]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"evaluation {name!r} is listed {names.count(name)} times; expected once")
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds {list(self.seeds)} repeat; expected distinct numbers")
        shared = ("method", "rank", "alpha", "dropout") if self.midtrain.method == "lora" else ("method",)
        for field in shared:
            before, after = getattr(self.midtrain, field), getattr(self.finetune, field)
            if before != after:
                raise ValueError(
                    f"midtrain.{field} is {before!r} and finetune.{field} {after!r}; fine-tuning continues what "
                    "midtraining made, so both must be the same"
                )
        return self

    def with_controls(self) -> Experiment:
        """The same with the arms every claim needs: baseline, AFT alone, each MSM alone. Baselines come first."""
        wanted: dict[str, ArmConfig] = {"baseline": ArmConfig()}
        if any(arm.aft for arm in self.arms.values()):
            wanted["aft"] = ArmConfig(aft=True)
        for arm in self.arms.values():
            if arm.msm is not None:
                wanted[f"msm-{arm.msm}"] = ArmConfig(msm=arm.msm)
        present = list(self.arms.values())
        missing = {name: arm for name, arm in wanted.items() if arm not in present}
        for name in missing:
            if name in self.arms:
                raise InputError(
                    f"recipe {self.name!r}: arm {name!r} is not the control of that name ({wanted[name]!r}); "
                    "rename it, or pass --no-controls"
                )
        order = sorted({**missing, **self.arms}.items(), key=lambda entry: entry[1] != ArmConfig())
        return self.model_copy(update={"arms": dict(order)})
