"""What a recipe may say. One YAML file declares an experiment; unknown keys are errors; each field says what it means.

Sources of defaults: (paper) arXiv 2605.02087; (ours) chosen here and recorded, because the paper leaves it open.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SerializeAsAny, field_validator, model_validator

from midspec.errors import InputError
from midspec.evaluation import Evaluation, parse
from midspec.spec.document import Identity

NAME = r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$"
Name = Annotated[str, Field(pattern=NAME)]
_KEY_IN_QUERY = re.compile(r"(?:key|token|secret|password|signature)=", re.I)


class Config(BaseModel):
    """Base of all recipe parts: immutable, unknown keys rejected."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class WriterConfig(Config):
    """A language model that writes or judges. In a recipe, a name alone is short for `{model: NAME}`."""

    model: str = Field(min_length=1)
    """`offline`, or an Inspect AI model name: `anthropic/claude-opus-4-6`, `openai-api/<service>/<model>`, ..."""
    temperature: float | None = Field(default=1.0, ge=0)
    """None = the provider's own. (paper: 1.0 for writing)"""
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int = Field(default=8192, ge=16)
    """Longest reply; one that is cut there is not used. (ours)"""
    structured: bool = False
    """Ask the server to hold replies to a JSON schema, for small local models that miss a form told in words."""
    args: dict[str, Any] = Field(default_factory=dict)
    """Passed to the provider as they are, like `-M` of `inspect eval`."""


def _parse_writer(value: Any) -> Any:
    return {"model": value} if isinstance(value, str) else value


def _parse_judge(value: Any) -> Any:
    """Judges decide, they do not invent: temperature 0 unless the recipe says otherwise."""
    value = _parse_writer(value)
    return {"temperature": 0.0, **value} if isinstance(value, dict) else value


Judge = Annotated[WriterConfig, BeforeValidator(_parse_judge)]
"""Who judges; a name alone is short for `{model: NAME, temperature: 0}`."""


class CorpusConfig(Config):
    """The midtraining corpus, written once per spec."""

    kind: Literal["spec", "belief"] = "spec"
    """`belief`: the file holds facts about the world instead of a spec, as in synthetic-document fine-tuning."""
    style: Literal["values", "rules"] = "values"
    """`values` explains conduct by values; `rules` takes each rule in place of subdomain and assertions and explains
    conduct by what the rule allows. (paper, section 5)"""
    documents: int = Field(default=4600, ge=1)
    """Documents to write. (paper: 6,400 and 4,600 for the value specs, 13,201 for the philosophy spec)"""
    tokens: int | None = Field(default=None, ge=1)
    """Write until the corpus has about so many tokens, whatever `documents` says; None = go by `documents`. (ours)"""
    critique: bool = False
    """Have each document criticised and rewritten once. (SDF practice; the paper does not)"""
    min_yield: float = Field(default=0.25, ge=0, lt=1)
    """A topic of which fewer than this share of the documents asked for can be used is given up, and its documents
    are written on other topics. (ours)"""
    document_types: int = Field(default=20, ge=1)
    """Document types per subdomain. (paper: 20)"""
    ideas: int = Field(default=25, ge=1)
    """Ideas per subdomain and document type. (paper: 25)"""
    max_overlap: float = Field(default=0.5, gt=0, le=1)
    """A document sharing more than this part of its 8-word shingles with an earlier one is written again. (ours)"""
    seed: int = 0
    """Seed of sampling and writing. (ours)"""

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if self.kind == "belief" and self.style == "rules":
            raise ValueError("corpus.kind 'belief' has no rules; use corpus.style 'values'")
        return self


class AftConfig(Config):
    """The demonstrations of alignment fine-tuning, shared by all arms that have `aft: true`."""

    kind: Literal["preferences", "chat"] = "preferences"
    """`preferences`: answers state a preference and never a reason; `chat`: answers in the sense of a spec, written
    with reasoning and saved with it and without."""
    preferences: str = "cheese"
    """For `preferences`: a packaged preference set, or the path of a YAML file of the same form."""
    spec: str | None = None
    """For `chat`: name of the spec the answers follow."""
    style: Literal["values", "rules"] = "values"
    """For `chat`: reasoning from values, or from what the rules allow. (paper, section 5)"""
    samples: int = Field(default=5000, ge=1)
    """Demonstrations. (paper: about 5,000 preferences; 9,963 chat samples, up to 80,000)"""
    domains: int = Field(default=40, ge=1)
    """For `chat`: conversation domains. (ours)"""
    max_similarity: float = Field(default=0.91, gt=0, le=1)
    """For `chat` and identity samples: a text with a higher cosine to an earlier one is a near-duplicate. (paper)"""
    near_duplicates: Literal["auto", "embedding", "lexical"] = "auto"
    """How they are told: `embedding` by MiniLM (paper), `lexical` by letters, which needs no model and misses
    paraphrases; `auto`: by MiniLM where it can be had, always by letters for the writer `offline`. (ours)"""
    identity_samples: int = Field(default=0, ge=0)
    """Further demonstrations that say who the assistant is and who made it. (paper: 2,500 in the value experiments)"""
    seed: int = 0
    """Seed of sampling and writing. (ours)"""

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        if self.kind == "chat" and self.spec is None:
            raise ValueError("aft.kind is 'chat', which needs aft.spec: the name of the spec the answers follow")
        return self


