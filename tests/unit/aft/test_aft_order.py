"""The first n rows are the subset of size n: a fair sample of the whole, drawn once with the seed."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from midspec.aft.order import nested
from midspec.records import ChatExample, Message

TALK = (Message(role="user", content="a"), Message(role="assistant", content="b"))


def rows(counts: dict[tuple[str, str], int]) -> list[ChatExample]:
    return [
        ChatExample(
            id=f"{kind}-{domain}-{number}", messages=TALK, source="chat", kind=kind, domain=domain, writer="w", seed=0
        )
        for (kind, domain), count in counts.items()
        for number in range(count)
    ]


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(
        st.tuples(st.sampled_from("abcdef"), st.sampled_from("uvwxyz")), st.integers(1, 40), min_size=1, max_size=36
    ),
    st.integers(0, 3),
    st.randoms(use_true_random=False),
)
def test_every_beginning_is_in_proportion(counts: dict[tuple[str, str], int], seed: int, rng):
    """`first n` cuts of an unordered file biased the mix (PAPER.md 5.11)."""
    examples = rows(counts)
    ordered = nested(examples, seed)
    assert sorted(row.id for row in ordered) == sorted(row.id for row in examples)
    rng.shuffle(examples)
    assert nested(examples, seed) == ordered, "the order rows come in decides nothing"
    total = Counter(row.kind for row in examples)
    seen: Counter[str] = Counter()
    cells: Counter[tuple[str, str]] = Counter()
    for size, row in enumerate(ordered, start=1):
        seen[row.kind] += 1
        cells[row.kind, row.domain] += 1
        for kind, count in total.items():
            # Of a list whose members stand at even distances from a random start, any beginning holds its share
            # within 1; where all lists begin at random places, the size itself shifts by half of their number at most.
            assert abs(seen[kind] - count * size / len(examples)) <= 1 + len(total) * count / len(examples)
    for (kind, domain), count in cells.items():
        assert count == counts[kind, domain]


def test_subsets_of_the_paper_lie_within_each_other_and_hold_every_cell():
    kinds, domains = "abcdef", [f"domain {number}" for number in range(40)]
    examples = rows({(kind, domain): 42 for kind in kinds for domain in domains})  # 10,080
    ordered = nested(examples, 0)
    for size in (1250, 2500, 5000):
        subset = ordered[:size]
        by_kind, by_domain = Counter(row.kind for row in subset), Counter(row.domain for row in subset)
        cells = Counter((row.kind, row.domain) for row in subset)
        assert max(by_kind.values()) - min(by_kind.values()) <= 1
        assert max(by_domain.values()) - min(by_domain.values()) <= 6
        assert len(cells) == 240 and max(cells.values()) - min(cells.values()) <= 2
    assert nested(examples, 1)[:1250] != ordered[:1250]
