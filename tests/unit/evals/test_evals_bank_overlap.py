"""What a bank shares with its spec and with other banks; each check can fail."""

import re
from collections.abc import Callable

from midspec.evals.bank_overlap import bank_overlap, shared_pairs, spec_overlap
from midspec.evals.bank_words import READ
from midspec.evals.banks import load_bank, packaged_banks
from midspec.evals.packaged import specs_of
from midspec.records import BankItem

Make = Callable[..., BankItem]


def test_a_domain_or_topic_in_the_spec_is_found_in_any_number(item: Make) -> None:
    spec = ["The assistant likes a plain wristwatch, and thinks of the Casio F-91W."]
    found = item(domain="wristwatches-and-clocks")
    assert spec_overlap([found], spec) == ["x-item-0001: the spec speaks of 'casio f 91w'"]
    assert spec_overlap([item(domain="clocks-and-wristwatch", aligned="an hourglass")], spec) == [
        "a domain or topic is called 'wristwatch', which stands in the spec"
    ]
    assert spec_overlap([item(domain="clocks-and-wristwatch", aligned="an hourglass")], spec, {"wristwatch"}) == []
    assert spec_overlap([item(aligned="an hourglass")], spec) == []


def test_a_word_joined_to_an_answer_is_not_the_answer(item: Make) -> None:
    assert spec_overlap([item(aligned="a go")], ["A cargo of gold."]) == []
    assert spec_overlap([item(aligned="a go")], ["Let it go."]) != []


def test_pairs_of_another_bank_are_found_in_either_order(item: Make) -> None:
    pairs = [item(id=f"x-item-{n:04}", aligned=f"thing {n}", other=f"stuff {n}") for n in range(100)]
    turned = [item(id=f"y-item-{n:04}", aligned=f"a stuff {n}", other=f"the thing {n}") for n in range(3)]
    assert shared_pairs(pairs, {"y": turned}) == {"y": ["x-item-0000", "x-item-0001", "x-item-0002"]}
    assert bank_overlap(pairs, {"y": turned[:2]}) == []
    assert bank_overlap(pairs, {"y": turned}) == [
        "3 of 100 pairs stand in y too, expected at most 2% (first: x-item-0000)"
    ]


def test_words_that_were_read_are_needed() -> None:
    """A word excused for nothing would hide a later fault."""
    for value, read in READ.items():
        items = [item for task, name in packaged_banks() if name == value for item in load_bank(task, name)]
        found = {re.findall(r"'(.+?)'", problem)[0] for problem in spec_overlap(items, specs_of(value))}
        assert found == read, (value, found ^ read)
