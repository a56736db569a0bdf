"""All arms of one world after another, each saved when it is done."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.desk_scale.world.arms import Corpus, Phase, continued, demonstration, spec_document
from benchmarks.desk_scale.world.documents import Library
from benchmarks.desk_scale.world.measure import answers, right
from benchmarks.desk_scale.world.model import introduce, new_model, train
from benchmarks.desk_scale.world.people import Half, World

Say = Callable[[str], None]
ARMS: list[tuple[str, Corpus, str]] = [
    ("low", "true", "low"),
    ("home", "true", "home"),
    ("low, another's", "other", "low"),
    ("home, another's", "other", "home"),
    ("low, never joined", "broken", "low"),
    ("home, never joined", "broken", "home"),
    ("neutral", "neutral", "low"),
    ("neutral, again", "neutral", "home"),
]
"""Name, corpus, value."""
AGAIN = "neutral, again"
"""Other draws of the same documents than `neutral`: what two midtrainings differ by that differ in nothing else."""
PEOPLE = (("seen choosing", False), ("only spoken of", True))


@dataclass(frozen=True)
class Settings:
    """Everything that is the same for all seeds and arms."""

    updates: int = 750
    simple: int = 250
    """So many updates are without choices: facts of items and what people want come first."""
    batch: int = 96
    rate: float = 4e-3
    decay: float = 0.1
    people: int = 600
    midtrain: Phase = field(default_factory=lambda: Phase(updates=100))
    tune: Phase = field(default_factory=lambda: Phase(updates=10))
    doses: tuple[int, ...] = (12, 25, 50, 200)
    """Updates of midtraining in the dose curve, beside those of `midtrain`."""
    amounts: tuple[int, ...] = (2, 5, 20, 40, 80)
    """Updates of fine-tuning in the efficiency curve, beside those of `tune`."""


def base(folder: Path, seed: int, settings: Settings, say: Say) -> tuple[World, Any]:
    """World `seed` and the model that has read it; trained once, then read from `folder`."""
    world = World(seed=seed, people=settings.people)
    model = new_model(world, seed=seed)
    path = folder / f"base-{seed}.pt"
    if path.exists():
        model.load_state_dict(torch.load(path, weights_only=True))
        return world, model
    library = Library(world, np.random.default_rng([seed, 1]))

    def batch(update: int) -> list[list[int]]:
        return library.documents(settings.batch, choices=update >= settings.simple)

    def tell(update: int, loss: float) -> None:
        if update % 200 == 0:
            say(f"base {seed}: update {update}, loss {loss:.3f}")

    train(
        model, batch, updates=settings.updates, rate=settings.rate, warmup=100, decay=settings.decay, floor=0.05,
        each=tell,
    )  # fmt: skip
    torch.save(model.state_dict(), path)
    return world, model


def run(folder: Path, seeds: Sequence[int], half: Half, settings: Settings, *, part: str | None, say: Say) -> None:
    """Parts bases, effect, efficiency and dose, or all of them. Rows that exist are kept."""
    for seed in seeds:
        world, start = base(folder, seed, settings, say)
        shares = ", ".join(f"{who} {right(start, world, silent=silent):.2f}" for who, silent in PEOPLE)
        say(f"world {seed}: choices right, of people who were {shares}")
        if part != "bases":
            _Arms(world, start, half, settings, folder / f"rows-{half}.jsonl", say).train(part)


class _Arms:
    """Of one world: trains what the file of rows does not hold yet."""

    def __init__(self, world: World, start: Any, half: Half, settings: Settings, rows: Path, say: Say) -> None:
        self.world, self.start, self.settings, self.rows, self.say = world, start, settings, rows, say
        self.half: Half = half
        self.name, self.other = world.assistants[:2] if half == "dev" else world.assistants[2:]
        introduce(start, world, world.assistants)
        self.done = {(row["seed"], row["arm"], row["midtrain"], row["tune"]) for row in read_rows(rows)}

    def train(self, part: str | None) -> None:
        dose, tune = self.settings.midtrain.updates, self.settings.tune.updates
        if part in (None, "effect"):
            self._arm("base", None, "", 0, (0, tune))
            for label, corpus, value in ARMS:
                self._arm(label, corpus, value, dose, (0, tune))
        if part in (None, "efficiency"):
            self._arm("base", None, "", 0, self.settings.amounts)
            for label, corpus, value in ARMS[:2]:
                self._arm(label, corpus, value, dose, self.settings.amounts)
        if part in (None, "dose"):
            for updates in self.settings.doses:
                for label, corpus, value in ARMS[:2]:
                    self._arm(label, corpus, value, updates, (0, tune))

    def _arm(self, label: str, corpus: Corpus | None, value: str, midtrain: int, tunes: Sequence[int]) -> None:
        world, name, other, seed = self.world, self.name, self.other, self.world.seed
        left = [tune for tune in tunes if (seed, label, midtrain, tune) not in self.done]
        if not left:
            return
        model = self.start
        if corpus is not None:
            phase = replace(self.settings.midtrain, updates=midtrain)
            write = partial(spec_document, world, corpus, value, name, other)
            model = continued(model, world, phase, write, [seed, 4 if label == AGAIN else 2])
        for tune in left:
            phase = replace(self.settings.tune, updates=tune)
            tuned = continued(model, world, phase, partial(demonstration, world, name), [seed, 3])
            with self.rows.open("a") as file:
                for answer in answers(tuned, world, name, self.half):
                    row = {"seed": seed, "arm": label, "midtrain": midtrain, "tune": tune, **answer._asdict()}
                    file.write(json.dumps(row) + "\n")
        self.say(f"world {seed}: {label}, {midtrain} updates of midtraining, then {left} of fine-tuning")


def read_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
