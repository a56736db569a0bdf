"""Scoring by letter and by judge through the step and through Inspect, with the shipped tiny model."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import read_eval_log
from inspect_ai.model import ModelOutput, ModelUsage, get_model

from midspec.errors import InputError
from midspec.evals import judged, step
from midspec.evals.config import evaluate_step
from midspec.evals.scores import bounds, score
from midspec.evals.tasks import preferences
from midspec.experiment import WriterConfig
from midspec.llm.prompt import Reply
from midspec.llm.writer import Scribe
from midspec.records import EvalRow, read_rows
from midspec.stages import EvalConfig
from midspec.steps.step import Context
from midspec.train.models import resolve
from tests.unit.evals.judge_doubles import SaidJudge

Evaluation = Callable[..., Context]
OFFLINE = WriterConfig(model="offline", temperature=0.0)


def context(evaluation: Evaluation, folder: Path, **settings: Any) -> Context:
    plain = evaluation(folder, "preferences", "novelty")
    entry = EvalConfig(task="preferences", value="novelty", **settings)
    made = evaluate_step("test", resolve("tiny-random"), entry, None, judge=OFFLINE)
    return replace(plain, config=made.config)


def rows_in(folder: Path) -> list[EvalRow]:
    return list(read_rows(folder / "rows.jsonl", EvalRow))


def test_letters_are_scored_by_likelihood_and_written(evaluation: Evaluation, tmp_path: Path) -> None:
    step.run(context(evaluation, tmp_path, scoring="letter", limit=3))
    for row in rows_in(tmp_path):
        assert row.log_odds is not None
        assert row.log_odds == pytest.approx(sum(value or 0 for value in row.by_order) / 2)
        assert row.aligned == (row.log_odds > 0)
        assert len(row.answers) == 2
        assert set(row.facets) == {"written"}


def test_free_answers_are_read_and_the_log_shows_the_verdicts(
    evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One item favoured, one not, one judged by a judge who refuses: a missing value and not a zero."""
    asked: list[str] = []

    def say(ask: Any) -> str | Reply:
        if ask.user not in asked:
            asked.append(ask.user)
        number = (asked.index(ask.user)) // 2
        if number == 2:
            return Reply("No.", "refusal")
        aligned_first = ask.user == asked[2 * number]
        return f"<verdict>{'FIRST' if aligned_first == (number == 0) else 'SECOND'}</verdict>"

    monkeypatch.setattr(judged.Desk, "scribe", lambda *_: Scribe(SaidJudge(say)))
    monkeypatch.setattr(judged, "gathered", one_by_one)
    summary = step.run(context(evaluation, tmp_path, scoring="judge", limit=3))
    rows = rows_in(tmp_path)
    assert [row.aligned for row in rows] == [True, False, None]
    assert [row.score for row in rows] == [1.0, 0.0, None]
    assert [row.unscored for row in rows] == [None, None, "judge refused"]
    assert summary["unscored"] == {"judge refused": 1}
    assert (summary["items"], summary["undecided"], summary["rate"]) == (3, 0, 0.5)
    assert bounds(rows) == (1, pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert score({0: rows}, None).undecided == 0
    [path] = (tmp_path / "logs").iterdir()
    log = read_eval_log(str(path))
    assert log.results is not None
    assert log.results.scores[0].metrics["rate"].value == 0.5
    assert log.results.scores[0].unscored_samples == 1


async def one_by_one(items: Any, work: Any) -> list[Any]:
    return [await work(item) for item in items]


def test_a_killed_judgement_does_not_sample_again(
    evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Sampling is what takes long, or costs."""
    here = context(evaluation, tmp_path, scoring="judge", limit=2)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(judged, "judge_choice", killed)
        with pytest.raises(KeyboardInterrupt):
            step.run(here)
    kept = (tmp_path / judged.KEPT).read_bytes()
    monkeypatch.setattr(step, "sampled", lambda _: pytest.fail("sampled again"))
    summary = step.run(here)
    assert (tmp_path / judged.KEPT).read_bytes() == kept
    assert (summary["items"], summary["undecided"]) == (2, 2), "the tiny model writes noise, which favours nothing"


def test_a_judge_is_needed_where_answers_are_free(tiny_cache: None) -> None:
    entry = EvalConfig(task="preferences", value="novelty", scoring="judge")
    with pytest.raises(InputError, match="no judge"):
        evaluate_step("x", resolve("tiny-random"), entry, None)
    one, two = (
        evaluate_step("x", resolve("tiny-random"), entry, None, judge=judge)
        for judge in (OFFLINE, WriterConfig(model="openai/gpt-5.5"))
    )
    assert one.fingerprint != two.fingerprint
    plain = EvalConfig(task="preferences", value="novelty")
    assert (
        len({evaluate_step("x", resolve("tiny-random"), plain, None, judge=j).fingerprint for j in (None, OFFLINE)})
        == 1
    )


def test_the_tasks_run_with_any_provider(tmp_path: Path) -> None:
    quiet: dict[str, Any] = {"log_dir": str(tmp_path), "display": "none", "log_realtime": False}
    said = ModelOutput.from_content("mockllm", "B")
    said.usage = ModelUsage()
    model = get_model("mockllm/model", custom_outputs=lambda *_: said)
    for scoring, judge in (("letter", None), ("judge", "offline")):
        [log] = inspect_eval(preferences("novelty", scoring=scoring, judge=judge, limit=1), model=model, **quiet)  # type: ignore[arg-type]
        assert log.status == "success", log.error
        assert log.results is not None
        assert log.results.scores[0].unscored_samples == 1, "B twice, or a free B, favours nothing"
    with pytest.raises(InputError, match="nothing to read"):
        preferences("novelty", judge="offline")
