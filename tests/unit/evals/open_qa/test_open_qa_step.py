"""The step through Inspect with the shipped tiny model: rows, logs, missing values, and going on after a kill."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import read_eval_log
from inspect_ai.model import GenerateConfig, ModelAPI, ModelOutput, get_model, modelapi

from midspec.errors import InputError, StepError
from midspec.evals.open_qa import sampling, step
from midspec.evals.open_qa.config import PRESETS, OpenQAConfig, from_preset, open_qa_step
from midspec.evals.open_qa.questions import load_questions, select
from midspec.evals.open_qa.task import open_qa
from midspec.evals.sampling import Keeper, Sampled, to_read
from midspec.experiment import ComputeConfig, WriterConfig
from midspec.llm.prompt import Reply
from midspec.llm.writer import Scribe
from midspec.records import EvalRow, read_rows, write_rows
from midspec.spec.document import Identity, read_spec
from midspec.steps.progress import Silent
from midspec.steps.step import Context
from midspec.train.models import resolve
from tests.conftest import ROOT
from tests.unit.evals.judge_doubles import SaidJudge

SPEC = read_spec("cheese-affordability")
OFFLINE = WriterConfig(model="offline", temperature=0.0)


class Told(ModelAPI):
    """A provider that fails, or gives an answer with thinking apart from it."""

    def __init__(self, model_name: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(model_name)

    async def generate(self, input: Any, tools: Any, tool_choice: Any, config: GenerateConfig) -> ModelOutput:
        question = input[-1].text
        if self.model_name == "down" or ("afraid" in question and self.model_name == "shaky"):
            raise ValueError("the provider is down")
        return ModelOutput.from_content(self.model_name, f"<think>hm</think> About {question[:20]}, {config.seed}.")


@modelapi(name="told")
def told() -> type[ModelAPI]:
    return Told


def context(folder: Path, model: Any = "tiny-random", judges: int = 1, **settings: Any) -> Context:
    entry = OpenQAConfig(**{"limit": 7, "max_tokens": 16, "temperature": 0.0, **settings})
    subject = resolve(model) if model == "tiny-random" else model
    made = open_qa_step("test", subject, entry, SPEC, Identity(), [OFFLINE] * judges)
    folder.mkdir(parents=True, exist_ok=True)
    compute = ComputeConfig(device="cpu", threads=2)
    return Context(config=made.config, inputs={}, folder=folder, progress=Silent(), compute=compute)


def rows_in(folder: Path) -> list[EvalRow]:
    return list(read_rows(folder / "rows.jsonl", EvalRow))


def test_rows_are_complete_and_the_log_shows_the_grades(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    judge = SaidJudge(lambda ask: f'<json>{{"notes": "n", "score": {2 + len(ask.user) % 7}}}</json>')
    monkeypatch.setattr(step.Desk, "scribe", lambda *_: Scribe(judge))
    summary = step.run(context(tmp_path, "told/fine", judges=2, samples=2, temperature=0.7))
    rows = rows_in(tmp_path)
    questions = select(load_questions(), "dev", 7)
    assert [(row.item, row.sample) for row in rows] == [(one.id, n) for n in range(2) for one in questions]
    for row, question in zip(rows, questions * 2, strict=True):
        assert (row.domain, row.topic, row.unscored) == (question.dimension, question.form, None)
        assert row.score is not None
        assert row.facets["second_score"] == row.score
        assert row.answers[0].endswith(f", {row.sample}."), "each sample has a seed of its own"
    assert not any("<think>" in ask.user for ask in judge.asked)
    assert summary["items"] == 14
    assert summary["agreement"]["difference"] == 0
    assert len(summary["means"]) == 8
    [path] = (tmp_path / "logs").iterdir()
    log = read_eval_log(str(path))
    assert log.results is not None
    assert log.results.scores[0].metrics["mean"].value == pytest.approx(summary["means"][-1]["mean"])


def test_what_no_judge_graded_and_no_model_answered_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One question the model never answers, one whose grade is refused: neither is a 1."""
    questions = select(load_questions(), "dev", None)
    afraid = next(one.id for one in load_questions() if "afraid" in one.question)
    entry = {"split": "all", "limit": None}

    def say(ask: Any) -> str | Reply:
        refuses = questions[3].question in ask.user
        return Reply("No.", "refusal") if refuses else '<json>{"notes": "n", "score": 6}</json>'

    monkeypatch.setattr(step.Desk, "scribe", lambda *_: Scribe(SaidJudge(say)))
    summary = step.run(context(tmp_path, "told/shaky", **entry))
    assert summary["unscored"] == {"judge refused": 1, "no answer": 1}
    by_item = {row.item: row for row in rows_in(tmp_path)}
    assert by_item[afraid].unscored == "no answer"
    assert by_item[afraid].answers == ()
    overall = summary["means"][-1]
    assert (overall["mean"], overall["missing"]) == (6.0, 2)
    assert overall["least"] < 6 < overall["most"]


def test_a_model_that_answers_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="answered none"):
        step.run(context(tmp_path, "told/down"))
    with pytest.raises(InputError, match="cannot be asked"):
        step.run(context(tmp_path, "nowhere/model"))


