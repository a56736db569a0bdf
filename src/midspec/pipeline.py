"""The whole flow on one screen: what a recipe asks for, as steps in run order.

spec -> corpus -> midtrain -+
spec -> demonstrations -----+-> finetune -> evaluate -> report

Building the graph computes every fingerprint and runs nothing; it loads no torch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from midspec.arms import ArmConfig
from midspec.claims import check_claims
from midspec.evals.config import gate_step
from midspec.evals.reasoning.config import collect_evaluations, reasoning_steps
from midspec.evals.reasoning.themes import load_themes
from midspec.evaluation import Subject
from midspec.experiment import Experiment
from midspec.spec import ModelSpec, read_spec
from midspec.steps.step import Step, in_order
from midspec.train.models import ModelRef, resolve, thinking
from midspec.wiring import Wiring

_NOT_IN_NAMES = re.compile(r"[^\w.+-]+")
"""What a folder's name should not hold."""


@dataclass
class Pipeline:
    """The steps of one experiment, by what they are for.

    Corpora and sets of demonstrations are keyed by a label: their name, or `name.model` where a model has an identity
    of its own, about which they are written again.
    """

    experiment: Experiment
    specs: dict[str, ModelSpec]
    bases: dict[tuple[str | None, int], ModelRef]
    """(name of each model that an arm has, seed) -> the model; None = the recipe's own."""
    corpora: dict[str, Step] = field(default_factory=dict)
    """Label -> corpus."""
    spec_of: dict[str, str | None] = field(default_factory=dict)
    """Label of a corpus -> name of the spec it is about; None = a neutral corpus."""
    corpus_gates: dict[str, Step] = field(default_factory=dict)
    """Label of a corpus -> the gate it goes through."""
    demonstrations: dict[str, Step] = field(default_factory=dict)
    """Label of each set that is trained on -> the set as it is trained on."""
    instruct: dict[str | None, Step] = field(default_factory=dict)
    """Model -> its instruct mix; empty where the recipe has none."""
    after: dict[tuple[str, str | None], Step] = field(default_factory=dict)
    """(further training, model) -> its instruct data."""
    matches: dict[str | None, Step] = field(default_factory=dict)
    """Model -> the count of what the smallest corpus of the table has; empty unless `midtrain.tokens` is `matched`."""
    replay: Step | None = None
    """General text that is mixed into every midtraining; None = none is, or no arm is midtrained."""
    checkpoints: dict[tuple[str, int], Step | None] = field(default_factory=dict)
    """(arm, seed) -> the last training step of the arm; None = the base model itself."""
    gate: Step | None = None
    evaluations: dict[tuple[str, int, str], Step] = field(default_factory=dict)
    """(arm, seed, evaluation) -> evaluation."""
    reasoning: Step | None = None
    """What arms reasoned in an agentic evaluation: the last step of the analysis."""

    @property
    def model(self) -> ModelRef:
        """The recipe's own model, or the first that an arm has, of the first seed."""
        return self.bases[self.models[0], self.experiment.seeds[0]]

    @property
    def models(self) -> list[str | None]:
        """Names of the models that arms have, the recipe's own first."""
        return sorted(dict.fromkeys(name for name, _ in self.bases), key=lambda name: name is not None)

    @property
    def base_per_seed(self) -> bool:
        """Whether some arm has another base model for every seed, so that arms of one seed are alike."""
        refs = {name: {self.bases[name, seed].name for seed in self.experiment.seeds} for name in self.models}
        return any(len(of_model) > 1 for of_model in refs.values())

    @property
    def steps(self) -> list[Step]:
        """All steps, inputs first. To be asked for when the pipeline is complete."""
        return self._ordered

    @cached_property
    def _ordered(self) -> list[Step]:
        gate = [self.gate] if self.gate else []
        # Nobody should train for a day on a corpus that a look at it would have stopped.
        last = [self.reasoning] if self.reasoning else []
        return in_order([*self.corpus_gates.values(), *gate, *self.evaluations.values(), *last])

    @cached_property
    def evaluated(self) -> dict[str, tuple[str, int, str]]:
        """Fingerprint of an evaluation -> the first (arm, seed, evaluation) that it is of."""
        found: dict[str, tuple[str, int, str]] = {}
        for key, step in self.evaluations.items():
            found.setdefault(step.fingerprint, key)
        return found

    def subject(self, arm: str, seed: int) -> Subject:
        """What the evaluations of an arm are asked of: it is rendered and read as it was trained."""
        config = self.experiment.arms[arm]
        model = self.bases[config.model, seed]
        model = thinking(model) if config.cot and config.aft else model
        experiment = self.experiment.for_model(config.model, seed)
        return Subject(experiment=experiment, specs=self.specs, model=model, checkpoint=self.checkpoints[arm, seed])

    def lineage(self, arm: str, seed: int) -> list[Step]:
        """Training steps of an arm, first to last."""
        found: list[Step] = []
        step = self.checkpoints[arm, seed]
        while step is not None:
            found.insert(0, step)
            step = step.inputs.get("parent")
        return found


def build(experiment: Experiment) -> Pipeline:
    """The pipeline of `experiment`, whose arms are all there: see `Experiment.with_controls`.

    Raises InputError where a spec, bank or model cannot be used, and where a claim is about what there is not.
    """
    check_claims(experiment)
    arms = experiment.arms
    used = dict.fromkeys(arm.model for arm in arms.values()) or {None: None}
    specs = {name: read_spec(path) for name, path in experiment.specs.items()}
    flow = Pipeline(experiment, specs, _bases(experiment, used))
    wiring = Wiring(flow)
    wiring.data()
    for name, arm in arms.items():
        for seed in experiment.seeds:
            flow.checkpoints[name, seed] = wiring.checkpoint(name, arm, seed)

    flow.gate = gate_step(experiment.evals, wiring.trained_on(), experiment.identity)
    for evaluation in experiment.evals:
        for arm, seed in flow.checkpoints:
            name = f"{_NOT_IN_NAMES.sub('-', evaluation.name).strip('-')}-{arm}"
            flow.evaluations[arm, seed, evaluation.name] = evaluation.step(name, flow.subject(arm, seed))
    flow.reasoning = _reasoning(flow)
    return flow


def _bases(experiment: Experiment, names: Iterable[str | None]) -> dict[tuple[str | None, int], ModelRef]:
    """Each id is resolved once, however many seeds have it: the Hub may have to be asked."""
    views = {(name, seed): experiment.for_model(name, seed) for name in names for seed in experiment.seeds}
    distinct = {(view.model, view.chat_template): view for view in views.values()}
    found = {id: resolve(view.model, view.chat_template) for id, view in distinct.items()}
    return {key: found[view.model, view.chat_template] for key, view in views.items()}


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
