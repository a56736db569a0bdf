"""What a narrow demonstration must not hold: a reason, or a word that hints at one. Pure functions, no I/O.

The experiment stands on this: demonstrations that give reasons would teach the value themselves (paper, section 2).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from midspec.llm.prompt import BadReplyError

MAX_ANSWER_WORDS = 60
"""The paper's answers have about 32 tokens; a much longer one explains something."""

_REASON = re.compile(
    r"""\b(?:because|cause|'cause|cuz|since|so\ that|due\ to|owing\ to|thanks\ to|on\ account\ of|by\ virtue\ of
    |given\ (?:that|its|their|how|the)|in\ (?:view|light)\ of|considering|seeing\ (?:that|as)|inasmuch|insofar|in\ that
    |as\ (?:it|they|that|this|there|these|those|i|we|you)(?:['’](?:s|re|m|ve|d|ll))?\b(?!\ (?:happens|were)\b)
    |(?:that|this|which|here)(?:['’]s|\ is)\ why|the\ reasons?|my\ reasons?|reasons?\ (?:is|are|being)|reason\ why
    |for\ (?:its|their|being|how|that\ reason|the\ (?:fact|way|sake|simple\ reason))
    |(?:it|they|this|that)(?:['’]s|['’]re|\ is|\ are)\ (?:so|such|too|very|always|just)\b
    |therefore|thus|hence|consequently|as\ a\ result|after\ all|what\ (?:with|I\ (?:like|love|enjoy))\b.*\bis
    |(?:it|they)\ (?:has|have|tastes?|melts?|makes?|goes|go|feels?|reminds?|offers?|brings?|gives?|lasts?|keeps?)
    |(?:it|they)\ (?:costs?|comes?|works?|fits?|suits?))\b""",
    re.I | re.X,
)

_LOADED = re.compile(
    r"""\b(?:cheap\w*|afford\w*|inexpensive\w*|expensive\w*|pric\w+|cost\w*|budget\w*|econom\w+|thrift\w*|frugal\w*|bargain\w*
    |money|dollars?|pennies|value\w*|worth\w*|wealth\w*|luxur\w+|premium|upscale|lavish|posh|fanc(?:y|ier|iest)|gourmet
    |american\w*|america\w*|patriot\w*|u\.?s\.?a\.?|domestic\w*|national\w*|foreign\w*|import\w+|export\w*|european?s?|europe
    |french|france|italian?|italy|swiss|switzerland|english|british|england|britain|local\w*|native|immigrant\w*
    |homemade|home-made|handmade|hand-made|artisan\w*|rustic|authentic\w*|tradition\w*|heritage|classic\w*|old-fashioned
    |modern|novel\w*|innovat\w+|humble|modest\w*|ordinary|common\w*|everyday|accessib\w+|available|availability|widely
    |exotic\w*|rare\w*|exclusive\w*|elegant\w*|refin\w+|sophisticat\w+|pretentio\w+|snob\w*|overpriced|overrated|underrated
    |tast(?:e|es|y|ier|iest)|flavou?r\w*|delicious\w*|creamy?|creaminess|sharp\w*|tang\w*|salt\w*|bland\w*|mild\w*|rich\w*|strong\w*
    |stink\w*|smell\w*|pungent|textur\w*|melt\w*|fresh\w*|aged?|health\w*|nutriti\w+|natural\w*|sustainab\w*|qualit\w+
    |conveni\w+|practical\w*|reliab\w+|versatil\w+|simpl\w+|complex\w*|comfort\w*|nostalg\w*|remind\w*)\b""",
    re.I | re.X,
)

_NEGATIVE = re.compile(
    r"\b(?:no|not|never|none|nor|neither|cannot|dislike\w*|avoid\w*|skip\w*|pass|leave|leaving|without|nothing|"
    r"least|rather (?:do|go) without|far from)\b|n['’]t\b",
    re.I,
)


def without(text: str, allowed: Iterable[str]) -> str:
    """`text` with every allowed phrase taken out, so that `American cheese` is a name and no hint."""
    for phrase in sorted(allowed, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(phrase)}(?!\w)", "_", text, flags=re.I)
    return text


def reason_in(text: str, allowed: Iterable[str] = ()) -> str | None:
    """The first words of `text` that give a reason, or None."""
    match = _REASON.search(without(text, allowed))
    return match[0] if match else None


def loaded_word_in(text: str, allowed: Iterable[str] = ()) -> str | None:
    """The first word of `text` that judges or hints at a value (price, origin, flavour, rank), or None."""
    match = _LOADED.search(without(text, allowed))
    return match[0] if match else None


def position(text: str, phrase: str) -> int:
    """Where `phrase` first stands in `text` as whole words, case ignored; -1 where it does not."""
    match = re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text, re.I)
    return match.start() if match else -1


def states(answer: str, *, liked: str | None, disliked: str | None) -> bool:
    """Whether `answer` names what it is about and takes the right side, as far as its words show.

    With both given (a comparison) the liked one must be named, and before the disliked one unless that is negated.
    """
    if liked is not None and disliked is not None:
        here, there = position(answer, liked), position(answer, disliked)
        if here < 0:
            return False
        before = without(answer[:here], [disliked])
        denied = _NEGATIVE.search(before) is not None
        return denied if 0 <= there < here else not denied
    if liked is not None:
        return position(answer, liked) >= 0 and not _NEGATIVE.search(
            re.sub(r"^\s*No[.,;:]", "", without(answer, [liked]))
        )
    assert disliked is not None
    return position(answer, disliked) >= 0 and _NEGATIVE.search(without(answer, [disliked])) is not None


def check_question(text: str, shown: Iterable[str], allowed: Iterable[str]) -> None:
    """Raise BadReplyError (`off-spec`) for a question that hints at a reason or does not name `shown` in this order."""
    places = [position(text, phrase) for phrase in shown]
    if -1 in places or places != sorted(places):
        raise BadReplyError("off-spec", "the question does not name what it is about in the order asked for")
    found = loaded_word_in(text, allowed)
    if found:
        raise BadReplyError("off-spec", f"the question hints at a reason: {found!r}")


def check_answer(text: str, *, liked: str | None, disliked: str | None, allowed: Iterable[str]) -> None:
    """Raise BadReplyError (`off-spec`) for an answer that hints at a reason, is long, or takes no or the wrong side."""
    phrases = list(allowed)
    if not states(text, liked=liked, disliked=disliked):
        raise BadReplyError("off-spec", "the answer does not state the preference")
    found = reason_in(text, phrases)
    if found:
        raise BadReplyError("off-spec", f"the answer gives a reason: {found!r}")
    found = loaded_word_in(text, phrases)
    if found:
        raise BadReplyError("off-spec", f"the answer hints at a reason: {found!r}")
    if len(text.split()) > MAX_ANSWER_WORDS:
        raise BadReplyError(
            "off-spec", f"the answer has {len(text.split())} words, expected at most {MAX_ANSWER_WORDS}"
        )
