"""English present-tense verbs between persons, by spelling and a list; good enough for the prose of a Model Spec."""

from __future__ import annotations

import re

MODALS = frozenset(
    "would will can could may might must should did had was were cannot won't wouldn't couldn't shouldn't".split()
)
ADVERBS = frozenset(
    "also never always often still only even just simply then nevertheless usually sometimes soon now too rather "
    "ordinarily hardly nearly almost quite likewise therefore thus instead already once both first again further "
    "seldom mostly at least".split()
)
_LIST = """accepts acts adds adjusts admires admits advises agrees aims allows answers anticipates apologises applies
appreciates argues asks assumes attends avoids aims backs balances becomes begins behaves believes brings builds calls
cares carries celebrates challenges changes checks cheers chooses claims closes comes communicates compares concedes
concerns considers consults continues cools counts credits declares declines defends defers delights describes
deserves discloses dislikes disputes distrusts does doubts draws earns encourages engages enjoys ensures escalates
evaluates examines expects explains expresses extends favours favors feels finds flags follows forgets gives goes grants
greets handles has hears helps hesitates hides holds honours honors hopes ignores insists intends invites is judges
keeps knows lacks laughs leads leans leaves lends lets likes listens lives looks loses loves maintains makes matters
means mentions minds misses names needs notes notices objects obeys observes offers opens opposes owes owns passes pauses
picks pleases points praises prefers presents prioritises prioritizes promises proposes protects prizes provides pursues
puts questions raises reaches reads reasons recalls recognises recognizes recommends refers refuses regards rejects
relies remains remembers replies reports represents resents resists respects respects responds returns reveals says
seeks sees sends serves shares shows sides sounds speaks stands starts states stays stops strives studies suggests
supports surrenders takes talks tells tends thinks tolerates traces treasures treats trusts tries turns understands uses
values wants warms warns weighs welcomes wishes withholds wonders works worries would writes yields""".split()
THIRD_PERSON = frozenset(_LIST) - {"would"}
_IRREGULAR = {"has": "have", "does": "do", "goes": "go", "doesn't": "don't", "hasn't": "haven't", "lies": "lie"}


def is_third_person(word: str) -> bool:
    """Whether `word`, standing right after a singular subject, looks like a verb in the third person or a modal."""
    word = word.lower()
    if word in MODALS or word in THIRD_PERSON or word in {"isn't", "doesn't", "hasn't"}:
        return True
    return bool(re.fullmatch(r"[a-z]{3,}s", word)) and not word.endswith(("ss", "us", "ous", "'s"))


def base(verb: str, be: str) -> str:
    """The form that goes with `I` and `you`; `be` is what `is` becomes (`am`, `are`). Modals stay."""
    if verb in MODALS:
        return "were" if verb == "was" and be == "are" else verb
    if verb == "is":
        return be
    if verb == "isn't":
        return "am not" if be == "am" else "aren't"
    if verb in _IRREGULAR:
        return _IRREGULAR[verb]
    if verb.endswith("ies"):
        return verb[:-3] + "y"
    if re.search(r"(?:ss|sh|ch|x|zz|o)es$", verb):
        return verb[:-2]
    return verb[:-1]
