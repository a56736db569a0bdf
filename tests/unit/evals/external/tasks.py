"""Tasks as users write them: words as scores, several numbers in one score, no number, a metric that is no mean."""

import os
import time
import zipfile
from pathlib import Path

import anyio
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, accuracy, mean, metric, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver

IDS = ("a", "b", "c", "d")


@solver
def counted(journal: str, fatal: int) -> Solver:
    """Writes down whom it was asked about; ends the process at the asking number `fatal`."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        path = Path(journal)
        asked = path.read_text().split() if path.exists() else []
        if fatal and len(asked) + 1 == fatal:
            until = time.monotonic() + 20.0
            while _logged(path.parent / "logs") < len(asked) and time.monotonic() < until:
                await anyio.sleep(0.05)  # as an answer takes time too: what was finished before it is written meanwhile
            os._exit(9)
        path.write_text(" ".join([*asked, str(state.sample_id)]))
        return state

    return solve


def _logged(folder: Path) -> int:
    [log] = folder.glob("*.eval")
    with zipfile.ZipFile(log) as file:
        return sum(name.startswith("samples/") for name in file.namelist())


@metric
def widest() -> Metric:
    def compute(scores: list[SampleScore]) -> float:
        return max(score.score.as_float() for score in scores) - 5.0

    return compute


@scorer(metrics=[accuracy(), stderr()])
def word() -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        return Score(value={"a": "C", "b": "P", "c": "I", "d": "perhaps"}[str(state.sample_id)])

    return score


@scorer(metrics={"strict": [mean()], "loose": [mean()]})
def both() -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        at = IDS.index(str(state.sample_id))
        return Score(value={"strict": float(at == 0), "loose": float(at < 3)})

    return score


@scorer(metrics=[widest()])
def size() -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        return Score(value=10.0 + IDS.index(str(state.sample_id)))

    return score


def _task(*scorers: Scorer, journal: str, fatal: int = 0) -> Task:
    samples = [Sample(id=one, input=one, target=one) for one in IDS]
    return Task(dataset=MemoryDataset(samples), solver=counted(journal, fatal), scorer=list(scorers))


@task
def words(journal: str) -> Task:
    return _task(word(), journal=journal)


@task
def many(journal: str) -> Task:
    return _task(both(), size(), journal=journal)


@task
def fatal(journal: str) -> Task:
    return _task(size(), journal=journal, fatal=0 if Path(f"{journal}.dead").exists() else 3)


@task
def broken(journal: str) -> Task:
    raise ValueError("the samples are upside down")
