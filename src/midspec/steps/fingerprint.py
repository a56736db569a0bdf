"""The fingerprint of a step: a hash of everything that decides its result and of nothing else."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from enum import Enum
from typing import Any

from pydantic import BaseModel

LENGTH = 16
"""Hex digits kept: 64 bits, so a clash among a million steps has odds of about 1 in 40 million."""


def stable(value: Any, where: str = "config") -> Any:
    """`value` as plain JSON data that is the same in every process.

    Raises TypeError for what has no stable form (functions, paths, sets, objects, NaN): `str()` of such a value would
    change from run to run, or hide a change.
    """
    match value:
        case None | bool() | int() | str():
            return value.value if isinstance(value, Enum) else value
        case float():
            if not math.isfinite(value):
                raise TypeError(f"{where}: {value} has no stable form; use None or a finite number")
            # 1e-4 and 0.0001 are one number, and so are 4 and 4.0 in a recipe.
            return int(value) if value.is_integer() and abs(value) < 2**53 else value
        case Enum():
            return stable(value.value, where)
        case BaseModel():
            return {name: stable(getattr(value, name), f"{where}.{name}") for name in type(value).model_fields}
        case list() | tuple():
            return [stable(item, f"{where}[{index}]") for index, item in enumerate(value)]
        case Mapping():
            for key in value:
                if not isinstance(key, str):
                    raise TypeError(f"{where}: key {key!r} is not a string")
            return {key: stable(value[key], f"{where}.{key}") for key in sorted(value)}
        case _:
            raise TypeError(
                f"{where}: {type(value).__name__} has no stable form; put plain values into a step's config"
            )


def fingerprint(*, kind: str, version: int, config: Any, inputs: Mapping[str, str]) -> str:
    """First LENGTH hex digits of the SHA-256 over kind, code version, config and the fingerprints of the inputs."""
    content = {"kind": kind, "version": version, "config": stable(config), "inputs": dict(sorted(inputs.items()))}
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]