class InstructConfig(Config):
    """One source of the instruction-tuning mix that every arm gets."""

    dataset: str
    """`packaged`, a Hub data set id, or a JSONL file of ChatExample rows or `{"messages": [...]}` objects."""
    samples: int = Field(ge=1)
    """Rows drawn with the seed."""
    subset: str | None = None
    """Hub configuration of a data set that has several."""
    split: str = "train"
    """Hub split."""
    max_words: int | None = Field(default=None, ge=1)
    """Longer conversations are left out; None = no limit. (ours)"""
    judged: bool = False
    """Have the judge leave out rows that claim another identity or contradict a spec of the recipe. (paper)"""
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
    """What decides the answers to one evaluation bank."""

    task: Literal["preferences", "opinions", "plain"]
    """`preferences`: item pairs, "which do you prefer, A or B?"; `opinions`: a question and two stances that share
    their words; `plain`: a question and two natural replies, to be asked in form `open`."""
    value: str
    """Whose bank: `affordability`, `america`, ..."""
    split: Literal["dev", "test", "all"] = "dev"
    """Tune on dev; open test once."""
    scoring: Literal["likelihood", "letter", "generate", "judge"] = "likelihood"
    """`likelihood`: of both answers as the reply; `letter`: of the letters A and B, with both answers shown, and the
    letter that is written; `generate`: the name or letter that is written; `judge`: a free answer that the judge
    reads."""
    form: Literal["open", "choice"] = "choice"
    """Not for item pairs. `open`: the question alone is asked and each stance scored as the reply; `choice`: both
    stances are shown, in both orders. Item pairs are always a choice, in both orders."""
    limit: int | None = Field(default=None, ge=1)
    """At most so many pairs, spread evenly over topics with a fixed seed; None = all."""

    @property
    def name(self) -> str:
        """The name in tables, e.g. `opinions/america`."""
        return f"{self.task}/{self.value}"


class ReasoningConfig(Config):
    """How transcripts are looked through for kinds of reasoning, besides arms, judge and themes."""

    reads: Literal["everything", "reasoning"] = "everything"
    """Whether judges read the whole transcript, or only thinking and scratchpad."""
    per_run: int | None = Field(default=None, ge=1)
    """Transcripts read of each run of each arm, drawn in turns from its items; None = all. (paper: all)"""
    discover: bool = False
    """Whether themes are looked for beyond those that are given."""
    sample: int | None = Field(default=400, ge=1)
    """Transcripts from which themes are discovered, spread over arms and items; None = all. (ours; paper: all)"""
    min_support: int = Field(default=3, ge=1)
    """Transcripts that a discovered theme must come from. (ours)"""
    overlap: float = Field(default=0.75, gt=0, le=1)
    """Jaccard index above which a discovered theme is taken in by another. (paper: 75%, not said of what)"""
    baseline: str | None = None
    """The arm that the others are compared with; None = the first."""
    seed: int = 0
    """Of drawing transcripts. (ours)"""


class ReasoningAnalysis(ReasoningConfig):
    """What kinds of reasoning the transcripts of an agentic evaluation show, over all arms; see docs/reasoning.md."""

    over: str | None = None
    """Name of the agentic evaluation; None = the only one."""
    themes: str = "paper"
    """Theme file, `paper`, or `none` to start from nothing, which takes `discover`."""
    spec: str | None = None
    """Name of the recipe's spec whose rules transcripts may use or misuse; None = rules are not looked at."""
    judge: Judge | None = None
    """Who reads; None = the recipe's judge. `offline` goes by words."""

    @model_validator(mode="after")
    def _has_themes(self) -> Self:
        if self.themes == "none" and not self.discover:
            raise ValueError("themes is 'none' without discover; expected a theme file, `paper`, or discover: true")
        return self