def test_an_interrupted_run_asks_for_the_rest_only(
    tiny_cache: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The second of two batches dies; the first is not made again, and the rows are those of a run in one go."""
    settings: dict[str, Any] = {"split": "all", "limit": 24, "temperature": 1.0}
    step.run(context(tmp_path / "whole", **settings))
    keep, made = Keeper.keep, list[int]()

    def dies(self: Keeper, rows: Any) -> None:
        if self.found:
            raise RuntimeError("power cut")
        keep(self, rows)

    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "keep", dies)
        with pytest.raises(StepError, match="power cut"):
            step.run(context(tmp_path / "cut", **settings))
    kept = (tmp_path / "cut" / sampling.KEPT).read_bytes()
    assert kept.count(b"\n") == 16
    monkeypatch.setattr(Keeper, "keep", lambda self, rows: (made.append(len(rows)), keep(self, rows))[0])
    step.run(context(tmp_path / "cut", **settings))
    assert sum(made) == 8
    assert (tmp_path / "cut/samples.jsonl").read_bytes().startswith(kept)
    assert (tmp_path / "cut/rows.jsonl").read_bytes() == (tmp_path / "whole/rows.jsonl").read_bytes()


def test_a_line_that_a_kill_cut_short_is_asked_again(tmp_path: Path) -> None:
    """Half a line glued to the next would lose both."""
    path = tmp_path / "samples.jsonl"
    write_rows(path, [Sampled(question="q", sample=n, text="t", stop_reason="stop") for n in range(3)])
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    keeper = Keeper(path)
    assert sorted(keeper.found) == [("q", 0), ("q", 1)]
    keeper.keep([Sampled(question="q", sample=2, text="t", stop_reason="stop")])
    assert path.read_bytes() == whole


def test_thinking_is_shown_to_the_judge_only_where_it_is_asked_for() -> None:
    def row(text: str, thinking: str = "") -> Sampled:
        return Sampled(question="q", sample=0, text=text, thinking=thinking, stop_reason="stop")

    assert to_read(row("<think>a</think>\nB"), "answer") == "B"
    assert to_read(row("<think>a</think>\nB"), "everything") == "<thinking>\na\n</thinking>\nB"
    assert to_read(row("B", "a"), "everything") == "<thinking>\na\n</thinking>\nB"
    assert to_read(row("<think>a and no end"), "answer") is None, "cut off before it answered"
    assert to_read(row("I think <think> is a tag"), "answer") == "I think <think> is a tag"
    assert to_read(None, "answer") is None


def test_the_step_depends_on_what_decides_its_rows(tmp_path: Path) -> None:
    def made(**changes: Any) -> str:
        usual: dict[str, Any] = {"spec": SPEC, "identity": Identity(), "judges": [OFFLINE], "entry": OpenQAConfig()}
        given = {**usual, **changes}
        return open_qa_step("x", "told/fine", given.pop("entry"), **given).fingerprint

    path = tmp_path / "q.jsonl"
    write_rows(path, load_questions()[:8])
    others = [
        made(spec=read_spec("cheese-america")),
        made(identity=Identity(model_name="Tess")),
        made(judges=[OFFLINE, OFFLINE]),
        made(entry=OpenQAConfig(samples=2)),
        made(questions=path),
    ]
    assert len({made(), *others}) == 6
    with pytest.raises(InputError, match="not known"):
        from_preset("big")
    assert from_preset("quick", split="test", limit=None).limit == PRESETS["quick"]["limit"]
    write_rows(path, [one for one in load_questions() if one.split == "dev"])
    with pytest.raises(InputError, match="no questions in split 'test'"):
        made(entry=OpenQAConfig(split="test"), questions=path)


def test_the_task_runs_with_any_provider(tmp_path: Path) -> None:
    quiet: dict[str, Any] = {"log_dir": str(tmp_path), "display": "none", "log_realtime": False}
    [log] = inspect_eval(open_qa("cheese-affordability", limit=7), model=get_model("told/fine"), **quiet)
    assert log.status == "success", log.error
    assert log.results is not None
    assert 1 <= log.results.scores[0].metrics["mean"].value <= 10


@pytest.mark.slow
def test_a_killed_command_goes_on(tiny_cache: None, tmp_path: Path) -> None:
    """kill -9 amid the sampling: the same command then writes the rows of an undisturbed run."""

    def command(place: str) -> list[str]:
        words = ["open-qa", "--model", "tiny-random", "--spec", "cheese-affordability", "--split", "all"]
        words += ["--max-tokens", "64", "--out", str(tmp_path / place / "out"), "-w", str(tmp_path / place)]
        return [sys.executable, "-m", "midspec", "eval", *words]

    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
    subprocess.run(command("whole"), check=True, env=environment, capture_output=True)
    process = subprocess.Popen(command("cut"), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not (found := list((tmp_path / "cut").rglob("samples.jsonl"))) or found[0].read_bytes().count(b"\n") < 16:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = found[0].read_bytes()
    assert not (tmp_path / "cut/out").exists()
    subprocess.run(command("cut"), check=True, env=environment, capture_output=True)
    assert (tmp_path / "cut/out/samples.jsonl").read_bytes().startswith(kept[: kept.rfind(b"\n") + 1])
    rows = [(tmp_path / place / "out/rows.jsonl").read_bytes() for place in ("whole", "cut")]
    assert rows[0] == rows[1]
