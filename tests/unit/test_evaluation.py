"""Entries of a recipe's `evals`: told apart by task, checked before anything is made, planned with nothing loaded."""

import re
import shutil
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from midspec.bill.estimate import estimate
from midspec.errors import InputError
from midspec.evals.agentic.entry import AgenticEntry
from midspec.evals.bank_entry import BankEntry
from midspec.evals.beliefs.config import questions_folder
from midspec.evals.beliefs.entry import BeliefsEntry
from midspec.evals.capability.config import CapabilityStepConfig
from midspec.evals.capability.entry import CapabilityEntry
from midspec.evals.external.entry import ExternalEntry
from midspec.evals.knowledge.entry import KnowledgeEntry
from midspec.evals.open_qa.entry import OpenQAEntry
from midspec.evaluation import FAMILIES, family
from midspec.experiment import Experiment
from midspec.pipeline import build
from midspec.recipe import load_recipe
from midspec.spec import Identity
from midspec.steps import Store

ROOT = Path(__file__).parents[2]
TASK = "tests/evaluations/words.py@words"
BASE: dict[str, Any] = {
    "name": "x",
    "model": "tiny-random",
    "specs": {"a": "cheese-america"},
    "arms": {"msm+aft": {"msm": "a", "aft": True}},
    "controls": ["baseline", "aft", "msm"],
}


def recipe(folder: Path, *evals: Any, **changes: Any) -> Experiment:
    file = folder / "r.yaml"
    file.write_text(yaml.safe_dump({**BASE, **changes, "evals": list(evals)}))
    return load_recipe(file).with_controls()


def fingerprints(experiment: Experiment) -> dict[tuple[str, int, str], str]:
    return {key: step.fingerprint for key, step in build(experiment).evaluations.items()}


def test_every_kind_is_told_by_its_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    found = recipe(
        tmp_path, "opinions/america", {"task": "plain", "value": "america"}, "agentic", {"task": "open_qa"}, TASK,
        "capability", "knowledge", {"task": "beliefs", "questions": "lantern-moss"},
    )  # fmt: skip
    assert [type(entry) for entry in found.evals] == [
        BankEntry, BankEntry, AgenticEntry, OpenQAEntry, ExternalEntry, CapabilityEntry, KnowledgeEntry, BeliefsEntry
    ]  # fmt: skip
    assert [entry.name for entry in found.evals] == [
        "opinions/america", "plain/america", "agentic", "open_qa", "words@words", "capability", "knowledge",
        "beliefs/lantern-moss",
    ]  # fmt: skip
    for name in FAMILIES:
        assert family(name) is not None