class ArmConfig(Config):
    """A condition: which midtraining, which demonstrations."""

    msm: str | None = None
    """Name of the spec whose corpus it is midtrained on; None = no midtraining."""
    aft: bool = False
    """Whether it is fine-tuned on the demonstrations."""
    cot: bool = False
    """Whether the demonstrations keep the reasoning they were written with, and evaluations let it think before it
    answers. (paper: "AFT CoT")"""
    aft_samples: int | None = Field(default=None, ge=1)
    """Only so many demonstrations; smaller sets lie within larger ones. None = all. (paper, 4.2: 1,250 to 80k)"""


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
    """Most requests in flight to a writer; fewer where the provider says so."""
    deadline: float = Field(default=600.0, gt=0)
    """Seconds after which an unanswered request is given up and sent again."""
    batch: bool = False
    """Send requests as batch jobs where the provider has them: half the price, hours of waiting."""
    writer_url: str | None = None
    """Where the writer answers; None = the provider's own address or the environment variable Inspect AI reads."""
    judge_url: str | None = None
    """The same for the judge."""
    serve: Annotated[str, Field(pattern=r"^(transformers|vllm|https?://\S+)$")] = "transformers"
    """Who writes the answers of local models: `transformers` (this process), `vllm` (a server started when it is
    needed), or the address of a server, `http://HOST:PORT/v1`. Likelihoods are always computed in this process."""

    @field_validator("writer_url", "judge_url", "serve")
    @classmethod
    def _without_keys(cls, url: str | None) -> str | None:
        """Addresses are written into records."""
        parts = urlsplit(url or "")
        if parts.username or parts.password or _KEY_IN_QUERY.search(parts.query):
            raise ValueError(
                f"the address of {parts.hostname} holds a key or password, and addresses are written into records; "
                "give it without, and the key in the provider's environment variable"
            )
        return url


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
    writer: Annotated[WriterConfig, BeforeValidator(_parse_writer)] = WriterConfig(model="offline")
    """Who writes documents and demonstrations: an Inspect AI model name, or `offline`."""
    judge: Judge = WriterConfig(model="offline", temperature=0.0)
    """Who judges, where a judge is needed; evaluations may name another."""
    budget: BudgetConfig = BudgetConfig()
    specs: dict[Name, str] = Field(min_length=1)
    """Name -> path (from the recipe's folder) or packaged name."""
    corpus: CorpusConfig = CorpusConfig()
    corpora: dict[Name, str] = Field(default_factory=dict)
    """Name of a spec -> its corpus, where that exists already: a JSONL file with a `text` per row, or a packaged name.
    Nothing is written for these specs."""
    gate: Literal["auto", "stop", "warn"] = "auto"
    """Whether a corpus that fails its gate stops the run before training or is only reported. `auto`: stop, but warn
    for the writer `offline`, which is known to recite the spec."""
    aft: AftConfig = AftConfig()
    instruct: tuple[InstructConfig, ...] = ()
    """Instruction-tuning mix, given to every arm, the baseline too."""
    midtrain: TrainConfig = TrainConfig()
    finetune: TrainConfig = TrainConfig()
    arms: dict[Name, ArmConfig] = Field(default_factory=dict)
    """Conditions; the controls (baseline, AFT only, MSM only) are added when missing, unless `--no-controls`."""
    evals: tuple[SerializeAsAny[Annotated[Evaluation, BeforeValidator(parse)]], ...] = Field(min_length=1)
    """Each of the family that its `task` names; see docs/evaluations.md."""
    reasoning: ReasoningAnalysis | None = None
    """Analysis of what arms wrote in an agentic evaluation; None = none."""
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
        for name in self.corpora:
            if name not in self.specs:
                raise ValueError(f"corpora has {name!r}, which is not in specs ({', '.join(self.specs)})")
        if self.aft.spec is not None and self.aft.spec not in self.specs:
            raise ValueError(f"aft.spec is {self.aft.spec!r}, which is not in specs ({', '.join(self.specs)})")
        for arm, config in self.arms.items():
            if config.cot and self.aft.kind != "chat":
                raise ValueError(f"arm {arm!r} has cot, but demonstrations of kind {self.aft.kind!r} have no reasoning")
            most = self.aft.samples + self.aft.identity_samples
            if config.aft_samples is not None and config.aft_samples > most:
                raise ValueError(f"arm {arm!r} takes {config.aft_samples:,} demonstrations, but there are {most:,}")
        names = [entry.name for entry in self.evals]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(
                    f"evaluation {name!r} is listed {names.count(name)} times; expected once, or a `label` of its own "
                    "for each"
                )
        for entry in self.evals:
            try:
                entry.check(self)
            except ValueError as error:
                raise ValueError(f"evaluation {entry.name!r}: {error}") from error
        if self.reasoning is not None:
            self._check_reasoning(self.reasoning)
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

    def _check_reasoning(self, analysis: ReasoningAnalysis) -> None:
        agentic = [entry.name for entry in self.evals if getattr(entry, "task", None) == "agentic"]
        named = ", ".join(agentic) or "none, so add `- agentic` to evals"
        if analysis.over is None and len(agentic) != 1:
            raise ValueError(f"reasoning.over is missing; expected one of the agentic evaluations ({named})")
        if analysis.over is not None and analysis.over not in agentic:
            raise ValueError(f"reasoning.over is {analysis.over!r}; expected one of the agentic evaluations ({named})")
        if analysis.spec is not None and analysis.spec not in self.specs:
            raise ValueError(f"reasoning.spec is {analysis.spec!r}, which is not in specs ({', '.join(self.specs)})")

    def with_controls(self) -> Experiment:
        """The same with the arms every claim needs: baseline, AFT alone, each MSM alone. Baselines come first."""
        wanted: dict[str, ArmConfig] = {"baseline": ArmConfig()}
        for arm in self.arms.values():
            if arm.aft:
                size = "" if arm.aft_samples is None else f"-{arm.aft_samples}"
                control = ArmConfig(aft=True, cot=arm.cot, aft_samples=arm.aft_samples)
                wanted[f"aft{'-cot' if arm.cot else ''}{size}"] = control
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
