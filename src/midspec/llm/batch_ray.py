"""Batch jobs on GPUs of one's own: vLLM on a Ray cluster, in the place of a provider.

A job is a folder (`ray_jobs`). A process beside this one works on jobs, all that wait at a time, and ends with this
one, however that ends. A job of an earlier process is one that has ended, then: the replies it got are collected, and
what it left is asked in a new job.
"""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from midspec import errors
from midspec.compute import ComputeConfig
from midspec.errors import InputError, MissingDependencyError, StepError
from midspec.llm.batch_jobs import LONGEST, NOT_DONE, Found, Group, Item, Outcome
from midspec.llm.batch_models import VLLM
from midspec.llm.batch_work import BatchSettings
from midspec.llm.ray_jobs import JobFiles, place
from midspec.llm.ray_writer import AT_ONCE
from midspec.stages import WriterConfig

PACE = BatchSettings(wait=2.0, tick=0.5, slowest=2.0, settle=0.0)
"""To look at a job costs nothing here, and whether it was created is known at once."""
NOWHERE = "http://vllm.invalid/v1"
"""Address that Inspect AI is given: nothing is sent to it."""
_PATIENCE = 20.0
"""Seconds for the process beside this one to end."""
_TOLD = 15
"""Lines of its log that an error shows."""


class RayBatches:
    """The jobs of one workspace. Errors are MidspecErrors: none of them passes by itself."""

    name = VLLM

    def __init__(
        self, url: str, address: str | None = None, log: Path = Path("vllm.log"), *, at_once: int = AT_ONCE
    ) -> None:
        """`url`: where jobs lie; `address`: of the Ray cluster, as in `compute`; `log`: for what Ray prints; `at_once`:
        requests that an engine gets together.

        Raises MissingDependencyError without Ray.
        """
        for module in ("ray", "fsspec"):
            if find_spec(module) is None:
                raise MissingDependencyError(
                    f"batch jobs with vllm/ models need the package {module!r}: pip install 'midspec[scale]'"
                )
        self.url = url
        self._files = JobFiles(url)
        self._arguments = (url, address or _cluster_of_this_process(), str(at_once))
        self._log = log
        self._waiting: list[str] = []
        self._at_work: set[str] = set()
        """Jobs of this process that have not ended."""
        self._sizes: dict[str, int] = {}
        """Requests of the jobs of this process."""
        self._working: asyncio.Task[None] | None = None
        self._process: Process | None = None
        self._error: Exception | None = None

    async def upload(self, token: str, group: Group, items: Sequence[Item]) -> str | None:
        """There are no files besides the job's own."""
        return None

    async def create(self, token: str, group: Group, items: Sequence[Item], file: str | None) -> str:
        """The token itself is the job's id."""
        requests = [{"custom_id": i.custom_id, "body": i.body, "seed": int(i.key[:8] or "0", 16)} for i in items]
        await asyncio.to_thread(self._files.add, token, requests)
        self._sizes[token] = len(items)
        self._at_work.add(token)
        self._waiting.append(token)
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        return token

    async def find(self, token: str, file: str | None, since: datetime, size: int, known: set[str]) -> Found:
        """See `Provider`."""
        return token if await asyncio.to_thread(self._files.holds, token) else None

    async def ended(self, job: str) -> bool:
        """See `Provider`. Raises what went wrong with this process's jobs."""
        if self._error is not None and job in self._sizes:
            raise self._error
        return job not in self._at_work

    async def results(self, job: str) -> AsyncGenerator[tuple[str, Outcome]]:
        """What is missing of an earlier process's job is not among them: it is asked in another job."""
        told: set[str] = set()
        for reply in await asyncio.to_thread(lambda: list(self._files.replies(job))):
            told.add(reply["custom_id"])
            yield reply["custom_id"], Outcome(reply["status"], reply["body"])
        for number in range(self._sizes.get(job, 0)):
            if f"{job}-{number}" not in told:
                yield f"{job}-{number}", Outcome(NOT_DONE, {"error": {"message": "its reply is not in the storage"}})

    async def cancel(self, job: str) -> None:
        """Nobody works on jobs of an earlier process."""

    async def forget(self, job: str) -> None:
        """See `Provider`."""
        await asyncio.to_thread(self._files.remove, job)

    def model_args(self) -> dict[str, Any]:
        """See `Provider`."""
        return {"api_key": "none", "stream": False, "client_timeout": LONGEST}

    async def close(self) -> None:
        """End the process beside this one, and with it what it works on."""
        if self._working is not None:
            self._working.cancel()
            await asyncio.gather(self._working, return_exceptions=True)
        process, self._process = self._process, None
        if process is None or process.stdin is None:
            return
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _PATIENCE)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _work(self) -> None:
        """Have jobs done as long as there are any; what came meanwhile is done together."""
        while self._waiting and self._error is None:
            jobs, self._waiting = self._waiting, []
            try:
                await self._done(jobs)
            except Exception as error:
                self._error = error
            else:
                self._at_work.difference_update(jobs)

    async def _done(self, jobs: list[str]) -> None:
        """Return when all requests of `jobs` have replies. Raises what the process tells, StepError where it died."""
        if self._process is None:
            self._process = await self._started()
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write((json.dumps(jobs) + "\n").encode())
            await process.stdin.drain()
            line = await process.stdout.readline()
        except ConnectionError:
            line = b""
        if not line:
            status = await process.wait()
            raise StepError(f"the process that writes with vLLM ended with status {status}; {self._end_of_log()}")
        told = json.loads(line)
        if "error" in told:
            raise getattr(errors, told["error"])(f"{told['message']} ({self._log} has the rest)")

    async def _started(self) -> Process:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "midspec.llm.ray_process", *self._arguments),
                stdin=PIPE,
                stdout=PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches the whole terminal; this process decides
            )

    def _end_of_log(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TOLD:]
        return f"its log, {self._log}, ends:\n" + "\n".join(lines)


def at_workspace(model: str, url: str | None, workspace: Path, compute: ComputeConfig) -> RayBatches:
    """The jobs of `workspace`. Raises InputError where `url`, a server's address, says that there are to be none."""
    if url is not None:
        raise InputError(
            f"{model} is to write in batch jobs, that is on the Ray cluster's GPUs, and on the server at {url}; take "
            "`batch` or the address (writer_url, judge_url) out of `compute`"
        )
    return RayBatches(place(workspace, compute.storage), compute.address, workspace.resolve() / "vllm.log")


def as_asked(config: WriterConfig) -> WriterConfig:
    """The model as Inspect AI must know it to speak OpenAI's protocol: its own `vllm/` starts a server."""
    return config.model_copy(update={"model": f"openai-api/{config.model}", "args": {}})


def _cluster_of_this_process() -> str:
    """Address of the Ray cluster that runs this very step; empty elsewhere."""
    ray: Any = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        return ""
    return str(ray.get_runtime_context().gcs_address)
