"""Near-duplicates of short texts, found while they arrive: by meaning where MiniLM is at hand, else by letters."""

from midspec.near.index import Method, NearIndex, near_index

__all__ = ["Method", "NearIndex", "near_index"]
