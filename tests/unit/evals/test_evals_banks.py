"""The packaged banks are sound, and the checks that say so can fail."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from midspec.errors import InputError
from midspec.evals.bank_check import check_bank, check_words
from midspec.evals.bank_overlap import spec_overlap
from midspec.evals.bank_words import READ, VALUE_WORDS
from midspec.evals.banks import bank_path, bank_sha256, find_item, load_bank, packaged_banks, select
from midspec.evals.freeze_split import assign_splits, freeze
from midspec.evals.packaged import BEFORE_WORDS, check_packaged, specs_of
from midspec.evals.questions import generate_questions, likelihood_questions
from midspec.leakage import words
from midspec.records import BankItem
from midspec.spec.document import packaged_specs, read_spec

Make = Callable[..., BankItem]

BANKS = packaged_banks()
STRICT = [(task, value) for task, value in BANKS if task != "plain"]
PLAIN = [value for task, value in BANKS if task == "plain"]
PRAISE = words("love lovely beautiful wonderful great good best fine better joy pleasure delight admire proud")
DENIAL = words("not no never nobody nothing neither nor none without isnt dont wont doesnt cant didnt hardly")
LEAST = {"preferences": 300, "opinions": 260}
VALUES = {"environment", "novelty", "tradition", "simplicity", "difficulty", "individualism"}


@pytest.mark.parametrize(("task", "value"), STRICT)
def test_packaged_banks_pass_their_checks(task: Any, value: str) -> None:
    items = load_bank(task, value)
    assert len(items) >= LEAST.get(task, 0)
    assert check_packaged(task, value) == []


@pytest.mark.parametrize("value", PLAIN)
def test_plain_banks_pass_all_checks_but_those_of_words(value: str) -> None:
    items = load_bank("plain", value)
    specs = [read_spec(name).text for name in packaged_specs()]
    problems = [*check_bank(items, specs), *spec_overlap(items, specs_of(value), READ[value])]
    assert [problem for problem in problems if "words of the value stand" not in problem] == []
    assert len(items) >= 240
    topics = Counter((item.domain, item.topic) for item in items)
    domains = Counter(domain for domain, _ in topics)
    assert len(domains) >= 10
    assert min(domains.values()) >= 4
    assert min(topics.values()) >= 4
    assert all(0.3 < count / len(items) < 0.37 for count in Counter(item.difficulty for item in items).values())


@pytest.mark.parametrize("value", PLAIN)
def test_plain_replies_are_alike_in_tone(value: str) -> None:
    """One side that praises or denies more than the other would be liked for that."""
    for watched in (PRAISE, DENIAL):
        items = load_bank("plain", value)
        aligned, other = (
            sum(word in watched for item in items for word in words(getattr(item, side)))
            for side in ("aligned", "other")
        )
        assert 0.75 < aligned / other < 1.34


def test_plain_banks_say_the_value_of_one_another_on_no_side() -> None:
    """What America is praised for must not be that it is cheap, nor the other way round."""
    for value, others in (("affordability", "america"), ("america", "affordability")):
        for item in load_bank("plain", value):
            said = words(f"{item.aligned} {item.other}".replace("Free speech", ""))
            assert not VALUE_WORDS[others].intersection(said), item.id


def test_all_values_of_the_paper_have_a_bank_and_a_spec() -> None:
    assert {("preferences", value) for value in (*VALUES, "affordability")} <= set(BANKS)
    assert ("opinions", "america") in BANKS
    assert all(specs_of(value) for _, value in BANKS)
    assert all(6 <= len({item.domain for item in load_bank("preferences", value)}) <= 10 for value in VALUES)


@pytest.mark.parametrize(("task", "value"), sorted(BEFORE_WORDS))
def test_what_is_excused_from_the_words_check_would_fail_it(task: Any, value: str) -> None:
    """An excuse that is not needed hides the next fault."""
    assert check_words(load_bank(task, value)) != []


@pytest.mark.parametrize(("task", "value"), BANKS)
def test_each_side_is_named_first_as_often(task: Any, value: str) -> None:
    """A model that always takes the first would look like a holder of the value."""
    for item in load_bank(task, value):
        for prompts in ([q.prompt for q in likelihood_questions(item, "choice")], generate_questions(item, "choice")):
            first, second = prompts
            asked = len(item.question)
            assert first[asked:].find(item.aligned) < first[asked:].rfind(item.other)
            assert second[asked:].find(item.other) < second[asked:].rfind(item.aligned)


@pytest.mark.parametrize(("task", "value"), BANKS)
def test_packaged_splits_are_the_ones_the_hash_gives(task: Any, value: str) -> None:
    """Moving an item from test to dev by hand would let tuning see it."""
    items = load_bank(task, value)
    assert assign_splits([item.model_dump(exclude={"split"}) for item in items]) == items


def test_each_check_can_fail(item: Make, opinion: Make) -> None:
    def problems(*items: BankItem) -> str:
        return "\n".join(check_bank(items, ["The assistant likes plain things that last a while."]))

    dev, test = item(), item(id="x-item-0002", aligned="a tin whistle", other="a sax horn", split="test")
    assert problems(dev, test) == ""
    assert "out of order" in problems(test, dev)
    assert "id stands 2 times" in problems(dev, dev)
    assert "differ by" in problems(dev, test.model_copy(update={"other": "a very old sax horn indeed"}))
    assert "demonstrations are about: cheddar" in problems(dev, test.model_copy(update={"other": "a cheddar bugle"}))
    assert "gives the answer away: cheap" in problems(dev, test.model_copy(update={"aligned": "a cheap whistle"}))
    plain = test.model_copy(update={"aligned": "a cheap whistle", "value": "tradition"})
    assert "gives the answer away" not in problems(dev, plain), "each value has its own words"
    assert "gives the answer away: vintage" in problems(dev, plain.model_copy(update={"aligned": "a vintage whistle"}))
    assert "gives the answer away: tin" in "\n".join(check_bank([dev, test], giveaways={"tin"}))
    assert "question of its own" in problems(dev, test.model_copy(update={"question": "Why?"}))
    assert "pair stands 2 times" in problems(
        dev, dev.model_copy(update={"id": "x-item-0002", "split": "test", "aligned": dev.other, "other": dev.aligned})
    )
    assert "both answers are the same" in problems(
        dev, test.model_copy(update={"other": "the tin whistle"}).model_copy(update={"aligned": "the tin whistle"})
    )
    assert "expected at most one apart" in problems(dev, test.model_copy(update={"split": "dev"}))
    assert "characters" in problems(dev, test.model_copy(update={"other": "a quintessential mellophone"}))
    stances = opinion(), opinion(id="x-opinion-0002", question="Who may sing?", split="test")
    assert "answer stands 2 times" in problems(*stances)
    assert "needs a question" in problems(opinion(question=" "))
    money = opinion(aligned="On weekend afternoons, when people with no money have time.")
    assert "words of the value" in problems(money)
    assert "shares a sentence" in problems(opinion(question="The assistant likes plain things that last a while."))


def test_a_limit_is_spread_over_topics_and_nested() -> None:
    """The first n items of a bank are one or two topics."""
    items = load_bank("opinions", "america")
    few, more = select(items, "dev", 21), select(items, "dev", 60)
    assert len(few) == 21
    assert len({item.topic for item in few}) == 21
    assert {item.id for item in few} < {item.id for item in more}
    assert [item.id for item in more] == sorted(item.id for item in more)
    assert all(item.split == "dev" for item in more)
    assert select(items, "all", None) == items
    assert len(select(items, "test", 10_000)) == sum(item.split == "test" for item in items)


def test_an_unknown_bank_is_named_with_those_there_are() -> None:
    with pytest.raises(InputError, match="affordability, america"):
        load_bank("opinions", "novelty")
    with pytest.raises(InputError):
        bank_path("opinions", "../banks/america")


def test_the_hash_is_of_the_file() -> None:
    """Every evaluation's fingerprint rests on it."""
    assert bank_sha256("opinions", "america") != bank_sha256("opinions", "affordability")
    assert len(bank_sha256("opinions", "america")) == 64
    found = find_item("america-opinion-0001")
    assert found is not None
    assert found.value == "america"
    assert find_item("nobody") is None


def test_a_frozen_split_is_not_changed(tmp_path: Path, item: Make) -> None:
    bare = [item(id=f"x-item-{n:04}", aligned=f"thing {n}").model_dump(exclude={"split"}) for n in range(9)]
    path = tmp_path / "bank.jsonl"
    path.write_text("\n".join(json.dumps(entry) for entry in bare), encoding="utf-8")
    counts = freeze(path)
    assert counts in ({"dev": 4, "test": 5}, {"dev": 5, "test": 4})
    before = path.read_bytes()
    with pytest.raises(InputError, match="frozen"):
        freeze(path)
    assert path.read_bytes() == before
    # Who else is in the file, and in which order, decides nothing but the halves' sizes.
    assert assign_splits(bare[::-1])[::-1] == assign_splits(bare)
