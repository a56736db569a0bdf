"""The real SDKs, pointed at a server."""

from __future__ import annotations

from typing import Any

import anthropic
import openai

from tests.provider.server import KEY, ProviderServer

CLAUDE, GPT = "claude-opus-4-6", "gpt-4o"


class Clients:
    """One server, both SDKs without retries of their own."""

    def __init__(self, server: ProviderServer) -> None:
        self.server = server
        self.anthropic = anthropic.Anthropic(base_url=server.url, api_key=KEY, max_retries=0)
        self.openai = openai.OpenAI(base_url=server.openai_url, api_key=KEY, max_retries=0)

    def claude(self, prompt: Any = "Hello", **settings: Any) -> Any:
        """A message: the answer to one user turn."""
        settings = {"model": CLAUDE, "max_tokens": 1000, **settings}
        return self.anthropic.messages.create(messages=[{"role": "user", "content": prompt}], **settings)

    def gpt(self, prompt: Any = "Hello", **settings: Any) -> Any:
        """A completion: the answer to one user turn."""
        settings = {"model": GPT, **settings}
        return self.openai.chat.completions.create(messages=[{"role": "user", "content": prompt}], **settings)
