"""Where evaluation steps find a served model: a server at an address, or one vLLM of this process for many arms."""

from __future__ import annotations

import atexit
import os
import secrets
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from platformdirs import user_log_path

from midspec.evals.serving import vllm
from midspec.evals.serving.adapters import CONFIG, HASHED, Adapter, read_adapter
from midspec.evals.serving.endpoint import NO_KEY, Endpoint, adapter_name, base_name
from midspec.evals.serving.process import free_port, running
from midspec.steps.progress import Progress, Silent
from midspec.train.models import ModelRef, ThinkingRef, ensure

if TYPE_CHECKING:
    from subprocess import Popen

    from inspect_ai.model import Model

VLLM = "vllm"
"""`compute.serve` for a server of our own."""
KEY_VARIABLE = "MIDSPEC_SERVE_KEY"
"""Environment variable with the key of a server at an address."""
LEAST_RANK = 64
"""Rank that a server is prepared for before it has met an adapter. (paper: 64)"""


class Target(NamedTuple):
    """What is to be served."""

    base: Path
    """Folder of whole weights."""
    name: str
    """The server's name for `base`."""
    adapter: Adapter | None


def target(ref: ModelRef, checkpoint: Path | None, progress: Progress = Silent()) -> Target:
    """`ref` with a checkpoint on it: an adapter, or a fully trained model, which is a base of its own."""
    if checkpoint is None:
        return Target(ensure(ref, progress), ref.name, None)
    if (checkpoint / CONFIG).is_file():
        return Target(ensure(ref, progress), ref.name, read_adapter(checkpoint))
    from midspec.train.weights import weights_sha256

    return Target(checkpoint, f"{ref.name}-{weights_sha256(checkpoint)[:HASHED]}", None)


def served(ref: ModelRef, checkpoint: Path | None, where: str, progress: Progress = Silent()) -> Model:
    """The model under test, asked of `where`: `vllm`, or the address of a server.

    `checkpoint`: folder of weights (`.../checkpoint`); None = the base model. Raises InputError where the server at an
    address has not the model, MissingDependencyError and StepError as `process.running` does.
    """
    from midspec.evals.serving.client import served_model

    wanted = target(ref, checkpoint, progress)
    if where == VLLM:
        endpoint = POOL.endpoint(ref, wanted, progress)
    else:
        endpoint = Endpoint(where.rstrip("/"), os.environ.get(KEY_VARIABLE, NO_KEY))
    name = adapter_name(endpoint, wanted.adapter) if wanted.adapter else base_name(endpoint, wanted.name)
    return served_model(endpoint, name, thinking=isinstance(ref, ThinkingRef))


class _Running(NamedTuple):
    base: Path
    rank: int
    endpoint: Endpoint
    process: Popen[bytes]


class Pool:
    """At most one server, as it takes all of a GPU. Steps that follow each other use it; another base replaces it."""

    def __init__(self, executable: Sequence[str] = (vllm.EXECUTABLE,), more: Sequence[str] = ()) -> None:
        """`executable`: what is started in the place of `vllm`. `more`: further flags of the server's."""
        self.executable = tuple(executable)
        self.more = tuple(more)
        self._stack = ExitStack()
        self._running: _Running | None = None
        self._lock = threading.Lock()

    def endpoint(self, ref: ModelRef, wanted: Target, progress: Progress = Silent()) -> Endpoint:
        """A server of `wanted.base` that can take `wanted.adapter`; started where there is none."""
        with self._lock:
            rank = vllm.served_rank([wanted.adapter]) if wanted.adapter else 0
            running = self._running
            if (
                running is None
                or running.process.poll() is not None
                or running.base != wanted.base
                or running.rank < rank
            ):
                self._close()
                self._running = running = self._start(ref, wanted, max(rank, LEAST_RANK), progress)
            return running.endpoint

    def close(self) -> None:
        """Stop the server, if there is one."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        self._running = None
        self._stack.close()

    def _start(self, ref: ModelRef, wanted: Target, rank: int, progress: Progress) -> _Running:
        port = free_port()
        endpoint = Endpoint(f"http://{vllm.HOST}:{port}/v1", secrets.token_urlsafe(24))
        logs = user_log_path("midspec")
        command = vllm.arguments(
            wanted.base,
            wanted.name,
            [wanted.adapter] if wanted.adapter else [],
            port,
            chat_template=template_file(ref, wanted.base, logs / f"template-{port}.jinja"),
            rank=rank,
            more=self.more,
            executable=self.executable,
        )
        process = self._stack.enter_context(
            running(
                command,
                endpoint,
                logs / f"server-{port}.log",
                environment=vllm.environment(endpoint.key),
                progress=progress,
            )
        )
        return _Running(wanted.base, rank, endpoint, process)


def template_file(ref: ModelRef, base: Path, path: Path) -> Path | None:
    """Where the chat template lies that `ref` lays over the model's own; None where it leaves that as it is."""
    if ref.chat_template is None:
        return None
    from midspec.train.load import load_tokenizer

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(load_tokenizer(ref, base).chat_template, encoding="utf-8")
    return path


POOL = Pool()
"""The server of this process."""
atexit.register(POOL.close)
