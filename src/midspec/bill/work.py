"""What each step has to do, in words and in tokens: read from its own config, so that overrides and models count."""

from __future__ import annotations

from midspec.aft.given import GivenDemonstrationsConfig
from midspec.aft.mix import MixStepConfig
from midspec.aft.step import AftStepConfig
from midspec.corpus import expected as corpus_expected
from midspec.corpus.control_step import BESIDE
from midspec.corpus.given import GivenCorpusConfig
from midspec.corpus.step import CorpusStepConfig
from midspec.evals.battery.made import MakeStepConfig
from midspec.evals.open_qa.config import QuestionsStepConfig
from midspec.evals.reasoning.expected import reading_requests, transcripts
from midspec.evaluation import Evaluation, Subject
from midspec.instruct.step import InstructStepConfig
from midspec.llm.desk import OFFLINE
from midspec.pipeline import Pipeline
from midspec.stages import CorpusConfig
from midspec.steps.step import Step
from midspec.train.config import (
    REPLAY_ROLE,
    FinetuneStepConfig,
    MatchStepConfig,
    MidtrainStepConfig,
    ReplayedMidtrainStepConfig,
)

OFFLINE_TOKENS_PER_DOCUMENT = 230
"""Measured on the packaged specs with SmolLM2's tokenizer."""
WRITTEN_TOKENS_PER_DOCUMENT = corpus_expected.TOKENS_PER_DOCUMENT
TOKENS_PER_PREFERENCE = 35
"""(paper: 150-165k assistant tokens in 5k samples)"""
TOKENS_PER_CHAT = 500
"""(paper: about 5M tokens without reasoning, 8M with it, in 9,963 samples)"""


def evaluated(flow: Pipeline, step: Step) -> list[tuple[Evaluation, Subject]]:
    """What a step evaluates, and of what; nothing for a step that evaluates nothing."""
    if step.fingerprint not in flow.evaluated:
        return []
    arm, seed, name = flow.evaluated[step.fingerprint]
    entry = next(entry for entry in flow.experiment.evals if entry.name == name)
    return [(entry, flow.subject(arm, seed))]


def work_of(step: Step, flow: Pipeline) -> tuple[str, int, float]:
    """(words, tokens written or trained on, size in the unit that time goes with)."""
    config = step.config
    match config:
        case GivenCorpusConfig():
            return f"take over {config.documents:,} documents", config.tokens, 0
        case CorpusStepConfig():
            corpus, tokens = config.corpus, _corpus_tokens(step)
            if BESIDE in step.inputs:
                return (
                    f"write as many documents as {step.inputs[BESIDE].name} has",
                    tokens,
                    tokens / _per_document(config),
                )
            what = f"{corpus.documents:,} documents" if corpus.tokens is None else f"~{corpus.tokens:,} tokens"
            return f"write {what}", tokens, tokens / _per_document(config)
        case AftStepConfig():
            count, each = _demonstrations(step)
            return f"write {count:,} demonstrations", count * each, count
        case GivenDemonstrationsConfig():
            count, each = _demonstrations(step)
            return f"take over {count:,} demonstrations", count * each, 0
        case MixStepConfig():
            count, each = _demonstrations(step)
            return f"mix {count:,} demonstrations", 0, 1
        case MatchStepConfig():
            return f"count the tokens of {len(step.inputs)} corpora", 0, 1
        case MidtrainStepConfig():
            replayed = replayed_tokens(step)
            tokens = _own_tokens(step, config) * config.train.epochs + replayed
            told = f", ~{replayed:,} of them replayed" if replayed else ""
            return f"train on ~{tokens:,} tokens{told}", tokens, tokens
        case FinetuneStepConfig():
            samples, each = (
                _demonstrations(step.inputs["demonstrations"]) if "demonstrations" in step.inputs else (0, 0)
            )
            samples = min(samples, config.aft_samples or samples)
            instruct = _instruct_rows(step.inputs["instruct"]) if "instruct" in step.inputs else 0
            tokens = (instruct * TOKENS_PER_CHAT + samples * each) * config.train.epochs
            return f"train on ~{instruct + samples:,} examples", tokens, tokens
        case InstructStepConfig():
            return f"draw {_instruct_rows(step):,} instruct examples", 0, 1
        case MakeStepConfig():
            return f"write {config.make.per_passage} questions for each passage", 0, 1
        case QuestionsStepConfig():
            return f"write {config.questions.count:,} questions", 0, 1
        case _:
            return _other_work(step, flow)


