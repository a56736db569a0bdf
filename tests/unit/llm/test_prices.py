"""Prices: what is known is exact, what is not known says so."""

from pathlib import Path

import pytest

from midspec.errors import InputError
from midspec.llm.prices import Tokens, Work, expected, load_prices, price_of, tokens_of, worst_case
from midspec.llm.prompt import Ask, Reply
from midspec.llm.provider import counted
from midspec.llm.writer import Tally

TABLE = load_prices()
OPUS, GPT = "anthropic/claude-opus-4-6", "openai/gpt-4o"


@pytest.mark.parametrize(
    ("model", "input_price", "output_price"),
    [
        (OPUS, 5, 25),
        ("anthropic/claude-sonnet-4-6", 3, 15),
        ("anthropic/claude-haiku-4-5-20251001", 1, 5),
        (GPT, 2.5, 10),
        ("openai/gpt-4o-mini", 0.15, 0.6),
        ("anthropic/claude-opus-4-1-20250805", 15, 75),
        ("anthropic/claude-opus-4-20250514", 15, 75),
        ("anthropic/claude-sonnet-4-20250514", 3, 15),
        ("anthropic/claude-sonnet-4-5-20250929", 3, 15),
        ("anthropic/claude-3-5-haiku-latest", 0.8, 4),
        ("openai/o4-mini-2025-04-16", 1.1, 4.4),
        ("google/gemini-2.5-flash-preview-09-2025", 0.3, 2.5),
        ("google/gemini-3.1-pro-preview", 2, 12),
        ("offline", 0, 0),
        ("hf/HuggingFaceTB/SmolLM2-135M", 0, 0),
        ("vllm/anything", 0, 0),
    ],
)
def test_list_prices(model: str, input_price: float, output_price: float) -> None:
    price = TABLE.find(model)
    assert price is not None
    assert (price.input, price.output) == (input_price, output_price)


@pytest.mark.parametrize(
    "model",
    [
        "anthropic/claude-opus-9",
        "anthropic/claude-opus-5-9",
        "openai/gpt-4o-audio-preview",
        "openai/gpt-5-pro",
        "x/y",
        "openai/o4-mini-deep-research",
        "openai/gpt-6-sol-pro",
        "openai/gpt-5.6-sol-pro",
        "openai/gpt-5-mini-search",
        "google/gemini-2.5-pro-preview-tts",
        "google/gemini-2.5-flash-image",
        "anthropic/claude-opus-4-6-fast",
    ],
)
def test_a_model_nobody_knows_has_no_price(model: str) -> None:
    """A newer, dearer or other model must not be taken for its neighbour: 0 or a guess would break the cap."""
    assert TABLE.find(model) is None
    assert price_of(model, Tokens(1, 1, 1, 1), False, TABLE) is None
    assert worst_case(model, 10, 10, False, TABLE) is None


def test_every_entry_has_a_date_and_a_source() -> None:
    assert all(price.date and price.source for price in TABLE.prices)
    assert TABLE.date is not None
    assert TABLE.date >= max(price.date for price in TABLE.prices if price.date)


def test_no_entry_is_hidden_by_one_before_it() -> None:
    for price in TABLE.prices:
        for model in price.models:
            assert TABLE.find(model.replace("*", "")) is not None
            if "*" not in model:
                assert TABLE.find(model) is price


def test_each_kind_of_token_at_its_own_price() -> None:
    usage = Tokens(1_000_000, 10_000_000, 100_000, 200_000)
    assert price_of(OPUS, usage, False, TABLE) == pytest.approx(5 + 10 * 0.5 + 0.1 * 6.25 + 0.2 * 25)
    assert price_of(OPUS, usage, True, TABLE) == pytest.approx((5 + 10 * 0.5 + 0.1 * 6.25 + 0.2 * 25) / 2)
    assert price_of(GPT, Tokens(0, 1_000_000), False, TABLE) == 1.25
    reply = Reply("x", "stop", 1_000_000, 0, 0, 0)
    tally = Tally()
    tally.add(reply)
    assert price_of(OPUS, reply, False, TABLE) == price_of(OPUS, tally, False, TABLE) == 5


