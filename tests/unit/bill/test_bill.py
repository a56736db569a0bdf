"""The bill must not promise what nobody measured."""

import asyncio
from pathlib import Path

import pytest

from midspec.bill.estimate import estimate
from midspec.bill.pilot import pilot_of
from midspec.bill.writing import FIRST_TOKEN_SECONDS, SECONDS_PER_TOKEN, expense
from midspec.llm.journal import NAME, Entry, Journal, request_key
from midspec.llm.measured import Measured, measured
from midspec.llm.prices import Work, load_prices
from midspec.llm.prompt import Reply
from midspec.pipeline import build
from midspec.recipe import load_recipe
from midspec.steps import Store
from tests.conftest import ROOT


def bill(name: str, profile: str | None, workspace: Path, *overrides: str):
    recipe = ROOT / "recipes" / f"{name}.yaml"
    experiment = load_recipe(recipe, profile=profile, overrides=list(overrides)).with_controls()
    return estimate(build(experiment), Store(workspace))


def test_an_empty_workspace_knows_no_time_and_says_so(tmp_path: Path) -> None:
    found = bill("quickstart", "smoke", tmp_path)
    assert {line.state for line in found.lines} == {"to do"}
    assert all(line.seconds is None for line in found.lines)
    assert any("not known" in text for text in found.totals)
    assert found.dollars == 0.0


def test_a_writer_without_a_price_has_no_price(tmp_path: Path) -> None:
    # Guards: an unknown price shown as zero dollars.
    found = bill("cheese", None, tmp_path, "writer=nobody/knows-it")
    assert found.dollars is None and any("nobody/knows-it" in text for text in found.totals)


def test_a_priced_writer_has_a_bill_and_a_batch_is_half_of_it(tmp_path: Path) -> None:
    whole = bill("cheese", None, tmp_path)
    half = bill("cheese", None, tmp_path, "compute.batch=true")
    assert whole.dollars and half.dollars and abs(half.dollars / whole.dollars - 0.5) < 0.01
    tokens = whole.writing.tokens
    assert tokens.cached_tokens > tokens.input_tokens > 0, "the spec is read from the prompt cache"
    assert whole.writing.requests > 2 * 4600
    assert any("H100 hours" in text for text in whole.totals)


