"""OpenAI's Chat Completions API on the wire: requests in; completions, chunks and errors out."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from tests.provider.engine import FailureError, Reply
from tests.provider.request import Block, Request

NAME = "openai"
PATH = "/v1/chat/completions"
STOPS = {"end": "stop", "length": "length", "sequence": "stop", "refusal": "content_filter"}
_QUOTA = (
    429,
    "insufficient_quota",
    "insufficient_quota",
    "You exceeded your current quota, please check your plan and billing details.",
)
ERRORS: dict[str, tuple[int, str, str | None, str]] = {
    "invalid": (400, "invalid_request_error", None, "{}"),
    "auth": (401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    "credit": _QUOTA,
    "permission": _QUOTA,
    "enforced": _QUOTA,
    "not_found": (404, "invalid_request_error", "model_not_found", "{}"),
    "rate_limit": (429, "requests", "rate_limit_exceeded", "Rate limit reached. Please try again later."),
    "concurrency": (429, "requests", "rate_limit_exceeded", "Too many concurrent requests."),
    "overloaded": (503, "server_error", None, "The engine is currently overloaded, please try again later."),
    "server_error": (500, "server_error", None, "The server had an error while processing your request."),
}
_READ = {"model", "messages", "max_tokens", "max_completion_tokens", "stream", "stream_options", "stop"}


def parse(body: Any, headers: Mapping[bytes, bytes], cache_ttl: float) -> Request:
    """The request in `body`; raises FailureError where the real API answers 400 or 404."""
    if not isinstance(body, dict):
        raise FailureError("invalid", "We could not parse the JSON body of your request.")
    for name in ("model", "messages"):
        if not body.get(name):
            raise FailureError("invalid", f"Missing required parameter: '{name}'.")
    if "nonexistent" in body["model"]:
        raise FailureError("not_found", f"The model `{body['model']}` does not exist.")
    if body.get("n") not in (None, 1):
        raise FailureError("invalid", "This test server gives one choice per request.")
    stop = body.get("stop") or ()
    blocks = [Block("tools", json.dumps(tool, sort_keys=True)) for tool in body.get("tools") or []]
    for message in body["messages"]:
        content = message.get("content") or ""
        if not isinstance(content, str):
            content = "\n".join(part.get("text") or json.dumps(part, sort_keys=True) for part in content)
        blocks.append(Block(message["role"], content))
    return Request(
        api=NAME,
        model=body["model"],
        blocks=blocks,
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        stream=bool(body.get("stream")),
        usage_in_stream=bool((body.get("stream_options") or {}).get("include_usage")),
        settings={name: value for name, value in body.items() if name not in _READ},
        sample=headers.get(b"x-midspec-sample", b"").decode("latin-1"),
    )


def key(headers: Mapping[bytes, bytes]) -> str | None:
    """The API key that came with a request."""
    return headers.get(b"authorization", b"").decode("latin-1").removeprefix("Bearer ").strip() or None


def error(failure: FailureError, request_id: str = "") -> tuple[int, dict[str, Any]]:
    """Status and body of an error."""
    status, kind, code, message = ERRORS[failure.kind]
    return status, {"error": {"message": message.format(failure.detail), "type": kind, "param": None, "code": code}}


def _usage(reply: Reply) -> dict[str, Any]:
    prompt = reply.use.uncached + reply.use.read
    return {
        "prompt_tokens": prompt,
        "completion_tokens": reply.output,
        "total_tokens": prompt + reply.output,
        "prompt_tokens_details": {"cached_tokens": reply.use.read, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _head(reply: Reply, kind: str) -> dict[str, Any]:
    request = reply.request
    return {
        "id": f"chatcmpl-{request.hash[:20]}{request.occurrence:04d}",
        "object": kind,
        "created": int(time.time()),
        "model": request.model,
        "service_tier": "default",
        "system_fingerprint": "fp_test",
    }


def body(reply: Reply) -> dict[str, Any]:
    """A whole completion."""
    message = {"role": "assistant", "content": reply.text, "refusal": None, "annotations": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": STOPS[reply.stop]}
    return {**_head(reply, "chat.completion"), "choices": [choice], "usage": _usage(reply)}


def events(reply: Reply, pieces: list[str]) -> list[bytes]:
    """The event stream: what comes before the text, one chunk per piece, what comes after."""
    head = _head(reply, "chat.completion.chunk")

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _data({**head, "choices": [choice]})

    end = chunk({}, STOPS[reply.stop])
    if reply.request.usage_in_stream:
        end += _data({**head, "choices": [], "usage": _usage(reply)})
    start = chunk({"role": "assistant", "content": "", "refusal": None})
    return [start, *(chunk({"content": piece}) for piece in pieces), end + b"data: [DONE]\n\n"]


def _data(value: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()


def stream_failure(failure: FailureError) -> bytes:
    """An error in the middle of a stream."""
    return _data(error(failure)[1])
