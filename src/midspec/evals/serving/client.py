"""A served model as Inspect's, asked in the form it was trained on."""

from __future__ import annotations

from inspect_ai.model import GenerateConfig, Model, get_model

from midspec.evals.serving.endpoint import Endpoint
from midspec.train.chat import TEMPLATE_VARIABLES

CONNECTIONS = 64
"""Requests in flight to one server, which makes batches of them. (ours)"""
RETRIES = 5
"""Of a request. Inspect's default is for ever, also where the server has died."""
DEADLINE = 1800
"""Seconds for one answer."""
SERVICE = "midspec"
"""What stands between `openai-api/` and a served model's name in logs."""


def served_model(endpoint: Endpoint, name: str, *, thinking: bool) -> Model:
    """The model that the server calls `name`.

    The server gets the same variables for the chat template as training had, so that the prompt is the same text;
    `thinking` says whether the model is to think before it answers. Its thinking comes back as it wrote it: whether it
    is taken apart or stays in the answer is the evaluation's own setting.
    """
    variables = {**TEMPLATE_VARIABLES, "enable_thinking": thinking}
    return get_model(
        f"openai-api/{SERVICE}/{name}",
        base_url=endpoint.url,
        api_key=endpoint.key,
        memoize=False,
        config=GenerateConfig(
            extra_body={"chat_template_kwargs": variables},
            max_connections=CONNECTIONS,
            max_retries=RETRIES,
            attempt_timeout=DEADLINE,
        ),
    )
