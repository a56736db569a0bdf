"""Version of the offline writer, importable without it."""

from __future__ import annotations

from midspec.experiment import WriterConfig

OFFLINE_VERSION = 3
"""Raise it when the offline writer gives another reply to an equal request."""


def offline_version(writer: WriterConfig) -> int | None:
    """OFFLINE_VERSION for the writer `offline`, None for every other."""
    return OFFLINE_VERSION if writer.model == "offline" else None
