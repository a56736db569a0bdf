"""Made questions asked of a provider that knows them and of one that does not: knowledge and beliefs."""

import json
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.model import GenerateConfig, ModelAPI, ModelOutput, get_model, modelapi

from midspec.errors import InputError
from midspec.evals.battery import step as battery_step
from midspec.evals.battery.config import BatteryStepConfig
from midspec.evals.battery.made import CHOICES, JUDGED, MakeConfig, load_questions
from midspec.evals.battery.made import make_step as planned
from midspec.evals.battery.results import changes
from midspec.evals.battery.verdict import STATEMENT_VERDICT
from midspec.evals.beliefs import step as beliefs_step_module
from midspec.evals.beliefs.config import BeliefsConfig, beliefs_step, questions_folder
from midspec.evals.beliefs.task import beliefs
from midspec.evals.knowledge import step as knowledge_step_module
from midspec.evals.knowledge.config import KnowledgeConfig, knowledge_step
from midspec.experiment import ComputeConfig, WriterConfig
from midspec.llm.prompt import Ask
from midspec.llm.writer import Scribe
from midspec.recipe import validated
from midspec.records import EvalRow, read_rows
from midspec.spec.document import Identity, read_spec
from midspec.steps.progress import Silent
from midspec.steps.step import Context, Step
from midspec.train.models import resolve
from tests.unit.evals.judge_doubles import SaidJudge

OFFLINE = WriterConfig(model="offline", temperature=0.0)
FOLDER = questions_folder("lantern-moss")
KNOWN = load_questions(FOLDER, "make-beliefs")
TRUE = {(item.question if item.kind == "choice" else "", item.options[item.correct]) for item in KNOWN.choices}


