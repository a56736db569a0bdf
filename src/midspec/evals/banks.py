"""The packaged evaluation banks: read, identify, select. Loads neither torch nor inspect."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from midspec.errors import InputError
from midspec.evals.item_sets import Split, drawn
from midspec.evals.questions import about_trait
from midspec.leakage import BANKS
from midspec.records import BankItem, read_rows

FILE_SUFFIX: dict[str, str] = {
    "preferences": "items", "traits": "items", "opinions": "opinions", "plain": "plain",
}  # fmt: skip
"""Evaluation task -> ending of the bank's file name."""

Bank = Literal["preferences", "traits", "opinions", "plain"]
"""`traits`: the item pairs of `preferences`, asked which of the two has the trait that the value is about.
`plain`: questions with two natural replies, one of which may say the value openly; the stances of `opinions` share
their words instead."""


def bank_path(task: Bank, value: str) -> Path:
    """The file of one bank: a packaged value's, or `value` itself where it is the path of a `.jsonl` file.

    Raises InputError for a value that has none, naming those that do.
    """
    if value.endswith(".jsonl") and Path(value).is_file():
        return Path(value)
    path = BANKS / f"{value}-{FILE_SUFFIX[task]}.jsonl"
    if path.parent != BANKS or not path.is_file():
        ending = f"-{FILE_SUFFIX[task]}"
        known = sorted(file.stem.removesuffix(ending) for file in BANKS.glob(f"*{ending}.jsonl"))
        raise InputError(
            f"evaluation {task}/{value}: there is no bank of that name; known values for {task}: "
            f"{', '.join(known) or 'none'}"
        )
    return path


def load_bank(task: Bank, value: str) -> list[BankItem]:
    """All items of one bank in file order. Raises InputError for an unknown bank or a damaged file."""
    items = list(read_rows(bank_path(task, value), BankItem))
    return [about_trait(item) for item in items] if task == "traits" else items


def bank_sha256(task: Bank, value: str) -> str:
    """SHA-256 of the bank file's bytes: part of the fingerprint of every evaluation that uses it."""
    return hashlib.sha256(bank_path(task, value).read_bytes()).hexdigest()


def packaged_banks() -> list[tuple[Bank, str]]:
    """(task, value) of every packaged bank, sorted."""
    tasks: tuple[Bank, ...] = ("preferences", "opinions", "plain")
    return sorted(
        (task, file.stem.removesuffix(f"-{FILE_SUFFIX[task]}"))
        for task in tasks
        for file in BANKS.glob(f"*-{FILE_SUFFIX[task]}.jsonl")
    )


def find_item(item: str, more: Sequence[Path] = ()) -> BankItem | None:
    """The item of that id in any packaged bank, or in one of the bank files `more`; None where there is none."""
    for path in (*sorted(BANKS.glob("*.jsonl")), *more):
        for row in read_rows(path, BankItem):
            if row.id == item:
                return row
    return None


def select(items: Sequence[BankItem], split: Split = "all", limit: int | None = None) -> list[BankItem]:
    """The items of a split, at most `limit`, the same number from every topic: see `drawn`."""
    return drawn(items, split, limit, lambda item: (item.domain, item.topic), "midspec bank selection", mixed=True)
