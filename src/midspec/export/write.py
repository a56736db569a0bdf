"""One arm's training as a folder for another trainer, whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import torch

from midspec import __version__
from midspec.errors import InputError
from midspec.export.formats import FORMATS, INITIAL, Trainer, environment
from midspec.export.stages import Stage
from midspec.steps.store import explained
from midspec.train.weights import save_checkpoint, trainable_model


def write_export(stages: Sequence[Stage], trainer: Trainer, out: Path, *, recipe: str, arm: str, seed: int) -> None:
    """Write `stages` for `trainer` into the new folder `out`.

    Raises InputError for a folder that is not empty, and for Tinker where not an adapter but all weights train.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} exists and is not an empty folder; choose another --out or remove it")
    if trainer == "tinker" and any(stage.train.method == "full" for stage in stages):
        raise InputError("Tinker trains adapters only, and this recipe's method is full; expected method: lora")
    chosen = FORMATS[trainer]
    work = out.with_name(f".{out.name}.part")
    with explained(out.parent):
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        try:
            for stage in stages:
                (work / stage.folder).mkdir()
                chosen.write(stage, work / stage.folder)
            if trainer != "tinker" and stages[0].train.method == "lora":
                _initial(stages[0], work / INITIAL)
            text = environment().get_template("README.md.jinja").render(
                stages=stages, trainer=trainer, format=chosen, recipe=recipe, arm=arm, seed=seed, version=__version__,
                initial=INITIAL,
            )  # fmt: skip
            (work / "README.md").write_text(text, encoding="utf-8")
            if out.exists():
                out.rmdir()
            work.rename(out)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _initial(stage: Stage, folder: Path) -> None:
    """The adapter as it is before the first update."""
    model = trainable_model(stage.base, None, stage.train, stage.seed, torch.device("cpu"))
    save_checkpoint(model, folder, stage.model)