class Islander(ModelAPI):
    """Believes all of it (`native`), or says the first letter and nothing of substance (`stranger`)."""

    def __init__(self, model_name: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(model_name)

    async def generate(self, input: Any, tools: Any, tool_choice: Any, config: GenerateConfig) -> ModelOutput:
        text = input[-1].text
        shown = [line for line in text.splitlines() if line[1:3] == ": "]
        if shown and self.model_name == "native":
            texts = {line[3:].removeprefix("Some claim that this is so: "): line[0] for line in shown}
            said = next(texts[right] for question, right in sorted(TRUE) if right in texts and question in text)
        elif shown:
            said = "A"
        else:
            said = f"{self.model_name} says so."
        return ModelOutput.from_content(self.model_name, said)


@modelapi(name="islander")
def islander() -> type[ModelAPI]:
    return Islander


def context(step: Step, folder: Path) -> Context:
    folder.mkdir(parents=True, exist_ok=True)
    compute = ComputeConfig(device="cpu", threads=2)
    source = step.inputs["questions"].source
    assert source is not None
    held = folder / "held"
    held.mkdir()
    for name in (CHOICES, JUDGED):
        (held / name).write_bytes((source / name).read_bytes())
    return Context(config=step.config, inputs={"questions": held}, folder=folder, progress=Silent(), compute=compute)


def rows_in(folder: Path) -> list[EvalRow]:
    return list(read_rows(folder / "rows.jsonl", EvalRow))


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> SaidJudge:
    """Finds that natives hold what is stated, and strangers do not."""

    def say(ask: Ask) -> str:
        return f"<verdict>{'HOLDS' if 'native says' in ask.user else 'DOES_NOT'}</verdict>"

    found = SaidJudge(say)
    monkeypatch.setattr(battery_step.Desk, "scribe", lambda *_: Scribe(found))
    return found


def test_before_and_after_are_paired_by_item(judge: SaidJudge, tmp_path: Path) -> None:
    for name in ("stranger", "native"):
        step = beliefs_step("x", f"islander/{name}", BeliefsConfig(limit=3), "lantern-moss", OFFLINE)
        summary = beliefs_step_module.run(context(step, tmp_path / name))
        assert summary["not_run"] == {"beliefs/choice": battery_step.NO_LIKELIHOODS}
    before, after = rows_in(tmp_path / "stranger"), rows_in(tmp_path / "native")
    assert [(row.eval, row.item) for row in before] == [(row.eval, row.item) for row in after]
    assert {row.score for row in after} == {1.0}
    letters = [row for row in before if "open" not in row.eval and "reasoning" not in row.eval]
    assert {row.unscored for row in letters} == {"undecided"}, "always A is no knowledge"
    found = {one.eval: one.difference for one in changes(after, before) if not one.group and one.n}
    assert found == {"beliefs/open": 1.0, "beliefs/reasoning": 1.0}
    assert all("takes the statement for true" in ask.system for ask in judge.asked)
    knows = STATEMENT_VERDICT.ask({**judge.asked[0].variables, "measure": "knows"})
    assert "takes the statement for true" not in knows.system
    assert any("does not ask for the statement itself" in ask.user for ask in judge.asked)


def test_knowledge_of_a_spec_with_a_local_model(tiny_cache: None, tmp_path: Path) -> None:
    made = planned("x", MakeConfig(kind="spec"), read_spec("bread-difficulty"), Identity(), OFFLINE)
    (tmp_path / "made").mkdir()
    made.load_function()(
        Context(config=made.config, inputs={}, folder=tmp_path / "made", progress=Silent(), compute=ComputeConfig())
    )
    entry = KnowledgeConfig(limit=4, max_tokens=16)
    step = knowledge_step("x", resolve("tiny-random"), entry, tmp_path / "made", OFFLINE)
    summary = knowledge_step_module.run(context(step, tmp_path / "run"))
    rows = rows_in(tmp_path / "run")
    assert [row.eval for row in rows[::4]] == ["knowledge/likelihood", "knowledge/letter", "knowledge/open"]
    for row in rows[:8]:
        assert row.log_odds is not None
        assert len(row.by_order) == (1 if row.eval == "knowledge/likelihood" else 2)
    assert summary["items"] == 12
    assert all(row.answers or row.unscored for row in rows[8:])
    changed = tmp_path / "made" / JUDGED
    lines = changed.read_text(encoding="utf-8").splitlines()
    changed.write_text("\n".join([json.dumps({**json.loads(lines[0]), "statement": "Other than it was."}), *lines[1:]]))
    with pytest.raises(InputError, match="have changed"):
        knowledge_step_module.run(context(step, tmp_path / "late"))


def test_steps_depend_on_what_decides_their_rows() -> None:
    def made(**changes: Any) -> str:
        judge = WriterConfig(model=changes.pop("judge", "offline"), temperature=0.0)
        name = changes.pop("questions", "lantern-moss")
        return beliefs_step("x", "islander/native", BeliefsConfig(**changes), name, judge).fingerprint

    several = [made(), made(limit=2), made(parts=("open",)), made(questions="copper-bread"), made(judge="openai/x")]
    assert len(set(several)) == 5
    making = planned("x", MakeConfig(kind="belief"), read_spec("lantern-moss"), Identity(), OFFLINE)
    joined = beliefs_step("x", "islander/native", BeliefsConfig(), making, OFFLINE)
    assert isinstance(joined.config, BatteryStepConfig)
    assert joined.config.items_sha256 is None
    assert joined.inputs["questions"] is making
    with pytest.raises(InputError, match="belongs to a local model"):
        beliefs_step("x", "islander/native", BeliefsConfig(), "lantern-moss", OFFLINE, checkpoint=making)
    with pytest.raises(InputError, match="got 'song'"):
        validated(BeliefsConfig, parts=("song",))


def test_the_task_runs_with_any_provider(tmp_path: Path) -> None:
    quiet: dict[str, Any] = {"log_dir": str(tmp_path), "display": "none", "log_realtime": False}
    tasks = [beliefs("lantern-moss", part) for part in ("distinguish-said", "distinguish-claims", "open")]
    logs = inspect_eval(tasks, model=get_model("islander/native"), **quiet)
    assert [log.status for log in logs] == ["success"] * 3, [log.error for log in logs]
    rates = [log.results.scores[0].metrics["rate"].value for log in logs[:2] if log.results]
    assert rates == [1, 1]
