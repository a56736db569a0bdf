"""The base of everything that a recipe may say."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

NAME = r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$"
Name = Annotated[str, Field(pattern=NAME)]
"""What an arm, a corpus or a set is called: it stands in tables and in names of folders."""


class Config(BaseModel):
    """Base of all recipe parts: immutable, unknown keys rejected."""

    model_config = ConfigDict(frozen=True, extra="forbid")
