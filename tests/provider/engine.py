"""The provider behind both protocols: who may ask, what goes wrong, what is said, how long it takes, what it costs."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields, replace
from hashlib import sha256
from typing import Any

from tests.provider.answers import Answerer, default_answer
from tests.provider.caching import CacheUse, PromptCache
from tests.provider.faults import HTTP_FAULTS, REPLY_FAULTS, Faults, spoil
from tests.provider.latency import Latency, TokenBucket
from tests.provider.ledger import DEFAULT_PRICES, Entry, LedgerWriter, Price, dollars, price_of
from tests.provider.request import CHARACTERS_PER_TOKEN, Request, chance, tokens

NO_USE = CacheUse(0, 0, 0, 0)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the provider behaves. All of it can be changed while it runs."""

    seed: int = 0
    faults: Faults = field(default_factory=Faults)
    latency: Latency = field(default_factory=Latency)
    concurrency: int | None = None
    """Requests answered at once; None: any number."""
    overflow: str = "reject"
    """What happens to one more: `reject` (429, as the big providers do) or `queue` (as a local server does)."""
    requests_per_minute: float | None = None
    burst: float | None = None
    """Requests the rate limit lets through at once; None: one second's worth."""
    spend_limit: float | None = None
    """Dollars after which every request gets the billing error; None: no limit."""
    spend_error: str = "credit"
    """Anthropic's form of it: `credit` (400), `permission` (403) or `enforced` (429). OpenAI's is always a 429."""
    revoked: bool = False
    """Every key is refused (401)."""
    batch_seconds: float = 0.2
    """What a batch job takes."""
    prices: Mapping[str, Price] = field(default_factory=lambda: DEFAULT_PRICES)


class FailureError(Exception):
    """No reply. `kind` is one the protocols know how to say: see ERRORS of either."""

    def __init__(self, kind: str, detail: str = "", *, wait: float | None = None, fault: str | None = None) -> None:
        super().__init__(kind, detail)
        self.kind, self.detail, self.wait, self.fault = kind, detail, wait, fault


@dataclass(slots=True)
class Reply:
    """What will be sent, and when."""

    request: Request
    text: str
    stop: str
    """`end`, `length`, `sequence` or `refusal`."""
    use: CacheUse
    output: int
    fault: str | None
    first: float
    """Seconds from arrival to the first token."""
    seconds: float
    """Seconds from arrival to the last token."""
    sequence: str | None = None
    failure: FailureError | None = None
    """Comes instead of the text after `first` seconds."""


