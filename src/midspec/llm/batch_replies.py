"""From a provider's reply as it came over the wire to a `Reply`, by Inspect AI's own conversion."""

from __future__ import annotations

from typing import Any

from inspect_ai.model import (
    ModelOutput,
    model_output_from_anthropic,
    model_output_from_openai,
    model_output_from_openai_responses,
)

from midspec.llm.prompt import Reply, StopReason

_STOPS: dict[str, StopReason] = {
    "stop": "stop",
    "max_tokens": "max_tokens",
    "model_length": "max_tokens",
    "content_filter": "refusal",
}


async def reply_from(body: dict[str, Any]) -> Reply:
    """The reply in the JSON `body` of a message, a completion or a response. Raises ValueError for anything else."""
    match body.get("type") or body.get("object"):
        case "message":
            output = await model_output_from_anthropic(body)
        case "chat.completion":
            output = await model_output_from_openai(body)
        case "response":
            output = await model_output_from_openai_responses(body)
        case kind:
            raise ValueError(f"a reply of the unknown type {kind!r}")
    return reply_of(output)


def reply_of(output: ModelOutput) -> Reply:
    """The same from what Inspect AI made of it."""
    usage = output.usage
    return Reply(
        text=output.completion,
        stop_reason=_STOPS.get(output.stop_reason, "error"),
        input_tokens=usage.input_tokens if usage else 0,
        cached_tokens=(usage.input_tokens_cache_read or 0) if usage else 0,
        cache_write_tokens=(usage.input_tokens_cache_write or 0) if usage else 0,
        output_tokens=usage.output_tokens if usage else 0,
    )


def body_of(reply: Reply, path: str, model: str) -> dict[str, Any]:
    """JSON that `reply_from` reads as `reply`: the answer of the endpoint `path`, as far as the journal still knows it.

    `reply` is one that `Journal.find` gave, so it has ended.
    """
    if path == "messages":
        usage = {
            "input_tokens": reply.input_tokens,
            "cache_read_input_tokens": reply.cached_tokens,
            "cache_creation_input_tokens": reply.cache_write_tokens,
            "output_tokens": reply.output_tokens,
        }
        content = [{"type": "text", "text": reply.text}] if reply.text else []
        stop = {"stop": "end_turn", "max_tokens": "max_tokens", "refusal": "refusal"}[reply.stop_reason]
        head = {"id": reply.key, "type": "message", "role": "assistant", "model": model}
        return {**head, "content": content, "stop_reason": stop, "stop_sequence": None, "usage": usage}
    prompt = reply.input_tokens + reply.cached_tokens + reply.cache_write_tokens
    total = prompt + reply.output_tokens
    if path == "chat/completions":
        stop = {"stop": "stop", "max_tokens": "length", "refusal": "content_filter"}[reply.stop_reason]
        message = {"role": "assistant", "content": reply.text, "refusal": None}
        return {
            "id": reply.key,
            "object": "chat.completion",
            "created": 0,
            "model": model,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": stop}],
            "usage": {
                "prompt_tokens": prompt,
                "completion_tokens": reply.output_tokens,
                "total_tokens": total,
                "prompt_tokens_details": {
                    "cached_tokens": reply.cached_tokens,
                    "cache_write_tokens": reply.cache_write_tokens,
                },
            },
        }
    why = {"max_tokens": "max_output_tokens", "refusal": "content_filter"}.get(reply.stop_reason)
    content = [{"type": "output_text", "text": reply.text, "annotations": []}]
    return {
        "id": reply.key,
        "object": "response",
        "created_at": 0,
        "model": model,
        "status": "incomplete" if why else "completed",
        "incomplete_details": {"reason": why} if why else None,
        "output": [
            {"id": reply.key, "type": "message", "role": "assistant", "status": "completed", "content": content}
        ],
        "parallel_tool_calls": False,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": prompt,
            "input_tokens_details": {
                "cached_tokens": reply.cached_tokens,
                "cache_write_tokens": reply.cache_write_tokens,
            },
            "output_tokens": reply.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": total,
        },
    }
