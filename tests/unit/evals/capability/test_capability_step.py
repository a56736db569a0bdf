"""The battery through Inspect: a local model, a provider without likelihoods, going on after a kill."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import read_eval_log
from inspect_ai.model import GenerateConfig, ModelAPI, ModelOutput, get_model, modelapi

from midspec.errors import InputError, StepError
from midspec.evals.battery import step as battery_step
from midspec.evals.battery.results import changes
from midspec.evals.capability import step
from midspec.evals.capability.config import CapabilityConfig, capability_step, from_preset
from midspec.evals.capability.items import packaged_items
from midspec.evals.capability.task import capability
from midspec.evals.sampling import Keeper
from midspec.experiment import ComputeConfig, WriterConfig
from midspec.records import EvalRow, read_rows
from midspec.steps.progress import Silent
from midspec.steps.step import Context
from midspec.train.models import resolve

OFFLINE = WriterConfig(model="offline", temperature=0.0)
RIGHT = {item.options[item.correct] for item in packaged_items().knowledge}


class Scholar(ModelAPI):
    """A provider that knows the right option where it is shown, and refuses everything else; no likelihoods."""

    def __init__(self, model_name: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(model_name)

    async def generate(self, input: Any, tools: Any, tool_choice: Any, config: GenerateConfig) -> ModelOutput:
        text = input[-1].text
        if self.model_name == "silent" or ("Linux" in text and self.model_name == "shaky"):
            raise ValueError("the provider is down")
        shown = [line for line in text.splitlines() if line[1:3] == ": "]
        right = next((line[0] for line in shown if line[3:] in RIGHT and text.startswith(_question(line[3:]))), None)
        return ModelOutput.from_content(self.model_name, right or "I'm sorry, but I can't help with that.")


def _question(option: str) -> tuple[str, ...]:
    return tuple(one.question for one in packaged_items().knowledge if one.options[one.correct] == option)


@modelapi(name="scholar")
def scholar() -> type[ModelAPI]:
    return Scholar


def context(folder: Path, model: Any = "tiny-random", **settings: Any) -> Context:
    entry = CapabilityConfig(**{"limit": 4, "max_tokens": 16, **settings})
    made = capability_step("test", resolve(model) if model == "tiny-random" else model, entry, OFFLINE)
    folder.mkdir(parents=True, exist_ok=True)
    compute = ComputeConfig(device="cpu", threads=2)
    return Context(config=made.config, inputs={}, folder=folder, progress=Silent(), compute=compute)


def rows_in(folder: Path) -> list[EvalRow]:
    return list(read_rows(folder / "rows.jsonl", EvalRow))


def test_all_parts_of_a_local_model(tiny_cache: None, tmp_path: Path) -> None:
    summary = step.run(context(tmp_path))
    rows = rows_in(tmp_path)
    assert Counter(row.eval for row in rows) == {
        "capability/perplexity": 4,
        "capability/knowledge": 4,
        "capability/knowledge-letter": 4,
        "capability/instructions": 4,
        "capability/refusal": 4,
        "capability/over-refusal": 4,
    }
    assert summary["not_run"] == {}
    for row in rows:
        assert (row.score is None) == (row.unscored is not None)
        if row.eval.startswith("capability/knowledge"):
            assert row.log_odds is not None
            assert row.aligned is (row.score == 1)
            assert len(row.by_order) == (4 if row.eval.endswith("letter") else 1)
        if row.eval == "capability/perplexity":
            assert row.score is not None
            assert row.score > 0.5
    assert all(one.difference == 0 for one in changes(rows, rows) if one.n)


def test_a_provider_without_likelihoods_answers_by_letter(tmp_path: Path) -> None:
    summary = step.run(context(tmp_path, "scholar/sound", limit=12))
    assert set(summary["not_run"]) == {"capability/perplexity", "capability/knowledge"}
    found = {one["eval"]: one["mean"] for one in summary["measures"] if not one["group"]}
    assert found["capability/knowledge-letter"] == 1
    assert found["capability/refusal"] == 1
    assert found["capability/over-refusal"] == 1
    assert "unscored" in summary
    scores = [
        log.results.scores[0].metrics["mean"].value
        for path in (tmp_path / "logs").iterdir()
        if (log := read_eval_log(str(path))).eval.task in ("answers", "letters") and log.results
    ]
    assert len(scores) == 2, "the grades stand in Inspect's logs"
    assert 1.0 in scores


def test_what_a_provider_does_not_answer_is_missing(tmp_path: Path) -> None:
    summary = step.run(context(tmp_path, "scholar/shaky", limit=None, parts=("over-refusal",)))
    assert summary["unscored"] == {"no answer": 1}
    [missing] = [row for row in rows_in(tmp_path) if row.unscored]
    assert missing.answers == ()
    with pytest.raises(StepError, match="answered no prompt"):
        step.run(context(tmp_path / "silent", "scholar/silent", parts=("refusal",)))
    with pytest.raises(StepError, match="nothing could be asked"):
        step.run(context(tmp_path / "none", "scholar/sound", parts=("perplexity", "knowledge")))


def test_an_interrupted_run_asks_for_the_rest_only(
    tiny_cache: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The machine stops after the first batch of answers: neither passages, nor choices, nor that batch come again."""
    settings: dict[str, Any] = {
        "limit": 9,
        "parts": ("perplexity", "knowledge", "instructions", "over-refusal"),
        "split": "dev",
    }
    step.run(context(tmp_path / "whole", **settings))
    keep = Keeper.keep

    def dies(self: Keeper, rows: Any) -> None:
        if self.found:
            raise RuntimeError("power cut")
        keep(self, rows)

    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "keep", dies)
        with pytest.raises(StepError, match="power cut"):
            step.run(context(tmp_path / "cut", **settings))
    kept = (tmp_path / "cut/answers.jsonl").read_bytes()
    assert 0 < kept.count(b"\n") < 18
    made = list[int]()
    monkeypatch.setattr(Keeper, "keep", lambda self, rows: (made.append(len(rows)), keep(self, rows))[0])
    monkeypatch.setattr(battery_step, "choice_task", None)
    monkeypatch.setattr("midspec.evals.capability.perplexity.perplexity_rows", None)
    step.run(context(tmp_path / "cut", **settings))
    assert sum(made) == 18 - kept.count(b"\n")
    assert rows_in(tmp_path / "cut") == rows_in(tmp_path / "whole")


