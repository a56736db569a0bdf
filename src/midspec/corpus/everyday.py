"""What a neutral corpus is about: the subjects, document types and angles of `everyday.yaml`."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict


class Everyday(BaseModel):
    """The file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subjects: dict[str, tuple[str, ...]]
    """Field -> subjects."""
    types: tuple[str, ...]
    """Document types where no other corpus lends its own."""
    angles: tuple[str, ...]
    settings: tuple[str, ...]


@cache
def _text() -> str:
    return files("midspec").joinpath("corpus", "everyday.yaml").read_text(encoding="utf-8")


@cache
def everyday() -> Everyday:
    """The packaged subjects."""
    return Everyday.model_validate(yaml.safe_load(_text()))


def everyday_sha256() -> str:
    """Of the file: other subjects make another corpus."""
    return hashlib.sha256(_text().encode()).hexdigest()
