"""Anthropic's Messages API on the wire: requests in; messages, events and errors out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.provider.engine import FailureError, Reply
from tests.provider.request import Block, Request, tokens

NAME = "anthropic"
PATH = "/v1/messages"
LONG_TTL = 3600.0
BREAKPOINTS = 4
STOPS = {"end": "end_turn", "length": "max_tokens", "sequence": "stop_sequence", "refusal": "refusal"}
ERRORS: dict[str, tuple[int, str, str]] = {
    "invalid": (400, "invalid_request_error", "{}"),
    "auth": (401, "authentication_error", "invalid x-api-key"),
    "credit": (
        400,
        "invalid_request_error",
        "Your credit balance is too low to access the Anthropic API. "
        "Please go to Plans & Billing to upgrade or purchase credits.",
    ),
    "permission": (403, "permission_error", "Your organization has disabled API access: spend limit reached."),
    "enforced": (429, "rate_limit_error", "Your organization has crossed its monthly API usage threshold."),
    "not_found": (404, "not_found_error", "{}"),
    "rate_limit": (429, "rate_limit_error", "This request would exceed your organization's rate limit."),
    "concurrency": (429, "rate_limit_error", "Number of concurrent connections has exceeded your rate limit."),
    "overloaded": (529, "overloaded_error", "Overloaded"),
    "server_error": (500, "api_error", "Internal server error"),
}
_NO_SAMPLING = "2026-10-21"
"""API version from which temperature, top_p and top_k are rejected."""
_READ = {"model", "messages", "system", "tools", "max_tokens", "stream", "stop_sequences", "cache_control"}


def parse(body: Any, headers: Mapping[bytes, bytes], cache_ttl: float) -> Request:
    """The request in `body`; raises FailureError where the real API answers 400 or 404."""
    if not isinstance(body, dict):
        raise FailureError("invalid", "The request body is not valid JSON")
    if b"anthropic-version" not in headers:
        raise FailureError("invalid", "anthropic-version: header is required")
    for name in ("model", "max_tokens", "messages"):
        if not body.get(name):
            raise FailureError("invalid", f"{name}: Field required")
    if "nonexistent" in body["model"]:
        raise FailureError("not_found", f"model: {body['model']}")
    if headers[b"anthropic-version"].decode() >= _NO_SAMPLING:
        for name in ("temperature", "top_p", "top_k"):
            if name in body:
                raise FailureError("invalid", f"{name}: Extra inputs are not permitted")
    blocks = [
        Block("tools", json.dumps(_plain(tool), sort_keys=True), _ttl(tool, cache_ttl))
        for tool in body.get("tools") or []
    ]
    blocks += _blocks("system", body.get("system") or [], cache_ttl)
    if body["messages"][0].get("role") == "assistant":
        raise FailureError("invalid", "messages: first message must use the user role")
    for message in body["messages"]:
        blocks += _blocks(message["role"], message["content"], cache_ttl)
    if body.get("cache_control"):
        last = blocks[-1]
        blocks[-1] = Block(last.role, last.text, _ttl(body, cache_ttl))
    marks = sum(block.ttl is not None for block in blocks)
    if marks > BREAKPOINTS:
        raise FailureError(
            "invalid", f"A maximum of {BREAKPOINTS} blocks with cache_control may be provided. Found {marks}."
        )
    return Request(
        api=NAME,
        model=body["model"],
        blocks=blocks,
        max_tokens=body["max_tokens"],
        stop=tuple(body.get("stop_sequences") or ()),
        stream=bool(body.get("stream")),
        settings={name: value for name, value in body.items() if name not in _READ},
        sample=headers.get(b"x-midspec-sample", b"").decode("latin-1"),
    )


def _plain(block: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in block.items() if name != "cache_control"}


def _ttl(block: Mapping[str, Any], cache_ttl: float) -> float | None:
    control = block.get("cache_control")
    if not control:
        return None
    return max(LONG_TTL, cache_ttl) if control.get("ttl") == "1h" else cache_ttl


def _blocks(role: str, content: str | list[dict[str, Any]], cache_ttl: float) -> list[Block]:
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    out: list[Block] = []
    for part in parts:
        text = part["text"] if part.get("type") == "text" else json.dumps(_plain(part), sort_keys=True)
        if not text:
            raise FailureError("invalid", "messages: text content blocks must be non-empty")
        out.append(Block(role, text, _ttl(part, cache_ttl)))
    return out


def key(headers: Mapping[bytes, bytes]) -> str | None:
    """The API key or token that came with a request."""
    return (headers.get(b"x-api-key") or headers.get(b"authorization", b"")).decode("latin-1") or None


def error(failure: FailureError, request_id: str = "") -> tuple[int, dict[str, Any]]:
    """Status and body of an error."""
    status, kind, message = ERRORS[failure.kind]
    inner: dict[str, Any] = {"type": kind, "message": message.format(failure.detail)}
    if failure.kind == "enforced":
        inner["details"] = {"error_code": "enforced_spend_limit_reached"}
    return status, {"type": "error", "error": inner, "request_id": request_id}


def body(reply: Reply) -> dict[str, Any]:
    """A whole message."""
    content = [{"type": "text", "text": reply.text}] if reply.text else []
    return {**_head(reply, content, reply.output), **_end(reply)}


def _head(reply: Reply, content: list[dict[str, Any]], output: int) -> dict[str, Any]:
    use, request = reply.use, reply.request
    return {
        "id": f"msg_{request.hash[:20]}{request.occurrence:04d}",
        "type": "message",
        "role": "assistant",
        "model": request.model,
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": use.uncached,
            "cache_creation_input_tokens": use.written + use.written_long,
            "cache_read_input_tokens": use.read,
            "cache_creation": {
                "ephemeral_5m_input_tokens": use.written,
                "ephemeral_1h_input_tokens": use.written_long,
            },
            "output_tokens": output,
            "service_tier": "batch" if request.batch else "standard",
        },
    }


def _end(reply: Reply) -> dict[str, Any]:
    end: dict[str, Any] = {"stop_reason": STOPS[reply.stop], "stop_sequence": reply.sequence}
    if reply.stop == "refusal":
        end["stop_details"] = {"type": "refusal", "category": None, "explanation": "Declined by a classifier."}
    return end


def _event(name: str, **data: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode()


def events(reply: Reply, pieces: list[str]) -> list[bytes]:
    """The event stream: what comes before the text, one event per piece, what comes after."""
    start = _event("message_start", message=_head(reply, [], 1))
    end = _event("message_delta", delta=_end(reply), usage={"output_tokens": reply.output}) + _event("message_stop")
    if not pieces:
        return [start, end]
    start += _event("content_block_start", index=0, content_block={"type": "text", "text": ""}) + _event("ping")
    deltas = [_event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece}) for piece in pieces]
    return [start, *deltas, _event("content_block_stop", index=0) + end]


def stream_failure(failure: FailureError) -> bytes:
    """An error in the middle of a stream."""
    inner = error(failure)[1]["error"]
    return _event("error", error=inner)


def count(request: Request) -> int:
    """Input tokens, for `count_tokens`."""
    return sum(tokens(block.text) for block in request.blocks)