def _other_work(step: Step, flow: Pipeline) -> tuple[str, int, float]:
    match step.kind:
        case "evaluate":
            [(entry, subject)] = evaluated(flow, step)
            return entry.work(subject), 0, 1
        case "import":
            return "keep what is given", 0, 1
        case "reasoning-collect":
            return f"collect {transcripts(step):,} transcripts", 0, 1
        case "reasoning-classify" | "reasoning-extract" | "reasoning-synthesise":
            reading = reading_requests(step)
            asked = sum(work.requests for work in reading[1].values()) if reading else 0
            return f"{step.kind.removeprefix('reasoning-')}: {asked:,} readings", 0, asked
        case "reasoning-merge":
            return "count themes by arm", 0, 1
        case "corpus-gate":
            return "look for faults in the corpus", 0, 1
        case _:
            return "compare data with every item", 0, 1


def _per_document(config: CorpusStepConfig) -> int:
    return OFFLINE_TOKENS_PER_DOCUMENT if config.writer.model == OFFLINE else WRITTEN_TOKENS_PER_DOCUMENT


def corpus_of(step: Step) -> CorpusConfig:
    """How the step writes its corpus; one that stands beside another writes as many documents as that has."""
    assert isinstance(step.config, CorpusStepConfig), step.function
    if BESIDE not in step.inputs:
        return step.config.corpus
    beside = step.inputs[BESIDE]
    if isinstance(beside.config, GivenCorpusConfig):
        size = {"documents": beside.config.documents, "tokens": None}
    else:
        other = corpus_of(beside)
        size = {"documents": other.documents, "tokens": other.tokens}
    return step.config.corpus.model_copy(update=size)


def _corpus_tokens(step: Step) -> int:
    """Tokens of the corpus that `step` is."""
    config = step.config
    if isinstance(config, GivenCorpusConfig):
        return config.tokens
    assert isinstance(config, CorpusStepConfig), step.function
    if BESIDE in step.inputs:
        return _corpus_tokens(step.inputs[BESIDE])
    return config.corpus.tokens or config.corpus.documents * _per_document(config)


def _own_tokens(step: Step, config: MidtrainStepConfig) -> int:
    """Tokens of its own corpus that a midtraining takes in an epoch, about."""
    match = step.inputs.get("match")
    corpora = [step.inputs["corpus"]] if match is None else list(match.inputs.values())
    least = min(_corpus_tokens(corpus) for corpus in corpora)
    return min(config.train.tokens or least, least)


def replayed_tokens(step: Step) -> int:
    """Tokens of general text that a midtraining mixes in, about; 0 without replay."""
    config = step.config
    if not isinstance(config, ReplayedMidtrainStepConfig):
        return 0
    return round(_own_tokens(step, config) * config.share / (1 - config.share)) * config.train.epochs


def too_little_replay(step: Step) -> str | None:
    """What is wrong where a midtraining will hardly find as much general text as its share asks for."""
    if not isinstance(step.config, ReplayedMidtrainStepConfig):
        return None
    there, wanted = _corpus_tokens(step.inputs[REPLAY_ROLE]), replayed_tokens(step) // step.config.train.epochs
    if there >= wanted:
        return None
    return (
        f"midtrain.replay.file has about {there:,} tokens, and midtrain {step.name} needs about {wanted:,} of them; "
        "take a larger file or a smaller share"
    )


def _demonstrations(step: Step) -> tuple[int, int]:
    """(how many, tokens of each) of a set."""
    config = step.config
    if isinstance(config, MixStepConfig):
        tokens = sum(count * _demonstrations(step.inputs[role])[1] for role, count in config.counts.items())
        return config.size, round(tokens / config.size)
    if isinstance(config, GivenDemonstrationsConfig):
        return config.samples, max(1, round(config.tokens / config.rows))
    assert isinstance(config, AftStepConfig), step.function
    each = TOKENS_PER_CHAT if config.aft.kind == "chat" else TOKENS_PER_PREFERENCE
    return config.aft.samples + config.aft.identity_samples, each


def _instruct_rows(step: Step) -> int:
    assert isinstance(step.config, InstructStepConfig), step.function
    return sum(source.samples for source in step.config.sources)
