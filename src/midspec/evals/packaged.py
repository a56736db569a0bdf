"""Which checks a packaged bank has to pass, and what is known to be wrong with those that cannot pass all of them."""

from __future__ import annotations

from midspec.evals.bank_check import check_bank, check_words
from midspec.evals.bank_overlap import bank_overlap, spec_overlap
from midspec.evals.bank_words import READ
from midspec.evals.banks import Bank, load_bank, packaged_banks
from midspec.spec.document import packaged_specs, read_spec

BEFORE_WORDS: dict[tuple[str, str], str] = {
    ("preferences", "affordability"): "brands and materials of one price class recur, mostly on one side",
    ("opinions", "affordability"): "who is spoken of, such as visitors and members, recurs on one side",
    ("opinions", "america"): "what America is praised for recurs on one side",
}
"""(task, value) of banks frozen before `check_words` existed and known to fail it -> what the words betray.

A frozen bank is not rewritten. In these, some words alone tell the sides apart, so a model may follow words where the
later banks ask it to know things; both arms of a comparison face the same words. `docs/banks.md` shows how far it goes.
"""


def specs_of(value: str) -> list[str]:
    """Texts of the packaged specs that explain a narrow domain by `value`: those named `<domain>-<value>`."""
    return [read_spec(name).text for name in packaged_specs() if name.endswith(f"-{value}")]


def check_packaged(task: Bank, value: str) -> list[str]:
    """Everything that is wrong with one packaged bank, in words; empty where it passes all checks that it has to."""
    items = load_bank(task, value)
    others = {f"{t}/{v}": load_bank(t, v) for t, v in packaged_banks() if (t, v) != (task, value)}
    problems = check_bank(items, [read_spec(name).text for name in packaged_specs()])
    problems += spec_overlap(items, specs_of(value), READ.get(value, ()))
    problems += bank_overlap(items, others)
    if watches_words(task, value):
        problems += check_words(items)
    return problems


def watches_words(task: Bank, value: str) -> bool:
    """Whether `check_words` has to hold: not for BEFORE_WORDS, nor for plain banks, which say the value openly."""
    return task != "plain" and (task, value) not in BEFORE_WORDS
