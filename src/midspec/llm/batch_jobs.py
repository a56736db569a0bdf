"""The batch APIs of Anthropic and OpenAI, as one: create a job, find it again, see whether it has ended, read it.

`batch_ray` is a third, for models on GPUs of one's own.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, Protocol

import anthropic
import httpx2
import openai

from midspec.errors import InputError, MidspecError
from midspec.llm.batch_models import VLLM, has_batch

ALL = "*"
"""Custom id of an outcome that all requests of a job have."""
NOT_DONE = 500
"""Status of a request that its job did not come to, or could not do: worth asking again."""
LONGEST = 2 * 86400.0
"""Seconds that a request may wait for its job; the providers promise a day."""
SKEW = timedelta(hours=1)
"""How far the provider's clock and ours may be apart."""


class Item(NamedTuple):
    """One request of a job."""

    custom_id: str
    body: dict[str, Any]
    """As it would have been sent alone."""
    key: str = ""
    """Of the request in the journal."""


class Outcome(NamedTuple):
    """What became of it, as if it had been sent alone."""

    status: int
    body: Any
    headers: tuple[tuple[str, str], ...] = ()
    """Hints when to come back."""


class Group(NamedTuple):
    """What requests of one job have in common."""

    path: str
    """Endpoint, from the base URL: `messages`, `chat/completions`, `responses`."""
    betas: str = ""
    """Header `anthropic-beta`."""


Found = str | Literal["undecided"] | None


