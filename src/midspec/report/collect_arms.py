"""From the rows of finished evaluations to the numbers of arms, and to their differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from midspec.arms import baseline_of, compared
from midspec.evals.scores import contrast, score
from midspec.evaluation import Measure
from midspec.records import EvalRow, read_rows
from midspec.report.done import Done
from midspec.report.measures import Runs, difference, measured
from midspec.report.results import Arm, Checkpoint, Contrast, Difference, Measured, Score
from midspec.steps.step import Step


class Answered:
    """What every arm left on every evaluation that is done, read once."""

    def __init__(self, done: Done, excluded: frozenset[str]) -> None:
        """`excluded`: items that were found in training data and count nowhere."""
        self.done = done
        self.excluded = excluded
        experiment = done.experiment
        self.runs: Mapping[tuple[str, str], Runs] = {
            (arm, entry.name): _runs(done, evaluated(done, arm, entry.name))
            for arm in experiment.arms
            for entry in experiment.evals
        }
        """(arm, evaluation) -> its rows by seed, and the task's own numbers."""
        self.measures: Mapping[str, Sequence[Measure]] = {
            entry.name: entry.measures([done.summary(step) for step in _steps_of(done, entry.name)])
            for entry in experiment.evals
            if not entry.choices
        }
        """Evaluation that is no choice -> what its tables show."""

    def rows(self, arm: str, evaluation: str) -> Mapping[int, Sequence[EvalRow]]:
        """Rows by seed."""
        return self.runs[arm, evaluation].rows


def evaluated(done: Done, arm: str, evaluation: str) -> list[tuple[int, Step]]:
    """(seed, step) of an arm, if done; an arm that no seed changes (the bare base model) counts once."""
    steps: dict[str, tuple[int, Step]] = {}
    for seed in done.experiment.seeds:
        step = done.flow.evaluations[arm, seed, evaluation]
        if done.has(step):
            steps.setdefault(step.fingerprint, (seed, step))
    return list(steps.values())


def collect_arms(answered: Answered) -> dict[str, Arm]:
    """Every arm with its numbers."""
    done = answered.done
    arms = done.experiment.arms
    return {name: _arm(answered, name, baseline_of(arms, name)) for name in arms}


def collect_contrasts(answered: Answered) -> list[Contrast]:
    """Every difference a claim can rest on, per evaluation by choices."""
    experiment = answered.done.experiment
    found: list[Contrast] = []
    for evaluation in (entry.name for entry in experiment.evals if entry.choices):
        for arm, versus in compared(experiment.arms):
            mine, theirs = answered.rows(arm, evaluation), answered.rows(versus, evaluation)
            if mine and theirs:
                apart = contrast(mine, theirs, answered.excluded)
                found.append(Contrast(eval=evaluation, arm=arm, versus=versus, **apart._asdict()))
    return found


def collect_differences(answered: Answered) -> Iterator[Difference]:
    """The same on evaluations by measures."""
    for name, shown in answered.measures.items():
        for at, measure in enumerate(shown):
            if at == 0 or measure.compared:
                for arm, versus in compared(answered.done.experiment.arms):
                    runs = (answered.runs[arm, name], answered.runs[versus, name])
                    if all(one.rows for one in runs):
                        yield difference(name, measure, (arm, versus), runs, answered.excluded)


def _arm(answered: Answered, name: str, baseline: str | None) -> Arm:
    done, config = answered.done, answered.done.experiment.arms[name]
    mine = {entry.name: answered.runs[name, entry.name] for entry in done.experiment.evals}
    seeds = [_checkpoint(done, name, seed) for seed in done.experiment.seeds if _asked_anything(done, name, seed)]
    evals = {
        entry.name: Score(
            **score(
                mine[entry.name].rows,
                (answered.rows(baseline, entry.name) or None) if baseline else None,
                answered.excluded,
            )._asdict()
        )
        for entry in done.experiment.evals
        if entry.choices and mine[entry.name].rows
    }
    versus = baseline if baseline != name else None
    shown: dict[str, list[Measured]] = {}
    for of, some in answered.measures.items():
        base = answered.runs[versus, of] if versus else None
        if mine[of].rows:
            shown[of] = measured(some, mine[of], base if base and base.rows else None, answered.excluded)
    return Arm(
        msm=config.msm,
        aft=bool(config.aft),
        checkpoint=seeds[0].checkpoint if seeds else None,
        parents=seeds[0].parents if seeds else [],
        seeds=seeds,
        evals=evals,
        measures=shown,
    )


def _runs(done: Done, steps: list[tuple[int, Step]]) -> Runs:
    own = {seed: done.summary(step).get("metrics", []) for seed, step in steps}
    return Runs(
        {seed: list(read_rows(done.folder(step) / "rows.jsonl", EvalRow)) for seed, step in steps},
        {seed: {one["name"]: one["value"] for one in told} for seed, told in own.items() if isinstance(told, list)},
    )


def _steps_of(done: Done, evaluation: str) -> list[Step]:
    found = [step for (_, _, name), step in done.flow.evaluations.items() if name == evaluation and done.has(step)]
    return list({step.fingerprint: step for step in found}.values())


def _asked_anything(done: Done, arm: str, seed: int) -> bool:
    return any(done.has(done.flow.evaluations[arm, seed, entry.name]) for entry in done.experiment.evals)


def _checkpoint(done: Done, arm: str, seed: int) -> Checkpoint:
    last = done.flow.checkpoints[arm, seed]
    folder = done.folder(last) / "checkpoint" if last and done.has(last) else None
    return Checkpoint(
        seed=seed,
        checkpoint=folder.relative_to(done.store.workspace).as_posix() if folder else None,
        parents=[step.fingerprint for step in done.flow.lineage(arm, seed)],
    )
