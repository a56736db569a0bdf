"""Whether the parts of a recipe go together: every name is there, every number can be had."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from midspec.stages import REPLAY

if TYPE_CHECKING:
    from midspec.experiment import AftSet, Experiment
    from midspec.stages import ReasoningAnalysis


def check(experiment: Experiment) -> None:
    """Raise ValueError naming the key, the value and what there is instead. `arms` hold those of the grid already."""
    if experiment.corpus.kind in ("paraphrase", "neutral"):
        kind = experiment.corpus.kind
        raise ValueError(
            f"corpus.kind is {kind!r}, which is the kind of a control; say `NAME: {{kind: {kind}}}` in corpora"
        )
    for name in experiment.corpora:
        _check_corpus(experiment, name)
    for name in experiment.aft:
        _check_set(experiment, name)
    for name, after in experiment.after.items():
        if after.aft is not None:
            _known(f"after.{name}.aft", after.aft, experiment.aft, "aft")
            most = experiment.aft[after.aft].size
            if after.samples is not None and after.samples > most:
                raise ValueError(f"after.{name}.samples is {after.samples:,}, but {after.aft!r} has {most:,}")
    for name in experiment.arms:
        _check_arm(experiment, name)
    _check_evals(experiment)
    if experiment.reasoning is not None:
        _check_reasoning(experiment, experiment.reasoning)
    if len(set(experiment.seeds)) != len(experiment.seeds):
        raise ValueError(f"seeds {list(experiment.seeds)} repeat; expected distinct numbers")
    _check_training(experiment)


def _known(where: str, name: str, there: Collection[str], key: str) -> None:
    if name not in there:
        raise ValueError(f"{where} is {name!r}, which is not in {key} ({', '.join(there) or 'there are none'})")


def _check_corpus(experiment: Experiment, name: str) -> None:
    entry = experiment.corpora[name]
    if entry.kind == "neutral":
        if name in experiment.specs:
            raise ValueError(f"corpora.{name} is neutral, and {name!r} is the name of a spec; rename one of them")
        return
    if entry.spec is None and name not in experiment.specs:
        raise ValueError(
            f"corpora has {name!r}, which is not in specs ({', '.join(experiment.specs)}); say which spec it is about "
            f"with `{name}: {{spec: NAME}}`"
        )
    if entry.spec is not None:
        _known(f"corpora.{name}.spec", entry.spec, experiment.specs, "specs")
    if entry.spec not in (None, name) and name in experiment.specs:
        raise ValueError(f"corpora.{name} is about the spec {entry.spec!r}, but {name!r} is a spec too; rename it")
    if entry.file is None:
        entry.settings(experiment.corpus)


def _check_set(experiment: Experiment, name: str) -> None:
    own = experiment.aft[name]
    where = "aft" if len(experiment.aft) == 1 else f"aft.{name}"
    if own.spec is not None:
        _known(f"{where}.spec", own.spec, experiment.specs, "specs")
    if sum(own.mix.values()) > 1 + 1e-9:
        raise ValueError(f"{where}.mix adds up to {sum(own.mix.values()):g}; expected shares of at most 1 in all")
    for other, count in own.drawn.items():
        _known(f"{where}.mix", other, experiment.aft, "aft")
        _check_mix(f"{where}.mix.{other}", name, own, other, experiment.aft[other], count)


def _check_mix(where: str, name: str, own: AftSet, other: str, drawn: AftSet, count: int) -> None:
    if other == name or drawn.mix:
        raise ValueError(f"{where}: a set cannot be mixed with {'itself' if other == name else 'a mixed one'}")
    # Demonstrations of a file are of no kind that decides how they are trained on.
    if own.file is None and drawn.file is None and drawn.kind != own.kind:
        raise ValueError(f"{where}: {other!r} is of kind {drawn.kind!r}, {name!r} of {own.kind!r}; expected one kind")
    if count > drawn.size:
        raise ValueError(f"{where} takes {count:,} demonstrations, but {other!r} has {drawn.size:,}")


def _check_arm(experiment: Experiment, name: str) -> None:
    arm = experiment.arms[name]
    if arm.msm is not None and arm.msm not in experiment.specs and arm.msm not in experiment.corpora:
        there = ", ".join(dict.fromkeys([*experiment.specs, *experiment.corpora]))
        raise ValueError(f"arm {name!r} is midtrained on {arm.msm!r}, which is not in specs or corpora ({there})")
    if arm.model is not None:
        _known(f"arm {name!r}: model", arm.model, experiment.models, "models")
    if arm.after is not None:
        _known(f"arm {name!r}: after", arm.after, experiment.after, "after")
    if not arm.aft:
        return
    own = set_of(experiment, arm.aft)
    for part in (own, *(experiment.aft[other] for other in own.mix)):
        # Whether those of a file have any is told when it is read.
        if arm.cot and part.file is None and part.kind != "chat":
            raise ValueError(f"arm {name!r} has cot, but demonstrations of kind {part.kind!r} have no reasoning")
    if arm.aft_samples is not None and arm.aft_samples > own.size:
        raise ValueError(f"arm {name!r} takes {arm.aft_samples:,} demonstrations, but there are {own.size:,}")


def set_of(experiment: Experiment, aft: bool | str) -> AftSet:
    """The set that an arm's `aft` means; `aft` is not False."""
    return experiment.aft[aft] if isinstance(aft, str) else next(iter(experiment.aft.values()))