class Provider(Protocol):
    """A batch API. Errors are the SDK's own; see `status_of` and `transient`."""

    name: str
    url: str

    async def upload(self, token: str, group: Group, items: Sequence[Item]) -> str | None:
        """Id of the file of requests, where there are such files."""
        ...

    async def create(self, token: str, group: Group, items: Sequence[Item], file: str | None) -> str:
        """Id of the new job. Never tried twice in here: a second try after a lost answer makes a second job."""
        ...

    async def find(self, token: str, file: str | None, since: datetime, size: int, known: set[str]) -> Found:
        """Id of the job whose creation was not heard of; None if there is none, `undecided` if it may yet turn up."""
        ...

    async def ended(self, job: str) -> bool:
        """Whether its results are complete."""
        ...

    def results(self, job: str) -> AsyncGenerator[tuple[str, Outcome]]:
        """Custom ids (or ALL) and outcomes, in any order. What was never worked on has NOT_DONE."""
        ...

    async def cancel(self, job: str) -> None:
        """Ask for its end; what is done stays to be collected."""
        ...

    async def forget(self, job: str) -> None:
        """All of it is in the journal."""
        ...

    def model_args(self) -> dict[str, Any]:
        """Arguments of Inspect AI's provider, without which it streams or gives up after minutes."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


class AnthropicBatches:
    """Message Batches."""

    name = "anthropic"

    def __init__(self, url: str | None = None) -> None:
        """`url`: None = what the SDK reads from the environment, as it does the key."""
        client = self._client = anthropic.AsyncAnthropic(base_url=url)
        self.url = str(client.base_url)
        # Without any the SDK fails at the first call only.
        self.has_key = bool(client.api_key or client.auth_token or client.credentials)

    async def upload(self, token: str, group: Group, items: Sequence[Item]) -> str | None:
        """There are no files."""
        return None

    async def create(self, token: str, group: Group, items: Sequence[Item], file: str | None) -> str:
        """See `Provider`."""
        requests: Any = [{"custom_id": item.custom_id, "params": item.body} for item in items]
        created = await self._client.with_options(max_retries=0).messages.batches.create(
            requests=requests, extra_headers={"anthropic-beta": group.betas} if group.betas else None
        )
        return created.id

    async def find(self, token: str, file: str | None, since: datetime, size: int, known: set[str]) -> Found:
        """A job tells its custom ids only in its results, so one still at work can be ruled out by its size alone."""
        undecided = False
        async for batch in self._client.messages.batches.list(limit=100):
            if batch.created_at < since - SKEW:
                break
            counts = batch.request_counts
            total = counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired
            if batch.id in known or total != size:
                continue
            if batch.processing_status != "ended":
                undecided = True
                continue
            async with aclosing(self.results(batch.id)) as results:
                first = await anext(results, None)
            if first is not None and first[0].startswith(token):
                return batch.id
        return "undecided" if undecided else None

    async def ended(self, job: str) -> bool:
        """See `Provider`."""
        return (await self._client.messages.batches.retrieve(job)).processing_status == "ended"

    async def results(self, job: str) -> AsyncGenerator[tuple[str, Outcome]]:
        """See `Provider`."""
        lines = await self._client.messages.batches.results(job)
        try:
            async for line in lines:
                yield line.custom_id, _anthropic_outcome(line.result)
        finally:
            await lines.close()

    async def cancel(self, job: str) -> None:
        """See `Provider`."""
        await self._client.messages.batches.cancel(job)

    async def forget(self, job: str) -> None:
        """Anthropic keeps it for a month."""

    def model_args(self) -> dict[str, Any]:
        """See `Provider`."""
        return {"streaming": False, "timeout": LONGEST}

    async def close(self) -> None:
        """See `Provider`."""
        await self._client.close()


class OpenAIBatches:
    """Batches over files."""

    name = "openai"

    def __init__(self, url: str | None = None) -> None:
        """`url`: None = what the SDK reads from the environment, as it does the key."""
        self._client = openai.AsyncOpenAI(base_url=url)
        self.url = str(self._client.base_url)
        self.has_key = True  # the SDK raises otherwise

    async def upload(self, token: str, group: Group, items: Sequence[Item]) -> str | None:
        """A file of which no job is made costs nothing, so this may be tried again."""
        lines = (
            json.dumps({"custom_id": i.custom_id, "method": "POST", "url": f"/v1/{group.path}", "body": i.body})
            for i in items
        )
        content = "\n".join(lines).encode()
        file = await self._client.files.create(file=(f"midspec-{token}.jsonl", content), purpose="batch")
        return file.id

    async def create(self, token: str, group: Group, items: Sequence[Item], file: str | None) -> str:
        """See `Provider`."""
        assert file is not None
        endpoint: Any = f"/v1/{group.path}"
        created = await self._client.with_options(max_retries=0).batches.create(
            input_file_id=file, endpoint=endpoint, completion_window="24h", metadata={"midspec": token}
        )
        return created.id

    async def find(self, token: str, file: str | None, since: datetime, size: int, known: set[str]) -> Found:
        """A job names its file, which was noted before it was created."""
        if file is None:
            return None
        async for batch in self._client.batches.list(limit=100):
            if batch.created_at < (since - SKEW).timestamp():
                break
            if batch.input_file_id == file or (batch.metadata or {}).get("midspec") == token:
                return batch.id
        return None

    async def ended(self, job: str) -> bool:
        """See `Provider`."""
        status = (await self._client.batches.retrieve(job)).status
        return status in ("completed", "failed", "expired", "cancelled")

    async def results(self, job: str) -> AsyncGenerator[tuple[str, Outcome]]:
        """Of both files. A job that was refused as a whole has none, and one outcome for all."""
        batch = await self._client.batches.retrieve(job)
        for file in (batch.output_file_id, batch.error_file_id):
            if file is None:
                continue
            async with self._client.files.with_streaming_response.content(file) as content:
                async for line in content.iter_lines():
                    if line.strip():
                        yield _openai_outcome(json.loads(line))
        if batch.status == "failed":
            problems = (batch.errors.data if batch.errors else None) or []
            code = (problems[0].code or "") if problems else ""
            reason = (problems[0].message or code) if problems else "no reason given"
            # "Enqueued token limit reached" passes by itself, everything else is wrong with the requests.
            yield ALL, Outcome(429 if code == "token_limit_exceeded" else 400, _openai_error(reason, code))

    async def cancel(self, job: str) -> None:
        """See `Provider`."""
        await self._client.batches.cancel(job)

    async def forget(self, job: str) -> None:
        """OpenAI keeps it."""

    def model_args(self) -> dict[str, Any]:
        """See `Provider`."""
        return {"streaming": False, "client_timeout": LONGEST}

    async def close(self) -> None:
        """See `Provider`."""
        await self._client.close()


def provider_of(model: str) -> str:
    """`anthropic`, `openai` or `vllm`. Raises InputError for a model without a batch API that midspec knows."""
    if not has_batch(model):
        raise InputError(
            f"compute.batch: there is no batch mode for {model!r}; expected a model of anthropic/, openai/ or vllm/. "
            "Take `batch` out of `compute`, or use another writer"
        )
    return model.partition("/")[0]


def connect(provider: str, url: str | None = None) -> Provider:
    """The batch API of `anthropic` or `openai`, or what is left in the folder `url` of jobs with `vllm`.

    Raises InputError where there is no key for it, MissingDependencyError for `vllm` without Ray.
    """
    if provider == VLLM:
        from midspec.llm.batch_ray import RayBatches

        assert url is not None
        return RayBatches(url)
    missing = InputError(f"there is no key for the batch jobs of {provider}; set {provider.upper()}_API_KEY")
    try:
        found = _PROVIDERS[provider](url)
    except (anthropic.AnthropicError, openai.OpenAIError) as error:
        raise missing from error
    if not found.has_key:
        raise missing
    return found


def refused(error: Exception) -> Outcome | None:
    """The provider's answer behind an SDK's error, for requests whose job it did not take; None if there was none."""
    response = getattr(error, "response", None)
    if status_of(error) is None or not isinstance(response, httpx2.Response):
        return None
    try:
        body = response.json()
    except ValueError:
        body = {}
    hints = tuple((name, value) for name, value in response.headers.items() if name.startswith("retry-after"))
    return Outcome(response.status_code, body, hints)


def status_of(error: BaseException) -> int | None:
    """HTTP status of an SDK's error, where there was an answer at all."""
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else None


