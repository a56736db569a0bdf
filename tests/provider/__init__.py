"""A provider for tests and benchmarks: Anthropic's Messages and OpenAI's Chat Completions on 127.0.0.1, with a ledger.

In a test: `with ProviderServer(Script(...), faults={"cut": 0.1}) as server:`, then give `server.url` (`anthropic`) or
`server.openai_url` (`openai`) and any key to an SDK or to Inspect. `python -m tests.provider --help` is the same as a
process.
"""

from tests.provider.answers import Script
from tests.provider.faults import Faults
from tests.provider.latency import Latency
from tests.provider.ledger import Entry, Ledger, Price
from tests.provider.process import ProviderProcess
from tests.provider.request import Request
from tests.provider.server import KEY, ProviderServer

__all__ = [
    "KEY",
    "Entry",
    "Faults",
    "Latency",
    "Ledger",
    "Price",
    "ProviderProcess",
    "ProviderServer",
    "Request",
    "Script",
]
