"""`python -m midspec.evals.freeze_split FILE`: give each item of a bank its split, once and for good."""

from __future__ import annotations

import hashlib
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from midspec.errors import InputError
from midspec.records import BankItem, write_rows

SALT = "midspec split 1"


def assign_splits(items: list[dict[str, Any]]) -> list[BankItem]:
    """`items` (BankItem fields without `split`) with half of each topic in dev and half in test.

    Which half follows from a hash of the id alone, so nobody chose it. In a topic of odd size the one left over goes to
    dev or test by a hash of the topic. Raises InputError where any item has a split already: what is frozen stays.
    """
    frozen = [item["id"] for item in items if "split" in item]
    if frozen:
        raise InputError(
            f"{len(frozen)} of {len(items)} items have a split already (first: {frozen[0]}); a frozen split is not "
            "changed, because items would move from test to dev"
        )
    topics: defaultdict[str, list[str]] = defaultdict(list)
    for item in items:
        topics[f"{item['domain']}/{item['topic']}"].append(item["id"])
    dev = dev_half(topics)
    return [BankItem(**item, split="dev" if item["id"] in dev else "test") for item in items]


def dev_half(groups: Mapping[str, Iterable[str]]) -> set[str]:
    """The half of the ids of each group that is dev, by hashes of ids and group names as in `assign_splits`."""
    dev: set[str] = set()
    for group, ids in groups.items():
        ordered = sorted(ids, key=_hash)
        dev.update(ordered[: (len(ordered) + _hash(group) % 2) // 2])
    return dev


def _hash(text: str) -> int:
    return int(hashlib.sha256(f"{SALT} {text}".encode()).hexdigest(), 16)


def freeze(path: Path) -> dict[str, int]:
    """Assign the splits of the bank file `path` and write it back. Returns how many items each split has."""
    lines = path.read_text(encoding="utf-8").splitlines()
    items = assign_splits([json.loads(line) for line in lines if line.strip()])
    write_rows(path, items)
    return {split: sum(item.split == split for item in items) for split in ("dev", "test")}


if __name__ == "__main__":
    print(freeze(Path(sys.argv[1])))
