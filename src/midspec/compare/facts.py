"""What is known of how a run's numbers were made, by key: what settings of a reference are compared with.

Keys: those of the recipe (`midtrain.rank`), and of single arms and evaluations `model`, `seeds`, `arm.*`, `corpus.*`,
`msm.*`, `aft.*`, `instruct.*`, `finetune.*` and `eval.*`; docs/conformance.md lists them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from midspec.compare.arms import OurArm
from midspec.compare.numbers import REASONING
from midspec.report.results import Results, StepSummary

OFFLINE = "offline"
GIVEN = "given"
"""Corpora and demonstrations that the run did not write: who wrote them is not recorded in the recipe."""

Facts = Mapping[str, Any]


class Known:
    """Facts of one run."""

    def __init__(self, results: Results) -> None:
        self._results = results
        self._recipe = results.recipe
        self._steps: dict[str, StepSummary] = {step.fingerprint: step for step in results.steps}

    def of(self, arm: OurArm, evaluation: str | None) -> Facts:
        """All facts behind the answers of an arm. A key that is absent is not known, or has no meaning for the arm."""
        unused = () if arm.config.msm is not None else ("midtrain.", "corpus.")
        if not arm.config.aft and not self._whole["instruct.samples"]:
            unused += ("finetune.",)
        whole = {key: value for key, value in self._whole.items() if not key.startswith(unused or "\0")}
        return {**whole, **self._arm(arm), **(self._eval(evaluation) if evaluation else {})}

    @cached_property
    def _whole(self) -> dict[str, Any]:
        sections = ("identity", "corpus", "midtrain", "finetune", "writer", "judge")
        found: dict[str, Any] = {}
        for section in sections:
            value = self._recipe.get(section)
            if isinstance(value, dict):
                # `tokens: null` is no cap, and no number of tokens.
                told = {key: one for key, one in value.items() if key != "tokens" or one is not None}
                found.update({f"{section}.{key}": one for key, one in told.items()})
        sources: Sequence[Mapping[str, Any]] = self._recipe.get("instruct") or ()
        if found.get("corpus.tokens"):
            found.pop("corpus.documents", None)  # written until it has the tokens
        found["instruct.samples"] = sum(int(source.get("samples", 0)) for source in sources)
        found["instruct.datasets"] = ", ".join(str(source.get("dataset")) for source in sources) or "none"
        found["instruct.judged"] = bool(sources) and all(bool(source.get("judged")) for source in sources)
        replay = found.pop("midtrain.replay", None)
        found["midtrain.replay"] = replay["share"] if replay else 0.0
        found["trainer"] = f"midspec {self._results.midspec}"
        return found

    def _arm(self, arm: OurArm) -> dict[str, Any]:
        config = arm.config
        found: dict[str, Any] = {"model": arm.model, "arm.name": arm.name, "arm.cot": config.cot}
        entry = self._results.arms[arm.name]
        trained = [[self._steps[print_] for print_ in seed.parents if print_ in self._steps] for seed in entry.seeds]
        if any(seed.parents for seed in entry.seeds):
            found["seeds"] = len(entry.seeds)
        first = trained[0] if trained else []
        if config.msm is not None:
            found.update({"arm.corpus": config.msm, **self._corpus(config.msm, arm.label)})
            planned = config.msm_tokens or self._whole.get("midtrain.tokens")
            found.update({"msm.tokens": planned} if planned else {})
            found.update(_took("msm", first, "midtrain"))
        if config.aft:
            found.update(self._demonstrations(config.aft, config.aft_samples))
        return {**found, **_took("finetune", first, "finetune")}

    def _corpus(self, name: str, model: str) -> dict[str, Any]:
        names = (f"{name}.{model}", name)  # written again for a model with an identity of its own
        made = next((one.summary for one in self._results.steps if one.kind == "corpus" and one.name in names), {})
        found = {f"corpus.{key}": made[key] for key in ("documents", "tokens", "words") if key in made}
        shown = next((one for one in self._results.corpora if one.spec in names), None)
        given = self._recipe.get("corpora") or {}
        source = given.get(name)
        if shown is not None:
            found["corpus.writer"] = shown.writer
        elif isinstance(source, str) or (isinstance(source, dict) and source.get("file")):
            found["corpus.writer"] = GIVEN
        else:
            found["corpus.writer"] = _model_of(self._recipe.get("writer"))
        return found

    def _demonstrations(self, aft: bool | str, samples: int | None) -> dict[str, Any]:
        sets = self._recipe.get("aft") or {}
        one: Any = sets.get(aft) if isinstance(aft, str) else sets
        if isinstance(one, dict) and len(one) == 1 and all(isinstance(inner, dict) for inner in one.values()):
            one = next(iter(one.values()))  # a single set that has a name
        found = {f"aft.{key}": value for key, value in one.items()} if isinstance(one, dict) else {}
        if samples is not None:
            found["aft.samples"] = samples
        told = self._results.demonstrations
        made = GIVEN if found.get("aft.file") else _model_of(self._recipe.get("writer"))
        found["aft.writer"] = told.writer if told is not None else made
        return found

    def _eval(self, name: str) -> dict[str, Any]:
        if name == REASONING:
            reader = self._results.reasoning
            return {"reasoning.judge": reader.judge, "reasoning.themes": reader.themes_name} if reader else {}
        asked = self._results.asked.get(name)
        entry = self._entries.get(name, {})
        settings = {**_preset(entry), **{key: value for key, value in entry.items() if value is not None}}
        found = {f"eval.{key}": value for key, value in settings.items() if not isinstance(value, dict)}
        for key in ("eval.scenarios", "eval.goals"):
            if isinstance(found.get(key), (list, tuple)):
                found[key] = len(found[key])
        found["eval.name"] = name
        found["eval.task"] = asked.task if asked else entry.get("task", name.partition("/")[0])
        graders = asked.graders if asked else []
        if graders:
            found["eval.judge"] = ", ".join(graders)
        shown = [arm.evals[name].items for arm in self._results.arms.values() if name in arm.evals]
        shown += [one.items for arm in self._results.arms.values() for one in arm.measures.get(name, [])[:1]]
        if shown:
            found["eval.items"] = max(shown)
        orders = found.get("eval.form") != "open" or found["eval.task"] == "preferences"
        if "eval.scoring" in found:
            found["eval.both_orders"] = orders
        return found

    @cached_property
    def _entries(self) -> dict[str, Mapping[str, Any]]:
        """Evaluation -> its entry in the recipe: both are in the recipe's order."""
        entries: Sequence[Mapping[str, Any]] = self._recipe.get("evals") or ()
        names = list(self._results.asked or self._results.split)
        return dict(zip(names, entries, strict=True)) if len(names) == len(entries) else {}


def _took(name: str, steps: Sequence[StepSummary], kind: str) -> dict[str, Any]:
    summary = next((step.summary for step in steps if step.kind == kind), {})
    found = {f"{name}.{key}": summary[key] for key in ("tokens", "updates") if key in summary}
    if "replayed_tokens" in summary:
        found[f"{name}.tokens"] -= summary["replayed_tokens"]
    return found


def _model_of(writer: Any) -> Any:
    return writer.get("model") if isinstance(writer, dict) else writer


def _preset(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What the entry's preset says where the entry says nothing."""
    if not isinstance(entry.get("preset"), str):
        return {}
    if entry.get("task") == "agentic":
        from midspec.evals.agentic.cells import GOALS
        from midspec.evals.agentic.config import find_preset

        return {"goals": GOALS, **find_preset(entry["preset"]).model_dump(exclude={"description", "not_identical"})}
    if entry.get("task") == "open_qa":
        from midspec.evals.open_qa.config import from_preset

        return from_preset(entry["preset"], split=entry.get("split", "dev")).model_dump(mode="json")
    return {}
