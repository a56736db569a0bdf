"""What tokens cost: a dated table of list prices, the user's own first, and the arithmetic of a bill.

A model that is in no table has no price: None, never 0.
"""

from __future__ import annotations

import datetime
import ipaddress
import math
import os
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import yaml
from pydantic import Field, ValidationError

from midspec.errors import InputError
from midspec.experiment import Config

NAME = "prices.yaml"
"""Of the user's own table, in the workspace."""
CHARACTERS_PER_TOKEN = 4
"""Of English prose; other languages and code take more tokens. (ours)"""
_MILLION = 1e6


class Usage(Protocol):
    """Tokens of one reply, of many, or expected. `Reply` and `Tally` are such."""

    @property
    def input_tokens(self) -> int:
        """Neither read from nor written to a cache."""
        ...

    @property
    def cached_tokens(self) -> int:
        """Read from the provider's prompt cache."""
        ...

    @property
    def cache_write_tokens(self) -> int:
        """Written to it."""
        ...

    @property
    def output_tokens(self) -> int:
        """Written by the model, hidden reasoning included."""
        ...


class Price(Config):
    """Dollars per million tokens."""

    models: tuple[str, ...] = Field(min_length=1)
    """Names as in a recipe; `*` stands for any text."""
    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cache_read: float | None = Field(default=None, ge=0)
    """Of tokens read from the prompt cache; None = as `input`."""
    cache_write: float | None = Field(default=None, ge=0)
    """Of tokens written to it for five minutes; None = as `input`."""
    batch: float = Field(default=1.0, ge=0, le=1)
    """Factor on everything in a batch job."""
    cache_minimum: int = Field(default=1024, ge=0)
    """Shortest prompt in tokens that the provider caches; 0 = there is no cache."""
    source: str = ""
    date: datetime.date | None = None
    """When it was the list price."""

    def dollars(self, usage: Usage, *, batch: bool = False) -> float:
        """What `usage` costs."""
        read = self.input if self.cache_read is None else self.cache_read
        write = self.input if self.cache_write is None else self.cache_write
        total = (
            usage.input_tokens * self.input
            + usage.cached_tokens * read
            + usage.cache_write_tokens * write
            + usage.output_tokens * self.output
        )
        return total / _MILLION * (self.batch if batch else 1.0)


class PriceTable(Config):
    """Prices; the first entry that fits a model counts."""

    prices: tuple[Price, ...]
    date: datetime.date | None = None
    """When the table was last looked over."""

    def find(self, model: str, url: str | None = None) -> Price | None:
        """The price of `model`, which answers at `url` (None: where Inspect AI looks for it); None if unknown."""
        for price in self.prices:
            if any(fnmatchcase(model, pattern) for pattern in price.models):
                return price
        if model.startswith("openai-api/") and _is_this_machine(url or _service_url(model)):
            return Price(models=(model,), input=0, output=0, cache_minimum=0, source="this machine")
        return None


def load_prices(workspace: Path | None = None) -> PriceTable:
    """The packaged table, with `prices.yaml` of the workspace before it. Raises InputError for one that is no table."""
    packaged = _read(files("midspec").joinpath("data", NAME).read_text(encoding="utf-8"), f"packaged {NAME}")
    own = None if workspace is None else workspace / NAME
    if own is None or not own.exists():
        return packaged
    try:
        text = own.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{own} cannot be read as UTF-8 text: {error}") from error
    return PriceTable(prices=(*_read(text, str(own)).prices, *packaged.prices), date=packaged.date)


def price_of(model: str, usage: Usage, batch: bool, table: PriceTable, url: str | None = None) -> float | None:
    """Dollars for `usage` of `model`; None where its price is not known."""
    price = table.find(model, url)
    return None if price is None else price.dollars(usage, batch=batch)


def worst_case(
    model: str, prompt_tokens: int, max_tokens: int, batch: bool, table: PriceTable, url: str | None = None
) -> float | None:
    """The most that one request can cost: nothing cached, all of it written to the cache, the longest reply."""
    price = table.find(model, url)
    if price is None:
        return None
    dear = price.cache_write is not None and price.cache_write > price.input
    usage = Tokens(0 if dear else prompt_tokens, 0, prompt_tokens if dear else 0, max_tokens)
    return price.dollars(usage, batch=batch)


def tokens_of(text: str) -> int:
    """About how many tokens a text has."""
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


@dataclass(frozen=True)
class Tokens:
    """A `Usage`."""

    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(
            self.input_tokens + other.input_tokens,
            self.cached_tokens + other.cached_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.output_tokens + other.output_tokens,
        )


@dataclass(frozen=True)
class Work:
    """Requests of one kind that are to be made, tokens each."""

    requests: int
    shared_tokens: int
    """The beginning of the prompt that is the same in all of them: the system text with the spec."""
    own_tokens: int
    """The rest of the prompt."""
    output_tokens: int
    """Expected, not allowed."""


def expected(work: Work, price: Price | None, *, writes: int = 1) -> Tokens:
    """Tokens of `work`, by what they cost.

    The shared part is written to the cache `writes` times (once, and again whenever nobody read it for five minutes)
    and read by all other requests, where the provider has a cache and the part is long enough for it.
    """
    count = work.requests
    cached = price is not None and 0 < price.cache_minimum <= work.shared_tokens and count > 1
    written = min(writes, count) if cached else 0
    plain = (0 if cached else count) * work.shared_tokens + count * work.own_tokens
    first = written * work.shared_tokens
    free_write = price is None or price.cache_write is None
    return Tokens(
        input_tokens=plain + (first if free_write else 0),
        cached_tokens=(count - written) * work.shared_tokens if cached else 0,
        cache_write_tokens=0 if free_write else first,
        output_tokens=count * work.output_tokens,
    )


def _read(text: str, where: str) -> PriceTable:
    try:
        value: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{where} is not YAML: {error}") from error
    try:
        return PriceTable.model_validate(value)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"]) or "the whole"
        raise InputError(
            f"{where}: {place}: {problem['msg']}; expected `prices:`, a list of entries such as "
            "{models: [openai-api/mine/*], input: 0.5, output: 1.5}, in dollars per million tokens"
        ) from error


def _service_url(model: str) -> str | None:
    """Where Inspect AI finds `openai-api/<service>/<model>`."""
    service = model.split("/")[1]
    return os.environ.get(f"{service.upper().replace('-', '_')}_BASE_URL")


def _is_this_machine(url: str | None) -> bool:
    host = urlsplit(url).hostname if url else None
    if host is None:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
