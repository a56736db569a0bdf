"""The whole flow on one screen: what a recipe asks for, as steps in run order.

spec -> corpus -> midtrain -+
spec -> demonstrations -----+-> finetune -> evaluate -> report

Building the graph computes every fingerprint and runs nothing; it loads no torch.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from midspec.aft.step import demonstrations_step
from midspec.corpus.gate_step import corpus_gate_step
from midspec.corpus.given import given_corpus_step
from midspec.corpus.step import corpus_step
from midspec.evals.config import gate_step, packaged_banks
from midspec.evals.reasoning.config import collect_evaluations, reasoning_steps
from midspec.evals.reasoning.themes import load_themes
from midspec.evaluation import Subject
from midspec.experiment import ArmConfig, Experiment
from midspec.instruct.step import instruct_step
from midspec.spec import ModelSpec, read_spec
from midspec.steps.step import Step, in_order
from midspec.train.config import finetune_step, midtrain_step
from midspec.train.models import ModelRef, resolve, thinking

_NOT_IN_NAMES = re.compile(r"[^\w.+-]+")
"""What a folder's name should not hold."""


@dataclass
class Pipeline:
    """The steps of one experiment, by what they are for."""

    experiment: Experiment
    model: ModelRef
    specs: dict[str, ModelSpec]
    corpora: dict[str, Step] = field(default_factory=dict)
    """Spec name -> corpus."""
    corpus_gates: dict[str, Step] = field(default_factory=dict)
    """Spec name -> the gate its corpus goes through."""
    demonstrations: Step | None = None
    instruct: Step | None = None
    midtrained: dict[tuple[str, int], Step] = field(default_factory=dict)
    """(spec name, seed) -> midtraining."""
    checkpoints: dict[tuple[str, int], Step | None] = field(default_factory=dict)
    """(arm, seed) -> the last training step of the arm; None = the base model itself."""
    gate: Step | None = None
    evaluations: dict[tuple[str, int, str], Step] = field(default_factory=dict)
    """(arm, seed, evaluation) -> evaluation."""
    reasoning: Step | None = None
    """What arms reasoned in an agentic evaluation: the last step of the analysis."""

    @property
    def steps(self) -> list[Step]:
        """All steps, inputs first."""
        gate = [self.gate] if self.gate else []
        # Nobody should train for a day on a corpus that a look at it would have stopped.
        last = [self.reasoning] if self.reasoning else []
        return in_order([*self.corpus_gates.values(), *gate, *self.evaluations.values(), *last])

    def subject(self, arm: str, checkpoint: Step | None) -> Subject:
        """What the evaluations of an arm are asked of: it is rendered and read as it was trained."""
        config = self.experiment.arms[arm]
        model = thinking(self.model) if config.cot and config.aft else self.model
        return Subject(experiment=self.experiment, specs=self.specs, model=model, checkpoint=checkpoint)

    def lineage(self, arm: str, seed: int) -> list[Step]:
        """Training steps of an arm, first to last."""
        last = self.checkpoints[arm, seed]
        parent = last.inputs.get("parent") if last else None
        return [step for step in (parent, last) if step is not None]


