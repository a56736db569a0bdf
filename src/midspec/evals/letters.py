"""The log-probabilities of choice letters in what a provider's model gave. Pure functions on Inspect's output."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

from inspect_ai.model import Logprob, ModelOutput


def letter_log_odds(output: ModelOutput, letters: Sequence[str]) -> float | None:
    """Log-odds in nats of the first letter over the second, at the first place where the model says one of them.

    Summed over spellings of the same letter (`A`, ` A`, `(A`). None where the provider gave no log-probabilities, no
    token is a letter, or the other letter is not among the alternatives: what it lacks cannot be guessed.
    """
    logprobs = output.choices[0].logprobs if output.choices else None
    for token in logprobs.content if logprobs else []:
        if _letter(token.token) in letters:
            first, second = (_total(token, letter) for letter in letters)
            return log(first) - log(second) if first and second else None
    return None


def _total(token: Logprob, letter: str) -> float:
    """Probability of all spellings of `letter` among the alternatives."""
    spellings = {one.token: one.logprob for one in token.top_logprobs or []}
    spellings.setdefault(token.token, token.logprob)
    return sum(exp(value) for spelling, value in spellings.items() if _letter(spelling) == letter)


def _letter(token: str) -> str:
    return token.strip(" \t\n()[]*\"'.:▁Ġ")
