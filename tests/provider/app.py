"""The ASGI application: the two paths that carry the load by hand, all others through Starlette."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from tests.provider import anthropic_api, openai_api
from tests.provider.engine import Engine, FailureError, Reply
from tests.provider.ledger import GONE
from tests.provider.request import Request

PIECES = 8
"""Text events per stream, at most."""
Headers = list[tuple[bytes, bytes]]


async def read_body(receive: Receive) -> bytes:
    """The whole request body."""
    message = await receive()
    body = message.get("body", b"")
    if not message.get("more_body"):
        return body
    parts = [body]
    while message.get("more_body"):
        message = await receive()
        parts.append(message.get("body", b""))
    return b"".join(parts)


async def stays(receive: Receive, seconds: float) -> bool:
    """Wait; False as soon as the client has left. `math.inf` waits until it does."""
    if seconds <= 0:
        return True
    try:
        async with asyncio.timeout(None if math.isinf(seconds) else seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return True
    return False


async def send_json(send: Send, status: int, value: Any, headers: Headers | None = None) -> None:
    """One JSON response."""
    body = json.dumps(value).encode()
    await _start(send, status, b"application/json", len(body), headers)
    await send({"type": "http.response.body", "body": body})


async def _start(send: Send, status: int, kind: bytes, length: int | None, headers: Headers | None = None) -> None:
    all_headers = [(b"content-type", kind), *(headers or [])]
    if length is not None:
        all_headers.append((b"content-length", str(length).encode()))
    await send({"type": "http.response.start", "status": status, "headers": all_headers})


async def send_failure(send: Send, api: ModuleType, failure: FailureError) -> int:
    """An error response, with the hint when to come back. Returns its status."""
    status, value = api.error(failure, "req_test")
    headers: Headers = [(b"request-id", b"req_test")]
    if failure.wait is not None:
        headers += [
            (b"retry-after", f"{failure.wait:.3f}".encode()),
            (b"retry-after-ms", f"{failure.wait * 1000:.0f}".encode()),
        ]
    await send_json(send, status, value, headers)
    return status


class App:
    """Serves one engine; `rest` takes what is not a message or a completion."""

    def __init__(self, engine: Engine, rest: ASGIApp) -> None:
        self.engine = engine
        self._rest = rest
        self._apis = {anthropic_api.PATH: anthropic_api, openai_api.PATH: openai_api}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        api = self._apis.get(scope["path"]) if scope["type"] == "http" else None
        if api is None or scope["method"] != "POST":
            await self._rest(scope, receive, send)
            return
        arrived = time.time()
        body = await read_body(receive)
        headers = dict(scope["headers"])
        request = None
        try:
            request = parse(api, body, headers, self.engine.cache.ttl)
            self.engine.check_account(api.key(headers))
            self.engine.check_rate()
            async with self.engine.slot():
                await self._answer(api, request, arrived, receive, send)
        except FailureError as failure:
            if request is not None:
                self.engine.record(request, arrived, api.ERRORS[failure.kind][0], None, failure.fault)
            await send_failure(send, api, failure)

    async def _answer(self, api: ModuleType, request: Request, arrived: float, receive: Receive, send: Send) -> None:
        reply = await self.engine.reply(request)
        if reply.failure is not None:
            if reply.fault != "hang":
                raise reply.failure
            try:
                await stays(receive, math.inf)
            finally:
                self.engine.record(request, arrived, GONE, reply, "hang")
            return
        try:
            if request.stream:
                await self._stream(api, reply, arrived, receive, send)
                return
            there = await stays(receive, reply.seconds)
        except asyncio.CancelledError:
            self.engine.record(request, arrived, GONE, reply, reply.fault)
            raise
        self.engine.record(request, arrived, 200 if there else GONE, reply, reply.fault)
        if there:
            body = json.dumps(api.body(reply)).encode()
            await _start(send, 200, b"application/json", len(body))
            if reply.fault == "cut":
                # Returning before the promised length is sent makes the server close the connection.
                await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
                return
            await send({"type": "http.response.body", "body": body})

    async def _stream(self, api: ModuleType, reply: Reply, arrived: float, receive: Receive, send: Send) -> None:
        """Head at the first token's time, the pieces evenly until the last token's."""
        request, fault = reply.request, reply.fault
        text = reply.text
        width = max(1, -(-len(text) // PIECES))
        events = api.events(reply, [text[at : at + width] for at in range(0, len(text), width)])
        if fault in ("cut", "cut_silent", "stream_error"):
            events = events[: max(1, len(events) // 2)]
            if fault == "stream_error":
                events.append(api.stream_failure(FailureError("overloaded")))
        gap = (reply.seconds - reply.first) / max(1, len(events) - 1)
        if gap <= 0:
            events = [b"".join(events)]
        if not await stays(receive, reply.first):
            self.engine.record(request, arrived, GONE, reply, fault)
            return
        if len(events) > 1:
            await _start(send, 200, b"text/event-stream; charset=utf-8", None)
            for event in events[:-1]:
                await send({"type": "http.response.body", "body": event, "more_body": True})
                if not await stays(receive, gap):
                    self.engine.record(request, arrived, GONE, reply, fault)
                    return
        self.engine.record(request, arrived, 200, reply, fault)
        if len(events) == 1:
            await _start(send, 200, b"text/event-stream; charset=utf-8", None)
        await send({"type": "http.response.body", "body": events[-1], "more_body": fault == "cut"})


def parse(api: ModuleType, body: bytes | Mapping[str, Any], headers: Mapping[bytes, bytes], ttl: float) -> Request:
    """The request in a body or in a batch line; FailureError `invalid` for anything malformed."""
    try:
        return api.parse(json.loads(body) if isinstance(body, bytes) else body, headers, ttl)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise FailureError("invalid", f"{type(error).__name__}: {error}") from error
