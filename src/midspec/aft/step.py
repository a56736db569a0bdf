"""The demonstrations as a step: config in, `demonstrations.jsonl` out, for chat also `demonstrations-cot.jsonl`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Coroutine
from typing import Any, NamedTuple

from midspec.aft import chat, write
from midspec.aft.chat import Made, write_chat
from midspec.aft.identity import write_identity
from midspec.aft.order import nested
from midspec.aft.preferences import PreferenceSet, load_preferences
from midspec.aft.replies import IDENTITY
from midspec.errors import InputError
from midspec.experiment import AftConfig, Config, WriterConfig
from midspec.llm.desk import Desk
from midspec.llm.fan_out import run_async, task_group
from midspec.llm.offline.version import offline_version
from midspec.llm.prompt import PromptTemplate
from midspec.llm.writer import Scribe, Tally
from midspec.near import Method, NearIndex, near_index
from midspec.records import ChatExample, write_rows
from midspec.spec.document import Identity, ModelSpec
from midspec.steps.progress import Progress
from midspec.steps.step import Context, Step

VERSION = 2
"""Raise it when the code here makes other demonstrations from the same config and replies."""

PLAIN = "demonstrations.jsonl"
COT = "demonstrations-cot.jsonl"
"""The same demonstrations with the reasoning they were written with."""

OFFLINE_JUDGE = WriterConfig(model="offline", temperature=0.0)


class AftStepConfig(Config):
    """What decides the demonstrations."""

    preferences: PreferenceSet | None
    """For the kind `preferences`."""
    spec_text: str | None
    """For the kind `chat`."""
    identity: Identity
    writer: WriterConfig
    judge: WriterConfig
    writer_version: int | None
    """Of the offline writer; None for a language model, whose name says which it is."""
    judge_version: int | None
    """The same of the judge."""
    aft: AftConfig
    """`aft.preferences` holds the set's own name, `aft.spec` none that tells: where a file lies decides nothing."""
    prompts: dict[str, str]
    """Template name -> fingerprint of its text."""


def step_config(
    identity: Identity,
    writer: WriterConfig,
    aft: AftConfig,
    judge: WriterConfig = OFFLINE_JUDGE,
    spec: ModelSpec | None = None,
) -> AftStepConfig:
    """Everything that decides the demonstrations; `spec` is what `aft.spec` names.

    Raises InputError where the preference set cannot be used, or the kind `chat` comes without a spec.
    """
    prompts: list[PromptTemplate[Any]] = [IDENTITY] if aft.identity_samples else []
    fields: dict[str, Any] = {"spec": "spec" if aft.kind == "chat" else None}
    preferences = None
    if aft.kind == "chat":
        if spec is None:
            raise InputError("aft.kind is 'chat', which needs the spec that the answers follow; name it in aft.spec")
        prompts += chat.PROMPTS
    else:
        preferences = load_preferences(aft.preferences)
        fields["preferences"] = preferences.name
        prompts += write.PROMPTS
    if writer.model == "offline" and aft.near_duplicates == "auto":
        fields["near_duplicates"] = "lexical"
    return AftStepConfig(
        preferences=preferences,
        spec_text=spec.text if spec and aft.kind == "chat" else None,
        identity=identity,
        writer=writer,
        judge=judge,
        writer_version=offline_version(writer),
        judge_version=offline_version(judge),
        aft=aft.model_copy(update=fields),
        prompts={prompt.name: prompt.fingerprint for prompt in prompts},
    )


def demonstrations_step(
    identity: Identity,
    writer: WriterConfig,
    aft: AftConfig,
    judge: WriterConfig = OFFLINE_JUDGE,
    spec: ModelSpec | None = None,
    *,
    name: str | None = None,
) -> Step:
    """The step that writes the demonstrations. `name` is for people. Raises InputError as `step_config` does."""
    return Step(
        kind="demonstrations",
        name=name or aft.kind,
        function="midspec.aft.step:run",
        config=step_config(identity, writer, aft, judge, spec),
        version=VERSION,
    )


