"""Which models have a batch mode that midspec knows, told without any provider's SDK."""

from __future__ import annotations

BATCH_PROVIDERS = ("anthropic", "openai")
VLLM = "vllm"
"""Models on GPUs of one's own: their batch jobs are done by a Ray cluster (`batch_ray`)."""


def has_batch(model: str) -> bool:
    """Whether the requests of an Inspect AI model name can travel in batch jobs."""
    name, _, rest = model.partition("/")
    if name == VLLM:
        return bool(rest)  # a name on the Hub, or a folder
    # `anthropic/bedrock/...`, `openai/azure/...` are other services with other batch APIs.
    return name in BATCH_PROVIDERS and bool(rest) and "/" not in rest
