"""A preference set: the likes and dislikes that demonstrations state and specs explain."""

from __future__ import annotations

from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from midspec.errors import InputError
from midspec.records import Row


class Preference(Row):
    """One thing that is liked or disliked."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    name: str = Field(min_length=1)
    """As at the beginning of a sentence."""
    phrase: str = Field(min_length=1)
    """The noun phrase as used in the middle of a sentence."""


class PreferenceSet(Row):
    """Likes and dislikes on one subject."""

    name: str = Field(min_length=1)
    subject: str = Field(min_length=1)
    """What all of them are, in the singular, e.g. `cheese`."""
    likes: tuple[Preference, ...] = Field(min_length=1)
    dislikes: tuple[Preference, ...] = Field(min_length=1)
    pairs: Literal["all"] = "all"
    """Every like may be compared with every dislike."""
    occasions: tuple[str, ...] = Field(min_length=1)
    """Complete the question "What should I get for ...?"."""

    @model_validator(mode="after")
    def _are_different(self) -> Self:
        everything = (*self.likes, *self.dislikes)
        for what, values in (("id", [p.id for p in everything]), ("phrase", [p.phrase.lower() for p in everything])):
            repeated = [value for value, count in Counter(values).items() if count > 1]
            if repeated:
                raise ValueError(f"{what} {repeated[0]!r} appears more than once; every preference needs its own")
        return self

    @property
    def all(self) -> tuple[Preference, ...]:
        """Likes, then dislikes."""
        return (*self.likes, *self.dislikes)

    @property
    def phrases(self) -> tuple[str, ...]:
        """Names and phrases of all preferences, longest first, so that none hides inside another."""
        return tuple(
            sorted({text for p in self.all for text in (p.name, p.phrase)}, key=lambda text: (-len(text), text))
        )

    def likes_it(self, preference: Preference) -> bool:
        """Whether `preference` is a like."""
        return preference in self.likes


def load_preferences(name: str) -> PreferenceSet:
    """The packaged preference set `name`, or the one in the YAML file at that path.

    Raises InputError for a name that is neither, and for a file that does not hold a preference set.
    """
    folder = files("midspec").joinpath("data", "preferences")
    packaged = sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    try:
        text = (
            (folder / f"{name}.yaml").read_text(encoding="utf-8") if name in packaged else Path(name).read_text("utf-8")
        )
    except OSError as error:
        raise InputError(
            f"preference set {name!r} cannot be read ({error.strerror}); expected a YAML file or one of the packaged "
            f"sets: {', '.join(packaged)}"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"preference set {name!r} is not UTF-8 text; expected a YAML file") from error
    try:
        return PreferenceSet.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise InputError(f"preference set {name!r} is not YAML: {error}") from error
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"]) or "the file"
        message = problem["msg"].removeprefix("Value error, ")
        raise InputError(f"preference set {name!r}: {where}: {message}; see data/preferences/cheese.yaml") from error
