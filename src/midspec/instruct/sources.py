"""Which exact rows a source of the mix means: by content and by commit, never by path."""

from __future__ import annotations

import hashlib
import importlib.util
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Literal

from midspec import hub
from midspec.errors import InputError
from midspec.experiment import Config, InstructConfig
from midspec.steps.imported import ImportConfig, import_step
from midspec.steps.step import Step

PACKAGED = "packaged"
"""The data set that comes with the package."""
UNRESOLVED = "unresolved"
FORMATS = (".jsonl", ".json", ".parquet")
_HUB_ID = re.compile(r"^[\w.-]+/[\w.-]+(@[\w./-]+)?$")


class InstructRef(Config):
    """What decides the rows of one source."""

    name: str
    """Hub data set id, `packaged`, or `local-<hash>` for a user's file."""
    source: Literal["packaged", "hub", "file"]
    revision: str
    """Hub commit, or SHA-256 of the content; `unresolved` where the Hub could not be asked."""
    subset: str | None = None
    split: str = "train"
    samples: int
    max_words: int | None = None
    judged: bool = False
    seed: int = 0


def packaged_file() -> Path:
    """The rows that come with the package."""
    return Path(str(files("midspec"))) / "data" / "instruct" / "packaged.jsonl"


def resolve(sources: Sequence[InstructConfig]) -> tuple[tuple[InstructRef, ...], dict[str, Step]]:
    """What `sources` mean, and the steps that bring users' files into the store, by role (`source-0`, ...).

    Downloads nothing. Raises InputError for a name that is neither a file nor `packaged` nor a Hub id.
    """
    refs: list[InstructRef] = []
    imports: dict[str, Step] = {}
    for number, config in enumerate(sources):
        path = Path(config.dataset).expanduser()
        if config.dataset == PACKAGED:
            ref = _ref(config, PACKAGED, "packaged", hashlib.sha256(packaged_file().read_bytes()).hexdigest())
        elif path.is_file():
            if path.suffix not in FORMATS:
                raise InputError(
                    f"instruct data {config.dataset!r}: unknown format {path.suffix!r}; expected {', '.join(FORMATS)}"
                )
            step = import_step("import", "instruct", path, f"rows{path.suffix}")
            imports[f"source-{number}"] = step
            assert isinstance(step.config, ImportConfig)
            ref = _ref(config, f"local-{step.config.sha256[:12]}", "file", step.config.sha256)
        elif _HUB_ID.match(config.dataset) and path.suffix not in FORMATS:
            name, _, wanted = config.dataset.partition("@")
            ref = _ref(config, name, "hub", hub.commit(name, wanted or "main", kind="dataset") or UNRESOLVED)
        else:
            raise InputError(
                f"instruct data {config.dataset!r}: no such file, and no Hub data set id; expected 'packaged', a JSONL "
                "or Parquet file, or an id such as HuggingFaceH4/no_robots"
            )
        refs.append(ref)
    return tuple(refs), imports


def _ref(config: InstructConfig, name: str, source: Literal["packaged", "hub", "file"], revision: str) -> InstructRef:
    return InstructRef(
        name=name,
        source=source,
        revision=revision,
        subset=config.subset,
        split=config.split,
        samples=config.samples,
        max_words=config.max_words,
        judged=config.judged,
        seed=config.seed,
    )


def problem(ref: InstructRef) -> str | None:
    """Why a run would fail at this source on this machine, for `midspec plan`; None when nothing speaks against it."""
    if ref.source == "hub" and importlib.util.find_spec("datasets") is None:
        return f"instruct data {ref.name!r} comes from the Hub and needs the package datasets: {INSTALL}"
    if ref.revision == UNRESOLVED:
        return f"instruct data {ref.name!r}: the Hub does not answer, so its commit is not known"
    return None


INSTALL = "pip install 'midspec[hub]'"
