"""Where a step sits down to have something written: its scribes, their journal and their money, opened and closed."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import AsyncExitStack, contextmanager
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from midspec.errors import InputError, MissingDependencyError, WriterError
from midspec.experiment import WriterConfig
from midspec.llm.batch_models import VLLM, has_batch
from midspec.llm.fan_out import BATCH_WINDOW, begun_at_once
from midspec.llm.writer import Scribe, Writer

if TYPE_CHECKING:
    from midspec.llm.batching import Batching
    from midspec.llm.client import LanguageModel
    from midspec.llm.journal import Journal
    from midspec.llm.meter import Meter
    from midspec.llm.prices import PriceTable
    from midspec.steps.step import Context

OFFLINE = "offline"
"""The name of the writer without a model."""
Role = Literal["writer", "judge"]


class Desk:
    """`async with Desk(context) as desk: scribe = desk.scribe(config.writer)`.

    Leaving waits for replies that are on their way, since they are paid for, and closes the journal. A WriterError that
    leaves it is noted in the journal, so that the step's next run asks for new samples.
    """

    def __init__(self, context: Context) -> None:
        """Opens nothing: the offline writer needs neither journal nor client."""
        self._context = context
        self._open = AsyncExitStack()
        self._journal: Journal | None = None
        self._meter: Meter | None = None
        self._prices: PriceTable | None = None
        self._jobs: dict[tuple[str, str | None], Batching | None] = {}
        self._models: dict[tuple[str, str | None], LanguageModel] = {}

    async def __aenter__(self) -> Self:
        """Nothing is opened before a scribe needs it."""
        window = begun_at_once.set(begun_at_once.get())
        self._open.callback(lambda: begun_at_once.reset(window))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close what was opened."""
        for model in self._models.values():
            model.stop()
        if isinstance(error, WriterError) and self._journal is not None:
            self._journal.lose_patience(self._context.fingerprint)
        coming = sum(model.in_flight for model in self._models.values())
        if coming and error is not None:
            batch = any(found is not None and not found.only_collect for found in self._jobs.values())
            fate = "which end here, with what is done kept" if self._writes_here() else "which go on"
            self._context.progress.line(
                f"  stopping: {coming} requests are in batch jobs, {fate}; the next run collects them"
                if batch
                else f"  stopping: {coming} replies are on their way and paid for; waiting for them (Ctrl-C leaves)"
            )
        await self._open.aclose()

    def scribe(self, config: WriterConfig, role: Role = "writer") -> Scribe:
        """Who answers for `config`. Raises InputError for a name nobody answers to, and for a cap without a price."""
        if config.model == OFFLINE:
            from midspec.llm.offline import OfflineWriter

            writer: Writer = OfflineWriter()
            return Scribe(writer)
        compute = self._context.compute
        url = compute.writer_url if role == "writer" else compute.judge_url
        same = (config.model_dump_json(), url)
        if same not in self._models:
            self._models[same] = self._opened(config, url)
        assert self._journal is not None
        return Scribe(self._models[same], patience=1 + self._journal.patience(self._context.fingerprint))

    def _opened(self, config: WriterConfig, url: str | None) -> LanguageModel:
        check_writer(config, url)
        from midspec.llm.client import Account, LanguageModel
        from midspec.llm.journal import NAME, Journal
        from midspec.llm.meter import Meter
        from midspec.llm.prices import load_prices
        from midspec.llm.provider import Provider

        context = self._context
        compute, spending = context.compute, context.spending
        if self._prices is None:
            self._prices = load_prices(context.workspace)
        price = self._prices.find(config.model, url)
        if price is None:
            self._tell_unpriced(config.model)
        if self._journal is None:
            self._open.enter_context(_rare_collections())
            journal = self._journal = Journal(context.workspace / NAME)
            self._open.callback(journal.close)
            self._meter = Meter(spending, lambda: journal.spent(spending.run), context.progress)
        assert self._meter is not None
        batching = self._batching(config.model, url, self._journal, self._prices)
        model = LanguageModel(
            config,
            Provider(config, url, compute.concurrency, batching),
            account=Account(spending.run, context.fingerprint),
            journal=self._journal,
            meter=self._meter,
            price=price,
            concurrency=compute.concurrency,
            deadline=compute.deadline,
            say=lambda text: context.progress.line(f"  {text}"),
        )
        self._open.push_async_callback(model.close)
        return model

    def _batching(self, model: str, url: str | None, journal: Journal, prices: PriceTable) -> Batching | None:
        """What puts requests into batch jobs, or collects those of an earlier run; None where there is no need."""
        from midspec.llm.batch_rows import open_jobs

        compute = self._context.compute
        if not has_batch(model):
            if compute.batch:
                self._context.progress.line(f"  {model} has no batch mode: it is asked directly, at the full price")
            return None
        if compute.batch:
            begun_at_once.set(BATCH_WINDOW)  # until the desk is left
        elif not open_jobs(journal) or model.startswith(f"{VLLM}/"):  # its jobs ended with their run
            return None
        from midspec.llm.batching import batching, left_over  # needs the SDKs of all providers with batch jobs

        same = (model.partition("/")[0], url)
        if same not in self._jobs:
            found = (
                batching(model, url, journal, prices, compute)
                if compute.batch
                else left_over(model, url, journal, prices, compute.deadline)
            )
            self._jobs[same] = found
            if found is not None:
                self._open.push_async_callback(found.close)
        return self._jobs[same]

    def _writes_here(self) -> bool:
        """Whether batch jobs are done on GPUs of one's own."""
        return any(name == VLLM for name, _ in self._jobs)

    def _tell_unpriced(self, model: str) -> None:
        cap = self._context.spending.usd
        if cap is not None:
            raise InputError(
                f"the price of {model} is not known, so the cap of ${cap:,.2f} cannot be kept; add the model to "
                "prices.yaml in the workspace, or set budget.usd to null"
            )
        self._context.progress.line(
            f"  the price of {model} is not known: dollars are not counted (prices.yaml in the workspace tells them)"
        )


@contextmanager
def _rare_collections() -> Generator[None]:
    """Fewer collections of garbage while thousands of requests come and go: they take a sixth of the time.

    Not much rarer than this: every request leaves cycles behind in the SDKs, which only a collection takes away.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(10_000, 5, 5)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def check_writer(config: WriterConfig, url: str | None = None) -> None:
    """Raise for a model that cannot be asked, before anything is made; no network is used.

    InputError for a provider nobody knows and for a key or package of the provider that is missing,
    MissingDependencyError where Inspect AI itself is.
    """
    if config.model == OFFLINE:
        return
    if "/" not in config.model:
        raise InputError(
            f"writer {config.model!r} names no provider; expected 'offline' or an Inspect AI model name such as "
            "anthropic/claude-opus-4-6"
        )
    for module in ("inspect_ai", "tenacity"):
        if find_spec(module) is None:
            raise MissingDependencyError(
                f"writer {config.model!r} needs {module}; install it with: pip install 'midspec[write]'"
            )
    from midspec.llm.journal import request_key
    from midspec.llm.provider import check

    request_key(config.model, {"args": config.args}, "", "", 0)  # refuses secrets among the settings
    check(config, url)