def build(experiment: Experiment) -> Pipeline:
    """The pipeline of `experiment`. Raises InputError where a spec, bank or model cannot be used."""
    model = resolve(experiment.model, experiment.chat_template)
    specs = {name: read_spec(path) for name, path in experiment.specs.items()}
    flow = Pipeline(experiment, model, specs)
    identity = experiment.identity

    taught = [name for name in specs if any(arm.msm == name for arm in experiment.arms.values())]
    banks = packaged_banks(experiment.evals)
    for name in taught:
        corpus = flow.corpora[name] = _corpus(flow, name)
        recites = experiment.writer.model == "offline" and name not in experiment.corpora
        gate = experiment.gate if experiment.gate != "auto" else ("warn" if recites else "stop")
        flow.corpus_gates[name] = corpus_gate_step(name, corpus, specs[name], identity, banks, gate)
    if any(arm.aft for arm in experiment.arms.values()):
        aft = experiment.aft
        spec = specs[aft.spec] if aft.spec else None
        flow.demonstrations = demonstrations_step(identity, experiment.writer, aft, experiment.judge, spec)
    if experiment.instruct:
        flow.instruct = instruct_step(experiment.instruct, experiment.judge, specs, identity)

    for name in taught:
        for seed in experiment.seeds:
            flow.midtrained[name, seed] = midtrain_step(name, model, experiment.midtrain, seed, flow.corpora[name])
    for arm, config in experiment.arms.items():
        for seed in experiment.seeds:
            flow.checkpoints[arm, seed] = _checkpoint(flow, arm, config, seed)

    training_data = {f"corpus/{name}": step for name, step in flow.corpora.items()}
    if flow.demonstrations:
        training_data["demonstrations"] = flow.demonstrations
    if flow.instruct:
        training_data["instruct"] = flow.instruct
    flow.gate = gate_step(experiment.evals, training_data, identity)
    for evaluation in experiment.evals:
        for (arm, seed), checkpoint in flow.checkpoints.items():
            name = f"{_NOT_IN_NAMES.sub('-', evaluation.name).strip('-')}-{arm}"
            flow.evaluations[arm, seed, evaluation.name] = evaluation.step(name, flow.subject(arm, checkpoint))
    flow.reasoning = _reasoning(flow)
    return flow


def analysed(experiment: Experiment) -> str:
    """Name of the agentic evaluation that `reasoning` is about."""
    assert experiment.reasoning is not None
    agentic = (entry.name for entry in experiment.evals if getattr(entry, "task", None) == "agentic")
    return experiment.reasoning.over or next(agentic)


def _reasoning(flow: Pipeline) -> Step | None:
    """The analysis of an agentic evaluation of all arms; a run that several seeds share counts once."""
    experiment, asked = flow.experiment, flow.experiment.reasoning
    if asked is None:
        return None
    over = analysed(experiment)
    runs = {
        (arm, step.fingerprint): step
        for arm in experiment.arms
        for seed in experiment.seeds
        for step in (flow.evaluations[arm, seed, over],)
    }
    bare = next((name for name, arm in experiment.arms.items() if arm == ArmConfig()), None)
    config = asked if asked.baseline else asked.model_copy(update={"baseline": bare})
    steps = reasoning_steps(
        collect_evaluations([(arm, step) for (arm, _), step in runs.items()], config),
        asked.judge or experiment.judge,
        None if asked.themes == "none" else load_themes(asked.themes),
        config,
        flow.specs[asked.spec] if asked.spec else None,
        experiment.identity,
    )
    return steps.merge


def _corpus(flow: Pipeline, name: str) -> Step:
    """The corpus of the spec of that name: the one that exists already, or the step that writes it."""
    experiment, spec = flow.experiment, flow.specs[name]
    if name in experiment.corpora:
        return given_corpus_step(name, spec, experiment.identity, experiment.corpora[name])
    return corpus_step(name, spec, experiment.identity, experiment.writer, experiment.corpus)


def _checkpoint(flow: Pipeline, arm: str, config: ArmConfig, seed: int) -> Step | None:
    """Last training step of an arm: fine-tuned where there is anything to tune on, else midtrained, else the base."""
    experiment = flow.experiment
    midtrained = flow.midtrained[config.msm, seed] if config.msm else None
    demonstrations = flow.demonstrations if config.aft else None
    if demonstrations is None and flow.instruct is None:
        return midtrained
    return finetune_step(
        arm,
        flow.model,
        experiment.finetune,
        seed,
        midtrained,
        demonstrations,
        flow.instruct,
        cot=config.cot,
        aft_samples=config.aft_samples,
    )
