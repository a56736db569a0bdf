"""Which language a text is in, as far as its script and its commonest words tell. Pure functions."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

_COMMON = {
    "English": "the of and to in is that for it with as was on be at by this are from or have an not but they",
    "German": "der die das und ist nicht ein eine zu den mit von auf für sich dem im auch es wird aus bei wie",
    "French": "le la les des et est un une dans que pour pas sur qui au avec ce il ne sont du plus par mais",
    "Spanish": "el los las una que por con para del se es no más como pero su al lo sus está son entre muy",
    "Portuguese": "o os das dos uma que não com para por mais como mas ao ele seu sua são também na no em",
    "Italian": "il gli che una per non con sono del della è anche nel più come alla dei ha questo ma dal",
    "Dutch": "het een van en dat niet zijn voor met op te aan ook naar maar bij wordt deze uit hij dan",
    "Polish": "nie się jest na do że to jak ale przez który dla oraz tego czy tak jego od po są",
}
_WORDS = {language: frozenset(words.split()) for language, words in _COMMON.items()}
MIN_WORDS = 30
"""Words below which a text's language is anybody's guess (ours)."""
LOOKED_AT = 1500
"""Characters from the start by which a text is judged (ours)."""


def language_of(text: str) -> str | None:
    """`English`, ..., or the script of a text that is not in Latin letters; None where it cannot be told."""
    head = text[:LOOKED_AT]
    if not head.isascii():
        letters = [character for character in head if character.isalpha()]
        if len(letters) >= MIN_WORDS and sum(character < "ɐ" for character in letters) < 0.5 * len(letters):
            scripts = Counter(unicodedata.name(character, "?").split()[0] for character in letters[::7])
            return f"{scripts.most_common(1)[0][0].capitalize()} script"
    said = re.findall(r"[^\W\d_]+", head.lower())
    if len(said) < MIN_WORDS:
        return None
    counts = Counter(said)
    shares = Counter({language: sum(counts[word] for word in known) for language, known in _WORDS.items()})
    (first, most), (_, second) = shares.most_common(2)
    # A table or a list of names holds few common words of any language.
    return first if most >= 0.1 * len(said) and most >= 1.3 * second else None