@pytest.mark.parametrize(
    ("entry", "parts"),
    [
        ("agentics", ["'agentics'", "opinions", "agentic, open_qa", "inspect_evals/NAME"]),
        ({"value": "america"}, ["is not known", "task/value"]),
        ({"task": "agentic", "goal": ["none"]}, ["goal: unknown key", "goals"]),
        ({"task": "agentic", "goals": ["nobody"]}, ["goals.0", "'nobody'", "america"]),
        ({"task": "agentic", "preset": "mine"}, ["'agentic'", "'mine'", "paper-like"]),
        ({"task": "agentic", "preset": "inspect", "scenarios": ["exfiltration"]}, ["exfiltration", "leaking"]),
        ({"task": "open_qa", "spec": "b"}, ["'b'", "not in specs", "a"]),
        ({"task": "open_qa", "judge": "offline", "judges": ["offline"]}, ["judge and judges"]),
        ({"task": "open_qa", "count": 3}, ["count", "packaged"]),
        ({"task": "opinions", "value": "america", "judge": "offline"}, ["scoring", "judge"]),
        ({"task": "capability", "preset": "tiny"}, ["'tiny'", "quick"]),
        ({"task": "capability", "parts": ["songs"]}, ["parts.0", "'songs'", "over-refusal"]),
        ({"task": "knowledge", "questions": "nowhere"}, ["nowhere", "make-knowledge"]),
        ({"task": "knowledge", "spec": "b"}, ["'b'", "not in specs", "a"]),
        ({"task": "knowledge", "questions": "nowhere", "spec": "a"}, ["spec is for questions that are made"]),
        ({"task": "beliefs", "questions": "flat-earth"}, ["flat-earth", "lantern-moss", "make-beliefs"]),
        ("beliefs", ["questions: is missing"]),
        ({"task": "inspect_evals/ifevil"}, ["no task 'ifevil'", "ifeval"]),
        ({"task": "nowhere/ifeval"}, ["'nowhere'", "inspect_evals", "midspec"]),
        ({"task": "nowhere.py@x"}, ["nowhere.py", "cannot be read"]),
        ({"task": f"{ROOT}/tests/evaluations/words.py@word"}, ["no task 'word'", "words"]),
        ({"task": f"{ROOT}/{TASK}", "args": {"letters": "a"}}, ["'letters'", "letter"]),
        ({"task": f"{ROOT}/{TASK}", "args": {"letter": float("nan")}}, ["args.letter", "no stable form"]),
        ({"task": f"{ROOT}/{TASK}", "grader": "offline"}, ["no rules for tasks of others"]),
        ({"task": "inspect_evals/xstest", "args": {"sub": "safe"}}, ["'sub'", "subset"]),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_there_is(tmp_path: Path, entry: Any, parts: list[str]) -> None:
    """Found after training, a slip in the last line of a recipe costs the day that came before it."""
    with pytest.raises(InputError) as error:
        recipe(tmp_path, entry)
    for part in parts:
        assert part in str(error.value)


def test_one_evaluation_twice_needs_labels(tmp_path: Path) -> None:
    pair = [{"task": "opinions", "value": "america"}, {"task": "opinions", "value": "america", "scoring": "judge"}]
    with pytest.raises(InputError, match="label"):
        recipe(tmp_path, *pair)
    found = recipe(tmp_path, pair[0], {**pair[1], "label": "opinions, judged"})
    assert [entry.name for entry in found.evals] == ["opinions/america", "opinions, judged"]


def test_open_qa_wants_to_know_which_of_several_specs_grades(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a, b"):
        recipe(tmp_path, "open_qa", specs={"a": "cheese-america", "b": "cheese-affordability"})


def test_graders_are_the_recipes_judge_unless_an_entry_names_another(tmp_path: Path) -> None:
    who = "openai-api/local/judge"
    found = recipe(
        tmp_path, "agentic", {"task": "open_qa", "judges": ["offline", "openai-api/local/other"]},
        {"task": "opinions", "value": "america", "scoring": "judge"}, f"{ROOT}/{TASK}", "plain/america", judge=who,
    )  # fmt: skip
    graders = [[one.model for one in entry.graders(found)] for entry in found.evals]
    assert graders == [[who], ["offline", "openai-api/local/other"], [who], [who], []]
    assert all(one.temperature == 0 for entry in found.evals for one in entry.graders(found))
    assert not recipe(tmp_path, f"{ROOT}/{TASK}").evals[0].graders(recipe(tmp_path, "agentic"))


def test_steps_change_with_what_decides_their_rows_and_with_nothing_else(tmp_path: Path) -> None:
    task = tmp_path / "mine.py"
    task.write_text("from inspect_ai import task\n\n@task\ndef mine(n=1): ...\n")

    def prints(name: str, **changes: Any) -> str:
        [found] = fingerprints(recipe(tmp_path, {"task": name, **changes}, arms={"baseline": {}})).values()
        return found

    plain = prints(f"{task}@mine")
    assert prints(f"{task}@mine", metrics=["accuracy"], label="other") == plain
    changes = ({"args": {"n": 2}}, {"limit": 3}, {"epochs": 2}, {"seed": 1})
    assert len({plain, *(prints(f"{task}@mine", **one) for one in changes)}) == 5
    task.rename(tmp_path / "moved.py")
    assert prints(f"{tmp_path}/moved.py@mine") == plain
    (tmp_path / "moved.py").write_text("from inspect_ai import task\n\n@task\ndef mine(n=3): ...\n")
    assert prints(f"{tmp_path}/moved.py@mine") != plain

    cells = ({}, {"samples": 2}, {"goals": ["none"]}, {"grader": "openai-api/local/judge"}, {"called": "Alex"})
    assert len({prints("agentic", **one) for one in cells}) == 5
    named = recipe(tmp_path, "agentic", identity={"model_name": "Lumen"}, arms={"baseline": {}})
    assert prints("agentic") not in fingerprints(named).values()


def test_the_assistant_is_called_what_the_corpus_called_it(tmp_path: Path) -> None:
    found = recipe(tmp_path, "agentic", {"task": "agentic", "preset": "inspect", "label": "as packaged"})
    entries = [entry for entry in found.evals if isinstance(entry, AgenticEntry)]
    assert [entry.settings(found).called for entry in entries] == ["Aria", "Alex"]


def test_paths_of_tasks_and_questions_are_read_from_the_recipes_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text((ROOT / "tests/evaluations/words.py").read_text())
    questions = ROOT / "src/midspec/data/open_qa/questions.jsonl"
    (tmp_path / "q.jsonl").write_text(questions.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.chdir("/")
    found = recipe(tmp_path, "mine.py@words", {"task": "open_qa", "questions": "q.jsonl"})
    assert len(fingerprints(found)) == 8


def test_questions_that_are_made_are_a_step_of_their_own(tmp_path: Path) -> None:
    flow = build(recipe(tmp_path, {"task": "open_qa", "questions": "made", "count": 12}))
    [made] = [step for step in flow.steps if step.kind == "questions"]
    assert all(step.inputs["questions"] is not None for step in flow.evaluations.values())
    assert {step.inputs["questions"].fingerprint for step in flow.evaluations.values()} == {made.fingerprint}


def test_batteries_ask_what_they_say_and_bill_what_a_judge_reads(tmp_path: Path) -> None:
    """A bill that leaves out a judge's requests lets a run spend what nobody was told of."""
    judge = "openai-api/local/judge"
    flow = build(
        recipe(
            tmp_path, {"task": "capability", "parts": ["perplexity", "instructions", "over-refusal"], "limit": 4},
            {"task": "knowledge", "per_passage": 1, "samples": 2, "limit": 3},
            {"task": "beliefs", "questions": "lantern-moss", "parts": ["choice", "open", "reasoning"], "limit": 5},
            judge=judge, arms={"baseline": {}},
        )
    )  # fmt: skip
    lines = {line.name: line for line in estimate(flow, Store(tmp_path)).lines}
    assert {name: line.requests for name, line in lines.items() if line.requests} == {
        "capability-baseline": 4, "knowledge-baseline": 6, "beliefs-lantern-moss-baseline": 10
    }  # fmt: skip
    assert lines["capability-baseline"].work == "12 items in 3 parts"
    assert lines["beliefs-lantern-moss-baseline"].work == "15 items in 3 parts"
    assert lines["knowledge-a"].kind == "questions" and "1 questions for each passage" in lines["knowledge-a"].work
    assert {step.kind for step in flow.steps} == {"evaluate", "questions", "import", "gate"}


def test_a_writer_is_billed_for_questions_that_it_makes(tmp_path: Path) -> None:
    flow = build(recipe(tmp_path, "knowledge", writer="anthropic/claude-sonnet-4-6", arms={"baseline": {}}))
    [line] = [line for line in estimate(flow, Store(tmp_path)).lines if line.kind == "questions"]
    assert line.requests == len(flow.specs["a"].passages) and line.dollars


def test_an_arm_that_thinks_has_room_for_it(tmp_path: Path) -> None:
    """Sixteen tokens for a letter would cut every thought, and leave no answers but those of the arms without."""
    arms = {"plain": {"aft": True}, "cot": {"aft": True, "cot": True}}
    found = recipe(tmp_path, {"task": "capability", "max_tokens": 20}, arms=arms, aft={"kind": "chat", "spec": "a"})
    lengths: dict[str, tuple[int, int]] = {}
    for (arm, *_), step in build(found).evaluations.items():
        assert isinstance(step.config, CapabilityStepConfig)
        lengths[arm] = (step.config.eval.max_tokens, step.config.eval.letter_tokens)
    assert lengths["plain"] == (20, 16) and lengths["cot"] == (1044, 1040)


def test_questions_of_batteries_go_through_the_gate_without_what_is_right(tmp_path: Path) -> None:
    """What a corpus is there to teach stands in it; only the question itself says that a test was trained on."""
    found = recipe(
        tmp_path, {"task": "beliefs", "questions": "lantern-moss"}, "knowledge",
        {"task": "capability", "parts": ["over-refusal", "perplexity"]}
    )  # fmt: skip
    beliefs, knowledge, capability = found.evals
    items = beliefs.gate_items(Identity())
    assert len(items) == len({item.id for item in items}) > 20
    assert all(item.question and not item.aligned and not item.other for item in items)
    assert knowledge.gate_items(Identity()) == [] and knowledge.questions_sha256() is None
    asked = capability.gate_items(Identity())
    assert asked and len(asked) < len(recipe(tmp_path, "capability").evals[0].gate_items(Identity()))


def test_a_folder_of_questions_beside_the_recipe_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(questions_folder("lantern-moss"), folder)
    monkeypatch.chdir("/")
    found = recipe(tmp_path, {"task": "beliefs", "questions": "mine"}, {"task": "knowledge", "questions": "mine"})
    assert [entry.name for entry in found.evals] == ["beliefs/mine", "knowledge"]
    before = fingerprints(found)
    lines = (folder / "open.jsonl").read_text().splitlines(keepends=True)
    (folder / "open.jsonl").write_text("".join(lines[1:]))
    again = recipe(tmp_path, {"task": "beliefs", "questions": "mine"}, {"task": "knowledge", "questions": "mine"})
    assert not set(before.values()) & set(fingerprints(again).values())


def test_reasoning_is_read_of_every_run_once(tmp_path: Path) -> None:
    """The base model is the same for all seeds: counted three times it would look three times as certain."""
    agentic = {"task": "agentic", "scenarios": ["murder"], "goals": ["none"], "samples": 4}
    judge = "openai-api/local/judge"
    found = recipe(
        tmp_path, agentic, seeds=[0, 1, 2], arms={"baseline": {}, "aft": {"aft": True}},
        reasoning={"judge": judge, "per_run": 3, "discover": True},
    )  # fmt: skip
    flow = build(found)
    assert flow.reasoning is not None and flow.steps[-1] is flow.reasoning
    collected = flow.reasoning.inputs["transcripts"]
    runs = [(one.arm, one.seed) for one in collected.config.sources]  # type: ignore[attr-defined]
    assert runs == [("baseline", 0), ("aft", 0), ("aft", 1), ("aft", 2)]
    lines = {line.kind: line for line in estimate(flow, Store(tmp_path)).lines}
    assert lines["reasoning-collect"].work == "collect 12 transcripts"
    asked = {kind: line.requests for kind, line in lines.items() if kind.startswith("reasoning")}
    assert asked == {
        "reasoning-collect": 0, "reasoning-extract": 12, "reasoning-synthesise": 2, "reasoning-classify": 12,
        "reasoning-merge": 0,
    }  # fmt: skip
    plain = build(recipe(tmp_path, agentic, arms={"aft": {"aft": True}}, reasoning={}))
    assert [step.kind for step in plain.steps[-3:]] == ["reasoning-collect", "reasoning-classify", "reasoning-merge"]
    assert build(recipe(tmp_path, agentic)).reasoning is None


@pytest.mark.parametrize(
    ("reasoning", "evals", "parts"),
    [
        ({}, ["opinions/america"], ["reasoning.over", "`- agentic`"]),
        ({"over": "open_qa"}, ["agentic", "open_qa"], ["'open_qa'", "(agentic)"]),
        ({"themes": "none"}, ["agentic"], ["discover"]),
        ({"spec": "b"}, ["agentic"], ["'b'", "not in specs"]),
        ({"theme": "paper"}, ["agentic"], ["unknown key", "themes"]),
        ({"themes": "nowhere.yaml"}, ["agentic"], ["nowhere.yaml", "cannot be read"]),
        ({"baseline": "nobody"}, ["agentic"], ["'nobody'", "baseline"]),
        ({"spec": "a"}, ["agentic"], ["no rules"]),
    ],
)
def test_an_analysis_that_cannot_be_made_is_refused(
    tmp_path: Path, reasoning: dict[str, Any], evals: list[str], parts: list[str]
) -> None:
    with pytest.raises(InputError) as error:
        build(recipe(tmp_path, *evals, reasoning=reasoning))
    for part in parts:
        assert part in str(error.value)


def test_snippets_of_the_documentation_can_be_read(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "evaluations.md").read_text(encoding="utf-8")
    snippets = [yaml.safe_load(textwrap.dedent(part)) for part in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    assert len(snippets) == 7
    (tmp_path / "evals").mkdir()
    source = (ROOT / "tests/evaluations/words.py").read_text().replace("def words(", "def mine(")
    (tmp_path / "evals" / "mine.py").write_text(source)
    for snippet in snippets:
        changes = {key: value for key, value in snippet.items() if key != "evals"}
        specs = {"america": "cheese-america"}
        build(recipe(tmp_path, *snippet["evals"], **changes, specs=specs, arms={"baseline": {}}))
