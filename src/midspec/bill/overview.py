"""A bill by kinds of steps: what arms share, what is to do, what it takes; for one recipe or for several together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from midspec.bill.estimate import Bill, Line
from midspec.bill.work import replayed_tokens
from midspec.matching import TOLERANCE
from midspec.pipeline import Pipeline
from midspec.steps.step import Step, in_order

TRAINING = ("midtrain", "finetune")


class Part(NamedTuple):
    """Steps of one kind. What they take is of those that are to do."""

    kind: str
    steps: int
    shared: int
    """Used by more than one arm."""
    to_do: int
    done: int
    """Here, published, or not needed any more."""
    tokens: int
    """Written or trained on; 0 where that is not the measure."""
    requests: int
    """To language models."""
    dollars: float | None
    """None where a price is not known."""
    gpu_hours: float | None
    """Of one card; None where nothing runs on one, or a model's size is not known."""


class Together(NamedTuple):
    """Several recipes in one workspace, steps that they share counted once."""

    steps: int
    shared: int
    """In more than one recipe."""
    to_do: int
    tokens: int
    """Trained on."""
    requests: int
    dollars: float | None
    gpu_hours: float | None


def users(flow: Pipeline) -> dict[str, tuple[str, ...]]:
    """Fingerprint of each step -> the arms that need it, a gate as its data does; none = all of them at the end."""
    found: dict[str, dict[str, None]] = {}

    def note(arm: str, ends: Iterable[Step]) -> None:
        for step in in_order(list(ends)):
            found.setdefault(step.fingerprint, {})[arm] = None

    for (arm, seed, _), step in flow.evaluations.items():
        last = flow.checkpoints[arm, seed]
        note(arm, [step] if last is None else [step, last])
    for label, gate in flow.corpus_gates.items():
        found.setdefault(gate.fingerprint, {}).update(found.get(flow.corpora[label].fingerprint, {}))
    return {fingerprint: tuple(arms) for fingerprint, arms in found.items()}


def by_kind(lines: Sequence[Line], arms: Mapping[str, Sequence[str]]) -> list[Part]:
    """One part for each kind, in run order. `arms`: see `users`."""
    kinds = dict.fromkeys(line.kind for line in lines)
    return [_part(kind, [line for line in lines if line.kind == kind], arms) for kind in kinds]


def _part(kind: str, lines: Sequence[Line], arms: Mapping[str, Sequence[str]]) -> Part:
    to_do = [line for line in lines if line.to_do]
    return Part(
        kind,
        steps=len(lines),
        shared=sum(len(arms.get(line.fingerprint, ())) != 1 for line in lines),
        to_do=len(to_do),
        done=len(lines) - len(to_do),
        tokens=sum(line.tokens for line in to_do),
        requests=sum(line.requests for line in to_do),
        dollars=_dollars(to_do),
        gpu_hours=_gpu_hours(to_do),
    )


def together(bills: Sequence[Bill]) -> Together:
    """All steps of all recipes, each once."""
    recipes: dict[str, int] = {}
    for bill in bills:
        for line in bill.lines:
            recipes[line.fingerprint] = recipes.get(line.fingerprint, 0) + 1
    lines = {line.fingerprint: line for bill in bills for line in bill.lines}
    to_do = [line for line in lines.values() if line.to_do]
    return Together(
        steps=len(lines),
        shared=sum(count > 1 for count in recipes.values()),
        to_do=len(to_do),
        tokens=trained(to_do),
        requests=sum(line.requests for line in to_do),
        dollars=_dollars(to_do),
        gpu_hours=_gpu_hours(to_do),
    )


def trained(lines: Iterable[Line]) -> int:
    """Tokens of all training steps that are to do."""
    return sum(line.tokens for line in lines if line.to_do and line.kind in TRAINING)


def _dollars(lines: Iterable[Line]) -> float | None:
    known = [line.dollars for line in lines]
    return None if None in known else sum(dollars or 0.0 for dollars in known)


def _gpu_hours(lines: Iterable[Line]) -> float | None:
    known = [line.gpu_hours for line in lines if line.kind in TRAINING or line.gpu_hours is not None]
    return None if None in known or not known else sum(hours or 0.0 for hours in known)


def unmatched(flow: Pipeline, bill: Bill) -> str | None:
    """A sentence where arms are midtrained on unequal corpora and nothing cuts them to one length; doses are meant."""
    tokens = {line.fingerprint: line.tokens for line in bill.lines if line.kind == "midtrain"}
    for model in flow.models:
        found: dict[str, int] = {}
        for name, arm in flow.experiment.arms.items():
            if arm.model == model and arm.msm is not None and arm.msm_tokens is None:
                step = flow.lineage(name, flow.experiment.seeds[0])[0]
                found[arm.msm] = tokens[step.fingerprint] - replayed_tokens(step)
        if found and min(found.values()) < (1 - TOLERANCE) * max(found.values()):
            least, most = min(found, key=found.__getitem__), max(found, key=found.__getitem__)
            return (
                f"Not matched: midtraining takes about {found[least]:,} tokens of {least} and {found[most]:,} of "
                f"{most}; midtrain.tokens set to `matched`, or to a number, makes arms differ by what is said alone."
            )
    return None
