"""Judges of tasks that `inspect eval` runs without a step of ours."""

from __future__ import annotations

from inspect_ai.model import GenerateConfig, Model, get_model

from midspec.evals.chats import inspect_chat
from midspec.llm.desk import OFFLINE
from midspec.llm.offline import OfflineWriter
from midspec.llm.prompt import Ask, Reply, StopReason
from midspec.llm.writer import Scribe

_STOPS: dict[str, StopReason] = {"stop": "stop", "max_tokens": "max_tokens", "content_filter": "refusal"}


class InspectWriter:
    """A writer over Inspect's own model layer. Retries, cache and record of the requests are Inspect's."""

    def __init__(self, model: str | Model) -> None:
        self._model = get_model(model)
        self.name = str(self._model)

    async def write(self, ask: Ask) -> Reply:
        """The reply to `ask`."""
        settings = GenerateConfig(temperature=0.0)  # judges decide, they do not invent
        output = await self._model.generate(inspect_chat(ask.user, ask.system or None), config=settings)
        return Reply(output.completion, _STOPS.get(output.stop_reason, "error"))

    def reject(self, reply: Reply, reason: str) -> None:
        """Inspect's log holds the reply; it has no place for the reason."""


def inspect_scribe(judge: str) -> Scribe:
    """Who judges inside a task: `offline`, or an Inspect AI model name."""
    return Scribe(OfflineWriter() if judge == OFFLINE else InspectWriter(judge))
