"""What an evaluation of a recipe must be able to say, and the table of those there are.

A recipe's `evals` are told apart by `task`, as in a discriminated union: each family of evaluations has one class,
named in `FAMILIES` as text, so that reading a recipe loads only the families it names. Anything else is a task of
Inspect's.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

if TYPE_CHECKING:
    from midspec.experiment import Experiment, WriterConfig
    from midspec.llm.prices import Work
    from midspec.records import BankItem
    from midspec.spec.document import Identity, ModelSpec
    from midspec.steps.step import Step
    from midspec.train.models import ModelRef

FAMILIES: Mapping[str, str] = {
    "preferences": "midspec.evals.bank_entry:BankEntry",
    "traits": "midspec.evals.bank_entry:BankEntry",
    "opinions": "midspec.evals.bank_entry:BankEntry",
    "plain": "midspec.evals.bank_entry:BankEntry",
    "agentic": "midspec.evals.agentic.entry:AgenticEntry",
    "open_qa": "midspec.evals.open_qa.entry:OpenQAEntry",
    "capability": "midspec.evals.capability.entry:CapabilityEntry",
    "knowledge": "midspec.evals.knowledge.entry:KnowledgeEntry",
    "beliefs": "midspec.evals.beliefs.entry:BeliefsEntry",
}
"""`task` of a recipe -> the class that reads the entry and plans its steps. A new family is one line here."""
BANKS = ("preferences", "traits", "opinions", "plain")
"""Tasks that `task/value` is short for."""
_EXTERNAL = "midspec.evals.external.entry:ExternalEntry"

Scale = Literal["share", "grade", "number"]
"""How a measure is written: in percent, as a grade on the rubric's scale, or as the task's own number."""


class Measure(NamedTuple):
    """One column of an evaluation's rows that reports show."""

    name: str
    column: str | None
    """Facet of the rows, or SCORE for `EvalRow.score`. None: a number of the task's own that no column averages to."""
    scale: Scale = "share"
    ends: tuple[float, float] | None = (0.0, 1.0)
    """Least and most that a value can be: bounds for missing values. None = not known, so no bounds."""
    parts: bool = False
    """Whether it is shown for each domain of the rows, too."""
    given: tuple[str, float] | None = None
    """Only rows whose column has this value, or none, which may have been it: (column, value)."""
    own: bool = False
    """Whether its value is the number in the step's summary instead of the mean of the column."""
    words: str = ""
    """What it is, for people."""
    of: str | None = None
    """Only rows of this `EvalRow.eval`; None = all."""
    by_topic: bool = False
    """Whether intervals take topics as independent, not items: items of one topic were made from one text."""
    compared: bool = False
    """Whether arms are compared on it though it is not the headline."""


SCORE = "score"
"""Name of the column `EvalRow.score`."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is evaluated: one checkpoint of an experiment."""

    experiment: Experiment
    specs: Mapping[str, ModelSpec]
    model: ModelRef
    checkpoint: Step | None
    """None = the base model itself."""


class Requests(NamedTuple):
    """What somebody is asked while an evaluation of one checkpoint is graded."""

    who: WriterConfig
    work: Mapping[str, Work]
    """Name of the prompt -> requests of it."""


class Answers(NamedTuple):
    """What a local model answers in an evaluation of one checkpoint, about."""

    number: int
    read: int
    """Tokens of each question, with what is scored of given answers."""
    written: int = 0
    """Tokens of each answer that the model writes; 0 where likelihoods are read."""


class Evaluation(BaseModel):
    """One entry of a recipe's `evals`. Subclasses add `task` and the settings of their family."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    choices: ClassVar[bool] = False
    """Whether rows are choices between an aligned answer and another, which have a rate and a shift."""

    unmetered: ClassVar[bool] = False
    """Whether its graders are asked outside the journal."""

    label: Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w .,/+@()-]{0,99}$")] | None = None
    """Name in tables; None = made from the task. Needed where a recipe asks one evaluation in two ways."""

    @property
    def name(self) -> str:
        """The name in tables, unique in a recipe."""
        raise NotImplementedError

    def check(self, experiment: Experiment) -> None:
        """Raise ValueError where the entry does not go with its recipe. Called when the recipe is read."""

    def step(self, name: str, subject: Subject) -> Step:
        """The step that evaluates one checkpoint. Its folder holds `rows.jsonl` of `records.EvalRow`; `name` is for
        people. Raises InputError where what it needs (a bank, a task, a file) is not there."""
        raise NotImplementedError

    def measures(self, summaries: Sequence[Mapping[str, Any]]) -> tuple[Measure, ...]:
        """What tables show of the rows, the headline first; none for `choices`. `summaries`: of the finished steps."""
        return ()

    def banks(self) -> Mapping[str, str]:
        """`task/value` -> SHA-256 of the banks that the gates search training data for."""
        return {}

    def questions_sha256(self) -> str | None:
        """Identity of what `gate_items` gives, known before it is made; None where it gives nothing."""
        return None

    def gate_items(self, identity: Identity) -> list[BankItem]:
        """Its questions in the form of bank items, for the contamination gate. `identity`: who is asked."""
        return []

    def graders(self, experiment: Experiment) -> tuple[WriterConfig, ...]:
        """Who is asked to grade, the recipe's judge by default; nobody where no judge is needed."""
        return ()

    def requests(self, subject: Subject) -> list[Requests]:
        """What graders will be asked for one checkpoint: the ground of the bill."""
        return []

    def answers(self, subject: Subject) -> Answers | None:
        """What one checkpoint is asked: the ground of the GPU hours. None = the task alone knows."""
        return None

    def work(self, subject: Subject) -> str:
        """What is asked of one checkpoint, in words, e.g. `81 answers in 27 cells`."""
        raise NotImplementedError


def parse(value: Any) -> Any:
    """The entry that `value` says: a mapping with `task`, `task/value` for a bank, or the name of a task alone.

    Raises ValueError naming the key, or what there is instead of an unknown task.
    """
    if isinstance(value, Evaluation):
        return value
    if isinstance(value, str):
        first, slash, rest = value.partition("/")
        value = {"task": first, "value": rest} if slash and first in BANKS else {"task": value}
    task = value.get("task") if isinstance(value, dict) else None
    kind = family(task) if isinstance(task, str) else None
    if kind is None:
        raise ValueError(f"evaluation {task or value!r} is not known; expected {expected()}")
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        from midspec.recipe import describe

        raise ValueError("; ".join(describe(problem, kind) for problem in error.errors())) from error


def family(task: str) -> type[Evaluation] | None:
    """The class that reads entries of this task; None for a name that can be none."""
    named = FAMILIES.get(task)
    if named is None:
        if "/" not in task and "@" not in task:
            return None
        named = _EXTERNAL
    module, _, name = named.partition(":")
    return getattr(importlib.import_module(module), name)


def expected() -> str:
    """What a recipe may name, in words."""
    others = ", ".join(task for task in FAMILIES if task not in BANKS)
    return (
        f"task/value of a bank ({', '.join(BANKS)}; e.g. opinions/america), one of: {others}, or a task of Inspect's: "
        "inspect_evals/NAME, PACKAGE/NAME, or FILE.py@TASK"
    )
