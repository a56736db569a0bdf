"""Everything but messages and completions: batches, files, models, token counts, and the server's own controls."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from types import ModuleType
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.provider import anthropic_api, openai_api
from tests.provider.app import parse
from tests.provider.batches import Job, Jobs, stamp
from tests.provider.engine import FailureError
from tests.provider.views import anthropic_job, anthropic_line, hints, openai_job, openai_line, page, uploaded

Handler = Callable[[HttpRequest], Awaitable[Response]]
MODELS = ("claude-opus-4-6", "claude-sonnet-4-6", "claude-haiku-4-5", "gpt-4o", "gpt-4o-mini", "gpt-4.1")


class Routes:
    """Handlers over one set of jobs."""

    def __init__(self, jobs: Jobs) -> None:
        self.jobs, self.engine = jobs, jobs.engine
        self._calls: Counter[str] = Counter()
        a, o = anthropic_api, openai_api
        self.app = Starlette(
            routes=[
                Route("/v1/messages/batches", self._route(a, self.a_create), methods=["POST"]),
                Route("/v1/messages/batches", self._route(a, self.a_list)),
                Route("/v1/messages/batches/{id}", self._route(a, self.a_get)),
                Route("/v1/messages/batches/{id}/cancel", self._route(a, self.cancel), methods=["POST"]),
                Route("/v1/messages/batches/{id}/results", self._route(a, self.a_results)),
                Route("/v1/messages/count_tokens", self._route(a, self.a_count), methods=["POST"]),
                Route("/v1/files", self._route(o, self.o_upload), methods=["POST"]),
                Route("/v1/files/{id}", self._route(o, self.o_file)),
                Route("/v1/files/{id}/content", self._route(o, self.o_content)),
                Route("/v1/batches", self._route(o, self.o_create), methods=["POST"]),
                Route("/v1/batches", self._route(o, self.o_list)),
                Route("/v1/batches/{id}", self._route(o, self.o_get)),
                Route("/v1/batches/{id}/cancel", self._route(o, self.cancel), methods=["POST"]),
                Route("/v1/models", self.models),
                Route("/_control", self.control, methods=["GET", "POST"]),
            ]
        )

    def _route(self, api: ModuleType, handler: Handler) -> Handler:
        """Check the key, draw the endpoint's own fault, turn failures into the API's errors."""

        async def handle(http: HttpRequest) -> Response:
            try:
                self._may(api, http)
                return await handler(http)
            except FailureError as failure:
                status, value = api.error(failure, "req_test")
                return JSONResponse(value, status, hints(failure))

        return handle

    def _may(self, api: ModuleType, http: HttpRequest) -> None:
        if http.method == "POST":
            self.engine.check_account(api.key(dict(http.scope["headers"])))
        elif not api.key(dict(http.scope["headers"])) or self.engine.settings.revoked:
            raise FailureError("auth")
        call = f"{http.method} {http.url.path}"
        self._calls[call] += 1
        if self.engine.settings.faults.draw_batch("batch_error", call, self._calls[call]):
            raise FailureError("server_error")

    def _job(self, http: HttpRequest) -> Job:
        job = self.jobs.jobs.get(http.path_params["id"])
        if job is None:
            raise FailureError("not_found", f"No such batch: {http.path_params['id']}")
        return job

    def _parsed(self, api: ModuleType, body: Any, headers: dict[bytes, bytes]) -> Any:
        try:
            return parse(api, body, headers, self.engine.cache.ttl)
        except FailureError as failure:
            return failure

    def _lines(self, http: HttpRequest, lines: list[str]) -> Response:
        """A JSONL download; with the fault `batch_cut` the connection breaks in the middle."""
        body = "".join(f"{line}\n" for line in lines).encode()
        call = f"lines {http.url.path}"
        self._calls[call] += 1
        if not self.engine.settings.faults.draw_batch("batch_cut", call, self._calls[call]):
            return Response(body, media_type="application/x-jsonl")

        async def half() -> AsyncIterator[bytes]:
            yield body[: len(body) // 2]
            raise ConnectionResetError

        return StreamingResponse(half(), media_type="application/x-jsonl")

    async def cancel(self, http: HttpRequest) -> Response:
        job = self._job(http)
        if job.ended is None and job.cancel_asked is None:
            job.cancel_asked = time.time()
        return JSONResponse(anthropic_job(job, http) if job.api == "anthropic" else openai_job(job))

    async def a_create(self, http: HttpRequest) -> Response:
        headers = dict(http.scope["headers"])
        requests = (await http.json()).get("requests") or []
        ids = [request.get("custom_id") for request in requests]
        if not requests or None in ids or len(set(ids)) != len(ids):
            raise FailureError("invalid", "requests: custom_id must be present and unique")
        asked = [(r["custom_id"], self._parsed(anthropic_api, r.get("params"), headers)) for r in requests]
        return JSONResponse(anthropic_job(self.jobs.start("anthropic", "msgbatch_", asked), http))

    async def a_get(self, http: HttpRequest) -> Response:
        return JSONResponse(anthropic_job(self._job(http), http))

    async def a_list(self, http: HttpRequest) -> Response:
        found = [job for job in reversed(self.jobs.jobs.values()) if job.api == "anthropic"]
        some, more = page(found, http, "after_id")
        data = [anthropic_job(job, http) for job in some]
        ends = {"first_id": some[0].id, "last_id": some[-1].id} if some else {"first_id": None, "last_id": None}
        return JSONResponse({"data": data, "has_more": more, **ends})

    async def a_results(self, http: HttpRequest) -> Response:
        job = self._job(http)
        if job.ended is None:
            raise FailureError("not_found", "The batch has not ended yet.")
        return self._lines(http, [anthropic_line(key, outcome) for key, outcome in job.outcomes.items()])

    async def a_count(self, http: HttpRequest) -> Response:
        body = {"max_tokens": 1, **await http.json()}
        request = parse(anthropic_api, body, dict(http.scope["headers"]), self.engine.cache.ttl)
        return JSONResponse({"input_tokens": anthropic_api.count(request)})

    async def o_upload(self, http: HttpRequest) -> Response:
        name, content = uploaded(http.headers.get("content-type", ""), await http.body())
        return JSONResponse(self._file(self.jobs.add_file(name, content)))

    def _file(self, key: str) -> dict[str, Any]:
        if key not in self.jobs.files:
            raise FailureError("not_found", f"No such File object: {key}")
        name, content, created = self.jobs.files[key]
        purpose = "batch_output" if name.startswith("batch_") else "batch"
        facts = {"id": key, "object": "file", "bytes": len(content), "created_at": int(created)}
        return {**facts, "filename": name, "purpose": purpose, "status": "processed"}

    async def o_file(self, http: HttpRequest) -> Response:
        return JSONResponse(self._file(http.path_params["id"]))

    async def o_content(self, http: HttpRequest) -> Response:
        self._file(http.path_params["id"])
        return self._lines(http, self.jobs.files[http.path_params["id"]][1].decode().splitlines())

    async def o_create(self, http: HttpRequest) -> Response:
        asked_for = await http.json()
        self._file(asked_for["input_file_id"])
        lines = self.jobs.files[asked_for["input_file_id"]][1].decode().splitlines()
        wanted = [json.loads(line) for line in lines if line.strip()]
        asked = [(line["custom_id"], self._parsed(openai_api, line["body"], {})) for line in wanted]
        job = self.jobs.start("openai", "batch_", asked, asked_for["input_file_id"], asked_for["endpoint"])
        return JSONResponse(openai_job(job))

    async def o_get(self, http: HttpRequest) -> Response:
        job = self._job(http)
        if job.ended and job.output_file is None and job.error_file is None:
            good: list[str] = []
            bad: list[str] = []
            for number, (key, outcome) in enumerate(job.outcomes.items()):
                lines = good if outcome.kind == "succeeded" else bad
                lines.append(openai_line(job, number, key, outcome))
            # Either file exists only if there is something in it.
            job.output_file = self.jobs.add_file(f"{job.id}_output.jsonl", "\n".join(good).encode()) if good else None
            job.error_file = self.jobs.add_file(f"{job.id}_error.jsonl", "\n".join(bad).encode()) if bad else None
        return JSONResponse(openai_job(job))

    async def o_list(self, http: HttpRequest) -> Response:
        found = [job for job in reversed(self.jobs.jobs.values()) if job.api == "openai"]
        some, more = page(found, http, "after")
        return JSONResponse({"object": "list", "data": [openai_job(job) for job in some], "has_more": more})

    async def models(self, http: HttpRequest) -> Response:
        if "anthropic-version" in http.headers:
            names = [name for name in MODELS if name.startswith("claude")]
            data = [{"id": n, "type": "model", "display_name": n, "created_at": stamp(0)} for n in names]
            return JSONResponse({"data": data, "has_more": False, "first_id": names[0], "last_id": names[-1]})
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "test"} for name in MODELS]
        return JSONResponse({"object": "list", "data": data})

    async def control(self, http: HttpRequest) -> Response:
        """GET: counters. POST: change settings (see engine.Settings; `faults` is a table of probabilities)."""
        if http.method == "POST":
            try:
                self.engine.change(**await http.json())
            except (TypeError, ValueError) as error:
                return JSONResponse({"error": str(error)}, 400)
        ledger = self.engine.ledger
        return JSONResponse(
            {"in_flight": self.engine.in_flight, "requests": ledger.requests, "dollars": ledger.dollars}
        )