class Written(NamedTuple):
    """All demonstrations of the step, and who was asked."""

    parts: tuple[Made, ...]
    method: Method | None
    """How near-duplicates were told; None where nothing was compared."""
    writer: Tally
    judge: Tally


def run(context: Context) -> dict[str, Any]:
    """Write the demonstrations into `context.folder` and return their summary.

    Rows stand in an order whose first n are the subset of size n. In the summary `kinds` and `domains` count rows,
    `rejected` replies, questions and answers by reason, `judge_failures` samples without a verdict, which are neither.
    Raises WriterError as `write` and `write_chat` do.
    """
    config: AftStepConfig = context.config
    made = run_async(_make(config, context))
    rows = nested([row for part in made.parts for row in part.examples], config.aft.seed)
    write_rows(context.folder / PLAIN, (without_reasoning(row) for row in rows))
    if config.aft.kind == "chat":
        write_rows(context.folder / COT, rows)
    return _summary(rows, made)


def without_reasoning(row: ChatExample) -> ChatExample:
    """The same demonstration, its answers alone."""
    messages = tuple(message.model_copy(update={"reasoning": None}) for message in row.messages)
    return row.model_copy(update={"messages": messages})


def _summary(rows: list[ChatExample], made: Written) -> dict[str, Any]:
    set_aside = sum((part.set_aside for part in made.parts), Counter[str]())
    both = _sum(made.writer, made.judge)
    domains = Counter(row.domain for row in rows if row.domain)
    removed = sum(part.near_duplicates for part in made.parts)
    return {
        "examples": len(rows),
        "kinds": dict(sorted(Counter(row.kind for row in rows).items())),
        **({"domains": dict(sorted(domains.items()))} if domains else {}),
        **both.summary(),
        "rejected": dict(sorted((both.rejected + set_aside).items())),
        "judge_failures": sum(part.judge_failures for part in made.parts),
        **({"near_duplicates": {"removed": removed, **made.method.summary()}} if made.method else {}),
        "writer": made.writer.summary(),
        "judge": made.judge.summary(),
    }


def _sum(one: Tally, other: Tally) -> Tally:
    return Tally(
        requests=one.requests + other.requests,
        input_tokens=one.input_tokens + other.input_tokens,
        cached_tokens=one.cached_tokens + other.cached_tokens,
        cache_write_tokens=one.cache_write_tokens + other.cache_write_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        dollars=one.dollars + other.dollars,
        replayed=one.replayed + other.replayed,
        # What a judge said in other words is a failed verdict and says nothing about any sample.
        rejected=one.rejected,
    )


async def _make(config: AftStepConfig, context: Context) -> Written:
    aft, progress = config.aft, context.progress
    near: NearIndex | None = None
    if aft.kind == "chat" or aft.identity_samples:
        # Before anything is paid for: fetching the embedding model can fail.
        near = near_index(aft.max_similarity, aft.near_duplicates, progress)
    progress.start(aft.samples + aft.identity_samples, "demonstrations")
    async with Desk(context) as desk:
        writer, judge = desk.scribe(config.writer), desk.scribe(config.judge, "judge")
        asked = [_main(config, writer, judge, near, progress)]
        if near is not None and aft.identity_samples:
            asked.append(write_identity(writer, config.identity, aft, near.empty(), progress=progress))
        async with task_group() as group:
            made = [group.create_task(work) for work in asked]
    return Written(tuple(task.result() for task in made), near.method if near else None, writer.tally, judge.tally)


def _main(
    config: AftStepConfig, writer: Scribe, judge: Scribe, near: NearIndex | None, progress: Progress
) -> Coroutine[Any, Any, Made]:
    if config.spec_text is None:
        assert config.preferences is not None
        return write.write(writer, judge, config.preferences, config.identity, config.aft, progress=progress)
    assert near is not None
    spec = ModelSpec("spec", config.spec_text)
    return write_chat(writer, judge, spec, config.identity, config.aft, near, progress=progress)
