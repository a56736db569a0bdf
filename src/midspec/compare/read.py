"""Read a reference: the packaged figures of the paper, or a file of the user's own."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from midspec.compare.reference import Reference
from midspec.errors import InputError

PAPER = "paper"
"""Name of the packaged reference."""
_HEAD = "paper.yaml"
"""The file of the folder that names the reference; the others add to its lists."""


@cache
def paper() -> Reference:
    """The figures of arXiv 2605.02087 as far as they are known, from `data/paper/`."""
    folder = files("midspec").joinpath("data", "paper")
    texts = {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir() if file.name.endswith(".yaml")}
    merged: dict[str, Any] = yaml.safe_load(texts.pop(_HEAD))
    for name in sorted(texts):
        for key, entries in yaml.safe_load(texts[name]).items():
            merged[key] = [*merged.get(key, []), *entries]
    return Reference.model_validate(merged)


def read_reference(path: Path) -> Reference:
    """A reference file. Raises InputError naming file, line, key, value and what is expected."""
    from midspec.recipe import describe

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise InputError(
            f"reference {str(path)!r} cannot be read: {reason}; expected `{PAPER}`, a YAML file "
            "(write one with: midspec compare RUN --template), or another run"
        ) from error
    try:
        data, tree = yaml.safe_load(text), yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise InputError(f"reference {str(path)!r} is not YAML: {error}") from error
    if not isinstance(data, dict):
        raise InputError(
            f"reference {str(path)!r} holds {type(data).__name__}; expected keys and values, as in: "
            "midspec compare RUN --template"
        )
    try:
        return Reference.model_validate(data)
    except ValidationError as error:
        lines = [
            f"  line {line_of(tree, problem['loc'])}: {describe(problem, Reference)}" for problem in error.errors()
        ]
        raise InputError("\n".join([f"reference {str(path)!r} has {len(lines)} problem(s):", *lines])) from error


def line_of(tree: yaml.Node | None, location: tuple[Any, ...]) -> int:
    """Line, from 1, on which the key or entry at `location` begins; of its nearest parent where it is missing."""
    line = 1
    for part in location:
        if isinstance(tree, yaml.MappingNode):
            found = next((pair for pair in tree.value if pair[0].value == part), None)
            if found is None:
                break
            line, tree = found[0].start_mark.line + 1, found[1]
        elif isinstance(tree, yaml.SequenceNode) and isinstance(part, int) and part < len(tree.value):
            entry: yaml.Node = tree.value[part]
            line, tree = entry.start_mark.line + 1, entry
        else:
            break
    return line
