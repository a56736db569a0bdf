"""A server with nothing wrong, shared by the tests of a module."""

from collections.abc import Iterator
from dataclasses import fields

import pytest

from tests.provider import ProviderServer
from tests.provider.sdk import Clients


@pytest.fixture(scope="module")
def running() -> Iterator[Clients]:
    with ProviderServer() as server:
        yield Clients(server)


@pytest.fixture
def clients(running: Clients) -> Iterator[Clients]:
    """What a test changes is put back."""
    before = running.server.engine.settings
    yield running
    running.server.change(**{field.name: getattr(before, field.name) for field in fields(before)})
