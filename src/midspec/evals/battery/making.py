"""Questions made from a text, a spec or the facts of a world: written passage by passage, then evened out.

What comes of it are choices (statement against distortion, and of belief sets four short answers) and questions whose
answers a judge reads. Both kinds of text, and both writers, go the same way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from midspec.errors import WriterError
from midspec.evals.battery.check import evened, placed
from midspec.evals.battery.items import Choice, Judged, with_splits
from midspec.llm.fan_out import attempted, gathered
from midspec.llm.prompt import BadReplyError, PromptTemplate, json_reply
from midspec.llm.writer import STRIDE, Scribe
from midspec.near import NearIndex
from midspec.records import short_hash
from midspec.spec.document import Identity, ModelSpec, Passage
from midspec.steps.progress import Progress

Subject = Literal["spec", "belief"]
ROUNDS = 3
"""Times a passage is asked for. (ours)"""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class PairReply(_Strict):
    """A statement and its distortion."""

    question: str = Field(min_length=8)
    true: str = Field(min_length=8)
    false: str = Field(min_length=8)


class ChoiceReply(_Strict):
    """A fact and three others."""

    question: str = Field(min_length=8)
    right: str = Field(min_length=1)
    wrong: tuple[str, ...] = Field(min_length=3, max_length=3)


class OpenReply(_Strict):
    """A question for a judge."""

    question: str = Field(min_length=8)
    statement: str = Field(min_length=8)
    otherwise: str


class StatementsReply(BaseModel):
    """What is made of one passage; an entry that cannot be read makes none of the others unreadable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pairs: tuple[PairReply, ...]
    choices: tuple[ChoiceReply, ...]
    open: tuple[OpenReply, ...]
    reasoning: tuple[OpenReply, ...]


class _LooseReply(BaseModel):
    pairs: tuple[dict[str, object], ...] = ()
    choices: tuple[dict[str, object], ...] = ()
    open: tuple[dict[str, object], ...] = ()
    reasoning: tuple[dict[str, object], ...] = ()


def _parse(text: str) -> StatementsReply:
    loose = json_reply(_LooseReply)(text)
    found: dict[str, list[BaseModel]] = {}
    kinds: dict[str, type[BaseModel]] = {
        "pairs": PairReply, "choices": ChoiceReply, "open": OpenReply, "reasoning": OpenReply,
    }  # fmt: skip
    for name, kind in kinds.items():
        found[name] = []
        for entry in getattr(loose, name):
            try:
                found[name].append(kind.model_validate(entry))
            except ValueError:
                continue
    given = sum(len(getattr(loose, name)) for name in kinds)
    if given and not any(found.values()):
        raise BadReplyError("unparseable", "none of the entries can be read")
    return StatementsReply.model_validate({name: tuple(entries) for name, entries in found.items()})


STATEMENTS = PromptTemplate("evals/make_statements", _parse, schema=StatementsReply)


class Made(NamedTuple):
    """Items, and what was written besides."""

    choices: list[Choice]
    """Pairs, and choices of four; no place, length or single word decides them."""
    judged: list[Judged]
    left_out: dict[str, int]
    """Entries not used, by reason."""
    near: dict[str, str]
    """How near-duplicates were told."""


