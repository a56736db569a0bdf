"""Chats as Inspect AI holds them."""

from __future__ import annotations

from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser


def inspect_chat(prompt: str, system: str | None = None) -> list[ChatMessage]:
    """A user's message; `system`: what is put before it. `midspec.evals.questions.chat_of` has it as plain data."""
    told: list[ChatMessage] = [] if system is None else [ChatMessageSystem(content=system)]
    return [*told, ChatMessageUser(content=prompt)]
