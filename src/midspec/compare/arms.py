"""The arms of a run by the names that any recipe would give them, and which of them a reference means."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from midspec.arms import ArmConfig, arm_name
from midspec.report.results import Asked, Results

_HOLE = re.compile(r"\{(\w+)\}")


class OurArm(NamedTuple):
    """One arm of the run."""

    name: str
    names: tuple[str, ...]
    """Its own name and the one its factors spell, both without the model."""
    model: str
    """Id of the base model."""
    label: str
    """What the recipe calls it."""
    config: ArmConfig
    """Its factors."""
    stands_for: frozenset[str]
    """What `{x}` of a pattern can be here: corpus and set. Control corpora are conditions of their own."""


class Pair(NamedTuple):
    """What one entry of a reference is in this run."""

    arm: str
    versus: str | None
    holes: Mapping[str, str]
    """What `{x}` of the pattern stands for."""


def arms_of(results: Results) -> list[OurArm]:
    """In the order of the run. Recipes of earlier versions lack some factors; results always have msm and aft."""
    configs: Mapping[str, Any] = results.recipe.get("arms") or {}
    models: Mapping[str, Any] = results.recipe.get("models") or {}
    corpora: Mapping[str, Any] = results.recipe.get("corpora") or {}
    found: list[OurArm] = []
    for name, arm in results.arms.items():
        config = ArmConfig.model_validate({"msm": arm.msm, "aft": arm.aft, **(configs.get(name) or {})})
        label = config.model
        named = models.get(label) if label else results.recipe.get("model")
        model = named.get("model") if isinstance(named, dict) else named
        own = name.removesuffix(f".{label}") if label else name
        entry = corpora.get(config.msm) if config.msm else None
        kind = entry.get("kind") if isinstance(entry, dict) else None
        plain = config.model_copy(update={"model": None, **({"msm": "neutral"} if kind == "neutral" else {})})
        shown = str(model or label or results.model.get("name"))
        holes = {config.aft if isinstance(config.aft, str) else None}
        holes |= {config.msm} if kind not in ("neutral", "paraphrase") else set()
        names = tuple(dict.fromkeys((own, arm_name(plain))))
        known = frozenset(hole for hole in holes if hole is not None)
        found.append(OurArm(name, names, shown, str(label or shown), config, known))
    return found


def same_model(one: str, other: str) -> bool:
    """Whether two names mean one base model: owner, letter case and punctuation do not tell them apart.

    Neither does `-Instruct` for Qwen, which the paper leaves out; `Llama-3.1-8B` and its `-Instruct` are two models.
    """
    return _bare(one) == _bare(other)


def _bare(name: str) -> str:
    tail = re.sub(r"[^a-z0-9]", "", name.rstrip("/").rpartition("/")[2].lower())
    return tail.removesuffix("instruct") if tail.startswith("qwen") else tail


def of_model(arms: Sequence[OurArm], model: str | None, others: Sequence[str]) -> list[OurArm]:
    """Arms to be held against a figure on `model`. `others`: every model of the figure.

    Where the run trained none of the figure's models, its default model stands for each of them (and the difference
    is a deviation); where it trained some, the others are not measured. None, a model not told: all arms.
    """
    if model is None or not arms:
        return list(arms)
    exact = [arm for arm in arms if same_model(arm.model, model) or same_model(arm.label, model)]
    if exact:
        return exact
    elsewhere = any(same_model(own, other) for arm in arms for own in (arm.model, arm.label) for other in others)
    default = next((arm for arm in arms if arm.config.model is None), arms[0])
    return [] if elsewhere else [arm for arm in arms if arm.label == default.label]


def pairs(arms: Sequence[OurArm], arm: Sequence[str], versus: Sequence[str] | None) -> list[Pair]:
    """What the run has of `arm` (minus `versus`), by the first name that finds any; both of one model."""
    for pattern in arm:
        found: list[Pair] = []
        for own, holes in matching(arms, pattern):
            if versus is None:
                found.append(Pair(own.name, None, holes))
                continue
            other = next(
                (
                    one
                    for text in versus
                    for one, _ in matching(arms, filled(text, holes))
                    if one.label == own.label and one.name != own.name
                ),
                None,
            )
            if other is not None:
                found.append(Pair(own.name, other.name, holes))
        if found:
            return found
    return []


def matching(arms: Sequence[OurArm], pattern: str) -> Iterator[tuple[OurArm, dict[str, str]]]:
    """Arms of that name, with what the holes of the pattern stand for."""
    parts = _HOLE.split(pattern)
    # Odd places are names of holes; a name that comes again must stand for the same.
    seen: set[str] = set()
    text = ""
    for at, part in enumerate(parts):
        if at % 2 == 0:
            text += re.escape(part)
        else:
            text += f"(?P={part})" if part in seen else f"(?P<{part}>[^+]+)"
            seen.add(part)
    form = re.compile(text)
    for arm in arms:
        for name in arm.names:
            found = form.fullmatch(name)
            if found and all(_fits(arm, hole) for hole in found.groupdict().values()):
                yield arm, found.groupdict()
                break


def _fits(arm: OurArm, hole: str) -> bool:
    """Whether it is a corpus or set of the arm, or what its name begins with (`msm-{value}-broken`)."""
    return any(name == hole or name.startswith(f"{hole}-") for name in arm.stands_for)


def filled(pattern: str, holes: Mapping[str, str]) -> str:
    """The pattern with its holes closed; a hole that is not known stays one."""
    return _HOLE.sub(lambda found: holes.get(found[1], found[0]), pattern)


def asked_of(results: Results) -> Mapping[str, Asked]:
    """What each evaluation is; files from before results said so only had banks, whose names tell."""
    if results.asked:
        return results.asked
    split = {name: name.partition("/") for name in results.split}
    return {name: Asked(task=task, choices=True, value=value or None) for name, (task, _, value) in split.items()}


def unfilled(pattern: str) -> str:
    """The pattern with `*` for every hole."""
    return _HOLE.sub("*", pattern)


def evals_like(asked: Mapping[str, Asked], wanted: Sequence[str], holes: Mapping[str, str]) -> list[str]:
    """Evaluations of the run by name, `task/value` or task; patterns may hold `*`, and `{x}` of the arm's.

    One under a system prompt goes by its name alone: what it measures is not what its bank does without.
    A spec is often called by subject and value (`cheese-environment`): then `{x}` is its value, too.
    """
    found: dict[str, None] = {}
    for pattern in wanted:
        for name, one in asked.items():
            value = one.value or ""
            own = {hole: value if value and text.endswith(f"-{value}") else text for hole, text in holes.items()}
            bank = f"{one.task}/{value}" if value else one.task
            texts = (name, bank) if one.system is None else (name,)
            if any(fnmatchcase(text, filled(pattern, own)) for text in texts):
                found[name] = None
    return list(found)


def without_size(arms: Sequence[OurArm]) -> list[OurArm]:
    """The same arms by the names they have whatever their number of demonstrations: curves over sizes."""
    return [
        arm._replace(names=(arm_name(arm.config.model_copy(update={"model": None, "aft_samples": None})),))
        for arm in arms
    ]
