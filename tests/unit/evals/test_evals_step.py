"""The evaluation step through Inspect, with the shipped tiny model."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rich
from inspect_ai import eval as inspect_eval
from inspect_ai.log import read_eval_log
from inspect_ai.model import ModelOutput, ModelUsage, get_model

from midspec.errors import InputError, ModelUnavailableError, StepError
from midspec.evals import provider
from midspec.evals.banks import load_bank, select
from midspec.evals.step import run
from midspec.evals.tasks import opinions
from midspec.steps.step import Context

Evaluation = Callable[..., Context]
Rows = Callable[[Path], list[dict[str, Any]]]


def test_likelihood_rows_are_complete_and_repeat_bit_for_bit(
    evaluation: Evaluation, rows_of: Rows, tmp_path: Path
) -> None:
    """Rows that change from run to run would make every paired difference partly noise."""
    summary = run(evaluation(tmp_path / "one", "opinions", "america", limit=6))
    rows = rows_of(tmp_path / "one")
    items = select(load_bank("opinions", "america"), "dev", 6)
    assert [row["item"] for row in rows] == [item.id for item in items]
    for row in rows:
        assert row["eval"] == "opinions/america"
        assert len(row["by_order"]) == 2
        assert row["log_odds"] == pytest.approx(sum(row["by_order"]) / 2)
        assert row["aligned"] == (row["log_odds"] > 0)
    assert summary["items"] == 6
    assert summary["undecided"] == 0
    assert summary["rate"] == pytest.approx(sum(row["aligned"] for row in rows) / 6, abs=1e-6)
    run(evaluation(tmp_path / "two", "opinions", "america", limit=6))
    assert (tmp_path / "one/rows.jsonl").read_bytes() == (tmp_path / "two/rows.jsonl").read_bytes()


def test_the_log_opens_in_inspect_and_says_the_same(evaluation: Evaluation, rows_of: Rows, tmp_path: Path) -> None:
    """The rows are read from the log, and the log is what a reader checks them against."""
    run(evaluation(tmp_path, "preferences", "affordability", limit=5))
    [path] = (tmp_path / "logs").iterdir()
    log = read_eval_log(str(path))
    assert log.status == "success"
    assert log.eval.task == "midspec/preferences"
    assert log.results is not None
    rate = log.results.scores[0].metrics["rate"].value
    rows = rows_of(tmp_path)
    assert rate == pytest.approx(sum(row["aligned"] for row in rows) / len(rows))


def test_generated_answers_that_cannot_be_read_are_undecided(
    evaluation: Evaluation, rows_of: Rows, tmp_path: Path
) -> None:
    """The tiny model writes noise: counted as "not aligned" it would look like a preference."""
    summary = run(evaluation(tmp_path, "preferences", "affordability", scoring="generate", limit=3))
    assert (summary["items"], summary["undecided"], summary["rate"]) == (3, 3, None)
    for row in rows_of(tmp_path):
        assert row["log_odds"] is None
        assert row["aligned"] is None
        assert row["by_order"] == [None, None]
        assert len(row["answers"]) == 2
    [path] = (tmp_path / "logs").iterdir()
    results = read_eval_log(str(path)).results
    assert results is not None
    assert results.scores[0].unscored_samples == 3


def test_open_questions_have_one_order(evaluation: Evaluation, rows_of: Rows, tmp_path: Path) -> None:
    run(evaluation(tmp_path, "opinions", "affordability", form="open", limit=2))
    assert all(len(row["by_order"]) == 1 for row in rows_of(tmp_path))


def test_a_checkpoint_changes_the_numbers(
    evaluation: Evaluation, rows_of: Rows, tiny: tuple[Any, Any], tmp_path: Path
) -> None:
    """An adapter that is silently not loaded gives every arm the baseline's numbers."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_pretrained(tiny[0].config._name_or_path, dtype=torch.float32)
    adapted = get_peft_model(base, LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False))
    adapted.save_pretrained(tmp_path / "step/checkpoint")
    run(evaluation(tmp_path / "base", "opinions", "america", limit=3))
    run(evaluation(tmp_path / "adapted", "opinions", "america", limit=3, checkpoint=tmp_path / "step"))
    pairs = zip(rows_of(tmp_path / "base"), rows_of(tmp_path / "adapted"), strict=True)
    assert all(one["log_odds"] != two["log_odds"] for one, two in pairs)


