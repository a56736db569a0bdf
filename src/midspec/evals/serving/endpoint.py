"""A server that speaks the OpenAI API: is it there, what does it serve, and one more adapter please."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from midspec.errors import InputError, ProviderError
from midspec.evals.serving.adapters import Adapter

TIMEOUT = 10.0
"""Seconds for a question about the server itself."""
LOADING = 120.0
"""Seconds for reading an adapter."""
NO_KEY = "none"
"""Sent to servers that ask for no key."""


@dataclass(frozen=True)
class Endpoint:
    """Where a server answers."""

    url: str
    """Ends in `/v1`."""
    key: str = field(default=NO_KEY, repr=False)

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise InputError(f"{self.url!r} is no address of a server; expected http://HOST:PORT/v1")

    def answers(self) -> bool:
        """Whether it takes requests now."""
        try:
            self.models()
        except ProviderError:
            return False
        return True

    def models(self) -> list[str]:
        """Names of the models it serves, adapters among them. Raises ProviderError where it does not say."""
        listed = self._asked("GET", "/models")
        try:
            return [str(model["id"]) for model in listed["data"]]
        except (KeyError, TypeError) as error:
            raise ProviderError(
                f"{self.url}/models does not list models; expected an OpenAI-compatible server"
            ) from error

    def load(self, adapter: Adapter) -> None:
        """Have vLLM read an adapter from its folder, which must be there on the server's machine too.

        Raises ProviderError with what the server says, e.g. that it allows no new adapters.
        """
        self._asked(
            "POST", "/load_lora_adapter", {"lora_name": adapter.name, "lora_path": str(adapter.folder)}, LOADING
        )

    def _asked(self, method: str, path: str, body: dict[str, Any] | None = None, timeout: float = TIMEOUT) -> Any:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        try:
            with urlopen(Request(self.url + path, data, headers, method=method), timeout=timeout) as response:
                text = response.read().decode("utf-8", errors="replace")
        except HTTPError as error:
            said = error.read().decode("utf-8", errors="replace")[:500]
            raise ProviderError(f"{self.url}{path} answers {error.code}: {said}") from error
        except (URLError, OSError, ValueError) as error:
            raise ProviderError(f"{self.url}{path} cannot be asked: {error}") from error
        try:
            return json.loads(text)
        except ValueError:
            return text  # vLLM says "Success: ..." in plain words


def base_name(endpoint: Endpoint, wanted: str) -> str:
    """The server's name for the base model `wanted`. Raises InputError where it serves no model of that name."""
    served = endpoint.models()
    if wanted in served:
        return wanted
    raise InputError(
        f"the server at {endpoint.url} does not serve {wanted!r}, but {', '.join(served) or 'nothing'}; start it with "
        f"`midspec serve {wanted}`, or with --served-model-name {wanted}"
    )


def adapter_name(endpoint: Endpoint, adapter: Adapter) -> str:
    """The server's name for these very weights; loaded now where it does not have them yet.

    Raises InputError where it neither has them nor takes them.
    """
    for name in endpoint.models():
        if adapter.is_called(name):
            return name
    try:
        endpoint.load(adapter)
    except ProviderError as error:
        raise InputError(
            f"the server at {endpoint.url} does not serve the adapter {adapter.name} and does not take it ({error}); "
            f"start it with `midspec serve MODEL --adapter {adapter.folder}`"
        ) from error
    if adapter.name not in endpoint.models():
        raise InputError(f"the server at {endpoint.url} took the adapter {adapter.name} and does not list it")
    return adapter.name
