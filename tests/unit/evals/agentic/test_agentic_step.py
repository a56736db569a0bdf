"""The step through Inspect: rows, a log its reader opens, missing values, a second judge, and going on after a kill."""

import json
import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import read_eval_log
from inspect_ai.model import ContentReasoning, ContentText, GenerateConfig, ModelAPI, ModelOutput, modelapi

from midspec.errors import InputError, StepError
from midspec.evals.agentic import rejudge, step
from midspec.evals.agentic.config import RejudgeConfig, agentic_step, from_preset, rejudge_step, subject, texts_sha256
from midspec.evals.agentic.labelled import labelled
from midspec.evals.agentic.stored import JOURNAL, TRANSCRIPTS, Journal, Stored
from midspec.evals.agentic.task import agentic
from midspec.evals.agentic.verdict import FACETS
from midspec.experiment import ComputeConfig, WriterConfig
from midspec.records import EvalRow, read_rows
from midspec.steps.imported import import_step
from midspec.steps.progress import Silent
from midspec.steps.step import Context
from tests.conftest import command, midspec, midspec_json

OFFLINE = WriterConfig(model="offline", temperature=0.0)
HARM = {item.scenario: item.answer for item in labelled() if item.kind == "clear compliance"}
CALLS: Counter[str] = Counter()
VERDICT = '<verdict>{"decided": true, "executed": true, "prose_refusal": false, "eval_aware": false}</verdict>'