async def make(
    kind: Subject,
    spec: ModelSpec,
    identity: Identity,
    scribe: Scribe,
    index: NearIndex,
    progress: Progress,
    *,
    per_passage: int,
    seed: int,
) -> Made:
    """At most `per_passage` pairs (for `belief`, as many choices of four) and half as many questions of each passage.

    Left out are near-duplicates of earlier true statements (`index`), and what would let length or single words decide
    (`evened`). A passage of which nothing usable comes in ROUNDS is left out too. Raises WriterError where no pair, or
    no question for a judge, is left.
    """
    text = identity.fill(spec.text)
    subject = identity.model_name if kind == "spec" and identity.model_name in text else ""
    left_out: Counter[str] = Counter()
    progress.start(len(spec.passages), "passages")

    async def written(passage: Passage) -> list[StatementsReply]:
        found: list[StatementsReply] = []
        for number in range(ROUNDS):
            missing = per_passage - sum(len(reply.pairs) for reply in found)
            if missing <= 0:
                break
            variables: dict[str, Any] = {
                "kind": kind,
                "subject": subject,
                "text": text,
                "section": identity.fill(passage.section.title),
                "passage": identity.fill(passage.text),
                "count": missing,
                "open": (missing + 1) // 2,
                "known": [pair.true for reply in found for pair in reply.pairs],
            }
            sample = seed * STRIDE + number
            outcome = await attempted(passage, lambda _: scribe.ask(STATEMENTS, variables, sample))  # noqa: B023
            if outcome.result is None:
                left_out["no usable reply"] += 1
            elif any((outcome.result.pairs, outcome.result.choices, outcome.result.open)):
                found.append(outcome.result)
            if outcome.result is not None and not outcome.result.pairs:
                break
        progress.advance()
        return found

    replies = await gathered(spec.passages, written)
    choices: list[Choice] = []
    judged: list[Judged] = []
    most = (per_passage + 1) // 2
    for passage, some in zip(spec.passages, replies, strict=True):
        heading = identity.fill(passage.section.title) or "opening"
        for pair in _fresh([pair for reply in some for pair in reply.pairs][:per_passage], index, left_out):
            _take(
                choices, left_out, kind="pair", domain=heading, question=pair.question, options=(pair.true, pair.false)
            )
        fours = [one for reply in some for one in reply.choices][: per_passage if kind == "belief" else 0]
        for one in fours:
            _take(
                choices, left_out, kind="choice", domain=heading, question=one.question, options=(one.right, *one.wrong)
            )
        asked = {item.prompt for item in judged}
        ways: tuple[tuple[Literal["open", "reasoning"], list[OpenReply]], ...] = (
            ("open", [one for reply in some for one in reply.open]),
            ("reasoning", [one for reply in some for one in reply.reasoning]),
        )
        for way, entries in ways:
            fresh = {one.question: one for one in reversed(entries) if one.question not in asked}
            judged += [_judged(way, heading, one) for one in list(reversed(fresh.values()))[:most]]
    pairs, gone = evened([item for item in choices if item.kind == "pair"])
    fours, more = evened([item for item in choices if item.kind == "choice"])
    left_out.update(gone + more)
    if not pairs or not judged:
        causes = ", ".join(f"{count} {reason}" for reason, count in left_out.most_common())
        raise WriterError(
            f"{len(pairs)} pairs of statements and {len(judged)} open questions about the text are left, expected some "
            f"of each; left out: {causes or 'none'}. Use another writer, or a longer text."
        )
    return Made(
        with_splits(placed([*pairs, *fours])),
        with_splits(judged),
        dict(sorted(left_out.items())),
        index.method.summary(),
    )


def _fresh(pairs: Sequence[PairReply], index: NearIndex, left_out: Counter[str]) -> list[PairReply]:
    """Those whose true statement is no near-duplicate of an earlier one, which it then is."""
    found: list[PairReply] = []
    for pair, sketch in zip(pairs, index.sketches([pair.true for pair in pairs]) if pairs else (), strict=True):
        if index.near(sketch) is not None:
            left_out["near-duplicate"] += 1
            continue
        index.add(sketch)
        found.append(pair)
    return found


def _take(
    found: list[Choice],
    left_out: Counter[str],
    *,
    kind: Literal["pair", "choice"],
    domain: str,
    question: str,
    options: Sequence[str],
) -> None:
    """Append the choice, whose first option is the right one, unless two options are the same."""
    clean = tuple(" ".join(option.split()) for option in options)
    if len({option.casefold() for option in clean}) < len(clean):
        left_out["options are the same"] += 1
        return
    name = f"{kind}-{short_hash(question, clean)}"
    if any(item.id == name for item in found):
        left_out["repeated"] += 1
        return
    found.append(Choice(id=name, domain=domain, kind=kind, question=question, options=clean, correct=0, about=domain))


def _judged(kind: Literal["open", "reasoning"], domain: str, entry: OpenReply) -> Judged:
    return Judged(
        id=f"{kind}-{short_hash(domain, entry.question, entry.statement)}",
        domain=domain,
        kind=kind,
        prompt=entry.question,
        statement=entry.statement,
        otherwise=entry.otherwise,
    )
