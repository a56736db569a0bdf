"""The data and the training of a pipeline: which steps an arm needs, each made once for all arms that share it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from midspec.aft.given import check_reasoning, given_demonstrations_step
from midspec.aft.mix import mixed_step
from midspec.aft.step import demonstrations_step
from midspec.arms import ArmConfig, arm_name
from midspec.corpus.avoid import avoided
from midspec.corpus.control_step import neutral_step, paraphrase_step
from midspec.corpus.gate_step import corpus_gate_step, neutral_gate_step
from midspec.corpus.given import GIVEN, given_corpus_step, given_neutral_step
from midspec.corpus.step import corpus_step
from midspec.errors import InputError
from midspec.evals.config import packaged_banks
from midspec.instruct.step import instruct_step
from midspec.spec.document import Identity
from midspec.stages import REPLAY
from midspec.steps.step import Step
from midspec.train.config import Replay, finetune_step, match_step, midtrain_step

if TYPE_CHECKING:
    from midspec.experiment import AftSet, CorpusEntry
    from midspec.pipeline import Pipeline
    from midspec.stages import InstructConfig


class Wiring:
    """Makes the steps of one pipeline when they are asked for, and keeps those that reports look at in it."""

    def __init__(self, flow: Pipeline) -> None:
        self.flow = flow
        self.experiment = flow.experiment
        self._banks = packaged_banks(self.experiment.evals)
        self._name_of: dict[str, str] = {}
        """Label of a corpus -> its name."""
        self._midtrained: dict[tuple[str, int | None, str | None, int], Step] = {}
        self._finetuned: dict[tuple[ArmConfig, int], Step | None] = {}

    def data(self) -> None:
        """Corpora in the order of specs, demonstrations and instruct data of all arms."""
        experiment, flow = self.experiment, self.flow
        arms = experiment.arms.values()
        # What a control stands beside comes before it.
        names = [*experiment.specs, *(name for name in experiment.corpora if name not in experiment.specs)]
        for name in sorted(names, key=lambda name: experiment.corpus_entry(name).is_control):
            for model in dict.fromkeys(arm.model for arm in arms if arm.msm == name):
                self.corpus(name, model)
        for name, arm in experiment.arms.items():
            if arm.aft:
                step = self.demonstrations(_set_name(self.experiment.aft, arm.aft), arm.model)
                if arm.cot:
                    check_reasoning(name, step)
            if experiment.instruct and arm.model not in flow.instruct:
                flow.instruct[arm.model] = self._instruct(experiment.instruct, arm.model)
        if experiment.midtrain.matched:
            for model in flow.models:
                # A dose is a number of its own and matched with nothing.
                of_model = {arm.msm for arm in arms if arm.model == model and arm.msm_tokens is None} - {None}
                corpora = {name: self.corpus(name, model) for name in names if name in of_model}
                if corpora:
                    flow.matches[model] = match_step(
                        model or "corpora", flow.bases[model, experiment.seeds[0]], corpora
                    )

    def corpus(self, name: str, model: str | None) -> Step:
        """The corpus `name` as arms of a model are midtrained on it, with its gate."""
        flow, experiment = self.flow, self.experiment
        entry = experiment.corpus_entry(name)
        about_model = entry.kind != "neutral" and entry.identity is None
        label = self._label(name, model) if about_model else name
        if label not in flow.corpora:
            identity = entry.identity or self._identity(model)
            recites = experiment.writer.model == "offline" and entry.file is None
            verdict = experiment.gate if experiment.gate != "auto" else ("warn" if recites else "stop")
            if entry.kind == "neutral":
                avoid = avoided(flow.specs.values(), self._identities())
                step = self._neutral(label, entry, avoid)
                gate = neutral_gate_step(label, step, avoid, self._banks, verdict)
            else:
                assert entry.spec is not None
                spec = flow.specs[entry.spec]
                step = self._about(label, entry, identity)
                gate = corpus_gate_step(label, step, spec, identity, self._banks, verdict)
            flow.corpora[label], flow.spec_of[label], flow.corpus_gates[label] = step, entry.spec, gate
            self._name_of[label] = name
        return flow.corpora[label]

    def _about(self, label: str, entry: CorpusEntry, identity: Identity) -> Step:
        experiment = self.experiment
        spec = self.flow.specs[str(entry.spec)]
        if entry.file is not None:
            return given_corpus_step(label, spec, identity, entry.file, instead_of=experiment.identity)
        settings = entry.settings(experiment.corpus)
        if entry.kind == "paraphrase":
            beside = None if entry.own_size else self._beside(entry.spec)
            return paraphrase_step(label, spec, identity, experiment.writer, settings, beside)
        return corpus_step(label, spec, identity, experiment.writer, settings)

    def _neutral(self, label: str, entry: CorpusEntry, avoid: tuple[str, ...]) -> Step:
        experiment = self.experiment
        if entry.file is not None:
            return given_neutral_step(label, entry.file)
        beside = None if entry.own_size else self._beside(None)
        return neutral_step(label, avoid, experiment.writer, entry.settings(experiment.corpus), beside)

    def _beside(self, spec: str | None) -> Step | None:
        """The first corpus about `spec` (None = any) that is no control and arms are midtrained on."""
        for label, step in self.flow.corpora.items():
            entry = self.experiment.corpus_entry(self._name_of[label])
            if not entry.is_control and spec in (None, entry.spec):
                return step
        return None

    def demonstrations(self, name: str, model: str | None) -> Step:
        """The set `name` as arms of a model are fine-tuned on it."""
        flow, own = self.flow, self.experiment.aft[name]
        label = self._label(name, model)
        if label not in flow.demonstrations:
            drawn = [(self._prepared(other, model), count) for other, count in own.drawn.items()]
            # What is drawn altogether from others is not written in vain.
            alone = own.size > sum(count for _, count in drawn)
            step = self._written(name, own, model) if alone else drawn[0][0]
            if own.mix or own.system:
                system = self._identity(model).fill(own.system) if own.system else None
                step = mixed_step(f"{label}-mixed", step, own.size, drawn, system, own.seed)
            flow.demonstrations[label] = step
        return flow.demonstrations[label]

    def _prepared(self, name: str, model: str | None) -> Step:
        """A set that others draw from, which need not be trained on by itself."""
        own = self.experiment.aft[name]
        step = self._written(name, own, model)
        if own.system:
            return mixed_step(f"{name}-mixed", step, own.size, [], self._identity(model).fill(own.system), own.seed)
        return step

    def _written(self, name: str, own: AftSet, model: str | None) -> Step:
        experiment = self.experiment
        spec = self.flow.specs[own.spec] if own.spec else None
        called = None if len(experiment.aft) == 1 else self._label(name, model)
        identity = self._identity(model)
        if own.file is not None:
            return given_demonstrations_step(called or GIVEN, identity, own.file, own.samples, own.seed)
        return demonstrations_step(identity, experiment.writer, own.written, experiment.judge, spec, name=called)

    def _instruct(self, sources: Sequence[InstructConfig], model: str | None) -> Step:
        """A mix, free of what contradicts the specs that arms are midtrained on: an anti-spec forbids nothing."""
        taught = set(self.flow.spec_of.values())
        specs = {name: spec for name, spec in self.flow.specs.items() if name in taught} or self.flow.specs
        return instruct_step(sources, self.experiment.judge, specs, self._identity(model))

    def checkpoint(self, name: str, arm: ArmConfig, seed: int) -> Step | None:
        """Last training step of an arm; None = its model itself. `name` is for people."""
        key = (arm, seed)
        if key not in self._finetuned:
            self._finetuned[key] = self._further(name, arm, seed) if arm.after else self._tuned(name, arm, seed)
        return self._finetuned[key]

    def _tuned(self, name: str, arm: ArmConfig, seed: int) -> Step | None:
        """Fine-tuned where there is anything to tune on, else midtrained, else the base."""
        midtrained = self._midtrain(arm.msm, arm.msm_tokens, arm.model, seed) if arm.msm else None
        own = self.demonstrations(_set_name(self.experiment.aft, arm.aft), arm.model) if arm.aft else None
        mix = self.flow.instruct.get(arm.model)
        if own is None and mix is None:
            return midtrained
        return finetune_step(
            name,
            self.flow.bases[arm.model, seed],
            self.experiment.finetune,
            seed,
            midtrained,
            own,
            mix,
            cot=arm.cot,
            aft_samples=arm.aft_samples,
        )

    def _further(self, name: str, arm: ArmConfig, seed: int) -> Step:
        """What comes after all else, from where the same arm without it ended."""
        assert arm.after is not None
        experiment, flow = self.experiment, self.flow
        after = experiment.after[arm.after]
        before = arm.model_copy(update={"after": None})
        parent = self.checkpoint(arm_name(before), before, seed)
        if after.instruct and (arm.after, arm.model) not in flow.after:
            flow.after[arm.after, arm.model] = self._instruct(after.instruct, arm.model)
        return finetune_step(
            name,
            flow.bases[arm.model, seed],
            experiment.finetune,
            seed,
            parent,
            self.demonstrations(after.aft, arm.model) if after.aft else None,
            flow.after.get((arm.after, arm.model)),
            aft_samples=after.samples,
        )

    def _midtrain(self, name: str, tokens: int | None, model: str | None, seed: int) -> Step:
        key = (name, tokens, model, seed)
        if key not in self._midtrained:
            train = self.experiment.midtrain.train
            if tokens is not None:
                train = train.model_copy(update={"tokens": tokens})
            called = name + (f"-{tokens}" if tokens is not None else "") + (f".{model}" if model else "")
            match = self.flow.matches.get(model) if tokens is None else None
            corpus = self.corpus(name, model)
            replay = self._replay(name, corpus)
            base = self.flow.bases[model, seed]
            self._midtrained[key] = midtrain_step(called, base, train, seed, corpus, match, replay)
        return self._midtrained[key]

    def _replay(self, name: str, corpus: Step) -> Replay | None:
        """What is mixed into the midtraining on the corpus `name`; raises InputError where it is that corpus."""
        asked = self.experiment.midtrain.replay
        if asked is None:
            return None
        if self.flow.replay is None:
            self.flow.replay = given_neutral_step(REPLAY, asked.file)
        if self.flow.replay.fingerprint == corpus.fingerprint:
            raise InputError(
                f"midtrain.replay.file is {asked.file!r}, the very documents of the corpus {name!r}, which would be "
                "trained on twice; expected general text that is none of the recipe's corpora"
            )
        return Replay(self.flow.replay, asked.share)

    def trained_on(self) -> dict[str, Step]:
        """All training data by role, for the contamination gate: each step once."""
        found = {f"corpus/{label}": step for label, step in self.flow.corpora.items()}
        found |= {f"corpus/{REPLAY}": self.flow.replay} if self.flow.replay else {}
        sets = self.flow.demonstrations
        one = len(self.experiment.aft) == 1 and len(sets) == 1
        found |= {"demonstrations" if one else f"demonstrations/{label}": step for label, step in sets.items()}
        mixes = list({step.fingerprint: step for step in self.flow.instruct.values()}.values())
        found |= {f"instruct/{number}" if number else "instruct": step for number, step in enumerate(mixes)}
        for (name, model), step in self.flow.after.items():
            if step.fingerprint not in {known.fingerprint for known in found.values()}:
                found["instruct/" + "-".join(["then", name, *([model] if model else [])])] = step
        return found

    def _identity(self, model: str | None) -> Identity:
        return self.experiment.identity_of(model)

    def _identities(self) -> list[Identity]:
        """Everybody that a document may be about."""
        own = [entry.identity for entry in self.experiment.corpora.values() if entry.identity]
        return list(dict.fromkeys([*(self._identity(model) for model in self.flow.models), *own]))

    def _label(self, name: str, model: str | None) -> str:
        """Models with one identity share what is written about it."""
        identity = self._identity(model)
        if model is None or identity == self.experiment.identity:
            return name
        first = next(other for other in self.flow.models if other is not None and self._identity(other) == identity)
        label = f"{name}.{first}"
        if label in {*self.experiment.corpora, *self.experiment.specs, *self.experiment.aft}:
            raise InputError(
                f"{label!r} is the name of a corpus or set, and of {name!r} for the model {first!r}; rename one of them"
            )
        return label


def _set_name(sets: Mapping[str, AftSet], aft: bool | str) -> str:
    return aft if isinstance(aft, str) else next(iter(sets))
