"""The GPU that hours are counted in, and how much of its peak is reached; `gpu.yaml` in the workspace names another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, model_validator

from midspec.errors import InputError
from midspec.stages import Config

PEAKS = {
    "H100": 989e12,
    "H200": 989e12,
    "B200": 2250e12,
    "A100": 312e12,
    "L40S": 362e12,
    "RTX 4090": 165e12,
}
"""Floating-point operations per second in bfloat16, dense, of the SXM form where there is one (data sheets)."""
FILE = "gpu.yaml"


class Card(Config):
    """A card. In `gpu.yaml`: `{name: A100, training: 0.35}`."""

    name: str = "H100"
    """One of PEAKS, or any with a `peak`."""
    peak: float = Field(default=PEAKS["H100"], gt=0)
    """Operations per second in bfloat16 without sparsity."""
    training: float = Field(default=0.4, gt=0, le=1)
    """Part of the peak that training and reading reach (MFU). (ours: 35-50% is usual for dense models of 7B to 70B)"""
    generation: float = Field(default=0.05, gt=0, le=1)
    """Part of the peak that writing token by token reaches, in batches: memory is what it waits for. (ours)"""

    @model_validator(mode="before")
    @classmethod
    def _peak_of_name(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "peak" in data or "name" not in data:
            return data
        if data["name"] not in PEAKS:
            raise ValueError(f"the peak of {data['name']!r} is not known; add peak, or name one of {', '.join(PEAKS)}")
        return {**data, "peak": PEAKS[data["name"]]}

    @property
    def told(self) -> str:
        """The card and what is assumed of it, for people."""
        return (
            f"one {self.name} at {self.peak / 1e12:,.0f} TFLOP/s (bf16, dense), {self.training:.0%} of it in training "
            f"and reading, {self.generation:.0%} in writing"
        )


def load_card(workspace: Path) -> Card:
    """The card of the workspace's `gpu.yaml`, else an H100. Raises InputError for a file that names none."""
    file = workspace / FILE
    if not file.is_file():
        return Card()
    try:
        return Card.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{file} cannot be read ({error}); expected YAML such as {{name: A100}}") from error
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "gpu"
        raise InputError(
            f"{file}: {where}: {problem['msg']}; expected name ({', '.join(PEAKS)}), peak, training, generation"
        ) from error
