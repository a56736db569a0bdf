"""`python -m tests.local_model FOLDER`: serve the model in FOLDER; prints the OpenAI base URL on the first line."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import sys
import time
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from midspec.llm.provider import SAMPLE_HEADER
from tests.local_model.generator import Generator

NAME = "local"


def app(generator: Generator) -> Starlette:
    """Chat completions, one at a time, and the list of models."""
    turn = asyncio.Lock()

    async def completions(request: Request) -> JSONResponse:
        body: dict[str, Any] = await request.json()
        schema = (body.get("response_format") or {}).get("json_schema", {}).get("schema")
        # A provider gives another reply each time it is asked; this one must be repeatable: request and sample decide.
        asked = json.dumps([body, request.headers.get(SAMPLE_HEADER)], sort_keys=True)
        drawn = int.from_bytes(hashlib.sha256(asked.encode()).digest()[:4])
        async with turn:
            made = await asyncio.to_thread(
                generator.reply,
                [{"role": m["role"], "content": _text(m["content"])} for m in body["messages"]],
                max_tokens=body.get("max_completion_tokens") or body.get("max_tokens") or 512,
                temperature=1.0 if body.get("temperature") is None else body["temperature"],
                top_p=body.get("top_p") or 1.0,
                seed=body.get("seed") or drawn,
                schema=schema,
            )
        message = {"role": "assistant", "content": made.text}
        usage = {
            "prompt_tokens": made.prompt_tokens,
            "completion_tokens": made.completion_tokens,
            "total_tokens": made.prompt_tokens + made.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": made.cached_tokens},
        }
        choice = {"index": 0, "message": message, "finish_reason": made.finish_reason, "logprobs": None}
        return JSONResponse(
            {
                "id": f"chatcmpl-{drawn:x}",
                "object": "chat.completion",
                "created": int(time.time()),
                "model": body["model"],
                "choices": [choice],
                "usage": usage,
            }
        )

    async def models(_: Request) -> JSONResponse:
        return JSONResponse({"object": "list", "data": [{"id": NAME, "object": "model", "owned_by": "tests"}]})

    return Starlette(
        routes=[
            Route("/v1/chat/completions", completions, methods=["POST"]),
            Route("/v1/models", models),
        ]
    )


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def main(folder: Path) -> None:
    """Serve until a signal."""
    listener = socket.create_server(("127.0.0.1", 0))
    served = app(Generator(folder))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", flush=True)
    uvicorn.Server(uvicorn.Config(served, log_level="warning", lifespan="off")).run(sockets=[listener])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