def test_a_writer_without_batch_mode_is_not_billed_at_half_the_price(tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text("prices: [{models: [vllm/model], input: 1, output: 2}]\n")
    writer = ("writer=vllm/model", "judge=vllm/model")
    whole = bill("cheese", None, tmp_path, *writer)
    batched = bill("cheese", None, tmp_path, *writer, "compute.batch=true")
    assert whole.dollars and batched.dollars == whole.dollars


def test_a_pilot_is_small_and_changes_nothing_else(tmp_path: Path) -> None:
    experiment = load_recipe(ROOT / "recipes" / "cheese.yaml")
    small = pilot_of(experiment, 20)
    assert (small.corpus.documents, small.aft["aft"].samples) == (20, 20)
    assert small.model_copy(update={"corpus": experiment.corpus, "aft": experiment.aft}) == experiment


def test_training_is_counted_in_tokens(tmp_path: Path) -> None:
    lines = {(line.kind, line.name): line for line in bill("quickstart", None, tmp_path).lines}
    assert lines["midtrain", "america-seed0"].tokens == 112_000
    assert lines["corpus", "america"].work == "take over 250 documents"
    assert not lines["corpus", "america"].requests


def test_a_corpus_that_exists_is_trained_on_to_its_own_end(tmp_path: Path) -> None:
    experiment = load_recipe(ROOT / "recipes" / "quickstart.yaml", overrides=["midtrain.tokens=null", "gate=stop"])
    lines = estimate(build(experiment.with_controls()), Store(tmp_path)).lines
    [trained] = [line.tokens for line in lines if (line.kind, line.name) == ("midtrain", "america-seed0")]
    assert 105_000 < trained < 120_000


def every_kind(workspace: Path, *overrides: str):
    experiment = load_recipe(ROOT / "tests" / "evaluations" / "every-kind.yaml", overrides=list(overrides))
    return estimate(build(experiment.with_controls()), Store(workspace))


def test_what_judges_are_asked_by_evaluations_is_in_the_bill(tmp_path: Path) -> None:
    # Guards: a recipe that looks free and asks a paid judge eight thousand times an arm.
    judged = every_kind(tmp_path, "judge=anthropic/claude-sonnet-4-6")
    requests = {line.name: line.requests for line in judged.lines if line.kind == "evaluate"}
    assert {name: requests[f"{name}-baseline"] for name in ("agentic", "open_qa", "preferences-affordability")} == {
        "agentic": 2, "open_qa": 4, "preferences-affordability": 4
    }  # fmt: skip
    assert requests["opinions-america-baseline"] == requests["words-words-baseline"] == 0
    assert judged.dollars and any("words@words (anthropic/claude-sonnet-4-6)" in text for text in judged.totals)
    free = every_kind(tmp_path)
    assert free.dollars == 0 and not free.writing.requests and not free.unmetered


def test_a_grader_of_one_evaluation_is_priced_as_itself(tmp_path: Path) -> None:
    entry = "evals=[{task: agentic, grader: nobody/knows-it}]"
    found = every_kind(tmp_path, entry)
    assert found.dollars is None and any("nobody/knows-it" in text for text in found.totals)
    assert {line.work for line in found.lines if line.kind == "evaluate"} == {"8,100 answers in 27 cells"}


def test_instruct_data_that_cannot_be_had_here_are_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Guards: a run that writes a corpus for hours and then finds no network.
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    experiment = load_recipe(
        ROOT / "recipes" / "quickstart.yaml", overrides=["instruct=[{dataset: nobody/nothing, samples: 10}]"]
    )
    totals = estimate(build(experiment.with_controls()), Store(tmp_path)).totals
    assert any("In the way" in text and "nobody/nothing" in text for text in totals)


def test_the_judge_of_the_instruct_mix_is_in_the_bill(tmp_path: Path) -> None:
    # Guards: a judged mix that looks free, and a run that spends on it without asking.
    def judged(value: str) -> float | None:
        overrides = ["judge=anthropic/claude-sonnet-4-6", "aft.kind=preferences"]
        experiment = load_recipe(
            ROOT / "recipes" / "quickstart.yaml",
            overrides=[*overrides, f"instruct=[{{dataset: packaged, samples: 100, judged: {value}}}]"],
        )
        found = estimate(build(experiment.with_controls()), Store(tmp_path))
        return {line.kind: line for line in found.lines}["instruct"].requests

    assert not judged("false")
    assert 100 < (judged("true") or 0) < 120


WRITER = "anthropic/claude-opus-4-6"


def journal(workspace: Path, batch: str, *, replies: int = 20, price: float = 0.25) -> None:
    """A journal in which `WRITER` has written documents for the recipe `cheese`; every fourth cannot be used."""

    async def work() -> None:
        kept = Journal(workspace / NAME)
        for number in range(replies):
            key = request_key(WRITER, {}, "", str(number), 0)
            reply = Reply("text", input_tokens=100, cached_tokens=900, output_tokens=500)
            await kept.save(
                Entry(
                    key=key, run="cheese", step="s", model=WRITER, template="corpus/document", system="",
                    user=str(number), settings={}, sample=0, reply=reply, seconds=9.0, price=price, batch=batch,
                )
            )  # fmt: skip
            if number % 4 == 0:
                kept.verdict(key, "refused")
        kept.close()

    asyncio.run(work())


def test_a_pilot_in_batch_jobs_measures_sizes_and_no_seconds(tmp_path: Path) -> None:
    # Guards: under batch: true a pilot was paid for and the bill went on assuming.
    journal(tmp_path, "job-1")
    found = measured(tmp_path, WRITER)["corpus/document"]
    assert found == Measured(20, 1000.0, 500.0, None, 0.25)
    total = expense({"corpus/document": Work(300, 0, 1, 1)}, WRITER, load_prices(), {"corpus/document": found})
    assert (total.requests, total.measured, total.tokens.output_tokens) == (400, 400, 200_000)
    assert total.seconds == pytest.approx(400 * (FIRST_TOKEN_SECONDS + 500 * SECONDS_PER_TOKEN))
    journal(tmp_path / "plain", "")
    assert measured(tmp_path / "plain", WRITER)["corpus/document"].seconds == 9.0


def test_what_the_run_has_paid_is_in_its_bill(tmp_path: Path) -> None:
    assert not any("Already paid" in text for text in bill("cheese", None, tmp_path).totals)
    journal(tmp_path, "")
    assert "Already paid by this run: $5.00." in bill("cheese", None, tmp_path).totals
    assert not any("Already paid" in text for text in bill("cheese", None, tmp_path, "name=another").totals)
