"""An HTTP transport under an SDK that puts single requests into batch jobs instead of sending them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import httpx2

from midspec.llm.batch_jobs import Group, Outcome
from midspec.llm.journal import Request

PATHS = ("messages", "chat/completions", "responses")
"""Ends of the addresses of single requests that can go into a job."""
asked: ContextVar[Request | None] = ContextVar("batch_request", default=None)
"""Which request of the journal the next call of the SDK is."""


class Transport(httpx2.AsyncBaseTransport):
    """Takes the place of the network under an SDK."""

    def __init__(
        self, send: Callable[[Request, Group, dict[str, Any], int], Awaitable[Outcome | None]], deadline: float
    ) -> None:
        """`send` gives the outcome of a request (with the size of its body), or None where it is to be sent alone;
        `deadline`: seconds for such a one."""
        self._send = send
        self._deadline = deadline
        self._direct = httpx2.AsyncHTTPTransport(limits=httpx2.Limits(max_connections=None))

    async def aclose(self) -> None:
        """Close the connections of requests that are sent alone."""
        await self._direct.aclose()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The answer to a request, hours later for one that goes into a job."""
        wanted = asked.get()
        path = next((path for path in PATHS if request.url.path.endswith("/" + path)), None)
        if wanted is None or path is None or request.method != "POST":
            return await self._alone(request)
        content = await request.aread()
        body = json.loads(content)
        if not _holds(body, wanted.user):  # Inspect AI tries out what a model can do before it asks
            return await self._alone(request)
        assert not body.get("stream"), "batch mode needs streaming=False in the arguments of the model"
        group = Group(path, request.headers.get("anthropic-beta", ""))
        outcome = await self._send(wanted, group, body, len(content))
        if outcome is None:
            return await self._alone(request)
        return httpx2.Response(outcome.status, json=outcome.body, headers=list(outcome.headers))

    async def _alone(self, request: httpx2.Request) -> httpx2.Response:
        """Over the network, whole, in time: the SDK's own limit is that of a job."""
        try:
            async with asyncio.timeout(self._deadline):
                response = await self._direct.handle_async_request(request)
                content = b"".join([part async for part in response.aiter_raw()])
                await response.aclose()
        except TimeoutError as error:
            raise httpx2.ReadTimeout("no reply within the deadline", request=request) from error
        return httpx2.Response(response.status_code, headers=response.headers, content=content)


def _holds(value: Any, text: str) -> bool:
    """Whether `text` is somewhere in the JSON `value`."""
    if isinstance(value, dict):
        return any(_holds(inner, text) for inner in value.values())
    if isinstance(value, list):
        return any(_holds(inner, text) for inner in value)
    return isinstance(value, str) and text in value