def test_the_step_depends_on_what_decides_its_rows() -> None:
    def made(**changes: Any) -> str:
        judge = WriterConfig(model=changes.pop("judge", "offline"), temperature=0.0)
        return capability_step("x", "scholar/sound", CapabilityConfig(**changes), judge).fingerprint

    several = [made(), made(limit=3), made(parts=("refusal",)), made(judge="openai/gpt-x"), made(samples=2)]
    assert len(set(several)) == 5
    assert made(parts=("refusal", "knowledge")) == made(parts=("knowledge", "refusal", "refusal"))
    with pytest.raises(InputError, match="not known"):
        from_preset("big")
    assert from_preset("quick", limit=3).limit == 3


def test_the_task_runs_with_any_provider(tmp_path: Path) -> None:
    quiet: dict[str, Any] = {"log_dir": str(tmp_path), "display": "none", "log_realtime": False}
    parts: tuple[Any, ...] = ("knowledge-letter", "refusal", "instructions")
    tasks = [capability(part, limit=5) for part in parts]
    logs = inspect_eval(tasks, model=get_model("scholar/sound"), **quiet)
    assert [log.status for log in logs] == ["success"] * 3, [log.error for log in logs]
    found = [log.results.scores[0].metrics for log in logs if log.results]
    assert found[0]["rate"].value == 1
    assert found[1]["mean"].value == 1
    assert found[2]["mean"].value < 1
    [log] = inspect_eval(capability("knowledge", limit=5), model=get_model("scholar/sound"), **quiet)
    assert log.status == "error"
    assert "gives no likelihood" in str(log.error)
