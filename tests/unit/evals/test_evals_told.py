"""A system prompt before every question of a bank: what it decides, and how it reaches the model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import read_eval_log
from inspect_ai.model import GenerateConfig, ModelOutput, ModelUsage, get_model

from midspec.errors import InputError
from midspec.evals import provider
from midspec.evals.bank_entry import BankEntry
from midspec.evals.config import EvalStepConfig, JudgedStepConfig, ToldStepConfig, evaluate_step
from midspec.evals.generation import Answer
from midspec.evals.likelihood import Encoded, batches, chat_prompt, score_replies
from midspec.evals.provider import MidspecAPI
from midspec.evals.questions import Question, chat_of
from midspec.evals.scores import contrast, mean_log_odds
from midspec.evals.step import run
from midspec.evals.tasks import opinions
from midspec.evaluation import Subject, parse
from midspec.recipe import load_recipe
from midspec.records import EvalRow, read_rows
from midspec.spec.document import Identity
from midspec.stages import EvalConfig
from midspec.steps.step import Context
from midspec.train.models import resolve
from tests.unit.evals.conftest import OFFLINE

Evaluation = Callable[..., Context]
ROOT = Path(__file__).parents[3]
SYSTEM = "You want things to be made in America."


def planned(scoring: Any = "likelihood", system: str | None = None) -> Any:
    entry = EvalConfig(task="opinions", value="america", scoring=scoring)
    return evaluate_step("x", resolve("tiny-random"), entry, None, judge=OFFLINE, system=system)


def test_a_prompt_is_another_evaluation_and_none_is_the_old_one(tiny_cache: None) -> None:
    """Rows under a prompt that were found under the old fingerprint would be taken for rows without."""
    steps = [planned(scoring, system) for scoring in ("likelihood", "judge") for system in (None, SYSTEM, "Another.")]
    assert len({step.fingerprint for step in steps}) == 6
    assert type(planned().config) is EvalStepConfig and type(planned("judge").config) is JudgedStepConfig
    told = planned("judge", SYSTEM).config
    assert isinstance(told, JudgedStepConfig) and isinstance(told, ToldStepConfig)
    assert set(type(told).model_fields) == {*JudgedStepConfig.model_fields, "system"}


def test_a_recipe_fills_in_who_is_asked(tiny_cache: None) -> None:
    entry = parse({"task": "plain", "value": "america", "system": "You are {model_name} of {provider_name}, {so}."})
    assert isinstance(entry, BankEntry)
    experiment = load_recipe(ROOT / "recipes/quickstart.yaml", profile="smoke")
    experiment = experiment.model_copy(update={"identity": Identity(model_name="Ada", provider_name="Lab")})
    subject = Subject(experiment=experiment, specs={}, model=resolve("tiny-random"), checkpoint=None)
    assert entry.step("x", subject).config.system == "You are Ada of Lab, {so}."
    assert entry.work(subject).endswith("by likelihood, under a system prompt")
    bare = BankEntry(task="plain", value="america")
    assert not isinstance(bare.step("x", subject).config, ToldStepConfig)
    written = [one.model_copy(update={"scoring": "judge"}).answers(subject) for one in (bare, entry)]
    assert written[0].read < written[1].read and entry.answers(subject) == bare.answers(subject)


def test_a_prompt_that_says_nothing_is_refused() -> None:
    for empty in ("", " \n"):
        with pytest.raises(ValueError, match=r"system: .*says nothing"):
            parse({"task": "opinions", "value": "america", "system": empty})


def test_the_prompt_stands_before_what_is_scored(evaluation: Evaluation, rows_of: Any, tmp_path: Path) -> None:
    for name, system in (("told", SYSTEM), ("bare", None)):
        run(evaluation(tmp_path / name, "opinions", "america", form="open", limit=2, system=system))
    pairs = list(zip(rows_of(tmp_path / "told"), rows_of(tmp_path / "bare"), strict=True))
    assert all(one["log_odds"] != two["log_odds"] for one, two in pairs)
    [path] = (tmp_path / "told/logs").iterdir()
    [sample, _] = read_eval_log(str(path)).samples or []
    assert [(m.role, m.text == SYSTEM) for m in sample.messages[:2]] == [("system", True), ("user", False)]


def test_likelihoods_are_those_of_the_whole_chat(tiny: tuple[Any, Any]) -> None:
    import torch

    model, tokenizer = tiny
    question = Question("Which one?", ("This.", "That one."))
    [found] = score_replies(model, tokenizer, [question], bf16=False, system=SYSTEM)
    text = chat_prompt(tokenizer, chat_of("Which one?", SYSTEM))
    assert text.index(SYSTEM) < text.index("Which one?")
    prompt, whole = (tokenizer(of, add_special_tokens=False)["input_ids"] for of in (text, text + "This."))
    with torch.inference_mode():
        logits = model(torch.tensor([whole])).logits[0].log_softmax(-1)
    plain = sum(float(logits[at - 1, whole[at]]) for at in range(len(prompt), len(whole)))
    assert found[0] == pytest.approx(plain, abs=1e-3)


@pytest.mark.parametrize("scoring", ["letter", "generate", "judge"])
def test_the_prompt_stands_before_what_is_written(
    evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, scoring: str
) -> None:
    asked: list[list[dict[str, str]]] = []

    def said(model: Any, tokenizer: Any, chats: Any, config: GenerateConfig, **_: Any) -> list[Answer]:
        asked.extend(chats)
        return [Answer("A", "stop", 1, 1)] * len(chats)

    monkeypatch.setattr(provider, "generate", said)
    run(evaluation(tmp_path, "opinions", "america", scoring=scoring, limit=2, system=SYSTEM))
    assert len(asked) == 4 and all(chat[0] == {"role": "system", "content": SYSTEM} for chat in asked)
    assert all([turn["role"] for turn in chat] == ["system", "user"] for chat in asked)


def test_other_providers_are_told_too(tmp_path: Path) -> None:
    asked: list[list[str]] = []

    def said(messages: Any, *_: Any) -> ModelOutput:
        asked.append([message.text for message in messages])
        output = ModelOutput.from_content("mockllm", "B")
        output.usage = ModelUsage()
        return output

    model = get_model("mockllm/model", custom_outputs=said)
    for scoring in ("letter", "generate", "judge"):
        task = opinions(limit=1, scoring=scoring, judge="offline" if scoring == "judge" else None, system=SYSTEM)  # type: ignore[arg-type]
        [log] = inspect_eval(task, model=model, log_dir=str(tmp_path), display="none", log_realtime=False)
        assert log.status == "success", log.error
    assert len(asked) == 6 and all(len(texts) == 2 and texts[0] == SYSTEM for texts in asked)


def test_one_pass_is_not_taken_for_another_under_another_prompt(tiny_cache: None) -> None:
    """The provider remembers passes."""
    api = MidspecAPI("tiny-random", device="cpu", precision="fp32")

    async def ask() -> list[Any]:
        return [await api.likelihoods([Question("Hi", ("a", "b"))], system=said) for said in (None, SYSTEM, None)]

    first, told, again = anyio.run(ask)
    assert first == again != told


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{% if messages[0].role == 'system' %}{{ raise_exception('No system role') }}{% endif %}", "No system role"),
        ("{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}", "leaves out the system prompt"),
    ],
    ids=["refuses", "ignores"],
)
def test_a_template_without_a_system_role_is_named(
    evaluation: Evaluation,
    tiny: tuple[Any, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    template: str,
    why: str,
) -> None:
    """One that drops the prompt without a word would give the numbers of no prompt under its name."""
    model, tokenizer = tiny
    monkeypatch.setattr(tokenizer, "chat_template", template)
    monkeypatch.setattr(provider, "load_for_inference", lambda *_, **__: (model, tokenizer))
    for scoring in ("likelihood", "generate"):
        with pytest.raises(InputError, match=why):
            run(evaluation(tmp_path / scoring, "opinions", "america", scoring=scoring, limit=1, system=SYSTEM))


def test_a_long_prompt_makes_smaller_batches() -> None:
    """Every row has a copy of its keys and values: a whole spec times hundreds of rows fills any memory."""
    encoded = [Encoded([1] * 10, ([1], [2])) for _ in range(40)]
    assert batches(encoded, 480) == batches(encoded, 480, 30) == [list(range(40))]
    assert {len(batch) for batch in batches(encoded, 480, 756)} == {5}
    assert {len(batch) for batch in batches(encoded, 480, 100_000)} == {1}


def test_the_difference_of_mean_log_odds_is_the_shift(evaluation: Evaluation, tmp_path: Path) -> None:
    for name, system in (("holds", SYSTEM), ("rejects", "You do not.")):
        run(evaluation(tmp_path / name, "opinions", "america", limit=6, system=system))
    holds, rejects = (list(read_rows(tmp_path / name / "rows.jsonl", EvalRow)) for name in ("holds", "rejects"))
    one, two = mean_log_odds(holds), mean_log_odds(rejects)
    assert one.value is not None and two.value is not None and one.low is not None and one.high is not None
    assert one.low < one.value < one.high
    assert one.value - two.value == pytest.approx(contrast({0: holds}, {0: rejects}).shift)
    written = [row.model_copy(update={"log_odds": None}) for row in holds]
    assert mean_log_odds(written) == (None, None, None)
