"""What all parts of `results.json` have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """Base: unknown keys rejected, so that a reader of another version fails loudly."""

    model_config = ConfigDict(extra="forbid")