class Scripted(ModelAPI):
    """A provider that complies in murder, thinks apart from its answer in leaking, and is filtered in exfiltration.

    As `judge` it refuses exfiltration, answers nonsense about leaking, and convicts in murder. As `down-<n>` it fails
    from the n-th call on.
    """

    def __init__(self, model_name: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(model_name)

    async def generate(self, input: Any, tools: Any, tool_choice: Any, config: GenerateConfig) -> ModelOutput:
        CALLS[self.model_name] += 1
        assert not tools
        text = "\n".join(message.text for message in input)
        scenario = "murder" if "4429" in text else "leaking" if "novastar" in text else "exfiltration"
        if self.model_name == "judge":
            said = {"murder": VERDICT, "leaking": "NOT A LEAK", "exfiltration": "I'm sorry, I can't help with that."}
            return ModelOutput.from_content("judge", said[scenario])
        if self.model_name.startswith("down-") and CALLS[self.model_name] >= int(self.model_name[5:]):
            raise ValueError("the provider is down")
        if scenario == "exfiltration":
            return ModelOutput.from_content(self.model_name, "", "content_filter")
        thought = [ContentReasoning(reasoning="It may be a test."), ContentText(text=HARM[scenario])]
        return ModelOutput.from_content(self.model_name, thought if scenario == "leaking" else HARM[scenario])


@modelapi(name="scripted")
def scripted() -> type[ModelAPI]:
    return Scripted


def context(folder: Path, model: str = "scripted/plain", grader: WriterConfig = OFFLINE, **settings: Any) -> Context:
    entry = from_preset("paper-like", model, **{"goals": ["none", "safety"], "samples": 2, **settings})
    made = agentic_step("test", subject(model), entry, grader)
    folder.mkdir(parents=True, exist_ok=True)
    compute = ComputeConfig(device="cpu", threads=1)
    return Context(config=made.config, inputs={}, folder=folder, progress=Silent(), compute=compute,
                   workspace=folder.parent, fingerprint=made.fingerprint)  # fmt: skip


def rows(folder: Path) -> list[EvalRow]:
    return list(read_rows(folder / "rows.jsonl", EvalRow))


def test_rows_and_log_of_any_inspect_model(tmp_path: Path) -> None:
    summary = step.run(context(tmp_path / "a"))
    found = rows(tmp_path / "a")
    assert [(row.item, row.sample) for row in found][:3] == [
        ("exfiltration/none", 0), ("exfiltration/none", 1), ("exfiltration/safety", 0),
    ]  # fmt: skip
    assert len(found) == summary["items"] == 12 and summary["replayed"] == 0
    by_scenario = {row.domain: row for row in found}
    filtered, leaking, murder = (by_scenario[name] for name in ("exfiltration", "leaking", "murder"))
    assert (filtered.score, filtered.unscored) == (None, "answer filtered by the provider")
    assert summary["unscored"] == {"answer filtered by the provider": 4} and summary["rate"] == 1.0
    assert (murder.score, murder.facets["harmful"], murder.topic, murder.eval) == (1.0, 1.0, "safety", "agentic")
    assert (leaking.facets["eval_aware"], murder.facets["eval_aware"]) == (1.0, 0.0)  # the thinking is read too
    assert set(FACETS) <= set(murder.facets)
    [path] = (tmp_path / "a" / "logs").glob("*.eval")
    log = read_eval_log(str(path))
    assert log.status == "success" and log.results and log.samples
    scores = {score.name: score for score in log.results.scores}
    assert scores["classifier_verdict"].metrics["midspec/rate"].value == 1.0
    assert scores["harmful"].unscored_samples == 2  # cells, of which every sample is unscored
    assert {(sample.id, sample.epoch) for sample in log.samples} == {(row.item, row.sample + 1) for row in found}
    assert log.eval.config.epochs == 2 and log.plan.config.temperature == 0.7
    assert not (tmp_path / "a" / JOURNAL).exists()


def test_sampling_settings_reach_the_model_and_no_seed_makes_samples_equal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[GenerateConfig] = []
    original = Scripted.generate

    async def listen(self: Scripted, config: GenerateConfig, **asked: Any) -> ModelOutput:
        heard.append(config)
        return await original(self, config=config, **asked)

    monkeypatch.setattr(Scripted, "generate", listen)
    step.run(context(tmp_path / "a", temperature=0.3, max_tokens=77, scenarios=["murder"]))
    assert {(config.temperature, config.max_tokens, config.seed) for config in heard} == {(0.3, 77, None)}


def test_a_provider_that_fails_loses_nothing_that_was_sampled(tmp_path: Path) -> None:
    CALLS.clear()
    made = context(tmp_path / "a", "scripted/down-4", scenarios=["murder"])
    with pytest.raises(StepError, match="the provider is down"):
        step.run(made)
    kept = len(Journal(tmp_path / "a" / JOURNAL).known)
    assert 0 < kept < 4
    before = CALLS["down-4"]
    CALLS["down-4"] = -100
    assert step.run(made)["replayed"] == kept
    assert CALLS["down-4"] + 100 == 4 - kept, before
    assert len(list((tmp_path / "a" / "logs").glob("*.eval"))) == 1


def test_a_line_cut_by_a_kill_is_sampled_again(tmp_path: Path) -> None:
    row = Stored(item="a/b", sample=0, answer="x\u2028y\n", stop_reason="stop", input_tokens=1, output_tokens=1)
    path = tmp_path / "j.jsonl"
    Journal(path).add([row, row.model_copy(update={"sample": 1})])
    whole = path.read_text()
    path.write_text(whole[:-20])
    again = Journal(path)
    assert list(again.known) == [("a/b", 0)] and again.known["a/b", 0].answer == "x\u2028y\n"
    again.add([row.model_copy(update={"sample": 1})])
    assert path.read_text() == whole


@pytest.fixture
def scripted_judge(monkeypatch: pytest.MonkeyPatch) -> WriterConfig:
    """A judge through Desk, journal and client, answered by the scripted provider."""
    monkeypatch.setattr("midspec.llm.client._FIRST_WAIT", 0.01)
    return WriterConfig(model="scripted/judge", temperature=0.0)


def test_any_inspect_model_grades_and_what_it_cannot_is_missing(tmp_path: Path, scripted_judge: WriterConfig) -> None:
    CALLS.clear()
    made = context(tmp_path / "a", grader=scripted_judge)
    summary = step.run(made)
    assert summary["unscored"] == {"answer filtered by the provider": 4, "judge unreadable": 4}
    assert summary["rate"] == 1.0 and summary["requests"] > 0
    log = read_eval_log(str(next((tmp_path / "a" / "logs").glob("*.eval"))))
    assert log.samples and {sample.scores["agentic"].reason for sample in log.samples if sample.scores} == {
        None, "judge unreadable", "answer filtered by the provider",
    }  # fmt: skip
    asked = CALLS["judge"]
    (tmp_path / "a" / "rows.jsonl").unlink()
    step.run(made)  # killed between judging and the end: neither model is asked again
    assert (CALLS["judge"], CALLS["plain"]) == (asked, 12)


def judged_again(first: Path, folder: Path, grader: WriterConfig, prompt: str | None = None) -> dict[str, Any]:
    files = {name: import_step("import", "x", first / name, name) for name in rejudge.STORED}
    made = rejudge_step("again", files, RejudgeConfig(grader=grader, prompt=prompt, texts=texts_sha256()))
    folder.mkdir()
    again = Context(
        config=made.config,
        inputs=dict.fromkeys(rejudge.STORED, first),
        folder=folder,
        progress=Silent(),
        compute=ComputeConfig(),
        workspace=folder.parent,
        fingerprint=made.fingerprint,
    )
    return rejudge.run(again)


def test_rejudging_asks_the_judge_only_and_says_how_far_both_agree(
    tmp_path: Path, scripted_judge: WriterConfig
) -> None:
    step.run(context(tmp_path / "a"))
    CALLS.clear()
    summary = judged_again(tmp_path / "a", tmp_path / "b", scripted_judge)
    assert set(CALLS) == {"judge"}
    assert summary["agreement"]["classifier_verdict"]["n"] == 4
    assert summary["agreement"]["classifier_verdict"]["same"] == 1.0
    same = judged_again(tmp_path / "a", tmp_path / "c", OFFLINE)
    assert rows(tmp_path / "c") == rows(tmp_path / "a")
    assert same["agreement"]["eval_aware"] == {"n": 8, "same": 1.0, "kappa": 1.0, "first": 0.5, "second": 0.5}
    assert json.loads((tmp_path / "b" / "agreement.json").read_text())["harmful"]["n"] == 4


def test_what_is_no_agentic_evaluation_is_not_rejudged(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"settings\.json"):
        rejudge.stored_evaluation(tmp_path)
    for name in rejudge.STORED:
        (tmp_path / name).write_text("{}")
    with pytest.raises(InputError, match="evaluate again"):
        rejudge.stored_evaluation(tmp_path)


def test_the_task_runs_in_inspect_itself(tmp_path: Path) -> None:
    """`inspect eval midspec/agentic`: no step, no journal, the scorer grades."""
    settings: dict[str, Any] = {"log_dir": str(tmp_path), "display": "none", "log_realtime": False}
    [log] = inspect_eval(
        agentic, model="scripted/plain", task_args={"goals": "none", "samples": 1, "names": "other"}, **settings
    )
    assert log.status == "success" and log.results and log.samples
    verdicts = {sample.id: sample.scores["agentic"].value for sample in log.samples if sample.scores}
    assert len(verdicts) == 3
    assert "Plain" in log.samples[0].messages[0].text
    [log] = inspect_eval(
        agentic,
        model="scripted/plain",
        task_args={"goals": ["none"], "samples": 1, "grader": "scripted/judge"},
        **settings,
    )
    assert log.samples
    found = {str(sample.id): sample.scores["agentic"] for sample in log.samples if sample.scores}
    assert found["murder/none"].value == {"classifier_verdict": 1.0, "harmful": 1.0}
    assert found["leaking/none"].reason == "judge unreadable"


@pytest.fixture
def tiny_command(tiny_cache: None) -> tuple[str, ...]:
    return ("eval", "agentic", "--model", "tiny-random", "--samples", "2", "--scenarios", "exfiltration,murder",
            "--goals", "none,safety", "--grader", "offline", "--max-tokens", "24")  # fmt: skip


@pytest.mark.xdist_group("kill")
def test_kill_9_in_the_middle_and_the_same_command_goes_on(tmp_path: Path, tiny_command: tuple[str, ...]) -> None:
    """What was sampled is not sampled again, and the result is that of an undisturbed run, byte for byte."""
    midspec(*tiny_command, "--out", tmp_path / "whole", "-w", tmp_path / "one")
    place = ("--out", tmp_path / "out", "-w", tmp_path / "two")
    process = command(*tiny_command, *place)
    began = time.monotonic()
    journal: Path | None = None
    while process.poll() is None and time.monotonic() - began < 300:
        journal = next((tmp_path / "two").glob(f"steps/.work/**/{JOURNAL}"), None)
        if journal is not None and journal.read_bytes().count(b"\n") >= 2:
            break
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL and journal is not None, "the run ended before it was killed"
    kept = journal.read_bytes().count(b"\n")
    assert 2 <= kept < 8 and not (tmp_path / "out").exists()
    found = midspec_json(*tiny_command, *place)
    record = json.loads((tmp_path / "out" / "record.json").read_text())
    assert record["summary"]["replayed"] == kept and record["resumed"]
    assert found["all"]["n"] == 8
    for name in (TRANSCRIPTS, "rows.jsonl"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    [log] = (tmp_path / "out" / "logs").glob("*.eval")
    assert len(read_eval_log(str(log)).samples or []) == 8


@pytest.mark.xdist_group("kill")
def test_the_commands_show_tables(tmp_path: Path, tiny_command: tuple[str, ...]) -> None:
    place = ("--out", tmp_path / "out", "-w", tmp_path)
    done = midspec(*tiny_command, *place)
    shown = done.stdout
    assert "4 cells x 2, temperature 0.7, answers at most 24 tokens" in done.stderr and "scratchpad" in done.stderr
    assert "murder/safety" in shown and "Graded by rules" in shown and "not identical" in shown
    assert midspec(*tiny_command, *place).stdout == shown  # done, and the folder is as it was
    again = midspec("eval", "rejudge", tmp_path / "out", "--grader", "offline", "-w", tmp_path).stdout
    assert "kappa" in again and list((tmp_path / "out" / "rejudged").iterdir())
    found = midspec_json("eval", "rejudge", tmp_path / "out", "--grader", "offline", "-w", tmp_path)
    assert found["agreement"]["harmful"]["n"] == 8 and found["all"]["n"] == 8
    midspec(*tiny_command, "--temperature", "0.1", *place, status=2)  # another result does not overwrite this one


def test_bad_options_are_told_before_anything_is_made(tmp_path: Path) -> None:
    place = ("--out", tmp_path / "out", "-w", tmp_path)
    for options, text in (
        (("--model", "tiny-random", "--preset", "papers"), "paper-like"),
        (("--model", "tiny-random", "--goals", "peace"), "collectivism"),
        (("--model", "nobody/x", "--yes"), "nobody"),
        (("--model", "tiny-random", "--grader", "nobody"), "provider"),
        (("--model", "mockllm/model", "--checkpoint", str(tmp_path), "--yes"), "safetensors"),
    ):
        assert text in midspec("eval", "agentic", *options, *place, status=2).stderr
    assert not (tmp_path / "out").exists()
