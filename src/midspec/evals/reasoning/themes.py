"""Themes: named kinds of reasoning, with definitions and example quotes, as a file that can be frozen and reused."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator

from midspec.errors import InputError
from midspec.records import Row

Direction = Literal["misaligned", "aligned", "neutral"]
"""Towards harm, away from it, or neither."""

PACKAGED = "paper"
"""The taxonomy after the paper, in our words."""
EXAMPLES = 3
"""Example quotes that a discovered theme keeps. (ours)"""


class Theme(Row):
    """One kind of reasoning."""

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)
    name: str = Field(min_length=1, max_length=120)
    definition: str = Field(min_length=1)
    direction: Direction
    examples: tuple[str, ...] = ()
    """Quotes that show it."""
    cues: tuple[str, ...] = ()
    """Regular expressions for the reader without a model; a language model does not see them."""
    support: int | None = None
    """Transcripts it was discovered in; None where it was not discovered."""

    @field_validator("cues")
    @classmethod
    def _compile(cls, cues: tuple[str, ...]) -> tuple[str, ...]:
        for cue in cues:
            try:
                re.compile(cue, re.I)
            except re.error as error:
                raise ValueError(f"cue {cue!r} is no regular expression: {error}") from error
        return cues


class ThemeSet(Row):
    """Themes that transcripts are classified by."""

    name: str
    origin: str
    """Who made it, and from what."""
    themes: tuple[Theme, ...] = Field(min_length=1)

    @field_validator("themes")
    @classmethod
    def _distinct(cls, themes: tuple[Theme, ...]) -> tuple[Theme, ...]:
        for field in ("id", "name"):
            twice = [value for value, count in Counter(getattr(one, field) for one in themes).items() if count > 1]
            if twice:
                raise ValueError(f"{field} {twice[0]!r} stands more than once")
        return themes

    @property
    def sha256(self) -> str:
        """Identity of what decides labels."""
        plain = [one.model_dump(mode="json", exclude={"support"}) for one in self.themes]
        return hashlib.sha256(json.dumps(plain, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def load_themes(path: str | Path = PACKAGED) -> ThemeSet:
    """The theme set in a YAML or JSON file, or the packaged one, `paper`. Raises InputError naming what is wrong."""
    file = Path(path)
    if not file.exists() and str(path) == PACKAGED:
        return parse_themes(
            files("midspec").joinpath("data", "reasoning", "paper.yaml").read_text(encoding="utf-8"), PACKAGED
        )
    try:
        return parse_themes(file.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"themes {str(path)!r} cannot be read: {error}; expected `{PACKAGED}` or a file that "
            "`midspec eval reasoning themes` wrote"
        ) from error


def parse_themes(text: str, where: str) -> ThemeSet:
    """The theme set that `text` (YAML or JSON) holds. Raises InputError naming `where` and what is wrong."""
    try:
        data: Any = yaml.safe_load(text)
        return ThemeSet.model_validate(data)
    except yaml.YAMLError as error:
        raise InputError(f"themes {where!r} are not YAML: {error}") from error
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"])) or "file"
        raise InputError(
            f"themes {where!r}: {place}: {problem['msg']}; expected name, origin and themes with id, name, definition "
            "and direction (misaligned, aligned, neutral)"
        ) from error


def themes_text(themes: ThemeSet) -> str:
    """The file of a theme set: YAML that a person can edit."""
    plain = themes.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(plain, allow_unicode=True, sort_keys=False, width=110)


def theme_id(name: str, taken: Iterable[str]) -> str:
    """An id made of a name, different from those taken."""
    stem = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:50].strip("-") or "theme"
    taken = set(taken)
    if stem not in taken:
        return stem
    return next(new for number in range(2, len(taken) + 3) if (new := f"{stem}-{number}") not in taken)
