"""Writing answers in batches: the same as one by one, the same as Transformers', and able to go on."""

from typing import Any

import pytest
import torch
from inspect_ai.model import GenerateConfig
from transformers import MistralConfig, MistralForCausalLM

from midspec.evals import decoding, generation, kv_cache
from midspec.evals.decoding import Drawing, _drawn, continued
from midspec.evals.generation import Answer, generate

NEVER = 11
"""A token that no test here draws."""
GREEDY = Drawing(0.0, None, None)
PROMPTS = [[5, 6, 7, 8] * n for n in (1, 6, 3)]
CHATS = [[{"role": "user", "content": "Hello " * n}] for n in (3, 40, 1, 20, 2)]


def tokens(model: Any, prompts: list[list[int]] = PROMPTS, **changes: Any) -> list[list[int]]:
    settings: dict[str, Any] = {
        "limit": 12,
        "ends": {0},
        "drawing": GREEDY,
        "seeds": range(len(prompts)),
        "bf16": False,
    }
    return continued(model, prompts, **(settings | changes))


def test_greedy_tokens_are_those_of_transformers(tiny: tuple[Any, Any]) -> None:
    """Positions, mask and cache are ours; a slip in any shows here, in the padded rows first."""
    model, _ = tiny
    length = max(map(len, PROMPTS))
    ids, mask = torch.zeros(3, length, dtype=torch.long), torch.zeros(3, length, dtype=torch.long)
    for row, prompt in enumerate(PROMPTS):
        ids[row, length - len(prompt) :], mask[row, length - len(prompt) :] = torch.tensor(prompt), 1
    theirs = model.generate(
        input_ids=ids, attention_mask=mask, max_new_tokens=12, do_sample=False, pad_token_id=0, eos_token_id=[NEVER]
    )[:, length:]
    assert tokens(model, ends={NEVER}) == theirs.tolist()


def test_rows_that_end_leave_and_change_nothing_for_the_others(tiny: tuple[Any, Any]) -> None:
    model, _ = tiny
    free = tokens(model, drawing=Drawing(1.5, None, None), ends={NEVER})
    end = free[1][3]
    wanted = [row[: row.index(end)] if end in row else row for row in free]
    assert len({len(row) for row in wanted}) > 1
    assert tokens(model, drawing=Drawing(1.5, None, None), ends={end}) == wanted


def test_draws_of_a_row_do_not_depend_on_its_neighbours(tiny: tuple[Any, Any]) -> None:
    model, _ = tiny
    hot = Drawing(1.5, 0.95, 50)
    together = tokens(model, drawing=hot, seeds=[1, 2, 3])
    assert together == [tokens(model, [prompt], drawing=hot, seeds=[seed])[0] for prompt, seed in zip(PROMPTS, [1, 2, 3], strict=True)]  # fmt: skip  # noqa: E501
    assert together != tokens(model, drawing=hot, seeds=[4, 5, 6])
    assert together[0] != tokens(model, drawing=Drawing(0.0, None, None))[0]


@pytest.mark.parametrize("heat", [0.0, 0.3, 1.5])
def test_guesses_change_no_token_and_save_steps(
    tiny: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch, heat: float
) -> None:
    """Rows accept different numbers of guesses at once; a slip in columns, positions or draws shows in the tokens."""
    model, _ = tiny
    steps: list[int] = []
    step = kv_cache.RowsCache.step

    def counted(self: Any, ids_bl: torch.Tensor) -> torch.Tensor:
        steps.append(ids_bl.shape[1])
        return step(self, ids_bl)

    monkeypatch.setattr(kv_cache.RowsCache, "step", counted)
    monkeypatch.setattr(decoding, "TRUSTED_AFTER", 1)
    looping = [[5, 6, 7] * 12, [9, 8, 7, 5, 6] * 3, [5, 6, 7] * 12, [3]]
    settings: dict[str, Any] = {"prompts": looping, "limit": 60, "drawing": Drawing(heat, None, None)}
    monkeypatch.setattr(decoding, "WORTH", 2.0)
    single = tokens(model, **settings)
    assert set(steps) == {1} and len(steps) == 59
    steps.clear()
    monkeypatch.setattr(decoding, "WORTH", 0.01)
    assert tokens(model, **settings) == single
    assert heat > 1 or max(steps) == 1 + decoding.GUESSED
    assert heat or len(steps) < 30
    ends = {single[0][40]}
    wanted = [row[: row.index(min(ends))] if min(ends) in row else row for row in single]
    assert tokens(model, **settings | {"ends": ends}) == wanted


