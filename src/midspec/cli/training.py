"""`midspec train midtrain | finetune`: the training stages outside a recipe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from midspec.cli.options import json_option, make_and_copy, workspace_option

if TYPE_CHECKING:
    from midspec.experiment import TrainConfig
    from midspec.steps.step import Step
    from midspec.train.config import Replay

F = TypeVar("F", bound=Callable[..., Any])


@click.group()
def train() -> None:
    """Midtrain and fine-tune outside a recipe."""


def _training_options(command: F) -> F:
    for option in (
        click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="E.g. --set learning_rate=1e-3."),
        click.option("--seed", type=int, default=0, show_default=True),
        click.option("--chat-template", type=click.Choice(["chatml"]), help="For base models without a chat format."),
        click.option("--out", type=click.Path(path_type=Path), required=True, help="New folder for the result."),
        click.option("--model", required=True, help="Hub id, local folder or bundled name."),
        workspace_option,
        json_option,
    ):
        command = option(command)
    return command


@train.command("midtrain")
@click.option("--corpus", type=click.Path(path_type=Path), required=True, help="JSONL of documents.")
@click.option("--replay", type=click.Path(path_type=Path), help="General text to mix in: JSONL with a `text` per row.")
@click.option("--replay-share", type=float, help="Share of the tokens that come from it, between 0 and 1.")
@_training_options
def midtrain(
    corpus: Path, replay: Path | None, replay_share: float | None, model: str, out: Path, seed: int,
    chat_template: Literal["chatml"] | None, overrides: tuple[str, ...], workspace: Path, as_json: bool,
) -> None:  # fmt: skip
    """Train MODEL on a corpus by next-token prediction, all tokens.

    With --replay, text of that file comes on top of the corpus until it is --replay-share of all tokens.
    """
    from midspec.steps.imported import import_step
    from midspec.train.config import midtrain_step
    from midspec.train.models import resolve

    source = import_step("import", "corpus", corpus, "documents.jsonl")
    train, mixed_in = _train_config(overrides), _replay(replay, replay_share)
    step = midtrain_step("by-hand", resolve(model, chat_template), train, seed, source, replay=mixed_in)
    make_and_copy(step, workspace, out, as_json)


@train.command("finetune")
@click.option("--demonstrations", type=click.Path(path_type=Path), required=True, help="JSONL of chat examples.")
@click.option("--parent", type=click.Path(path_type=Path), help="Result of `midtrain` to continue.")
@_training_options
def finetune(
    demonstrations: Path, parent: Path | None, model: str, out: Path, seed: int,
    chat_template: Literal["chatml"] | None, overrides: tuple[str, ...], workspace: Path, as_json: bool,
) -> None:  # fmt: skip
    """Train on demonstrations, assistant tokens only, continuing the parent's adapter."""
    from midspec.steps.imported import import_step
    from midspec.train.config import finetune_step
    from midspec.train.models import resolve

    data = import_step("import", "demonstrations", demonstrations, "demonstrations.jsonl")
    before = import_step("import", "parent", checkpoint_folder(parent), "checkpoint") if parent else None
    ref = resolve(model, chat_template)
    step = finetune_step("by-hand", ref, _train_config(overrides), seed, before, data, None)
    make_and_copy(step, workspace, out, as_json)


def checkpoint_folder(folder: Path) -> Path:
    """The weights inside a training result, or `folder` itself where it holds them directly."""
    from midspec.errors import InputError

    inner = folder / "checkpoint" if (folder / "checkpoint").is_dir() else folder
    if not any((inner / name).is_file() for name in ("adapter_model.safetensors", "model.safetensors")):
        raise InputError(
            f"{folder} holds no adapter_model.safetensors or model.safetensors; expected what `midspec train` wrote"
        )
    return inner


def checkpoint_step(checkpoint: Path | None) -> Step | None:
    """The trained weights in `checkpoint` as an input of an evaluation; None where there are none."""
    if checkpoint is None:
        return None
    from midspec.steps.imported import import_step

    return import_step("import", "checkpoint", checkpoint_folder(checkpoint), "checkpoint")


def _replay(file: Path | None, share: float | None) -> Replay | None:
    if file is None and share is None:
        return None
    from midspec.corpus.given import given_neutral_step
    from midspec.errors import InputError
    from midspec.recipe import validated
    from midspec.stages import REPLAY, ReplayConfig
    from midspec.train.config import Replay

    if file is None or share is None:
        raise InputError("one of --replay and --replay-share is missing; expected both or neither")
    asked = validated(ReplayConfig, file=str(file), share=share)
    return Replay(given_neutral_step(REPLAY, asked.file), asked.share)


def _train_config(overrides: tuple[str, ...]) -> TrainConfig:
    from midspec.experiment import TrainConfig
    from midspec.recipe import parse_override, validated

    values: dict[str, Any] = {}
    for override in overrides:
        values.update(parse_override(override))
    return validated(TrainConfig, **values)
