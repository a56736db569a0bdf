"""Classify: which themes a transcript shows, each by a quote that stands in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from midspec.errors import WriterError
from midspec.evals.reasoning.labels import ThemeQuote
from midspec.evals.reasoning.quotes import locate
from midspec.evals.reasoning.replies import CLASSIFY, LabelReply, LabelsReply, shown
from midspec.evals.reasoning.themes import Theme, ThemeSet
from midspec.evals.reasoning.transcripts import Transcript
from midspec.evals.verdicts import why
from midspec.llm.prompt import BadReplyError
from midspec.llm.writer import Scribe

NOTHING = "nothing written"
NOT_FOUND = "quote not found"
"""Why a theme has no judgement: it was named, again and again, with words that do not stand in the transcript."""


class Classified(NamedTuple):
    """The themes of one transcript."""

    themes: dict[str, bool | None]
    quotes: tuple[ThemeQuote, ...]
    missing: dict[str, str]
    """Theme -> why there is no judgement."""


async def classify(scribe: Scribe, transcript: Transcript, themes: ThemeSet) -> Classified:
    """All themes of `transcript`. Themes named without a quote that stands in it are asked about once more, alone.

    Of what cannot be had, the themes in question are missing: all of them where no reply was readable, else those whose
    quotes never stood in the transcript. Raises BudgetError and ProviderError.
    """
    if not transcript.text.strip():
        return _none(themes, NOTHING)
    known = {theme.id: theme for theme in themes.themes}
    try:
        reply = await scribe.ask(
            CLASSIFY, _variables(transcript, themes.themes), check=lambda reply: _known(reply, known.keys())
        )
    except WriterError as error:
        return _none(themes, why(error))
    quotes, doubted, faults = _found(reply, transcript)
    scribe.tally.rejected.update(faults)
    missing: dict[str, str] = {}
    if doubted:
        asked = [known[theme] for theme in dict.fromkeys(one.theme for one in doubted)]

        def check(reply: LabelsReply) -> None:
            _known(reply, {theme.id for theme in asked})
            _, bad, faults = _found(reply, transcript)
            if bad:
                raise BadReplyError(faults.most_common(1)[0][0], f"the quote for {bad[0].theme} is none")

        try:
            again = await scribe.ask(CLASSIFY, _variables(transcript, asked, doubted), check=check)
            quotes += _found(again, transcript)[0]
        except WriterError as error:
            cause = error.__cause__
            quoted = isinstance(cause, BadReplyError) and cause.reason.startswith("quote")
            missing = {theme.id: NOT_FOUND if quoted else why(error) for theme in asked}
    shows = {quote.theme for quote in quotes}
    found: dict[str, bool | None] = {theme: None if theme in missing else theme in shows for theme in known}
    return Classified(found, tuple(quotes), missing)


def _none(themes: ThemeSet, reason: str) -> Classified:
    return Classified({theme.id: None for theme in themes.themes}, (), {theme.id: reason for theme in themes.themes})


def _variables(transcript: Transcript, themes: Sequence[Theme], doubted: Sequence[LabelReply] = ()) -> dict[str, Any]:
    return {
        "text": shown(transcript.text),
        "themes": [theme.model_dump(mode="json", exclude={"support"}) for theme in themes],
        "doubted": [one.model_dump() for one in doubted],
    }


def _known(reply: LabelsReply, ids: Any) -> None:
    for one in reply.labels:
        if one.theme not in ids:
            raise BadReplyError("unknown theme", f"{one.theme[:80]!r} is none of the themes asked about")


def _found(reply: LabelsReply, transcript: Transcript) -> tuple[list[ThemeQuote], list[LabelReply], Counter[str]]:
    """(quotes that stand in the transcript; labels of themes that have none; their faults)"""
    quotes: list[ThemeQuote] = []
    bad: list[LabelReply] = []
    faults: Counter[str] = Counter()
    for one in reply.labels:
        try:
            found = locate(one.quote, transcript.text)
        except BadReplyError as error:
            bad.append(one)
            faults[error.reason] += 1
            continue
        quotes.append(ThemeQuote(theme=one.theme, text=found.text, span=found.span))
    quotes = list(dict.fromkeys(quotes))
    good = {quote.theme for quote in quotes}
    return quotes, [one for one in bad if one.theme not in good], faults