def test_equal_prompts_are_read_once_and_short_ones_together(
    tiny: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _ = tiny
    read: list[tuple[int, int]] = []
    one = kv_cache.RowsCache._pass

    def counted(self: Any, prompts: Any, filler: int, cache: Any) -> torch.Tensor:
        read.append((len(prompts), max(map(len, prompts))))
        return one(self, prompts, filler, cache)

    monkeypatch.setattr(kv_cache.RowsCache, "_pass", counted)
    prompts = [PROMPTS[1], PROMPTS[0], PROMPTS[1], PROMPTS[1], PROMPTS[2]]
    together = tokens(model, prompts=prompts, seeds=range(5), drawing=Drawing(1.5, None, None))
    assert read == [(3, 24)]
    read.clear()
    monkeypatch.setattr(kv_cache, "CPU_READ_TOKENS", 30)
    assert tokens(model, prompts=prompts, seeds=range(5), drawing=Drawing(1.5, None, None)) == together
    assert read == [(1, 24), (2, 12)]
    assert together[0] != together[2]  # equal prompts draw by themselves


def test_layers_that_forget_are_left_as_they_are() -> None:
    """Mistral's sliding window keeps the last tokens only."""
    torch.manual_seed(0)
    config = MistralConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
        vocab_size=50, sliding_window=8, max_position_embeddings=64,
    )  # fmt: skip
    model = MistralForCausalLM(config).eval()
    prompts = [[5, 6, 7] * 5, [9, 8], [5, 6, 7] * 5]
    found = continued(
        model, prompts, limit=12, ends={49}, drawing=Drawing(0.5, None, None), seeds=[1, 2, 3], bf16=False
    )
    assert found == [
        continued(model, [prompt], limit=12, ends={49}, drawing=Drawing(0.5, None, None), seeds=[seed], bf16=False)[0]
        for prompt, seed in zip(prompts, [1, 2, 3], strict=True)
    ]


@pytest.mark.parametrize(
    ("drawing", "possible"),
    [
        (Drawing(1.0, None, None), {0, 1, 2, 3}),
        (Drawing(1.0, None, 2), {0, 1}),
        (Drawing(1.0, 0.6, None), {0, 1}),
        (Drawing(1.0, 0.01, None), {0}),
        (Drawing(1.0, 0.9, 1), {0}),
        (Drawing(0.01, None, None), {0}),
    ],
)
def test_top_p_and_top_k_leave_the_likeliest(drawing: Drawing, possible: set[int]) -> None:
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    state = torch.Generator().manual_seed(0)
    assert {_drawn(logits, drawing, [state])[0] for _ in range(300)} == possible


def test_shares_follow_the_temperature() -> None:
    logits = torch.tensor([[0.6, 0.4]]).log()
    state = torch.Generator().manual_seed(0)
    drawn = [_drawn(logits, Drawing(0.5, None, None), [state])[0] for _ in range(4000)]
    assert sum(drawn) / 4000 == pytest.approx(0.4**2 / (0.4**2 + 0.6**2), abs=0.03)


def test_what_is_known_in_whole_batches_is_not_made_again(
    tiny: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a kill: the same batches as before, so the same answers, and only those that are missing."""
    monkeypatch.setattr(generation, "BATCH_ROWS", 2)
    config = GenerateConfig(max_tokens=6, temperature=1.0, seed=3)
    taken: list[dict[int, Answer]] = []
    whole = generate(*tiny, CHATS, config, take=lambda answers: taken.append(dict(answers)))
    assert [sorted(batch) for batch in taken] == [[2, 4], [0, 3], [1]]
    known = {**taken[0], 1: whole[1], 0: Answer("a half-known batch is made again", "stop", 0, 0)}
    again: list[dict[int, Answer]] = []
    assert generate(*tiny, CHATS, config, known=known, take=lambda answers: again.append(dict(answers))) == whole
    assert [sorted(batch) for batch in again] == [[0, 3]]


def test_long_prompts_are_answered_fewer_at_a_time() -> None:
    assert [len(batch) for batch in generation._batches([10] * 20, 16384)] == [16, 4]
    assert [len(batch) for batch in generation._batches([3000] * 12, 16384)] == [5, 5, 2]
    assert generation._batches([40_000, 5], 16384) == [[1], [0]]
