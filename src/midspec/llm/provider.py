"""One language model behind Inspect AI's model layer: the only module that knows Inspect's form of a request.

Requests go to the provider object itself (`Model.api`). `Model.generate` around it keeps a transcript of every call in
memory, retries without end, and takes half as much time again; retries, limits and records are ours.
"""

from __future__ import annotations

import re
from contextlib import nullcontext
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from inspect_ai.model import (
    ChatMessage,
    ChatMessageSystem,
    ChatMessageUser,
    GenerateConfig,
    Model,
    ModelOutput,
    ResponseSchema,
    get_model,
)
from inspect_ai.model import ContentText as Content
from inspect_ai.util import JSONSchema, json_schema
from pydantic import BaseModel

from midspec.errors import InputError, MidspecError
from midspec.experiment import WriterConfig
from midspec.llm.batch_models import VLLM
from midspec.llm.batch_replies import reply_of
from midspec.llm.failures import Failure, classify
from midspec.llm.journal import Request
from midspec.llm.prices import tokens_of
from midspec.llm.prompt import Ask, Reply

if TYPE_CHECKING:
    from midspec.llm.batching import Batching

UNSTREAMED_TOKENS = 8192
"""Longest reply that Anthropic's SDK lets any model send in one piece. A whole one costs half the time of a stream, and
cannot be cut without notice, since its length is known."""
SAMPLE_HEADER = "x-midspec-sample"
"""Says which sample of a prompt is wanted. Providers ignore it; a test server tells requests apart by it."""
SAMPLING = ("temperature", "top_p")
_NO_SAMPLING = ("anthropic",)
"""Providers whose API takes no sampling settings any more; Inspect AI leaves them out."""
_IN_PROCESS = ("hf", "vllm", "sglang", "llama-cpp-python", "transformer_lens", "nnterp", "vllm-completions")
"""Providers that load weights or start a server when they are opened."""