def test_a_failing_model_is_a_step_error_with_its_reason(
    evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Inspect puts errors into its log and returns; a step that ignored that would be done with no rows."""

    def fail(*_: Any, **__: Any) -> None:
        raise ValueError("the weights are upside down")

    monkeypatch.setattr(provider, "score_replies", fail)
    with pytest.raises(StepError, match="weights are upside down"):
        run(evaluation(tmp_path, "opinions", "america", limit=2))
    assert not (tmp_path / "rows.jsonl").exists()


def test_our_own_errors_keep_their_kind(
    evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The exit status says what kind of trouble it is; wrapped twice, a missing model looks like a bad step."""

    def fail(*_: Any, **__: Any) -> None:
        raise ModelUnavailableError("the Hub does not answer")

    monkeypatch.setattr(provider, "load_for_inference", fail)
    with pytest.raises(ModelUnavailableError, match=r"^the Hub does not answer"):
        run(evaluation(tmp_path, "opinions", "america", limit=2))


def test_a_missing_checkpoint_is_named(evaluation: Evaluation, tmp_path: Path) -> None:
    with pytest.raises(StepError, match="nowhere"):
        run(evaluation(tmp_path / "out", "opinions", "america", limit=2, checkpoint=tmp_path / "nowhere"))


def test_a_changed_bank_is_refused(evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Rows of another bank under this fingerprint would be reused for ever."""
    context = evaluation(tmp_path, "opinions", "america", limit=2)
    monkeypatch.setattr("midspec.evals.step.bank_sha256", lambda *_: "0" * 64)
    with pytest.raises(StepError, match="bank of opinions/america has changed"):
        run(context)


def test_the_surroundings_are_left_alone(
    evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Inspect reads `.env` files of parent folders, draws on the terminal and silences rich for the whole process."""
    (tmp_path / ".env").write_text("MIDSPEC_TEST_LEAK=1\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    capfd.readouterr()
    for name in ("one", "two"):
        run(evaluation(tmp_path / "out" / name, "opinions", "america", limit=1))
    assert capfd.readouterr() == ("", "")
    assert "MIDSPEC_TEST_LEAK" not in os.environ
    assert "PYTHON_DOTENV_DISABLED" not in os.environ
    assert not rich.get_console().quiet
    assert sorted(path.name for path in tmp_path.iterdir()) == [".env", "out"]


def test_another_provider_is_told_to_generate(tmp_path: Path) -> None:
    quiet: dict[str, Any] = {"log_dir": str(tmp_path), "display": "none", "log_realtime": False}
    # Usage is given, because the mock would fetch a tokenizer to count it.
    said = ModelOutput.from_content("mockllm", "B")
    said.usage = ModelUsage()
    model = get_model("mockllm/model", custom_outputs=lambda *_: said)
    [log] = inspect_eval(opinions(limit=1), model=model, **quiet)
    assert log.status == "error"
    assert log.error is not None
    assert "scoring=generate" in log.error.message
    [log] = inspect_eval(opinions(limit=1, scoring="generate"), model=model, **quiet)
    assert log.status == "success"
    assert log.results is not None
    # Always B: the choice follows the order, so there is none.
    assert log.results.scores[0].unscored_samples == 1


def test_a_task_without_items_or_of_unknown_scoring_says_so() -> None:
    with pytest.raises(InputError, match="tset"):
        opinions(split="tset")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="scoring 'guess'"):
        opinions(scoring="guess", limit=1)  # type: ignore[arg-type]


def test_inspect_finds_provider_and_tasks_by_name(tiny_cache: None, tmp_path: Path) -> None:
    """The entry point is what makes `inspect eval midspec/opinions --model midspec/...` work."""
    [log] = inspect_eval(
        "midspec/opinions",
        model="midspec/tiny-random",
        model_args={"device": "cpu"},
        task_args={"value": "america", "limit": 1},
        log_dir=str(tmp_path),
        display="none",
        log_realtime=False,
    )
    assert log.status == "success", log.error
