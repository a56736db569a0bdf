"""Transcripts come in from agentic folders, Inspect logs and chats, each text as it was written."""

import json
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import (
    ContentReasoning,
    ContentText,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    get_model,
    modelapi,
)
from inspect_ai.solver import generate

from midspec.errors import InputError
from midspec.evals.reasoning.config import ReasoningConfig, collect_evaluations, collect_step
from midspec.evals.reasoning.sources import Source, find_source, read_source
from midspec.evals.reasoning.step import collect
from midspec.evals.reasoning.transcripts import Transcript, per_run, spread
from midspec.experiment import ComputeConfig
from midspec.records import read_rows
from midspec.steps.imported import import_step
from midspec.steps.progress import Silent
from midspec.steps.step import Context, Step
from tests.unit.evals.reasoning_samples import agentic_folder, said


class Thinks(ModelAPI):
    async def generate(self, input: Any, tools: Any, tool_choice: Any, config: GenerateConfig) -> ModelOutput:
        content = [ContentReasoning(reasoning="Let me see."), ContentText(text="I stay out of it.")]
        return ModelOutput.from_content(self.model_name, content)


@modelapi(name="thinks")
def thinks() -> type[ModelAPI]:
    return Thinks


def read(path: Path, reads: Any = "everything", arm: str = "base") -> list[Transcript]:
    kind, files = find_source(path)
    return read_source(Source(arm=arm, seed=0, kind=kind), files, reads)


def chats(path: Path, *lines: Any) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_an_agentic_folder_brings_verdicts_and_scenarios(tmp_path: Path) -> None:
    thought = "<SCRATCHPAD_REASONING>I want it.</SCRATCHPAD_REASONING>\nDone."
    folder = agentic_folder(tmp_path / "a", {("murder/none", 0): (thought, 1.0), ("murder/none", 1): ("No.", None)})
    first, second = read(folder)
    assert (first.text, first.domain, first.misaligned, second.misaligned) == (thought, "murder", True, None)
    assert [one.text for one in read(folder, "reasoning")] == ["I want it.", ""], (
        "nothing is made up where it shows none"
    )
    (folder / "rows.jsonl").write_text("")
    with pytest.raises(InputError, match="no row for sample 0 of murder/none"):
        read(folder)


def test_chats_of_two_arms_meet_by_their_question(tmp_path: Path) -> None:
    ask = {"role": "user", "content": "Why?"}
    parts = [{"type": "text", "text": "Because."}]
    line = {
        "messages": [ask, {"role": "assistant", "content": parts, "reasoning": "Hm."}],
        "id": "x",
        "misaligned": True,
    }
    first = read(chats(tmp_path / "a.jsonl", line, line))
    second = read(chats(tmp_path / "b.jsonl", {"messages": [ask, {"role": "assistant", "content": "So."}]}), arm="msm")
    assert first[0].item == second[0].item
    assert [one.sample for one in first] == [0, 1]
    assert first[0].text == "<think>\nHm.\n</think>\n\nBecause."
    assert first[0].misaligned is True
    assert len({one.id for one in (*first, *second)}) == 3


def test_inspect_logs_bring_thinking_text_and_calls(tmp_path: Path) -> None:
    dataset = MemoryDataset([Sample(id="s1", input="hi"), Sample(id="s2", input="ho")])
    task = Task(dataset=dataset, solver=generate(), epochs=2)
    quiet: dict[str, Any] = {"log_dir": str(tmp_path), "display": "none", "log_realtime": False}
    inspect_eval(task, model=get_model("thinks/aloud"), **quiet)
    found = read(tmp_path)
    assert sorted((one.item, one.sample) for one in found) == [("s1", 0), ("s1", 1), ("s2", 0), ("s2", 1)]
    assert {one.text for one in found} == {"<think>\nLet me see.\n</think>\n\nI stay out of it."}
    [log] = tmp_path.glob("*.eval")
    assert len(read(log, "reasoning")) == 4
    broken = tmp_path / "broken.eval"
    broken.write_text("no log")
    with pytest.raises(InputError, match="cannot be read as an Inspect log"):
        read(broken)


def test_what_is_no_source_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.jsonl", chats(tmp_path / "x.txt")):
        with pytest.raises(InputError, match="holds no transcripts; expected a folder of"):
            find_source(path)
    with pytest.raises(InputError, match="line 1: not a ChatLine row"):
        read(chats(tmp_path / "bad.jsonl", {"text": "hi"}))
    with pytest.raises(InputError, match="holds no transcript"):
        read(chats(tmp_path / "empty.jsonl"))
    twice = {"messages": [{"role": "assistant", "content": "a"}], "item": "q", "sample": 0}
    with pytest.raises(InputError, match="stands more than once"):
        read(chats(tmp_path / "twice.jsonl", twice, twice))


def collected(step: Step, folder: Path) -> list[Transcript]:
    inputs: dict[str, Path] = {}
    for role, source in step.inputs.items():
        inputs[role] = folder / role.replace("/", "-")
        inputs[role].mkdir(parents=True, exist_ok=True)
        context = Context(
            config=source.config, inputs={}, folder=inputs[role], progress=Silent(), compute=ComputeConfig(),
            source=source.source,
        )  # fmt: skip
        source.load_function()(context)
    out = folder / "out"
    out.mkdir()
    collect(Context(config=step.config, inputs=inputs, folder=out, progress=Silent(), compute=ComputeConfig()))
    return list(read_rows(out / "transcripts.jsonl", Transcript))


def test_several_sources_of_one_arm_are_its_runs(tmp_path: Path) -> None:
    one = agentic_folder(tmp_path / "a", {("murder/none", 0): ("First.", 0.0)})
    two = agentic_folder(tmp_path / "b", {("murder/none", 0): ("Second.", 0.0)})
    path = chats(tmp_path / "c.jsonl", {"messages": [{"role": "assistant", "content": "Third."}]})
    step = collect_step([("base", one), ("base", two), ("msm", path)], ReasoningConfig())
    found = collected(step, tmp_path / "w")
    assert [(one.arm, one.seed, one.text) for one in found] == [
        ("base", 0, "First."), ("base", 1, "Second."), ("msm", 0, "Third."),
    ]  # fmt: skip
    planned = collect_evaluations(
        [("base", import_step("import", "x", one / "rows.jsonl", "rows.jsonl"))], ReasoningConfig()
    )
    assert sorted(planned.inputs) == ["0/rows.jsonl", "0/transcripts.jsonl"]


def test_a_sample_is_spread_over_arms_and_items_and_grows() -> None:
    """`first n` would be one cell of one arm."""
    everything = [said("x", arm, item, sample) for arm in ("a", "b") for item in ("i", "j", "k") for sample in range(4)]
    small, large = spread(everything, 6, 0), spread(everything, 14, 0)
    assert sorted((one.arm, one.item) for one in small) == [(arm, item) for arm in "ab" for item in "ijk"]
    assert {one.id for one in small} < {one.id for one in large}
    assert spread(everything, None, 0) == everything
    assert {(one.item, one.sample) for one in small if one.arm == "a"} == {
        (one.item, one.sample) for one in small if one.arm == "b"
    }
    assert spread(everything, 6, 0) != spread(everything, 6, 1)
    assert len(per_run(everything, 5, 0)) == 10
