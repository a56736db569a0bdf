"""A client in a process of its own, to be killed: `python asking_process.py WORKSPACE URL MODEL COUNT [JSON]`.

Prints what went wrong as the command line does, and ends with the error's exit status.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from asking import ask_for, context

import midspec.llm.client as client
from midspec.errors import MidspecError


def main(workspace: str, url: str, model: str, count: str, options: str = "{}") -> int:
    settings: dict[str, Any] = json.loads(options)
    client._FIRST_WAIT, client._LONGEST_WAIT = 0.01, 0.1
    at = context(Path(workspace), SimpleNamespace(url=url, openai_url=url), model, **settings)  # type: ignore[arg-type]
    at.progress.line = lambda text: print(text, flush=True)
    try:
        texts, _, errors = ask_for(at, model, int(count))
    except MidspecError as error:
        print(f"Error: {error}", file=sys.stderr, flush=True)
        return error.exit_status
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr, flush=True)
        return 130
    print(json.dumps({"texts": len(texts), "errors": len(errors)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
