"""`python -m tests.provider`: the provider in the foreground; prints its URL on the first line."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from typing import Any

from tests.provider.faults import KINDS, Faults
from tests.provider.ledger import DEFAULT_PRICES, Price
from tests.provider.server import ProviderServer


def options(arguments: list[str]) -> dict[str, Any]:
    """The keyword arguments of the server."""
    p = argparse.ArgumentParser(prog="python -m tests.provider", description=__doc__)
    p.add_argument("--port", type=int, default=0, help="0: any free one")
    p.add_argument("--ledger", help="file to append to; default: a temporary one")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--faults", default="{}", help=f"JSON table of probabilities; kinds: {', '.join(KINDS)}")
    p.add_argument("--hint-seconds", type=float, default=0.05, help="wait that a 429 fault asks for")
    p.add_argument("--slow-start-seconds", type=float, default=30.0)
    p.add_argument("--latency", default="0", help="SECONDS, constant:SECONDS or lognormal:MEDIAN:SIGMA")
    p.add_argument("--concurrency", type=int, help="requests answered at once")
    p.add_argument("--overflow", choices=["reject", "queue"], default="reject", help="what happens to one more")
    p.add_argument("--requests-per-minute", type=float)
    p.add_argument("--burst", type=float)
    p.add_argument("--spend-limit", type=float, help="dollars")
    p.add_argument("--spend-error", choices=["credit", "permission", "enforced"], default="credit")
    p.add_argument("--batch-seconds", type=float, default=0.2)
    p.add_argument("--cache-minimum", type=int, default=1024, help="tokens")
    p.add_argument("--cache-ttl", type=float, default=300.0, help="seconds")
    p.add_argument("--prices", help='JSON: {"model prefix": [dollars per million in, out, ...]}')
    p.add_argument("--answers", help="module:attribute of an async function from Request to text")
    values = vars(p.parse_args(arguments))
    values["faults"] = Faults(
        probabilities=json.loads(values["faults"]),
        seed=values["seed"],
        hint_seconds=values.pop("hint_seconds"),
        slow_start_seconds=values.pop("slow_start_seconds"),
    )
    prices = values.pop("prices")
    if prices:
        values["prices"] = DEFAULT_PRICES | {name: Price(*price) for name, price in json.loads(prices).items()}
    answers = values.pop("answers")
    if answers:
        module, _, name = answers.partition(":")
        values["answer"] = getattr(importlib.import_module(module), name)
    return values


def main(arguments: list[str]) -> None:
    """Serve until a signal."""
    server = ProviderServer(**options(arguments))
    print(server.url, flush=True)
    server.serve()


if __name__ == "__main__":
    main(sys.argv[1:])
