"""What each stage may be told: writing, training, evaluating, reading. A recipe is put together from these.

Sources of defaults: (paper) arXiv 2605.02087; (ours) chosen here and recorded, because the paper leaves it open.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from midspec.config import Config


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


def parse_writer(value: Any) -> Any:
    """A name alone is short for `{model: NAME}`."""
    return {"model": value} if isinstance(value, str) else value


def _parse_judge(value: Any) -> Any:
    """Judges decide, they do not invent: temperature 0 unless the recipe says otherwise."""
    value = parse_writer(value)
    return {"temperature": 0.0, **value} if isinstance(value, dict) else value


Judge = Annotated[WriterConfig, BeforeValidator(_parse_judge)]
"""Who judges; a name alone is short for `{model: NAME, temperature: 0}`."""


class CorpusConfig(Config):
    """The midtraining corpus, written once per spec."""

    kind: Literal["spec", "belief", "paraphrase", "neutral"] = "spec"
    """`belief`: the file holds facts about the world instead of a spec, as in synthetic-document fine-tuning;
    `paraphrase`, `neutral`: controls, see `corpora`."""
    style: Literal["values", "rules", "should", "assistants", "one", "people"] = "values"
    """`values` explains conduct by values; `rules` takes each rule in place of subdomain and assertions and explains
    conduct by what the rule allows. (paper, section 5) The others say what `values` says in another language, or of
    others: see `midspec.corpus.voices`. (paper, Fig. 19)"""
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
        if self.kind == "belief" and self.style != "values":
            raise ValueError(f"corpus.kind 'belief' has no style {self.style!r}; use corpus.style 'values'")
        if self.critique and self.style not in ("values", "rules"):
            raise ValueError(f"corpus.critique rewrites documents about the assistant, not in style {self.style!r}")
        return self


class AftConfig(Config):
    """The demonstrations of alignment fine-tuning, shared by all arms that have them."""

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


REPLAY = "replay"
"""What replayed text is called beside the corpora of a recipe."""


class ReplayConfig(Config):
    """General text between the documents of a midtraining, so that narrow text does not drive out what a model knows.
    (ours; usual in continued pretraining, e.g. Ibrahim et al. 2024)"""

    file: str = Field(min_length=1)
    """A JSONL file with a `text` per row (path from the recipe's folder), or the name of a packaged corpus."""
    share: float = Field(gt=0, lt=1)
    """Share of the tokens trained on that come from it. They come on top of the corpus: N tokens of that are joined by
    N * share / (1 - share) of these, drawn with the seed, none twice. (ours; Ibrahim et al. try up to 0.5)"""


class EvalConfig(Config):
    """What decides the answers to one evaluation bank."""

    task: Literal["preferences", "traits", "opinions", "plain"]
    """`preferences`: item pairs, "which do you prefer, A or B?"; `traits`: the same pairs, "which costs less, A or
    B?", to see whether the model knows what it is to choose by; `opinions`: a question and two stances that share
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
