"""Tasks of others through the step: their scores as rows, their numbers as they are, nothing silently zero."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from inspect_ai.log import read_eval_log

from midspec.errors import InputError, StepError
from midspec.evals.external.config import ExternalConfig, external_step
from midspec.evals.external.entry import ExternalEntry
from midspec.evals.external.find import find_task
from midspec.evals.external.scores import number
from midspec.evals.external.step import run
from midspec.experiment import ComputeConfig
from midspec.records import EvalRow, read_rows
from midspec.steps.progress import Silent
from midspec.steps.step import Context
from midspec.train.models import resolve

FILE = Path(__file__).with_name("tasks.py")


def context(folder: Path, task: str, **settings: Any) -> Context:
    entry = ExternalConfig(args={"journal": str(folder / "asked")}, **settings)
    step = external_step("test", resolve("tiny-random"), find_task(f"{FILE}@{task}"), entry, None, None)
    folder.mkdir(parents=True, exist_ok=True)
    compute = ComputeConfig(device="cpu", threads=1)
    return Context(config=step.config, inputs={}, folder=folder, progress=Silent(), compute=compute, source=step.source)


def rows_of(folder: Path) -> list[EvalRow]:
    return list(read_rows(folder / "rows.jsonl", EvalRow))


def metrics(summary: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in summary["metrics"]}


@pytest.mark.parametrize(
    ("value", "expected"),
    [("C", 1.0), ("I", 0.0), ("P", 0.5), ("N", 0.0), (True, 1.0), ("yes", 1.0), (7, 7.0), ("0.25", 0.25), (0, 0.0)],
)
def test_scores_are_read_as_inspect_reads_them(value: Any, expected: float) -> None:
    assert number(value).value == expected


@pytest.mark.parametrize("value", ["perhaps", "", None, float("nan"), [1, 2], {"a": 1}, "nan"])
def test_what_is_no_number_is_missing_with_a_reason(value: Any) -> None:
    """Inspect's own conversion makes 0 of "perhaps", which would count as a failure of the model."""
    found = number(value)
    assert found.value is None and found.missing


def test_words_become_rows_and_a_word_nobody_knows_is_missing(tiny_cache: None, tmp_path: Path) -> None:
    summary = run(context(tmp_path, "words"))
    rows = rows_of(tmp_path)
    assert [(row.item, row.score) for row in rows] == [("a", 1.0), ("b", 0.5), ("c", 0.0), ("d", None)]
    assert rows[3].unscored == "score 'perhaps' is no number" and rows[0].facets == {"word": 1.0}
    assert summary["unscored"] == {"score 'perhaps' is no number": 1}
    # Inspect's accuracy took the unknown word for a zero: the mean of our column is another number, and is not its.
    assert metrics(summary)["accuracy"]["value"] == pytest.approx(1.5 / 4)
    assert metrics(summary)["accuracy"]["columns"] == []
    [log] = (tmp_path / "logs").glob("*.eval")
    assert read_eval_log(str(log)).status == "success"


def test_each_metric_finds_the_column_it_averages(tiny_cache: None, tmp_path: Path) -> None:
    summary = run(context(tmp_path, "many", epochs=2))
    found = metrics(summary)
    assert {name: one["columns"] for name, one in found.items()} == {
        "strict/mean": ["both/strict"], "loose/mean": ["both/loose"], "size/widest": []
    }  # fmt: skip
    assert [one["value"] for one in found.values()] == [0.25, 0.75, 8.0]
    rows = rows_of(tmp_path)
    assert [(row.item, row.sample) for row in rows] == [(item, at) for at in (0, 1) for item in "abcd"]
    assert rows[1].facets == {"both/strict": 0.0, "both/loose": 1.0, "size": 11.0}


def test_a_killed_run_asks_for_the_rest_only(tiny_cache: None, tmp_path: Path) -> None:
    """Also where it goes on with other threads, and where the task gives its solver other arguments than before."""
    made = context(tmp_path / "step", "fatal")
    script = tmp_path / "kill.py"
    script.write_text(
        "import sys; from pathlib import Path\n"
        "from tests.unit.evals.external.test_external import context\n"
        "from midspec.evals.external import step\n"
        "step.MAX_SAMPLES = 1  # so that each sample is in the log before the next is asked\n"
        f"step.run(context(Path({str(tmp_path / 'step')!r}), 'fatal'))\n"
    )
    root = str(Path(__file__).parents[4])
    killed = subprocess.run([sys.executable, str(script)], cwd=root, env={**os.environ, "PYTHONPATH": root})
    assert killed.returncode == 9
    asked = tmp_path / "step" / "asked"
    assert asked.read_text().split() == ["a", "b"]
    Path(f"{asked}.dead").touch()
    made = replace(made, compute=ComputeConfig(device="cpu", threads=2))
    summary = run(made)
    assert asked.read_text().split() == ["a", "b", "c", "d"]
    assert [row.score for row in rows_of(tmp_path / "step")] == [10.0, 11.0, 12.0, 13.0]
    [log] = (tmp_path / "step" / "logs").glob("*.eval")
    assert run(made) == summary and asked.read_text().split() == ["a", "b", "c", "d"]
    log.write_bytes(b"torn")
    with pytest.raises(StepError, match=r"no log that Inspect can read .* remove it"):
        run(made)


def test_a_task_that_fails_or_has_changed_says_so(tiny_cache: None, tmp_path: Path) -> None:
    with pytest.raises(StepError, match="upside down"):
        run(context(tmp_path / "broken", "broken"))
    made = context(tmp_path / "changed", "words")
    other = made.config.model_copy(update={"code": "sha256:0"})
    with pytest.raises(StepError, match="has changed"):
        run(replace(made, config=other))


def test_a_metric_that_the_task_lacks_is_named_with_those_it_has() -> None:
    told = [{"metrics": [{"name": name, "value": 0.5, "columns": ["x"], "share": True} for name in ("f1", "stderr")]}]
    entry = ExternalEntry(task=f"{FILE}@words", metrics=("accuracy",))
    with pytest.raises(InputError, match=r"no metric 'accuracy'; it has: f1, stderr"):
        entry.measures(told)
    assert [one.name for one in ExternalEntry(task=f"{FILE}@words").measures(told)] == ["f1"]
    assert [one.name for one in entry.model_copy(update={"metrics": ("stderr",)}).measures(told)] == ["stderr"]
    with pytest.raises(InputError, match="no numbers"):
        entry.measures([{"metrics": []}])


def test_a_column_counts_only_where_every_run_agrees_on_it() -> None:
    """In one run two columns may have equal means by chance; an interval of the wrong one would look like any other."""

    def told(*columns: str) -> dict[str, Any]:
        return {"metrics": [{"name": "m", "value": 0.5, "columns": list(columns), "share": False}]}

    entry = ExternalEntry(task=f"{FILE}@words")
    assert entry.measures([told("x", "y"), told("x")])[0].column == "x"
    assert entry.measures([told("x", "y"), told("x", "y")])[0].column is None
    assert entry.measures([told("x"), told()])[0].column is None


def test_tasks_of_packages_are_found_without_loading_them() -> None:
    script = (
        "import sys, json; from midspec.evals.external.find import find_task\n"
        "found = find_task('inspect_evals/ifeval')\n"
        "print(json.dumps([found.code, sorted({'inspect_ai', 'inspect_evals', 'torch'} & set(sys.modules))]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == ["inspect_evals==0.26.0", []]
    assert find_task("midspec/opinions").code.startswith("midspec==")
