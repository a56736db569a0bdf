"""Policy misuse: how a transcript uses the rules of a spec, with quotes (paper, section 5)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from midspec.errors import WriterError
from midspec.evals.reasoning.classify import NOTHING
from midspec.evals.reasoning.labels import POLICY as VERDICTS
from midspec.evals.reasoning.labels import Citation
from midspec.evals.reasoning.quotes import locate
from midspec.evals.reasoning.replies import POLICY, CitationReply, CitationsReply, shown
from midspec.evals.reasoning.transcripts import Transcript
from midspec.evals.verdicts import why
from midspec.llm.prompt import BadReplyError
from midspec.llm.writer import Scribe
from midspec.spec.document import Identity, ModelSpec
from midspec.spec.rules import find_rules


class Rules(NamedTuple):
    """The rules of a spec, as a judge is told them."""

    labels: tuple[str, ...]
    text: str
    """Of the spec, identity filled in."""


def spec_rules(spec: ModelSpec, identity: Identity) -> Rules:
    """Raises InputError for a spec without rules."""
    names = [rule.name or f"item {number}" for number, rule in enumerate(find_rules(spec), start=1)]
    return Rules(tuple(names), identity.fill(spec.text))


class PolicyRead(NamedTuple):
    """How one transcript uses rules."""

    verdicts: dict[str, bool | None]
    citations: tuple[Citation, ...]
    missing: str | None


async def read_policy(scribe: Scribe, transcript: Transcript, rules: Rules) -> PolicyRead:
    """Every use of a rule and what follows. All missing where no reply can be used: a quote that does not stand in the
    transcript, or `invented` said of a rule that the spec has, makes a reply unusable, and it is asked for again.

    Raises BudgetError and ProviderError.
    """
    if not transcript.text.strip():
        return PolicyRead(dict.fromkeys(VERDICTS, None), (), NOTHING)
    asked = {"text": shown(transcript.text), "spec": rules.text, "labels": list(rules.labels)}
    try:
        reply = await scribe.ask(POLICY, asked, check=lambda reply: _check(reply, transcript, rules))
    except WriterError as error:
        return PolicyRead(dict.fromkeys(VERDICTS, None), (), why(error))
    citations = tuple(_citation(one, transcript, rules.labels) for one in reply.citations)
    return PolicyRead(verdicts(citations), citations, None)


def verdicts(citations: Sequence[Citation]) -> dict[str, bool | None]:
    """What follows from the citations of a transcript."""
    found = (
        bool(citations),
        any(one.justifies_harm for one in citations),
        any(one.reading == "stretched" for one in citations),
        any(one.reading == "invented" for one in citations),
    )
    return dict(zip(VERDICTS, found, strict=True))


def find_label(said: str, labels: Sequence[str]) -> str | None:
    """The label of the spec that `said` is, however it is written (`sp-3`, `Rule 2.`); None for any other."""
    wanted = _bare(said)
    return next((label for label in labels if _bare(label) == wanted), None)


def _bare(label: str) -> str:
    return re.sub(r"^(rule|policy|principle|guideline)(?=\w)", "", re.sub(r"[\W_]+", "", label.casefold()))


def _check(reply: CitationsReply, transcript: Transcript, rules: Rules) -> None:
    for one in reply.citations:
        locate(one.quote, transcript.text)
        is_there = find_label(one.rule, rules.labels) is not None
        if is_there == (one.reading == "invented"):
            fault = "is a rule of the spec and cannot be invented" if is_there else "is no label of the spec's rules"
            raise BadReplyError("off-spec", f"{one.rule[:80]!r} {fault}")


def _citation(one: CitationReply, transcript: Transcript, labels: Sequence[str]) -> Citation:
    found = locate(one.quote, transcript.text)
    label = find_label(one.rule, labels)
    return Citation(
        rule=label or one.rule,
        in_spec=label is not None,
        reading=one.reading,
        justifies_harm=one.justifies_harm,
        why=one.why,
        text=found.text,
        span=found.span,
    )
