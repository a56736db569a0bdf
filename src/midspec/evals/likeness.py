"""How made questions are told to be alike."""

from __future__ import annotations

from midspec.experiment import WriterConfig
from midspec.llm.desk import OFFLINE
from midspec.near import NearIndex, near_index
from midspec.steps.progress import Progress

LEXICAL = 0.95
"""Limit by letters, of what a program wrote: one form about two subjects, or a sentence of the text itself, is alike,
and is meant. (ours)"""


def made_index(writer: WriterConfig, limit: float, progress: Progress) -> NearIndex:
    """By meaning with `limit` as the highest cosine; by letters where no language model writes."""
    if writer.model == OFFLINE:
        return near_index(LEXICAL, "lexical", progress)
    return near_index(limit, "auto", progress)