class Engine:
    """One provider account."""

    def __init__(self, settings: Settings, answer: Answerer | None, cache: PromptCache, ledger: LedgerWriter) -> None:
        self.answer = answer or default_answer
        self.cache, self.ledger = cache, ledger
        self.in_flight = 0
        self._accepted: Counter[str] = Counter()
        self._spent_before = 0.0
        self.settings = settings
        self._apply(settings)

    def change(self, **values: Any) -> None:
        """New values for some settings, from the next request on. A new `spend_limit` counts from what is spent now."""
        known = {f.name for f in fields(Settings)}
        if set(values) - known:
            raise ValueError(f"unknown settings {sorted(set(values) - known)}; known: {', '.join(sorted(known))}")
        if "spend_limit" in values:
            self._spent_before = self.ledger.dollars
        if isinstance(values.get("faults"), Mapping):
            values["faults"] = replace(self.settings.faults, probabilities=values["faults"])
        if isinstance(values.get("latency"), str):
            values["latency"] = Latency.parse(values["latency"])
        self._apply(replace(self.settings, **values), changed=set(values))

    def _apply(self, settings: Settings, changed: set[str] | None = None) -> None:
        if changed is None or changed & {"requests_per_minute", "burst"}:
            rate = settings.requests_per_minute
            self._bucket = TokenBucket(rate, settings.burst) if rate else None
        if changed is None or changed & {"concurrency"}:
            self._slots = asyncio.Semaphore(settings.concurrency) if settings.concurrency else None
        self.settings = settings

    def check_account(self, key: str | None) -> None:
        """Raise for a missing or revoked key and for an empty purse."""
        settings = self.settings
        if not key or settings.revoked:
            raise FailureError("auth")
        if settings.spend_limit is not None and self.ledger.dollars - self._spent_before >= settings.spend_limit:
            raise FailureError(settings.spend_error)

    def check_rate(self) -> None:
        """Raise where the rate limit lets no request through now."""
        if self._bucket and (wait := self._bucket.take()):
            raise FailureError("rate_limit", wait=wait)

    @asynccontextmanager
    async def slot(self) -> AsyncGenerator[None]:
        """Hold one of the places for requests in work; raise or wait where there is none."""
        slots = self._slots
        if slots and slots.locked() and self.settings.overflow == "reject":
            raise FailureError("concurrency", wait=self.settings.faults.hint_seconds)
        if slots:
            await slots.acquire()
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1
            if slots:
                slots.release()

    async def reply(self, request: Request) -> Reply:
        """Accept `request` and decide all that will happen to it."""
        occurrence = request.occurrence = self._accepted[request.hash]
        self._accepted[request.hash] += 1
        settings = self.settings
        fault = settings.faults.draw(request.hash, occurrence)
        if fault in ("cut_silent", "stream_error") and not request.stream:
            fault = "cut" if fault == "cut_silent" else "overloaded"
        seconds = settings.latency.seconds(settings.seed, request.hash, occurrence)
        first = seconds * settings.latency.first_token
        if fault == "slow_start":
            first, seconds = first + settings.faults.slow_start_seconds, seconds + settings.faults.slow_start_seconds
        if fault in HTTP_FAULTS or fault == "hang":
            wait = settings.faults.hint_seconds if fault == "rate_limit" else None
            failure = FailureError(fault, wait=wait, fault=fault)
            return Reply(request, "", "end", NO_USE, 0, fault, 0.0, 0.0, failure=failure)
        try:
            said = await self.answer(request)
        except Exception as error:
            traceback.print_exc()
            raise FailureError("server_error", fault="script") from error
        text, stop, sequence = _limited(said, request)
        if fault in REPLY_FAULTS:
            spoiled = spoil(fault, text, chance(settings.faults.seed, "spoil", request.hash, occurrence))
            if spoiled == text and fault != "refusal":
                fault = None
            else:
                text = spoiled
                stop = {"max_tokens": "length", "refusal": "refusal"}.get(fault, stop)
        use = self.cache.use(request, first)
        return Reply(request, text, stop, use, tokens(text), fault, first, seconds, sequence)

    def record(self, request: Request, arrived: float, status: int, reply: Reply | None, fault: str | None) -> None:
        """Write the end of a request into the ledger. What was worked on is charged, also where the client has left."""
        done = None if reply is None or reply.failure else reply
        use, output = (done.use, done.output) if done else (NO_USE, 0)
        price = price_of(self.settings.prices, request.model)
        self.ledger.add(
            Entry(
                arrived=arrived,
                left=time.time(),
                hash=request.hash,
                occurrence=request.occurrence,
                api=request.api,
                model=request.model,
                stream=request.stream,
                status=status,
                fault=fault,
                input=use.uncached,
                cache_read=use.read,
                cache_written=use.written + use.written_long,
                output=output,
                dollars=dollars(price, use, output, batch=bool(request.batch)),
                reply=sha256(done.text.encode("utf-8", "surrogatepass")).hexdigest() if done else "",
                batch=request.batch,
            )
        )


def _limited(text: str, request: Request) -> tuple[str, str, str | None]:
    """The text up to the first stop sequence or the token limit, with the reason why it stops and the sequence."""
    cuts = [(at, sequence) for sequence in request.stop if (at := text.find(sequence)) >= 0]
    stop, sequence = "end", None
    if cuts:
        at, sequence = min(cuts)
        text, stop = text[:at], "sequence"
    limit = request.max_tokens
    if limit is not None and tokens(text) > limit:
        return text[: limit * CHARACTERS_PER_TOKEN], "length", None
    return text, stop, sequence
