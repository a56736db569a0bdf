"""Requests answered by vLLM on a Ray cluster: one engine to a GPU, or to as many as the model needs, for a whole run.

Ray Data hands out the requests in batches and has their replies written by the machines that made them. Engines are
actors of their own, since those of Ray Data live as long as one dataset, and a corpus is many jobs: loading the model
anew for each would take longer than writing. `ray.data.llm` has the same limit, and does not tell why a reply ended.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any

from midspec.errors import InputError, MissingDependencyError
from midspec.llm.ray_jobs import JobFiles
from midspec.steps.ray_engine import RETRIES

AT_ONCE = 512
"""Most requests that an engine gets together, and so the most that are lost with it: enough to fill a GPU. (ours)"""
_ENDS = ("stop", "length")
"""vLLM's reasons to end that are a reply, called as OpenAI calls them; `abort` is none."""


class Engine:
    """A model in vLLM, loaded when it is first needed: an actor that Ray makes anew loads it again."""

    def __init__(self, model: str, args: Mapping[str, Any]) -> None:
        """`args`: of `vllm.LLM`."""
        self._model, self._args = model, args
        self._llm: Any = None

    def load(self) -> None:
        """Raises MissingDependencyError without vLLM, InputError where it cannot load the model."""
        if self._llm is not None:
            return
        try:
            import vllm  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise MissingDependencyError(
                f"batch jobs with vllm/{self._model} need vLLM on every machine of the Ray cluster that has a GPU "
                f"({error}); install it there with: pip install vllm"
            ) from error
        try:
            self._llm = vllm.LLM(model=self._model, **self._args)
        except Exception as error:  # of many kinds: no such model, no memory, an unknown setting
            raise InputError(
                f"vLLM cannot load {self._model!r}: {type(error).__name__}: {error}. Check the model's name and the "
                "writer's `args` (they are those of vllm.LLM) in the recipe, and the memory of the GPUs"
            ) from error

    def answer(self, requests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Replies in the order of `requests`, in the form of vLLM's own server: status, and a `chat.completion` or an
        error. A request that vLLM refuses costs none of the others."""
        self.load()
        try:
            outputs = self._llm.chat(
                [request["body"]["messages"] for request in requests],
                sampling_params=[sampling(request) for request in requests],
                use_tqdm=False,
            )
        except ValueError as error:  # of one of them, before any was worked on: a prompt too long, say
            if len(requests) > 1:
                half = len(requests) // 2
                return self.answer(requests[:half]) + self.answer(requests[half:])
            return [_refused(requests[0], 400, str(error))]
        return [_reply(request, output) for request, output in zip(requests, outputs, strict=True)]


def sampling(request: Mapping[str, Any]) -> Any:
    """The `vllm.SamplingParams` for a request in OpenAI's form. Settings it does not name are vLLM's own defaults.

    Every request has a seed of its own: engines that begin alike would give equal prompts equal replies.
    """
    from vllm import SamplingParams  # pyright: ignore[reportMissingImports]

    body = request["body"]
    settings = {name: body[name] for name in ("temperature", "top_p", "stop") if body.get(name) is not None}
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        from vllm.sampling_params import StructuredOutputsParams  # pyright: ignore[reportMissingImports]

        settings["structured_outputs"] = StructuredOutputsParams(json=form["json_schema"]["schema"])
    longest = body.get("max_completion_tokens") or body["max_tokens"]
    return SamplingParams(max_tokens=longest, seed=request["seed"], **settings)


def _reply(request: Mapping[str, Any], output: Any) -> dict[str, Any]:
    (written,) = output.outputs
    if written.finish_reason not in _ENDS:
        return _refused(request, 500, f"the reply ended for the reason {written.finish_reason!r}")
    read, wrote = len(output.prompt_token_ids), len(written.token_ids)
    body = {
        "id": request["custom_id"],
        "object": "chat.completion",
        "created": 0,
        "model": request["body"]["model"],
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": written.text, "refusal": None},
                "logprobs": None,
                "finish_reason": written.finish_reason,
            }
        ],
        "usage": {
            "prompt_tokens": read,
            "completion_tokens": wrote,
            "total_tokens": read + wrote,
            "prompt_tokens_details": {"cached_tokens": output.num_cached_tokens or 0},
        },
    }
    return {"custom_id": request["custom_id"], "status": 200, "body": body}


def _refused(request: Mapping[str, Any], status: int, why: str) -> dict[str, Any]:
    kind = "BadRequestError" if status == 400 else "InternalServerError"
    error = {"message": why, "type": kind, "param": None, "code": status}
    return {"custom_id": request["custom_id"], "status": status, "body": {"error": error}}


class RayWriter:
    """Works on jobs, round after round, with engines that stay. Two models take turns, as GPUs hold one of them."""

    def __init__(self, ray: Any, files: JobFiles, at_once: int = AT_ONCE) -> None:
        """`ray`: connected."""
        self._ray, self._files, self._at_once = ray, files, at_once
        self._engines: list[Any] = []
        self._holds = 0
        """GPUs of all engines."""
        self._loaded = ""

    def work(self, jobs: Sequence[str]) -> int:
        """Answer all requests of `jobs`; returns how many.

        Raises InputError for a model that no machine has the GPUs for, and what `Engine.load` raises.
        """
        kinds: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for job in jobs:
            for request in self._files.requests(job):
                engine = {"model": _found(request["body"]["model"]), "args": request["body"].pop("engine", {})}
                kinds[json.dumps(engine, sort_keys=True)].append(request)
        return sum(self._ask(engine, requests) for engine, requests in sorted(kinds.items()))

    def _ask(self, engine: str, requests: Sequence[dict[str, Any]]) -> int:
        self._load(engine)
        import ray.data

        size = min(self._at_once, ceil(len(requests) / len(self._engines)))
        batches = [
            {"turn": turn, "requests": json.dumps(requests[start : start + size])}
            for turn, start in enumerate(range(0, len(requests), size))
        ]
        task: Any = _ask_and_write  # Ray's types know no `fn_kwargs`
        ray.data.DataContext.get_current().enable_progress_bars = False
        written = ray.data.from_items(batches, override_num_blocks=len(batches)).map(
            task,
            fn_kwargs={"engines": self._engines, "url": self._files.url},
            num_cpus=0,  # they wait for engines
            # So that the next batch is there when an engine is ready for it.
            compute=ray.data.TaskPoolStrategy(size=2 * len(self._engines)),
        )
        return sum(row["replies"] for row in written.iter_rows())

    def _load(self, engine: str) -> None:
        if engine == self._loaded:
            return
        config = json.loads(engine)
        args = config["args"]
        need = int(args.get("tensor_parallel_size", 1)) * int(args.get("pipeline_parallel_size", 1))
        free = int(self._ray.available_resources().get("GPU", 0)) + self._holds
        count = max(1, min(free // need, self._fitting(config["model"], need)))
        for old in self._engines:
            self._ray.kill(old)
        actor = self._ray.remote(Engine).options(
            num_cpus=0, num_gpus=need, max_restarts=RETRIES, max_task_retries=RETRIES
        )
        self._engines = [actor.remote(config["model"], args) for _ in range(count)]
        self._holds = count * need
        self._ray.get([one.load.remote() for one in self._engines])
        self._loaded = engine

    def _fitting(self, model: str, need: int) -> int:
        """How many engines the cluster's machines could hold, each on one machine."""
        gpus = [int(node["Resources"].get("GPU", 0)) for node in self._ray.nodes() if node["Alive"]]
        fitting = sum(count // need for count in gpus)
        if not fitting:
            raise InputError(
                f"batch jobs with vllm/{model} need {need} GPU{'s' * (need != 1)} on one machine, and the machines of "
                f"the Ray cluster have {', '.join(map(str, gpus))}; start Ray where there are GPUs, name that cluster "
                "with compute.address, or write with a server (compute.writer_url)"
            )
        return fitting


def _ask_and_write(batch: dict[str, Any], *, engines: Sequence[Any], url: str) -> dict[str, Any]:
    """On some machine: one batch, from its engine to the storage."""
    import ray

    engine = engines[batch["turn"] % len(engines)]
    replies = ray.get(engine.answer.remote(json.loads(batch["requests"])))
    JobFiles(url).reply(replies)
    return {"replies": len(replies)}


def _found(model: str) -> str:
    """The Hub's name, or the folder as machines with another working directory know it."""
    return str(Path(model).resolve()) if Path(model).is_dir() else model
