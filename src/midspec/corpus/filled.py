"""A spec as a writer reads it, identity filled in, and the way back to characters of the spec file."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

from midspec.records import Span
from midspec.spec.document import Identity, ModelSpec

_PLACEHOLDER = re.compile(r"\{(?:model_name|provider_name)\}")
_ALIKE = ('"“”„«»', "'’‘‚`´", "-‐‑–—")


def _pattern(word: str) -> str:
    """A regular expression for `word` in which marks that look alike are equal."""
    return "".join(
        next((f"[{re.escape(group)}]" for group in _ALIKE if character in group), re.escape(character))
        for character in word
    )


@dataclass(frozen=True)
class FilledText:
    """Text with the identity filled in; `locate` answers in characters of the text before filling."""

    text: str
    starts: tuple[int, ...]
    """Where each piece begins in `text`; pieces are plain runs and filled-in placeholders in turn."""
    origins: tuple[Span, ...]
    """Span of each piece before filling."""

    def locate(self, quote: str) -> Span | None:
        """Span of `quote` before filling; None where the text does not say it.

        White space, case, and the form of quotation marks and dashes are taken as equal, and so are marks and dots
        around the quote that the text has not.
        """
        for wanted in (quote, quote.strip(" \t\n\r\"'“”‘’„«»…").removesuffix("...").rstrip()):
            words = wanted.split()
            if not words:
                continue
            match = re.search(r"\s+".join(map(_pattern, words)), self.text, re.IGNORECASE)
            if match is not None:
                return self._before(match.start(), end=False), self._before(match.end(), end=True)
        return None

    def _before(self, position: int, *, end: bool) -> int:
        piece = max(0, bisect_right(self.starts, position - 1 if end else position) - 1)
        start, stop = self.origins[piece]
        if piece % 2:  # inside a placeholder: a passage holds the whole of it
            return stop if end else start
        return start + position - self.starts[piece]


def filled(text: str, identity: Identity, offset: int = 0) -> FilledText:
    """`text` filled; spans are given with `offset` added, the place of `text` in its file."""
    pieces: list[str] = []
    starts: list[int] = []
    origins: list[Span] = []
    position, length = 0, 0
    for match in [*_PLACEHOLDER.finditer(text), None]:
        spans = [(position, match.start()), match.span()] if match else [(position, len(text))]
        for start, stop in spans:
            piece = identity.fill(text[start:stop]) if len(pieces) % 2 else text[start:stop]
            pieces.append(piece)
            starts.append(length)
            origins.append((start + offset, stop + offset))
            length += len(piece)
            position = stop
    return FilledText("".join(pieces), tuple(starts), tuple(origins))


def spec_variables(spec: ModelSpec, identity: Identity) -> dict[str, str]:
    """What every prompt about a spec begins with; equal for all prompts of one spec, so that providers can cache it."""
    return {
        "spec": identity.fill(spec.text),
        "model_name": identity.model_name,
        "provider_name": identity.provider_name,
    }