def transient(error: BaseException) -> bool:
    """Whether the same call may work later: no answer, a busy or broken server, a download that was cut."""
    if isinstance(error, MidspecError):  # some are ValueErrors
        return False
    status = status_of(error)
    if status is not None:
        return status in (408, 409, 429) or status >= 500
    connection = (anthropic.APIConnectionError, openai.APIConnectionError, httpx2.HTTPError)
    # A half line is no JSON, and half a character no UTF-8: both are ValueError.
    return isinstance(error, (*connection, ValueError))


def _anthropic_outcome(result: Any) -> Outcome:
    match result.type:
        case "succeeded":
            return Outcome(200, result.message.model_dump(mode="json", exclude_unset=True))
        case "errored":
            error = result.error.model_dump(mode="json", exclude_unset=True)
            return Outcome(_in_job(_ANTHROPIC_STATUS.get(error["error"]["type"], 500)), error)
        case kind:
            message = f"the request was {kind} in its batch"
            return Outcome(NOT_DONE, {"type": "error", "error": {"type": "api_error", "message": message}})


def _openai_outcome(line: dict[str, Any]) -> tuple[str, Outcome]:
    response = line.get("response")
    if response:
        return line["custom_id"], Outcome(_in_job(response["status_code"]), response["body"])
    error = line.get("error") or {}
    message = error.get("message", "no result")
    return line["custom_id"], Outcome(NOT_DONE, _openai_error(message, error.get("code", "")))


def _in_job(status: int) -> int:
    # Too many requests inside a job are the provider's own affair: to send fewer of them would not help.
    return NOT_DONE if status in (429, 503, 529) else status


def _openai_error(message: str, code: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "batch_error", "param": None, "code": code}}


_ANTHROPIC_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_PROVIDERS: dict[str, type[AnthropicBatches] | type[OpenAIBatches]] = {
    "anthropic": AnthropicBatches,
    "openai": OpenAIBatches,
}
