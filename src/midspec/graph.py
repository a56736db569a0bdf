"""A pipeline drawn as a tree: each model, what it is trained on, and the arms that end there. Pure functions.

Seeds are one branch, evaluations are not drawn: every arm has them all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from midspec.pipeline import Pipeline
from midspec.steps.step import Step
from midspec.train.config import REPLAY_ROLE

DATA = ("import", "corpus", "demonstrations", "instruct", "match")
"""Kinds of steps that training reads."""


@dataclass
class _Branch:
    """Training steps of all seeds that continue one another's parents."""

    steps: Sequence[Step]
    arms: list[str] = field(default_factory=list)
    branches: dict[tuple[str, ...], _Branch] = field(default_factory=dict)


def draw(flow: Pipeline, states: Mapping[str, str], users: Mapping[str, Sequence[str]]) -> list[str]:
    """Lines of text: the data with how many arms use them, then a tree for each model.

    `states`: fingerprint of each step -> its state; `users`: fingerprint -> arms, see `midspec.bill.overview.users`.
    """
    lines = ["data"]
    for step in (step for step in flow.steps if step.kind in DATA):
        made_from = ", ".join(_called(upstream) for upstream in step.inputs.values())
        many = len(users.get(step.fingerprint, ()))
        of = f"  <- {made_from}" if made_from else ""
        lines.append(f"  {_called(step)}{of}  [{states[step.fingerprint]}]  {_arms(many)}")
    for model, root in _trees(flow).items():
        ends = f"  = {', '.join(root.arms)}" if root.arms else ""
        names = ", ".join(dict.fromkeys(flow.bases[model, seed].name for seed in flow.experiment.seeds))
        lines.append(f"{names}{f' ({model})' if model else ''}{ends}")
        lines += _drawn(root, states, "")
    return lines


def _trees(flow: Pipeline) -> dict[str | None, _Branch]:
    """Model -> its tree, the order of arms kept."""
    experiment = flow.experiment
    roots = {model: _Branch(()) for model in flow.models}
    for name, arm in experiment.arms.items():
        branch = roots[arm.model]
        for steps in zip(*(flow.lineage(name, seed) for seed in experiment.seeds), strict=True):
            key = tuple(step.fingerprint for step in steps)
            branch = branch.branches.setdefault(key, _Branch(steps))
        branch.arms.append(name)
    return roots


def _drawn(branch: _Branch, states: Mapping[str, str], indent: str) -> list[str]:
    lines: list[str] = []
    below = list(branch.branches.values())
    for number, one in enumerate(below):
        last = number == len(below) - 1
        ends = f"  = {', '.join(one.arms)}" if one.arms else ""
        lines.append(f"{indent}{'└─ ' if last else '├─ '}{_said(one.steps, states)}{ends}")
        lines += _drawn(one, states, indent + ("   " if last else "│  "))
    return lines


def _said(steps: Sequence[Step], states: Mapping[str, str]) -> str:
    """What one branch trains on, and how far it is, e.g. `midtrain on corpus america [4 to do]`."""
    first = steps[0]
    no_data = ("parent", "match", REPLAY_ROLE)
    data = ", ".join(_called(step) for role, step in first.inputs.items() if role not in no_data)
    settings = first.plain_config
    limits = [f"first {settings['aft_samples']:,}"] if settings.get("aft_samples") else []
    limits += ["with reasoning"] if settings.get("cot") else []
    if first.kind == "midtrain" and settings["train"]["tokens"] is not None:
        limits.append(f"{settings['train']['tokens']:,} tokens")
    limits += ["matched"] if "match" in first.inputs else []
    limits += [f"replay: {100 * settings['share']:.3g}% of all"] if REPLAY_ROLE in first.inputs else []
    made = Counter(states[one.fingerprint] for one in {step.fingerprint: step for step in steps}.values())
    far = ", ".join(f"{count} {state}" for state, count in made.items())
    told = f" ({', '.join(limits)})" if limits else ""
    return f"{first.kind} on {data}{told}  [{far}]"


def _called(step: Step) -> str:
    return f"{step.kind} {step.name}"


def _arms(many: int) -> str:
    return f"{many} arm{'s' if many != 1 else ''}"
