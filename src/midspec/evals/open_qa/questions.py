"""The questions of open QA: read, select, check. Pure functions beside the reading; loads neither torch nor inspect."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field

from midspec.errors import InputError
from midspec.evals.item_sets import Split, drawn, halved, sha256_of
from midspec.leakage import words
from midspec.near import near_index
from midspec.records import Row, read_rows
from midspec.steps.progress import Silent

Form = Literal["direct", "hypothetical", "role", "pressure"]

DIMENSIONS = (
    "self-preservation",
    "goal rigidity",
    "corrigibility",
    "transparency",
    "scope of action",
    "resource acquisition",
    "loyalty under conflict",
)
"""Of the packaged questions. (paper)"""
PACKAGED = Path(str(files("midspec"))) / "data" / "open_qa" / "questions.jsonl"
LEAST_PER_DIMENSION = 21
"""Questions of each dimension of the packaged set. (the paper has 151 over seven)"""
SHARED_WORDS = 6
"""Consecutive words that a question may not share with a packaged spec. (ours)"""
ALIKE = 0.6
"""Cosine of letter 4-grams above which two questions count as near-duplicates. (ours)"""


class OpenQuestion(Row):
    """One question and what it is about."""

    id: str = Field(min_length=1)
    dimension: str = Field(min_length=1)
    """One of DIMENSIONS, or a section of the spec that the question was made from."""
    form: Form
    """Asked directly, about a supposed case, in a role, or under pressure."""
    question: str = Field(min_length=1)
    split: Literal["dev", "test"]
    """Frozen from the start: tune on dev only."""
    about: str = ""
    """The statement of a spec that it is meant to bring out; empty for questions that belong to no spec."""


def load_questions(path: Path | None = None) -> list[OpenQuestion]:
    """The packaged questions, or those in the JSONL file at `path`.

    Raises InputError for a file that cannot be read, is empty, or repeats an id.
    """
    found = list(read_rows(path or PACKAGED, OpenQuestion))
    repeated = [name for name, count in Counter(one.id for one in found).items() if count > 1]
    if repeated or not found:
        problem = f"the id {repeated[0]!r} stands more than once" if repeated else "it holds no question"
        raise InputError(f"questions {path}: {problem}; expected what `midspec eval make-questions` writes")
    return found


def questions_sha256(questions: Iterable[OpenQuestion]) -> str:
    """Identity of a set of questions, whatever file they lie in."""
    return sha256_of(questions)


def select(questions: Sequence[OpenQuestion], split: Split = "all", limit: int | None = None) -> list[OpenQuestion]:
    """The questions of a split, at most `limit`, the same number from every dimension: see `drawn`."""
    return drawn(questions, split, limit, lambda one: one.dimension, "midspec open qa selection")


def assign_splits(questions: Sequence[OpenQuestion]) -> list[OpenQuestion]:
    """The same with half of each dimension and form in dev, half in test."""
    return halved(questions, lambda one: f"{one.dimension}/{one.form}")


def check_questions(questions: Sequence[OpenQuestion], spec_texts: Iterable[str] = ()) -> list[str]:
    """Problems of any set in words: near-duplicates, uneven splits, words of a spec; empty for a sound one."""
    problems = [f"{name}: id stands {count} times" for name, count in _repeated(one.id for one in questions)]
    index = near_index(ALIKE, "lexical", Silent())
    for number, sketch in enumerate(index.sketches([one.question for one in questions])):
        earlier = index.near(sketch)
        if earlier is not None:
            problems.append(f"{questions[number].id}: nearly the same as {questions[earlier].id}")
        index.add(sketch)
    runs = {run for text in spec_texts for run in _runs(text)}
    for one in questions:
        problems += [f"{one.id}: shares words with a spec: {' '.join(run)!r}" for run in _runs(one.question) & runs]
    groups: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in questions:
        groups[f"{one.dimension}/{one.form}"][one.split] += 1
    return problems + [
        f"{group}: {count['dev']} dev and {count['test']} test questions, expected at most one apart"
        for group, count in groups.items()
        if abs(count["dev"] - count["test"]) > 1
    ]


def check_packaged(questions: Sequence[OpenQuestion], spec_texts: Iterable[str] = ()) -> list[str]:
    """What `check_questions` finds, and what the packaged set must have besides: dimensions and forms in balance."""
    problems = check_questions(questions, spec_texts)
    dimensions = Counter(one.dimension for one in questions)
    problems += [f"dimension {name!r} is not one of the seven" for name in dimensions if name not in DIMENSIONS]
    for name in DIMENSIONS:
        if dimensions[name] < LEAST_PER_DIMENSION:
            problems.append(f"dimension {name!r} has {dimensions[name]} questions, expected {LEAST_PER_DIMENSION}")
        if dimensions[name] != max(dimensions.values()):
            problems.append(f"dimension {name!r} has fewer questions than another")
        forms = Counter(one.form for one in questions if one.dimension == name)
        problems += [
            f"dimension {name!r} has {forms[form]} questions of the form {form!r}, expected about a quarter"
            for form in get_args(Form)
            if not 0.15 <= forms[form] / max(1, dimensions[name]) <= 0.35
        ]
    return problems


def _runs(text: str) -> set[tuple[str, ...]]:
    said = words(text)
    return {said[at : at + SHARED_WORDS] for at in range(len(said) - SHARED_WORDS + 1)}


def _repeated(things: Iterable[str]) -> list[tuple[str, int]]:
    return [(thing, count) for thing, count in Counter(things).items() if count > 1]
