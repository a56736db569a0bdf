"""What a recipe may say. One YAML file declares an experiment; unknown keys are errors; each field says what it means.

What each stage may be told stands in `midspec.stages`; arms, grids and controls in `midspec.arms`.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from midspec.arms import CONTROLS, MOST_ARMS, ArmConfig, Control, GridConfig, controls, expand
from midspec.claims import ClaimConfig
from midspec.compute import BudgetConfig, ComputeConfig
from midspec.config import Config, Name
from midspec.consistency import check
from midspec.errors import InputError
from midspec.evaluation import Evaluation, parse
from midspec.spec.document import Identity
from midspec.stages import (
    AftConfig,
    CorpusConfig,
    InstructConfig,
    Judge,
    ReasoningAnalysis,
    ReplayConfig,
    TrainConfig,
    WriterConfig,
    parse_writer,
)


class CorpusEntry(Config):
    """Where the corpus of one name comes from. Keys of `corpus:` may stand here too, and hold for this corpus alone."""

    model_config = ConfigDict(frozen=True, extra="allow")

    spec: Name | None = None
    """Name of the spec it is about; None = the spec of the corpus's own name. A neutral corpus is about none."""
    kind: Literal["documents", "spec", "belief", "paraphrase", "neutral"] = "documents"
    """`documents`: of the kind that `corpus.kind` says; `spec`, `belief`: of that kind; `paraphrase`: the spec said
    again in other words; `neutral`: documents of equal form and length about nothing that the specs turn on."""
    identity: Identity | None = None
    """Who the documents are about; None = whoever is trained on them."""
    file: str | None = None
    """A corpus that exists already: a JSONL file with a `text` per row, or a packaged name; None = it is written."""

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        extra = self.model_extra or {}
        for key in extra:
            if key not in CorpusConfig.model_fields:
                known = ", ".join(dict.fromkeys([*CorpusEntry.model_fields, *CorpusConfig.model_fields]))
                raise ValueError(f"unknown key {key!r}; known keys: {known}")
        if self.file is not None and extra:
            raise ValueError(f"file is a corpus that exists already, so {', '.join(extra)} would decide nothing")
        if self.kind == "neutral" and (self.spec is not None or self.identity is not None):
            raise ValueError("a corpus of kind 'neutral' is about no spec and nobody; leave out spec and identity")
        CorpusConfig(**extra)
        return self

    def settings(self, shared: CorpusConfig) -> CorpusConfig:
        """How it is written: `shared`, and what stands here laid over it. `kind` stays as it is there for controls."""
        kind = {"kind": self.kind} if self.kind in ("spec", "belief") else {}
        return CorpusConfig.model_validate({**dict(shared), **kind, **(self.model_extra or {})})

    @property
    def own_size(self) -> bool:
        """Whether it says how large it is to be."""
        return not {"documents", "tokens"}.isdisjoint(self.model_extra or {})

    @property
    def is_control(self) -> bool:
        """Whether it stands in for another corpus."""
        return self.kind in ("paraphrase", "neutral")


def _parse_corpora(value: Any) -> Any:
    """A file or packaged name alone is short for `{file: NAME}`."""
    if not isinstance(value, dict):
        return value
    return {name: {"file": entry} if isinstance(entry, str) else entry for name, entry in value.items()}


_OF_A_FILE = {"samples", "seed"}
"""Settings that demonstrations have which exist already, besides those of AftSet."""
_OF_WRITING = [key for key in AftConfig.model_fields if key not in _OF_A_FILE]