def test_the_worst_case_is_never_passed() -> None:
    for cached in (0, 300, 1000):
        for written in (0, 1000 - cached):
            usage = Tokens(1000 - cached - written, cached, written, 50)
            for model in (OPUS, GPT):
                worst, paid = worst_case(model, 1000, 50, False, TABLE), price_of(model, usage, False, TABLE)
                assert worst is not None
                assert paid is not None
                assert paid <= worst + 1e-12


@pytest.mark.parametrize(
    ("url", "free"),
    [
        ("http://127.0.0.1:8000/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://localhost/v1", True),
        ("http://127.0.0.1.example.com/v1", False),
        ("https://api.example.com/v1", False),
        (None, False),
    ],
)
def test_only_this_machine_is_free(url: str | None, free: bool) -> None:
    price = TABLE.find("openai-api/mine/model", url)
    assert (price is not None and price.input == price.output == 0) == free


def test_the_address_in_the_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_HOST_BASE_URL", "http://127.0.0.1:8000/v1")
    assert TABLE.find("openai-api/my-host/model") is not None
    assert TABLE.find("openai-api/other/model") is None
    # A paid model keeps its price behind a proxy on this machine.
    price = TABLE.find(OPUS, "http://127.0.0.1:4000")
    assert price is not None
    assert price.input == 5


def test_the_workspace_goes_first(tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text(
        f"prices:\n  - {{models: [{OPUS}, openai-api/mine/*], input: 1, output: 2, source: my contract}}\n"
    )
    table = load_prices(tmp_path)
    assert price_of(OPUS, Tokens(1_000_000, 0, 0, 1_000_000), False, table) == 3
    assert price_of("openai-api/mine/x", Tokens(1_000_000), False, table) == 1
    assert table.find(GPT) == TABLE.find(GPT)


@pytest.mark.parametrize(
    "text",
    ["prices: [", "5", "prices:\n  - {models: [x], input: -1, output: 2}", "prices:\n  - {models: [x], inptu: 1}"],
)
def test_a_table_with_a_mistake_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "prices.yaml").write_text(text)
    with pytest.raises(InputError, match=r"prices\.yaml"):
        load_prices(tmp_path)


def test_expected_tokens_of_a_stage() -> None:
    work = Work(requests=100, shared_tokens=50_000, own_tokens=200, output_tokens=3000)
    opus, gpt = expected(work, TABLE.find(OPUS)), expected(work, TABLE.find(GPT))
    assert opus == Tokens(20_000, 99 * 50_000, 50_000, 300_000)
    assert gpt == Tokens(20_000 + 50_000, 99 * 50_000, 0, 300_000)  # writing to the cache costs nothing extra
    for plain in (expected(work, None), expected(work, TABLE.find("vllm/x"))):
        assert plain == Tokens(100 * 50_200, 0, 0, 300_000)
    short = Work(requests=100, shared_tokens=500, own_tokens=200, output_tokens=3000)
    assert expected(short, TABLE.find(OPUS)).cached_tokens == 0  # too short to be cached
    assert expected(Work(1, 50_000, 0, 0), TABLE.find(OPUS)).cache_write_tokens == 0  # nobody would read it
    # The bar: the document stage's input at most a quarter of one that sends the spec uncached every time.
    cached, uncached = price_of(OPUS, opus, False, TABLE), price_of(OPUS, expected(work, None), False, TABLE)
    assert cached is not None
    assert uncached is not None
    output = 300_000 * 25 / 1e6
    assert cached - output < (uncached - output) / 4


def test_tokens_of_a_text() -> None:
    assert (tokens_of(""), tokens_of("a"), tokens_of("abcde")) == (0, 1, 2)


def test_a_server_that_says_no_tokens_is_not_for_free():
    ask = Ask("test/question", "s" * 400, "u" * 400, {}, 0)
    found = counted(ask, Reply("x" * 400))
    assert found.input_tokens > 100 and found.output_tokens > 50
    told = Reply("x" * 400, output_tokens=7)
    assert counted(ask, told) is told