def _check_evals(experiment: Experiment) -> None:
    names = [entry.name for entry in experiment.evals]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f"evaluation {name!r} is listed {names.count(name)} times; expected once, or a `label` of its own "
                "for each"
            )
    for entry in experiment.evals:
        try:
            entry.check(experiment)
        except ValueError as error:
            raise ValueError(f"evaluation {entry.name!r}: {error}") from error


def _check_reasoning(experiment: Experiment, analysis: ReasoningAnalysis) -> None:
    agentic = [entry.name for entry in experiment.evals if getattr(entry, "task", None) == "agentic"]
    named = ", ".join(agentic) or "none, so add `- agentic` to evals"
    if analysis.over is None and len(agentic) != 1:
        raise ValueError(f"reasoning.over is missing; expected one of the agentic evaluations ({named})")
    if analysis.over is not None and analysis.over not in agentic:
        raise ValueError(f"reasoning.over is {analysis.over!r}; expected one of the agentic evaluations ({named})")
    models = {arm.model for arm in experiment.arms.values()}
    if len(models) > 1 and analysis.baseline is None:
        raise ValueError(
            f"reasoning has no baseline, and arms have {len(models)} models, each with a baseline of its own; name one "
            "under reasoning.baseline, or analyse one model a recipe"
        )
    if analysis.spec is not None:
        _known("reasoning.spec", analysis.spec, experiment.specs, "specs")


def _check_training(experiment: Experiment) -> None:
    midtrain, finetune = experiment.midtrain, experiment.finetune
    if midtrain.matched and midtrain.tokens is not None:
        raise ValueError(f"midtrain has tokens: {midtrain.tokens:,} and matched: true; expected one of them")
    for key, names in (("specs", experiment.specs), ("corpora", experiment.corpora)):
        if midtrain.replay is not None and REPLAY in names:
            raise ValueError(f"{key} has {REPLAY!r}, which is what the text of midtrain.replay is called; rename it")
    shared = ("method", "rank", "alpha", "dropout") if midtrain.method == "lora" else ("method",)
    for field in shared:
        before, after = getattr(midtrain, field), getattr(finetune, field)
        if before != after:
            raise ValueError(
                f"midtrain.{field} is {before!r} and finetune.{field} {after!r}; fine-tuning continues what "
                "midtraining made, so both must be the same"
            )