class FailureError(Exception):
    """An attempt brought no reply. Its text holds nothing of the request."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.kind)
        self.failure = failure


class Provider:
    """Sends one request and gives the reply, or raises FailureError. Never retries, never waits for a place."""

    def __init__(
        self, config: WriterConfig, url: str | None, concurrency: int, batching: Batching | None = None
    ) -> None:
        """Raises InputError as `check` does."""
        self.batching = batching
        self._config = config
        self._settings = GenerateConfig(
            max_tokens=config.max_tokens,
            temperature=config.temperature,
            top_p=config.top_p,
            max_retries=0,
            max_connections=concurrency,
        )
        if batching is not None and family(config.model) == VLLM:
            from midspec.llm.batch_ray import NOWHERE, as_asked

            self._settings.extra_body = {"engine": config.args}
            config, url = as_asked(config), NOWHERE
        self._model = opened(config, url, self._settings, **(batching.model_args() if batching else {}))
        self._schemas: dict[tuple[str, type[BaseModel]], ResponseSchema] = {}
        self._cached = family(config.model) == "anthropic"
        client: Any = getattr(self._model.api, "client", None)
        if hasattr(client, "max_retries"):
            client.max_retries = 0  # the SDK's own retries: they hide refusals from whoever sets the pace

    async def send(self, ask: Ask, request: Request, without: frozenset[str]) -> Reply:
        """The reply to `ask`, in the journal `request`, asked without the sampling settings named in `without`."""
        if self.batching is not None:
            await self.batching.ready()
        asking = self.batching.asking(request) if self.batching is not None else nullcontext()
        try:
            with asking:
                answer = await self._model.api.generate(self._messages(ask), [], "none", self._form(ask, without))
            output = answer[0] if isinstance(answer, tuple) else answer
            if isinstance(output, Exception):
                raise output
        except MidspecError:
            raise  # batch mode broke down
        except Exception as error:
            raise FailureError(classify(error, self._retried)) from None
        return counted(ask, self._reply(output))

    async def close(self) -> None:
        """Close its connections."""
        await self._model.api.aclose()

    def _retried(self, error: Exception) -> bool:
        decision = self._model.api.should_retry(error)
        return decision if isinstance(decision, bool) else decision.retry

    def _messages(self, ask: Ask) -> list[ChatMessage]:
        user = ChatMessageUser(content=ask.user)
        return [_system(ask.system, self._cached), user] if ask.system else [user]

    def _form(self, ask: Ask, without: frozenset[str]) -> GenerateConfig:
        update: dict[str, Any] = {"extra_headers": {SAMPLE_HEADER: str(ask.sample)}, **dict.fromkeys(without)}
        if self._config.structured and ask.schema is not None:
            update["response_schema"] = self._schema(ask.template, ask.schema)
        return self._settings.model_copy(update=update)

    def _schema(self, template: str, form: type[BaseModel]) -> ResponseSchema:
        if (template, form) not in self._schemas:
            name = re.sub(r"[^A-Za-z0-9_-]", "_", template)[:64]
            self._schemas[template, form] = ResponseSchema(name=name, json_schema=_closed(json_schema(form)))
        return self._schemas[template, form]

    def _reply(self, output: ModelOutput) -> Reply:
        if output.stop_reason == "model_length" and output.error:
            raise FailureError(Failure("prompt too long", 400, said=output.error))
        return reply_of(output)


def _closed(schema: JSONSchema) -> JSONSchema:
    """`schema` without room for further fields: providers demand it, and small models fill that room for ever."""
    if schema.properties is not None:
        schema.additionalProperties = False
    for part in (*(schema.properties or {}).values(), *(schema.anyOf or ()), *([schema.items] if schema.items else ())):
        _closed(part)
    return schema


@lru_cache(maxsize=16)
def _system(text: str, cached: bool) -> ChatMessageSystem:
    """The system message; a cache breakpoint behind it caches the spec and not the question after it."""
    return ChatMessageSystem(content=[Content(text=text, cache_breakpoint=True)] if cached else text)


def counted(ask: Ask, reply: Reply) -> Reply:
    """`reply` with about its tokens where the server does not say them: a cap must not take them for free."""
    if reply.input_tokens or reply.cached_tokens or reply.cache_write_tokens or reply.output_tokens:
        return reply
    return replace(reply, input_tokens=tokens_of(ask.system + ask.user), output_tokens=tokens_of(reply.text))


def family(model: str) -> str:
    """The provider's name at the beginning of a model's."""
    return model.partition("/")[0]


def unsent(config: WriterConfig) -> frozenset[str]:
    """Sampling settings of `config` that its provider is known not to take."""
    if family(config.model) not in _NO_SAMPLING:
        return frozenset()
    return frozenset(name for name in SAMPLING if getattr(config, name) is not None)


def opened(config: WriterConfig, url: str | None, settings: GenerateConfig, **more: Any) -> Model:
    """Inspect AI's model. Raises InputError for a provider it does not know, a package or key that is missing."""
    args = {**config.args, **more}
    if family(config.model) == "anthropic" and config.max_tokens <= UNSTREAMED_TOKENS:
        args.setdefault("streaming", False)
    try:
        return get_model(config.model, base_url=url, memoize=False, config=settings, **args)
    except Exception as error:  # whatever a provider's constructor raises
        told = " ".join(re.sub(r"\[/?[a-z ]+\]|ERROR:?", "", str(error)).split())
        raise InputError(
            f"model {config.model!r} cannot be asked: {told} Expected `offline` or an Inspect AI model name such as "
            "anthropic/claude-opus-4-6, openai/gpt-5.5 or openai-api/<service>/<model>"
        ) from None


def check(config: WriterConfig, url: str | None) -> None:
    """Raise InputError for a model that cannot be asked, without any network: provider, package, key."""
    if family(config.model) not in _IN_PROCESS:
        opened(config, url, GenerateConfig())
