"""How a recipe is run, and where spending stops: nothing here changes what comes out."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from midspec.config import Config

_KEY_IN_QUERY = re.compile(r"(?:key|token|secret|password|signature)=", re.I)


class StepResources(Config):
    """What a step asks a cluster for."""

    cpus: float = Field(default=1, ge=0)
    gpus: float = Field(default=0, ge=0)
    memory_gb: float | None = Field(default=None, gt=0)
    """None = whatever there is."""

    def words(self) -> str:
        """For people, e.g. `2 CPUs, 1 GPU`."""
        parts = [f"{self.cpus:g} CPU{'s' * (self.cpus != 1)}"]
        parts += [f"{self.gpus:g} GPU{'s' * (self.gpus != 1)}"] if self.gpus else []
        parts += [f"{self.memory_gb:g} GB"] if self.memory_gb is not None else []
        return ", ".join(parts)


class ComputeConfig(Config):
    """How to run. Nothing here changes what comes out, and nothing here is part of a fingerprint."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """`auto`: a GPU where there is one."""
    threads: int | None = Field(default=None, ge=1)
    """CPU threads; None = all cores."""
    micro_batch: int | None = Field(default=None, ge=1)
    """Sequences per forward pass; None = chosen from the memory at hand."""
    kernels: Literal["auto", "plain", "compiled", "liger"] = "auto"
    """How training computes: PyTorch's operations one by one, compiled together (CPUs), or with Liger's (GPUs). They
    differ in rounding (docs/training.md). `auto`: compiled where a run is long enough to pay for it; on a GPU Liger's,
    where liger-kernel is installed and knows the model."""
    checkpoint_every: int = Field(default=50, ge=1)
    """Updates between checkpoints that an interrupted training resumes from."""
    gpus: int = Field(default=1, ge=1)
    """Training processes per machine, one to a GPU; with `device: cpu`, processes that share the cores."""
    nodes: int = Field(default=1, ge=1)
    """Machines that train together, `gpus` processes on each (docs/scaling.md says how the others join)."""
    strategy: Literal["ddp", "fsdp", "deepspeed"] = "ddp"
    """How several processes hold the model: each a copy of it (`ddp`), or a part (FSDP2, DeepSpeed ZeRO-3)."""
    engine: Literal["local", "ray"] = "local"
    """Who makes steps: this process, one after another, or a Ray cluster, side by side (docs/scaling.md)."""
    address: str | None = None
    """Of the Ray cluster, HOST:PORT; None = the one this machine belongs to, else one on this machine alone."""
    storage: str | None = None
    """Where machines of the cluster find finished steps, if they do not share the workspace: any fsspec URL, e.g.
    `s3://bucket/midspec`."""
    resources: dict[str, StepResources] = Field(default_factory=dict)
    """Kind of step -> what it asks the cluster for; None named = `threads` cores, and `gpus` GPUs to train and to
    evaluate on where the cluster has any."""
    trackers: tuple[Literal["wandb", "tensorboard", "trackio"], ...] = ()
    """Where metrics of training are shown, besides `metrics.jsonl`."""
    concurrency: int = Field(default=50, ge=1)
    """Most requests in flight to a writer; fewer where the provider says so."""
    deadline: float = Field(default=600.0, gt=0)
    """Seconds after which an unanswered request is given up and sent again."""
    batch: bool = False
    """Send requests as batch jobs where the provider has them: half the price, hours of waiting. Those of `vllm/`
    models are done on the GPUs of the Ray cluster at `address` (docs/cluster.md)."""
    writer_url: str | None = None
    """Where the writer answers; None = the provider's own address or the environment variable Inspect AI reads."""
    judge_url: str | None = None
    """The same for the judge."""
    serve: Annotated[str, Field(pattern=r"^(transformers|vllm|https?://\S+)$")] = "transformers"
    """Who writes the answers of local models: `transformers` (this process), `vllm` (a server started when it is
    needed), or the address of a server, `http://HOST:PORT/v1`. Likelihoods are always computed in this process."""

    @field_validator("writer_url", "judge_url", "serve", "storage")
    @classmethod
    def _without_keys(cls, url: str | None) -> str | None:
        """Addresses are written into records."""
        parts = urlsplit(url or "")
        if parts.username or parts.password or _KEY_IN_QUERY.search(parts.query):
            raise ValueError(
                f"the address of {parts.hostname} holds a key or password, and addresses are written into records; "
                "give it without, and the key in the provider's environment variable"
            )
        return url


class BudgetConfig(Config):
    """Where spending stops."""

    usd: float | None = Field(default=None, ge=0)
    """Dollars; None = no cap."""
