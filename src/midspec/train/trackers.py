"""Experiment trackers (W&B, TensorBoard, trackio) through Transformers' own reporting; nothing is sent unless asked."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
import uuid
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from midspec.config import Config
from midspec.errors import InputError, MissingDependencyError
from midspec.steps.step import Context
from midspec.train.distributed import here

PACKAGES = {"wandb": ("wandb",), "tensorboard": ("tensorboard", "tensorboardX"), "trackio": ("trackio",)}
"""Any of these serves; the first is the one to install."""

PROJECT = "midspec"
"""Under which W&B and trackio gather runs; W&B's own variable WANDB_PROJECT goes before."""

RUN_ID = "tracking-id"
"""Beside the resumable checkpoints: under which name W&B goes on with an interrupted run."""


class Tracked(Config):
    """A training step as trackers show it."""

    trackers: tuple[str, ...]
    name: str
    """Kind, name and fingerprint of the step."""
    group: str
    """Name of the recipe."""
    folder: str
    """For what TensorBoard and W&B write on this machine."""
    lineage: dict[str, Any]
    """The step's config, fingerprint and the folders of its input steps, by role."""


def tracked(context: Context) -> Tracked:
    """How the step of `context` is shown. Holds what decides its result, and neither addresses nor keys."""
    kind = "midtrain" if "corpus" in context.inputs else "finetune"
    return Tracked(
        trackers=context.compute.trackers if here().first else (),
        name=f"{kind}/{context.name}-{context.fingerprint}",
        group=context.spending.run,
        folder=str(context.workspace.resolve() / "tracking"),
        lineage={
            "fingerprint": context.fingerprint,
            "inputs": {role: folder.name for role, folder in context.inputs.items()},
            "config": context.config.model_dump(mode="json"),
        },
    )


def require(trackers: Sequence[str]) -> None:
    """Raise MissingDependencyError for a tracker that is not installed."""
    for tracker in trackers:
        packages = PACKAGES[tracker]
        if not any(importlib.util.find_spec(package) for package in packages):
            raise MissingDependencyError(
                f"compute.trackers names {tracker}, and the package {' or '.join(packages)} is not installed; "
                f"pip install {packages[0]}, or leave it out: metrics.jsonl has the same numbers"
            )


def settings(step: Tracked) -> dict[str, Any]:
    """What the Trainer is told about trackers."""
    if not step.trackers:
        return {"report_to": []}
    # trackio would otherwise publish a page on the Hub when training ends on a Space.
    return {
        "report_to": list(step.trackers),
        "run_name": step.name,
        "project": PROJECT,
        "trackio_static_space_id": False,
    }


@contextmanager
def opened(step: Tracked, resumable: Path) -> Generator[list[TrainerCallback]]:
    """Open the trackers for one training run; yields callbacks for the Trainer. All are closed at the end.

    `resumable`: the folder of the resumable checkpoints. Raises InputError where a tracker cannot be opened, e.g.
    because nobody is logged in.
    """
    with ExitStack() as stack:
        if step.trackers:
            # Trackers talk on standard output, which belongs to `--json`.
            stack.enter_context(redirect_stdout(sys.stderr))
        if "tensorboard" in step.trackers:
            stack.enter_context(_tensorboard(step))
        if "wandb" in step.trackers:
            stack.enter_context(_wandb(step, resumable))
        yield [_TrackioLineage(step)] if "trackio" in step.trackers else []


@contextmanager
def _tensorboard(step: Tracked) -> Generator[None]:
    folder = Path(step.folder) / "tensorboard" / step.name
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        SummaryWriter = importlib.import_module("tensorboardX").SummaryWriter  # noqa: N806
    with SummaryWriter(str(folder)) as writer:
        writer.add_text("midspec", f"```\n{json.dumps(step.lineage, indent=1)}\n```")
    kept = os.environ.get("TENSORBOARD_LOGGING_DIR")
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(folder)
    try:
        yield
    finally:
        if kept is None:
            del os.environ["TENSORBOARD_LOGGING_DIR"]
        else:
            os.environ["TENSORBOARD_LOGGING_DIR"] = kept


@contextmanager
def _wandb(step: Tracked, resumable: Path) -> Generator[None]:
    wandb = importlib.import_module("wandb")
    resumable.mkdir(parents=True, exist_ok=True)
    Path(step.folder).mkdir(parents=True, exist_ok=True)
    path = resumable / RUN_ID
    if not path.exists():
        path.write_text(uuid.uuid4().hex, encoding="utf-8")
    try:
        wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=step.name,
            group=step.group,
            id=path.read_text(encoding="utf-8"),
            resume="allow",
            dir=step.folder,
            config={"midspec": step.lineage},
            settings=wandb.Settings(console="off", silent=True, disable_code=True),
        )
    except wandb.Error as error:
        raise InputError(
            f"W&B cannot be opened: {error}; log in with `wandb login`, set WANDB_MODE=offline, or leave wandb out of "
            "compute.trackers"
        ) from error
    failed = True
    try:
        yield
        failed = False
    finally:
        # Transformers leaves it open, and the next step of this process would go on in it.
        wandb.finish(exit_code=int(failed))


class _TrackioLineage(TrainerCallback):
    """Adds where the step comes from to the run that Transformers has opened."""

    def __init__(self, step: Tracked) -> None:
        self._step = step

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """After Transformers' own callback."""
        importlib.import_module("trackio").config.update({"midspec": self._step.lineage, "group": self._step.group})
