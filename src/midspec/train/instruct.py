"""The instruction-tuning mix: which rows a source holds (by content, not by path), and a seeded draw from them."""

from __future__ import annotations

import importlib.util
import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from midspec.errors import InputError, MissingDependencyError, ModelUnavailableError
from midspec.experiment import Config, InstructConfig
from midspec.records import ChatExample, Message, short_hash
from midspec.train import cache, hub

UNRESOLVED = "unresolved"


class InstructRef(Config):
    """What decides the rows of one source of the mix."""

    name: str
    """Hub data set id, or `local-<hash>` for a user's file."""
    source: Literal["hub", "file"]
    revision: str
    """Hub commit, or SHA-256 of the file; `unresolved` where the Hub could not be asked."""
    split: str
    samples: int
    seed: int


def resolve_instruct(config: InstructConfig) -> InstructRef:
    """Which exact rows `config` means. Downloads nothing; notes where a local file lies.

    Raises InputError for a file that has fewer rows than asked for, or a name that is neither a file nor a Hub id.
    """
    path = Path(config.dataset)
    if path.is_file():
        with path.open("rb") as file:
            rows = sum(1 for line in file if line.strip())
        if rows < config.samples:
            raise InputError(
                f"instruct data {config.dataset!r} has {rows:,} rows, and samples asks for {config.samples:,}; lower "
                "samples or bring more data"
            )
        revision = cache.remembered_sha256(path)
        cache.write_json(_registry(revision), {"file": str(path.resolve())})
        return InstructRef(
            name=f"local-{revision[:12]}",
            source="file",
            revision=revision,
            split="train",
            samples=config.samples,
            seed=config.seed,
        )
    if config.dataset.endswith((".jsonl", ".json")) or config.dataset.startswith((".", "/", "~")):
        raise InputError(f"instruct data {config.dataset!r}: no such file; expected a JSONL file or a Hub data set id")
    repository, _, wanted = config.dataset.partition("@")
    commit = hub.commit(repository, wanted or "main", kind="dataset")
    return InstructRef(
        name=repository,
        source="hub",
        revision=commit or UNRESOLVED,
        split=config.split,
        samples=config.samples,
        seed=config.seed,
    )


def instruct_problem(ref: InstructRef) -> str | None:
    """Why a run would fail at this source on this machine, for `midspec plan`; None when nothing speaks against it."""
    if ref.source == "hub" and importlib.util.find_spec("datasets") is None:
        return f"instruct data {ref.name!r} comes from the Hub and needs the package datasets: pip install datasets"
    if ref.revision == UNRESOLVED:
        return f"instruct data {ref.name!r}: the Hub does not answer, so its commit is not known"
    return None


def load_instruct(ref: InstructRef) -> list[ChatExample]:
    """`ref.samples` rows drawn with `ref.seed`, in drawn order.

    Raises InputError where a row is not a chat or there are too few, ModelUnavailableError where the data is out of
    reach.
    """
    rows = list(_file_rows(ref) if ref.source == "file" else _hub_rows(ref))
    if len(rows) < ref.samples:
        raise InputError(
            f"instruct data {ref.name!r} has {len(rows):,} usable rows in split {ref.split!r}, and samples asks for "
            f"{ref.samples:,}; lower samples"
        )
    return random.Random(ref.seed).sample(rows, ref.samples)


def _file_rows(ref: InstructRef) -> Iterator[ChatExample]:
    try:
        path = Path(json.loads(_registry(ref.revision).read_text())["file"])
        changed = cache.remembered_sha256(path) != ref.revision
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelUnavailableError(
            f"instruct data with SHA-256 {ref.revision[:12]} is not known on this machine, or its file is gone; name "
            "the file in the recipe again and rerun"
        ) from error
    if changed:
        raise ModelUnavailableError(
            f"instruct data {str(path)!r} has changed since the run was planned; rerun the recipe"
        )
    with path.open(encoding="utf-8") as file:
        yield from parse_rows(((f"{path}, line {n}", line) for n, line in enumerate(file, 1) if line.strip()), ref.name)


def parse_rows(lines: Iterable[tuple[str, str]], source: str) -> Iterator[ChatExample]:
    """ChatExample rows, or `{"messages": [{"role", "content"}]}` objects, from (where, JSON line) pairs."""
    for where, line in lines:
        try:
            data = json.loads(line)
            if isinstance(data, dict) and "writer" in data:
                yield ChatExample.model_validate(data)
            else:
                yield _example(data["messages"], source)
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            raise InputError(
                f'{where}: not a chat ({_first_line(error)}); expected {{"messages": [{{"role": "user", "content": ...'
                '}, {"role": "assistant", ...}]} ending with an assistant turn, or a ChatExample row'
            ) from error


def _hub_rows(ref: InstructRef) -> Iterator[ChatExample]:
    if ref.revision == UNRESOLVED:
        raise ModelUnavailableError(
            f"instruct data {ref.name!r}: its commit is not known; connect to the Hub and rerun"
        )
    try:
        import datasets  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise MissingDependencyError(
            f"instruct data {ref.name!r} comes from the Hub and needs: pip install datasets"
        ) from error
    try:
        table: Any = datasets.load_dataset(ref.name, split=ref.split, revision=ref.revision)
    except Exception as error:  # datasets, Hub and HTTP errors have no common root
        raise ModelUnavailableError(
            f"instruct data {ref.name!r} (split {ref.split!r}) cannot be loaded: {_first_line(error)}; check the "
            "network and the name of the split, or give a local JSONL file"
        ) from error
    if "messages" not in table.column_names:
        raise InputError(
            f"instruct data {ref.name!r} has columns {', '.join(table.column_names)}; expected `messages`. Convert it "
            'to JSONL lines of {"messages": [...]} and name that file'
        )
    for messages in table["messages"]:
        if messages and messages[-1]["role"] == "assistant":
            yield _example(messages, ref.name)


def _example(messages: Any, source: str) -> ChatExample:
    turns = tuple(Message(role=turn["role"], content=turn["content"]) for turn in messages)
    return ChatExample(
        id=f"chat-{short_hash(source, [turn.model_dump() for turn in turns])}",
        messages=turns,
        source=source,
        kind="instruct",
        writer=source,
        seed=0,
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _registry(revision: str) -> Path:
    return cache.cache_root() / "folders" / f"{revision[:32]}.json"
