"""The provider as a server on 127.0.0.1: in a thread of the test, or in the foreground of its own process."""

from __future__ import annotations

import asyncio
import socket
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

import uvicorn

from tests.provider.answers import Answerer
from tests.provider.app import App
from tests.provider.batches import Jobs
from tests.provider.caching import PromptCache
from tests.provider.engine import Engine, Settings
from tests.provider.faults import Faults
from tests.provider.latency import Latency
from tests.provider.ledger import Ledger
from tests.provider.routes import Routes

HOST = "127.0.0.1"
KEY = "sk-test-provider"
"""Any non-empty key is good; this one is for tests that need one."""
_STOP_SECONDS = 10


class ProviderServer:
    """A provider of both APIs. `with ProviderServer() as server: ... server.url`.

    `answer` is an async function from Request to text (a Script, say). `settings` are those of `engine.Settings`, with
    `faults` also as a table of probabilities and `latency` also as text. `ledger` is a file to append to (default: a
    new temporary one). `cache_minimum` in tokens, `cache_ttl` in seconds.
    """

    def __init__(
        self,
        answer: Answerer | None = None,
        *,
        ledger: Path | str | None = None,
        port: int = 0,
        cache_minimum: int = 1024,
        cache_ttl: float = 300.0,
        **settings: Any,
    ) -> None:
        self._folder = None if ledger else tempfile.TemporaryDirectory(prefix="provider-")
        self.ledger = Ledger(Path(ledger) if ledger else Path(self._folder.name) / "ledger.jsonl")  # type: ignore[union-attr]
        self._writer = self.ledger.writer()
        seed = settings.get("seed", 0)
        if isinstance(settings.get("faults"), dict):
            settings["faults"] = Faults(probabilities=settings["faults"], seed=seed)
        if isinstance(settings.get("latency"), str):
            settings["latency"] = Latency.parse(settings["latency"])
        cache = PromptCache(minimum=cache_minimum, ttl=cache_ttl)
        self.engine = Engine(Settings(**settings), answer, cache, self._writer)
        self._socket = socket.create_server((HOST, port), backlog=4096)
        # Connections inherit it. Without it a reply (head and body are two writes) waits 40 ms for an acknowledgement.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._server = uvicorn.Server(
            uvicorn.Config(
                App(self.engine, Routes(Jobs(self.engine)).app),
                loop="asyncio",
                lifespan="off",
                ws="none",
                log_level="critical",  # uvicorn calls a deliberately cut answer an error
                access_log=False,
                server_header=False,
                date_header=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=1,
            )
        )
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Base URL for the `anthropic` SDK and provider; that of `openai` is `openai_url`."""
        return f"http://{HOST}:{self._socket.getsockname()[1]}"

    @property
    def openai_url(self) -> str:
        """Base URL for the `openai` SDK and provider."""
        return f"{self.url}/v1"

    def change(self, **settings: Any) -> None:
        """Change settings while it runs, from the next request on."""
        self.engine.change(**settings)

    def serve(self) -> None:
        """Serve in the foreground until a signal."""
        try:
            asyncio.run(self._serve())
        finally:
            self._close()

    async def _serve(self) -> None:
        await self._server.serve(sockets=[self._socket])
        # Requests in work lose their connection, as when a provider goes down; a cancelled one would get a 500.
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0.01)

    def __enter__(self) -> ProviderServer:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="provider", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = self._server.force_exit = True
        if self._thread:
            self._thread.join(_STOP_SECONDS)
        self._close()

    def _close(self) -> None:
        self._writer.close()
        self._socket.close()
        if self._folder:
            self._folder.cleanup()
