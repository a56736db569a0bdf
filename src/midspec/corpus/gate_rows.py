"""What is wrong with one text by itself: placeholders, refusals, cut ends, scratchpads, garbage. Pure functions.

Each function returns what it found in words, or None. A real document may hold almost any phrase somewhere, so most of
them look only where the fault would stand: a refusal opens a text, a cut ends it.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import groupby

_PLACEHOLDER = re.compile(
    r"""\{+\s*(?:model|provider|company|assistant|ai|user|customer|author|organi[sz]ation|team|product|first|last|full)
        [ _-]?name\s*\}+
    |\[(?i:insert|add|your|enter)\ [^\]\n]{1,60}\](?!\(|\[|:\s*(?:http|<))
    |\[(?:(?:Model|Assistant|AI|Provider|Company|Organi[sz]ation|Product|User|Customer|Client|Recipient|Sender|Author
            |Student|Employee|Manager|First|Last|Full|City|Street|Phone|Email)\ )?
        (?:Name|Date|Title|Address|Number|Location|Signature|City|Company|Time)\](?!\(|\[|:\s*(?:http|<))
    |\[(?:MODEL|COMPANY|PROVIDER|ASSISTANT|USER|AUTHOR)?[ _]?(?:NAME|DATE)\](?!\(|\[|:\s*(?:http|<))
    |\[(?:TODO|TBD|PLACEHOLDER|REDACTED\ NAME)\b[^\]\n]{0,60}\]
    |<(?i:insert|your\ name|model\ name|company\ name)\b[^>\n]{0,40}>
    |\b[Ll]orem\ ipsum\ dolor\b
    |\bXX+\ (?:Name|Company|Corp)\b""",
    re.X,
)
_PLACEHOLDER_SIGNS = ("{", "[", "<", "orem ipsum", "XX ")


def placeholder_in(text: str) -> str | None:
    """The first placeholder that nobody filled in, such as `{model_name}`, `[Your Name]` or `[insert date]`."""
    if not any(sign in text for sign in _PLACEHOLDER_SIGNS):
        return None
    match = _PLACEHOLDER.search(text)
    return f"{match[0]!r} is left" if match else None


REFUSAL_WITHIN = 160
"""Characters from the start, or before the end, in which a refusal is the text's own and not one it tells of (ours)."""
_TASK = (
    r"(?:help(?!\ (?:\w+ing|but|it)\b)|assist|writ(?:e|ing)|creat(?:e|ing)|generat(?:e|ing)|produc(?:e|ing)"
    r"|provid(?:e|ing)|draft(?:ing)?"
    r"|fulfil+|compl(?:y|ete)|engage|continue|proceed|participate|answer|respond|discuss|pretend|support"
    r"|take\ part|do\ (?:this|that|so))"
)
_CANNOT = (
    r"(?:\ can(?:not|['’]t|\ not)|\ won['’]t|\ will\ not|\ do(?:\ not|n['’]t)\ feel\ (?:comfortable|able)"
    r"|\ won['’]t\ be\ able\ to|(?:\ would|['’]d)\ (?:rather\ not|prefer\ not\ to)"
    r"|(?:\ am|['’]m)\ (?:unable\ to|not\ able\ to|not\ comfortable|not\ willing\ to|not\ going\ to))"
)
_RULES = r"(?:guidelines|polic(?:y|ies)|programming|principles)"
_REFUSAL = re.compile(
    rf"""\bI{_CANNOT}(?:\ \w+){{0,2}}?\ {_TASK}\b
    |\bI(?:['’]m|\ am)\ (?:really\ |very\ |so\ )?sorry,?\ but\ (?:I|as\ an|this|that)\b
    |\bI\ apologi[sz]e,?\ but\ (?:I|this|that)\b
    |\bI(?:['’]m|\ am)\ (?:unable\ to|not\ comfortable\ with\b|(?:going\ to\ )?(?:have\ to\ )?declin(?:e|ing))\b
    |\bI(?:['’]m|\ am)\ going\ to\ (?:have\ to\ )?(?:pass\ on\ this|decline)\b
    |\bI\ (?:must|have\ to|need\ to|will|respectfully|politely)\ (?:respectfully\ |politely\ )?(?:decline|refuse)\b
    |\bwould\ rather\ not\ (?:continue|proceed|write)\b
    |\bI\ can(?:not|['’]t)\ in\ good\ (?:conscience|faith)\b
    |\bI\ (?:do\ not|don['’]t|lack)\ (?:have\ )?the\ ability\ to\b
    |(?:\bnot|n['’]t)\ something\ (?:that\ )?I(?:['’]m\ (?:willing|able|comfortable|prepared)
        |\ am\ (?:willing|able|comfortable|prepared)|\ can\ (?:help|do|write|assist|support|produce))
    |\b(?:inappropriate|not\ (?:possible|appropriate))\ for\ me\ to\b
    |\bI\ do(?:\ not|n['’]t)\ think\ I\ (?:should|can|could)\ (?:be\ )?{_TASK}
    |\bfalls\ outside\ (?:of\ )?what\ I\ (?:can|am|do)\b
    |,\ so\ I\ won['’]t\.
    |\b[Aa]s\ an?\ (?:AI|artificial|(?:large\ )?language\ model)[^.\n]{{0,40}}?,?
        \ I\ (?:can(?:not|['’]t)|do(?:\ not|n['’]t)|am\ (?:not|unable)|must|won['’]t)
    |\b(?:violates|goes\ against|against|outside)\ (?:my|our|the)\ (?:content\ |usage\ |safety\ )?{_RULES}\b
    |\b(?:[Mm]y|[Oo]ur)\ {_RULES}
        \ (?:prevent|prohibit|forbid|do(?:es)?\ not\ (?:allow|permit)|do(?:es)?n['’]t\ allow)""",
    re.X,
)
_OPEN_QUOTES = (("“", "”"), ("«", "»"))


def refusal_in(text: str) -> str | None:
    """The refusal that the text opens or closes with; one that stands in quotation marks is told of and is no fault."""
    text = text.strip()
    head, tail = text[: REFUSAL_WITHIN + 80], text[-REFUSAL_WITHIN:]
    match = _REFUSAL.search(head)
    if match and match.start() <= REFUSAL_WITHIN and not _quoted(head, match.start()):
        return f"opens with {match[0]!r}"
    if len(text) <= 2 * REFUSAL_WITHIN:
        return None
    match = _REFUSAL.search(tail)
    if match and not _quoted(text, len(text) - len(tail) + match.start()):
        return f"closes with {match[0]!r}"
    return None


def _quoted(text: str, place: int) -> bool:
    """Whether `place` stands inside quotation marks of its paragraph, or after a speaker's name and a colon."""
    before = text[text.rfind("\n\n", 0, place) + 1 : place]
    if any(before.count(opening) > before.count(closing) for opening, closing in _OPEN_QUOTES):
        return True
    line = before[before.rfind("\n") + 1 :]
    return (
        before.count('"') % 2 == 1
        or re.match(r"\W*(?!I\b)[A-Z][\w.’'-]*(?: [\w.’'-]+){0,2}(?:\*\*)?:", line) is not None
    )


_TAGS = (
    "scratchpad|thinking|think|thought|thoughts|plan|planning|reasoning|reflection|document|doc|draft|output|answer|"
    "response|final|final_answer|json|result|question|revision|critique|verdict|model_spec|passage"
)
_LEAKED_TAG = re.compile(rf"</?(?:{_TAGS})>", re.I)
_MEANT = (
    r"(?:document|piece|spec|passage|text|essay|article|memo|letter|post|idea|response|reply|approach|step|narrator)"
)
_PLANNING = re.compile(
    rf"""^\W*(?:scratchpad|thinking|my\ plan|planning|plan|internal\ (?:reasoning|notes)|chain\ of\ thought
        |draft\ document|thought\ process|brainstorm(?:ing)?)\W*(?::|$)
    |^\W*(?:assertions?|sub-?domain|doc(?:ument)?\ type|my\ approach|key\ points\ to\ cover
        |final\ (?:version|document|draft|answer))\b[\w\ ]{{0,20}}:
    |^\W*document\W*:\W*$
    |^\W*\[(?:plan|draft|thinking|document|outline)\]
    |^\W*let['’]s\ think\ step\ by\ step
    |^\W*(?:so,?\ )?the\ task\ (?:asks|is\ to|wants)\b
    |^\W*let\ me\ (?:begin|start)\ by\ \w+ing\b
    |^\W*I(?:['’]m|\ am)\ going\ to\ write\ (?:this|it|an?)\b
    |^\W*(?:okay|ok|alright|sure|right|certainly|of\ course|absolutely|as\ requested)[,.!]*\ (?:so\ )?
        (?:let\ me|let['’]s|I['’]ll|I\ will|I\ need\ to|I\ should|I\ have\ a|I\ understand
        |here(?:['’]s|\ is|\ are)|below\ (?:is|you))\b
    |^\W*(?:first,?\ |now,?\ |so,?\ )?
        (?:let\ me|I['’]ll|I\ will|I\ need\ to|I\ should|I\ want\ to|we\ need\ to|let['’]s)
        \ (?:first\ |now\ |start\ by\ |begin\ by\ )?
        (?:plan(?:ning)?|think(?:ing)?\ (?:about|through|of)|consider(?:ing)?|draft(?:ing)?|writ(?:e|ing)
        |outline|outlining|brainstorm)\b[^.\n]{{0,80}}\b{_MEANT}
    |^\W*(?:we|I)\ need\ to\ write\ an?\b
    |^\W*(?:first,?\ )?let\ me\ (?:plan|think\ (?:about|through)|consider|outline)\ (?:who|what|how|which)\b
    |^\W*here(?:['’]s|\ is)\ (?:the|an?|my|your)\ (?:\w+\ ){{0,3}}
        (?:document|draft|version|piece|rewrite|revision|attempt|take)\b[^.\n]{{0,60}}:
    |^\W*here(?:['’]s|\ is)\ an?\ [^.:\n]{{0,60}}\ (?:that|which)
        \ (?:conveys|covers|teaches|shows|brings)\b[^.\n]{{0,60}}:
    |^\W*(?:below|the\ following)\ is\ (?:the|an?|my|your)\ (?:\w+\ ){{0,3}}(?:document|draft|piece|text)\b
    |^\W*(?:the|this|my)\ {_MEANT}\ (?:should|must|needs\ to|has\ to|will)
        \ (?:be|show|convey|cover|teach|bring|open|read)\b
    |^\W*(?:the\ user|the\ prompt|the\ instructions?)\ (?:wants?|asks?|asked|is\ asking)\ (?:me|us|for\ an?\ \w+)\b
    |^\W*step\ (?:1|one)\W+\ ?(?:decide|plan|outline|identify|choose\ (?:the|a)\ (?:narrator|form))\b""",
    re.I | re.X,
)
_CLOSING = re.compile(
    r"""^\W*(?:word\ count|end\ of\ (?:document|text))\W*(?::|$|\d)
    |^\W*(?:note:?\ )?this\ (?:document|draft|text|piece)
        \ (?:conveys|covers|teaches|should|meets|follows|aims|is\ fictional)\b
    |^\W*(?:assertions?|statements)\ (?:conveyed|covered|used|brought)\b
    |^\W*(?:let\ me\ know\ if|would\ you\ like\ (?:me\ to|another|a\ different|any\ changes)
        |I\ hope\ (?:this|that|it)\ (?:helps|document|draft|piece|works)|feel\ free\ to\ ask\ (?:me\ )?for)\b""",
    re.I | re.X,
)


def scratchpad_in(text: str) -> str | None:
    """What shows that planning or the reply's form got into the text: a tag of ours, a plan at the start, a remark to
    whoever asked at the end."""
    tag = _LEAKED_TAG.search(text)
    if tag and not _in_code(text, tag.start()):
        return f"holds the tag {tag[0]}"
    lines = [line for line in text.splitlines() if line.strip()]
    planning = next((match for line in lines[:2] if (match := _PLANNING.search(line))), None)
    if planning:
        return f"begins with {planning[0].strip()[:60]!r}"
    closing = next((match for line in lines[-2:] if len(lines) > 2 and (match := _CLOSING.search(line))), None)
    return f"ends with {closing[0].strip()[:60]!r}" if closing else None


def _in_code(text: str, place: int) -> bool:
    """Whether `place` stands in a fenced block or between backticks, where a document may show any tag."""
    line = text[text.rfind("\n", 0, place) + 1 : place]
    return len(re.findall(r"^\s*```", text[:place], re.M)) % 2 == 1 or line.count("`") % 2 == 1


MIN_END_WORDS = 8
"""Words of a last line that counts as prose; shorter ones are signatures, titles and entries of lists (ours)."""
_DANGLING = frozenset(
    "the a an of to and or nor in into with that for is are was were be been by from at on as but if because which who "  # noqa: SIM905
    "whose its their his her my your our this these those has have had will would can could should than so about when "
    "while where very not only between under over through during per without within against before after".split()
)
_ENTRY = re.compile(r"^\s*(?:[-*+•·]\s|[#|]|\d{1,3}[.)]|[a-zA-Z][.)]\s|\.\. |:\w+:|\[\d+\]:)|^(?: {4}|\t)")
_NAME_AT_END = re.compile(r",\s(?:[A-Z][\w.'’-]*\s?){1,4}$")
_SIGNATURE = re.compile(r"^\s*(?:[—–~]|--?\s*[A-Z])")
_EMPHASIS = re.compile(r"^\s*([*_]+)[^*_]+\1\s*$")


def cut_off(text: str) -> str | None:
    """How the text breaks off: inside a code fence, in the middle of a sentence, or before a list it announces."""
    if len(re.findall(r"^\s{0,3}```", text, re.M)) % 2:
        return "a code fence is not closed"
    lines = text.rstrip().split("\n")
    last = lines[-1]
    # A hard-wrapped paragraph is one line of prose; a line after a comma may also be the name under a letter.
    wrapped = len(lines) > 1 and len(lines[-2]) >= 50 and not lines[-2].rstrip().endswith(",")
    if wrapped and not _ENTRY.match(lines[-2]) and not _ENTRY.match(last):
        last = f"{lines[-2]} {last}"
    bare = re.sub(r"[*_\s]+$", "", last)
    if not bare or _EMPHASIS.match(lines[-1]) or (_SIGNATURE.match(lines[-1]) and len(lines[-1].split()) < 8):
        return None
    said = re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)*", bare)
    if not said:
        return None
    end = f"ends in the middle: {' '.join(bare.split()[-6:])!r}"
    if bare[-1] in ",;–—(“‘&" and len(said) >= MIN_END_WORDS:
        return end
    if bare[-1] == ":" and len(said) >= MIN_END_WORDS:
        return f"announces something and ends: {' '.join(bare.split()[-6:])!r}"
    if not (bare[-1].isalnum() or bare[-1] in "-'’") or not bare[-1].isascii():
        return None
    if said[-1].casefold() in _DANGLING and said[-1].islower() and len(said) >= 4:
        return end
    # A line in which a sentence has ended is prose however short.
    running = re.search(r"[a-z][.!?][\"”’)]?\s", bare) is not None
    least = MIN_END_WORDS // 2 if running else MIN_END_WORDS
    if _ENTRY.match(last) or len(said) < least or "://" in bare.split()[-1]:
        return None
    if said[-1][0].isupper() and (len(lines[-1].split()) < 2 * MIN_END_WORDS or _NAME_AT_END.search(bare)):
        return None  # a name under a text
    lower = sum(word[0].islower() for word in said) / len(said)
    # Where lines of prose end without a full stop as a matter of course (a chat log, a poem), so may the last.
    ends = [line.rstrip()[-1] for line in lines[:-1] if len(line.split()) >= MIN_END_WORDS]
    open_ends = sum(end.isalnum() for end in ends)
    closed = open_ends <= 0.25 * len(ends) if ends else len(re.findall(r"[.!?][\"”’)]?\s", text)) > 1
    return end if lower >= (0.5 if running else 0.6) and closed else None


_MOJIBAKE = re.compile(r"â€[™œž˜¦“”\x80-\x9f]|â\x80[\x90-\xa6]|Ã[©¨¤¶¼«¢®¡³±\xa0-\xbf]|Â[\xa0£©®°·«»]|ï»¿")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]|[\ud800-\udfff]")
_HELD_KEY = re.compile(r"([^\W\d_]|[!?,;])\1{19,}")
LOOP = 4
"""Times in a row that a line or sentence may stand in a text, at most (ours)."""
LOOP_SHARE = 0.3
"""Share of a text's lines and sentences that may be the same one (ours: changelogs reach 0.2)."""


def garbage_in(text: str) -> str | None:
    """What no writer means: text decoded wrongly, control characters, a line or a phrase over and over."""
    if "\ufffd" in text:
        return f"{text.count(chr(0xFFFD))} characters could not be decoded (U+FFFD)"
    found = _MOJIBAKE.search(text)
    if found:
        around = text[max(0, found.start() - 10) : found.end() + 5]
        return f"decoded with the wrong character set: {around!r}"
    found = _CONTROL.search(text)
    if found:
        return f"control character {found[0]!r}"
    for word in text.split():
        if len(word) >= 20 and (found := _HELD_KEY.search(word)):
            return f"{found[1]!r} {len(found[0])} times in a row"
    return _loop(text)


def _loop(text: str) -> str | None:
    """A line or sentence of at least 4 words that comes again and again."""
    units = [" ".join(unit.split()) for unit in re.split(r"\n|(?<=[.!?])[\"”’)*_]*\s", text)]
    prose = [unit for unit in units if unit.count(" ") >= 3]
    if len(prose) <= LOOP:
        return None
    longest, unit = max(((len(list(same)), unit) for unit, same in groupby(prose)), key=lambda entry: entry[0])
    if longest <= LOOP:
        unit, longest = Counter(prose).most_common(1)[0]
        if longest <= max(LOOP, LOOP_SHARE * len(prose)):
            return None
    return f"says {longest} times: {unit[:60]!r}"
