"""Extract: the reasons that single transcripts give, each with a quote that stands in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from midspec.errors import WriterError
from midspec.evals.reasoning.quotes import locate
from midspec.evals.reasoning.replies import EXTRACT, ReasonsReply, shown
from midspec.evals.reasoning.transcripts import Transcript
from midspec.evals.verdicts import why
from midspec.llm.fan_out import gathered
from midspec.llm.prompt import BadReplyError
from midspec.llm.writer import Scribe
from midspec.records import Row, Span
from midspec.steps.progress import Progress


class Passage(Row):
    """One reason of one transcript."""

    transcript: str
    """`Transcript.id`."""
    arm: str
    reason: str
    """In the reader's words."""
    quote: str
    span: Span
    """Of the quote in `Transcript.text`."""


class Extracted(NamedTuple):
    """Reasons of many transcripts."""

    passages: list[Passage]
    read: int
    """Transcripts whose reasons were told, none included."""
    unread: dict[str, int]
    """Transcripts without a usable reply, by reason."""
    rejected: dict[str, int]
    """Reasons whose quote does not stand in the transcript, or is unfit."""


async def extract(scribe: Scribe, transcripts: Sequence[Transcript], progress: Progress) -> Extracted:
    """The reasons of each transcript, in its order. A reply without any quote that stands in its transcript is asked
    for again; of others the reasons with such a quote are kept. Raises BudgetError and ProviderError."""
    progress.start(len(transcripts), "transcripts read")

    async def one(transcript: Transcript) -> tuple[list[Passage], Counter[str], str | None]:
        if not transcript.text.strip():
            return [], Counter(), "nothing written"

        def check(reply: ReasonsReply) -> None:
            passages, faults = _passages(reply, transcript)
            if faults and not passages:
                raise BadReplyError(faults.most_common(1)[0][0], "no quote stands in the transcript")

        try:
            reply = await scribe.ask(EXTRACT, {"text": shown(transcript.text)}, check=check)
        except WriterError as error:
            return [], Counter(), why(error)
        finally:
            progress.advance()
        return *_passages(reply, transcript), None

    found = await gathered(transcripts, one)
    unread = Counter(reason for *_, reason in found if reason is not None)
    rejected = sum((faults for _, faults, _ in found), Counter[str]())
    return Extracted(
        [passage for passages, *_ in found for passage in passages],
        len(found) - unread.total(),
        dict(sorted(unread.items())),
        dict(sorted(rejected.items())),
    )


def _passages(reply: ReasonsReply, transcript: Transcript) -> tuple[list[Passage], Counter[str]]:
    """(those with a quote that stands in the transcript, the faults of the others)"""
    passages: list[Passage] = []
    faults: Counter[str] = Counter()
    for one in reply.reasons:
        try:
            found = locate(one.quote, transcript.text)
        except BadReplyError as error:
            faults[error.reason] += 1
            continue
        passages.append(
            Passage(transcript=transcript.id, arm=transcript.arm, reason=one.reason, quote=found.text, span=found.span)
        )
    return passages, faults
