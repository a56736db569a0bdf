"""Batch jobs as the two APIs show them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeVar

from starlette.requests import Request as HttpRequest

from tests.provider import anthropic_api, openai_api
from tests.provider.batches import DAY, Job, Outcome, stamp
from tests.provider.engine import FailureError

T = TypeVar("T", bound=Job)


def hints(failure: FailureError) -> dict[str, str]:
    """Headers that say when to come back."""
    if failure.wait is None:
        return {}
    return {"retry-after": f"{failure.wait:.3f}", "retry-after-ms": f"{failure.wait * 1000:.0f}"}


def page(found: Sequence[T], http: HttpRequest, after: str) -> tuple[list[T], bool]:
    """The jobs behind the one named by the query parameter `after`, at most `limit`; whether there are more."""
    start = 0
    if http.query_params.get(after):
        start = [job.id for job in found].index(http.query_params[after]) + 1
    end = start + int(http.query_params.get("limit", 20))
    return list(found[start:end]), end < len(found)


def anthropic_job(job: Job, http: HttpRequest) -> dict[str, Any]:
    """A `message_batch`: all counts but `processing` stay zero until it has ended."""
    counts = job.counts if job.ended else {"processing": len(job.asked)}
    status = "ended" if job.ended else ("canceling" if job.cancel_asked else "in_progress")
    kinds = ("processing", "succeeded", "errored", "canceled", "expired")
    return {
        "id": job.id,
        "type": "message_batch",
        "processing_status": status,
        "request_counts": {kind: counts.get(kind, 0) for kind in kinds},
        "created_at": stamp(job.created),
        "expires_at": stamp(job.created + DAY),
        "ended_at": stamp(job.ended),
        "archived_at": None,
        "cancel_initiated_at": stamp(job.cancel_asked),
        "results_url": f"{http.base_url}v1/messages/batches/{job.id}/results" if job.ended else None,
    }


def anthropic_line(custom_id: str, outcome: Outcome) -> str:
    """A line of the results."""
    result: dict[str, Any] = {"type": outcome.kind}
    if outcome.reply:
        result["message"] = anthropic_api.body(outcome.reply)
    if outcome.failure:
        result["error"] = anthropic_api.error(outcome.failure)[1]
    return json.dumps({"custom_id": custom_id, "result": result})


def openai_job(job: Job) -> dict[str, Any]:
    """A `batch`: expired if any request of it has, as the real window closes for all that are left."""
    counts = job.counts
    status = "cancelling" if job.cancel_asked else "in_progress"
    if job.ended:
        status = "cancelled" if job.cancel_asked else ("expired" if counts["expired"] else "completed")
    when = {f"{status}_at": int(job.ended)} if job.ended else {}
    failed = counts["errored"] + counts["expired"] + counts["canceled"]
    return {
        "id": job.id,
        "object": "batch",
        "endpoint": job.endpoint,
        "errors": None,
        "input_file_id": job.input_file,
        "completion_window": "24h",
        "status": status,
        "output_file_id": job.output_file,
        "error_file_id": job.error_file,
        "created_at": int(job.created),
        "in_progress_at": int(job.created),
        "expires_at": int(job.created + DAY),
        "request_counts": {"total": len(job.asked), "completed": counts["succeeded"], "failed": failed},
        "metadata": {},
        **when,
    }


def openai_line(job: Job, number: int, custom_id: str, outcome: Outcome) -> str:
    """A line of the output file or, where there is no reply, of the error file.

    A request that failed has its error inside `response.body` and `error: null` there; only one that was never
    processed has an `error`, whose code is a word.
    """
    line: dict[str, Any] = {"id": f"{job.id}_req_{number}", "custom_id": custom_id, "response": None, "error": None}
    if outcome.reply:
        line["response"] = {"status_code": 200, "request_id": line["id"], "body": openai_api.body(outcome.reply)}
    elif outcome.failure:
        status, body = openai_api.error(outcome.failure)
        line["response"] = {"status_code": status, "request_id": line["id"], "body": body}
    else:
        message = "This request could not be executed before the completion window expired."
        line["error"] = {"code": f"batch_{outcome.kind.replace('canceled', 'cancelled')}", "message": message}
    return json.dumps(line)


def uploaded(content_type: str, body: bytes) -> tuple[str, bytes]:
    """Name and content of the file in a multipart form (as the SDKs send it: one part with a file name)."""
    boundary = content_type.partition("boundary=")[2].strip('"').encode()
    if not boundary:
        raise FailureError("invalid", "expected multipart/form-data")
    for part in body.split(b"--" + boundary):
        head, _, content = part.partition(b"\r\n\r\n")
        if b'filename="' in head:
            name = head.partition(b'filename="')[2].partition(b'"')[0].decode()
            return name, content.removesuffix(b"\r\n")
    raise FailureError("invalid", "no file in the form")
