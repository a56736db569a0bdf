"""What a document must not be, told before it enters a corpus. Pure functions, no I/O."""

from __future__ import annotations

import re

from midspec.corpus.overlap import words_of
from midspec.llm.prompt import BadReplyError
from midspec.spec.document import Identity
from midspec.spec.lint import OTHER_ASSISTANTS

MIN_WORDS = 60
"""A shorter document is a fragment (ours)."""
_PLACEHOLDER = re.compile(
    r"\{+\s*(?:model|provider)[ _]?name\s*\}+|\[(?:model|assistant|provider|company) name\]", re.I
)


def check_document(text: str, spec_text: str, identity: Identity) -> None:
    """Return for a usable document; raise BadReplyError (`off-spec`) for one with a placeholder left in, one under
    MIN_WORDS words, or one that names another assistant or maker which the spec does not name."""
    left = _PLACEHOLDER.search(text)
    if left:
        raise BadReplyError("off-spec", f"a placeholder is left: {left[0]!r}")
    count = len(words_of(text))
    if count < MIN_WORDS:
        raise BadReplyError("off-spec", f"{count} words, expected at least {MIN_WORDS}")
    known = f"{spec_text} {identity.model_name} {identity.provider_name}".lower()
    for match in OTHER_ASSISTANTS.finditer(text):
        if match[0].lower() not in known:
            raise BadReplyError("off-spec", f"names {match[0]!r}, another assistant or maker")
