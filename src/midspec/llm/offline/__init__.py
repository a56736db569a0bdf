"""A stand-in for a language model: deterministic, offline, honest about itself in every record it leaves."""

from midspec.llm.offline.version import OFFLINE_VERSION, offline_version
from midspec.llm.offline.writer import OfflineWriter

__all__ = ["OFFLINE_VERSION", "OfflineWriter", "offline_version"]
