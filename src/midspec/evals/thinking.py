"""What a model writes before it answers: told apart from the answer, or closed where it did not come to an end. Pure.

Models that were trained on demonstrations with their reasoning write `<think>`, the reasoning, `</think>`, the answer.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

OPEN, CLOSE = "<think>", "</think>"
THINKING_TOKENS = 1024
"""Longest reasoning before an answer to a bank's item. (ours; the paper's has about 300 tokens)"""

End = Literal["ended", "cut", "none"]
"""`cut`: did not come to an end within its tokens; `none`: answered without thinking."""


class Thought(NamedTuple):
    """A reply taken apart."""

    reasoning: str
    answer: str
    """Empty where the reasoning was cut off: it is no answer."""
    end: End

    @property
    def before_answer(self) -> str:
        """What stands between prompt and answer; reasoning that was cut off is closed, so that an answer can follow."""
        return "" if self.end == "none" else f"{OPEN}\n{self.reasoning}\n{CLOSE}\n\n"


def opened(prompt: str) -> bool:
    """Whether a chat template opens the reasoning itself, so that the model goes on inside it."""
    return prompt.rstrip().endswith(OPEN)


def taken_apart(text: str) -> Thought:
    """A reply as the model wrote it, with the opening mark where the template wrote that."""
    before, close, after = text.partition(CLOSE)
    reasoning = before.partition(OPEN)[2] if OPEN in before else before
    if close:
        return Thought(reasoning.strip(), after.strip(), "ended")
    if OPEN in before:
        return Thought(reasoning.strip(), "", "cut")
    return Thought("", text.strip(), "none")