class AftSet(AftConfig):
    """A set of demonstrations, and what is done to those that were written before they are trained on."""

    file: str | None = None
    """Demonstrations that exist already: a JSONL or Parquet file of chats, of which `samples` are drawn, all where that
    is not said; None = they are written."""
    system: str | None = Field(default=None, min_length=1)
    """System prompt put into every demonstration that has none; None = none. Identity is filled in."""
    mix: dict[Name, Annotated[float, Field(gt=0, le=1)]] = Field(default_factory=dict)
    """Name of another set -> share of this one's samples that are drawn from it instead."""

    @model_validator(mode="before")
    @classmethod
    def _taken_over(cls, value: Any) -> Any:
        if not isinstance(value, dict) or not isinstance(value.get("file"), str):
            return value
        idle = [key for key in value if key in _OF_WRITING]
        if idle:
            raise ValueError(f"file is a set that exists already, so {', '.join(idle)} would decide nothing")
        if value.get("samples") is not None:
            return value
        # The reader needs configs of this module.
        from midspec.aft.given import rows_of

        return {**value, "samples": rows_of(value["file"])}

    @model_serializer(mode="wrap")
    def _as_said(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # What decides nothing would be refused when it is read again; what earlier versions had no word for would make
        # finished runs look like others.
        left_out = ["file"] if self.file is None else _OF_WRITING
        return {key: value for key, value in handler(self).items() if key not in left_out}

    @property
    def written(self) -> AftConfig:
        """What decides the demonstrations as they are written."""
        return AftConfig(**{key: getattr(self, key) for key in AftConfig.model_fields})

    @property
    def size(self) -> int:
        """Demonstrations in all."""
        return self.samples + self.identity_samples

    @property
    def drawn(self) -> dict[str, int]:
        """Name of another set -> demonstrations taken of it; where shares add up to 1, none of its own are left."""
        ends = [round(total * self.size) for total in accumulate(self.mix.values())]
        return {name: end - start for name, start, end in zip(self.mix, [0, *ends], ends, strict=False)}


class MidtrainConfig(TrainConfig):
    """How midtraining runs; `tokens: matched` is short for `matched: true`."""

    matched: bool = False
    """Train on so many tokens of every corpus as the smallest of the table has, in its model's tokens."""
    replay: ReplayConfig | None = None
    """General text mixed in, the same for every arm that is midtrained; `tokens`, `matched` and `msm_tokens` count the
    corpus alone. None = documents only."""

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("tokens") == "matched":
            return {**value, "tokens": None, "matched": True}
        return value

    @property
    def train(self) -> TrainConfig:
        """What decides the training."""
        return TrainConfig(**{key: getattr(self, key) for key in TrainConfig.model_fields})


class AfterConfig(Config):
    """Further training of an arm when all else is done: what of it stays?"""

    instruct: tuple[InstructConfig, ...] = ()
    """Instruction data."""
    aft: Name | None = None
    """Name of a set of demonstrations."""
    samples: int | None = Field(default=None, ge=1)
    """Only so many of them; None = all."""

    @model_validator(mode="after")
    def _has_data(self) -> Self:
        if not self.instruct and self.aft is None:
            raise ValueError("trains on nothing; expected instruct, or aft with the name of a set")
        if self.samples is not None and self.aft is None:
            raise ValueError("samples are of the demonstrations that aft names, and it names none")
        return self


class ModelEntry(Config):
    """A further model. In a recipe, an id alone is short for `{model: ID}`."""

    model: str
    """As the recipe's own `model`."""
    chat_template: Literal["chatml"] | None = None
    identity: Identity | None = None
    """Who this model is: documents and demonstrations for it are written about this assistant; None = the recipe's
    identity, and the same data."""


SEED = "{seed}"
"""Stands for the seed in the id of a model of which every seed has its own."""
ONLY_SET = "aft"
"""What the set of a recipe is called that gives it no name."""


def _parse_sets(value: Any) -> Any:
    """One nameless set as one called ONLY_SET; what stands beside named sets as part of each."""
    if not isinstance(value, dict):
        return value
    shared = {key: entry for key, entry in value.items() if key in AftSet.model_fields}
    named = {key: entry for key, entry in value.items() if key not in shared}
    if not named or not all(isinstance(entry, (dict, AftSet)) for entry in named.values()):
        return {ONLY_SET: value}
    of_files = {key: entry for key, entry in shared.items() if key not in _OF_WRITING}
    return {
        name: {**(of_files if entry.get("file") else shared), **entry} if isinstance(entry, dict) else entry
        for name, entry in named.items()
    }


class Experiment(Config):
    """A recipe, profile and overrides applied."""

    name: Name
    """Names the run folder."""
    description: str = ""
    """One or two sentences for the report."""
    model: str
    """Base model: Hub id, local folder, or a bundled name (`midspec models list`). Where it says `{seed}`, every seed
    has a base model of its own (`EleutherAI/pythia-160m-seed{seed}`), and intervals hold for other bases, too."""
    models: dict[Name, Annotated[ModelEntry, BeforeValidator(parse_writer)]] = Field(default_factory=dict)
    """Further models by name, for arms that name them."""
    chat_template: Literal["chatml"] | None = None
    """Chat format for a base model that comes without one; None = the model's own. (the paper does not say)"""
    identity: Identity = Identity()
    """Who the spec is about."""
    writer: Annotated[WriterConfig, BeforeValidator(parse_writer)] = WriterConfig(model="offline")
    """Who writes documents and demonstrations: an Inspect AI model name, or `offline`."""
    judge: Judge = WriterConfig(model="offline", temperature=0.0)
    """Who judges, where a judge is needed; evaluations may name another."""
    budget: BudgetConfig = BudgetConfig()
    specs: dict[Name, str] = Field(min_length=1)
    """Name -> path (from the recipe's folder) or packaged name."""
    corpus: CorpusConfig = CorpusConfig()
    corpora: Annotated[dict[Name, CorpusEntry], BeforeValidator(_parse_corpora)] = Field(default_factory=dict)
    """Name of a corpus -> where it comes from. A spec that is not named here has a corpus of its own name, which is
    written."""
    gate: Literal["auto", "stop", "warn"] = "auto"
    """Whether a corpus that fails its gate stops the run before training or is only reported. `auto`: stop, but warn
    for the writer `offline`, which is known to recite the spec."""
    aft: Annotated[dict[Name, AftSet], BeforeValidator(_parse_sets)] = Field(
        default_factory=lambda: {ONLY_SET: AftSet()}
    )
    """Name of a set -> its demonstrations. One set needs no name; keys of a set that stand beside named sets hold for
    all of them, those that say how demonstrations are written for all that are."""
    instruct: tuple[InstructConfig, ...] = ()
    """Instruction-tuning mix, given to every arm, the baseline too."""
    midtrain: MidtrainConfig = MidtrainConfig()
    finetune: TrainConfig = TrainConfig()
    after: dict[Name, AfterConfig] = Field(default_factory=dict)
    """Further training after fine-tuning, by name, for arms that name it."""
    arms: dict[Name, ArmConfig] = Field(default_factory=dict)
    """Conditions, one by one; those of `grid` are added to them."""
    grid: tuple[GridConfig, ...] = ()
    """Conditions as products of factors."""
    controls: tuple[Control, ...] = CONTROLS
    """What is added where it is missing, unless `--no-controls`: the baseline of each model, demonstrations alone,
    midtraining alone, and each arm with both on a neutral corpus and on a paraphrase of its spec. (ours)"""
    claims: tuple[ClaimConfig, ...] = ()
    """What the experiment claims, said beforehand."""
    evals: tuple[SerializeAsAny[Annotated[Evaluation, BeforeValidator(parse)]], ...] = Field(min_length=1)
    """Each of the family that its `task` names; see docs/evaluations.md."""
    reasoning: ReasoningAnalysis | None = None
    """Analysis of what arms wrote in an agentic evaluation; None = none."""
    published: str | None = None
    """Finished steps that somebody else has made, in one file: a path beside the recipe or a packaged name. They are
    used where fingerprints agree; None = everything is made here."""
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    """Training seeds; every arm is trained once per seed. (paper: four)"""
    compute: ComputeConfig = ComputeConfig()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        # The arms of the grid become arms like any other: nobody after this has to know where one comes from.
        object.__setattr__(
            self, "arms", expand(self.arms, self.grid, {name: own.size for name, own in self.aft.items()})
        )
        check(self)
        return self

    def corpus_entry(self, name: str) -> CorpusEntry:
        """Where the corpus `name` comes from, its spec filled in: specs that `corpora` does not name have one, too."""
        entry = self.corpora.get(name, CorpusEntry())
        if entry.spec is None and entry.kind != "neutral":
            return entry.model_copy(update={"spec": name})
        return entry

    def identity_of(self, model: str | None) -> Identity:
        """Who an arm's model is."""
        return (self.models[model].identity if model is not None else None) or self.identity

    def for_model(self, model: str | None, seed: int | None = None) -> Experiment:
        """The recipe as it would stand for one of its models alone, and one seed, which evaluations see."""
        entry = self if model is None else self.models[model]
        id = entry.model if seed is None else entry.model.replace(SEED, str(seed))
        own = {"model": id, "chat_template": entry.chat_template, "identity": self.identity_of(model)}
        return self.model_copy(update=own)

    def with_controls(self) -> Experiment:
        """The same with the arms and corpora of `controls` that it does not have: baselines first, then single stages,
        neutral and paraphrased corpora last. Raises InputError where the name of one is taken."""
        beside, corpora = self._stand_ins()
        wanted = controls(self.arms, self.controls, beside)
        present = set(self.arms.values())
        missing = {name: arm for name, arm in wanted.items() if arm not in present}
        for name in missing:
            if name in self.arms:
                raise InputError(
                    f"recipe {self.name!r}: arm {name!r} is not the control of that name ({wanted[name]!r}); "
                    "rename it, or pass --no-controls"
                )
        stand_ins = {name for kind in beside.values() for name in kind.values()}
        last = {name: arm for name, arm in missing.items() if arm.msm in stand_ins}
        arms = {**{name: arm for name, arm in missing.items() if name not in last}, **self.arms, **last}
        if len(arms) > MOST_ARMS:
            raise InputError(f"recipe {self.name!r} has {len(arms):,} arms with its controls; at most {MOST_ARMS:,} go")
        order = sorted(arms.items(), key=lambda entry: entry[1] != ArmConfig(model=entry[1].model))
        used = {arm.msm for arm in missing.values()}
        more = {name: entry for name, entry in corpora.items() if name in used}
        return self.model_copy(update={"arms": dict(order), "corpora": {**self.corpora, **more}})

    def _stand_ins(self) -> tuple[dict[str, dict[str, str]], dict[str, CorpusEntry]]:
        """For each kind of control corpus: corpus of an arm -> the one that stands in for it; and those to be added."""
        neutral = next((name for name, entry in self.corpora.items() if entry.kind == "neutral"), "neutral")
        paraphrases = {
            self.corpus_entry(name).spec: name
            for name, entry in reversed(self.corpora.items())
            if entry.kind == "paraphrase"
        }
        added: dict[str, CorpusEntry] = {neutral: CorpusEntry(kind="neutral")}
        beside: dict[str, dict[str, str]] = {"neutral": {}, "paraphrase": {}}
        for name in dict.fromkeys(arm.msm for arm in self.arms.values() if arm.msm is not None):
            entry = self.corpus_entry(name)
            if entry.is_control:
                continue
            beside["neutral"][name] = neutral
            again = beside["paraphrase"][name] = paraphrases.get(entry.spec, f"{entry.spec}-paraphrase")
            added[again] = CorpusEntry(spec=entry.spec, kind="paraphrase")
        for name, entry in added.items():
            there = name in self.specs or name in self.corpora
            if there and entry.kind in self.controls and self.corpus_entry(name).kind != entry.kind:
                raise InputError(
                    f"recipe {self.name!r}: {name!r} is to be the {entry.kind} corpus that is a control, and is the "
                    f"name of another; rename it, or leave {entry.kind!r} out of controls"
                )
        return beside, {name: entry for name, entry in added.items() if name not in self.corpora}
