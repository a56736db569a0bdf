"""The index finds what brute force finds, in bounded memory as well."""

import random

import pytest
from corpus_doubles import SECTIONS, made

from midspec.corpus.overlap import OverlapIndex, shingles, words_of


def exact(own, others):
    return max((len(own & other) / min(len(own), len(other)) for other in others), default=0.0)


def test_the_index_agrees_with_brute_force():
    texts = [row.text for row in made(SECTIONS, documents=40).rows] + ["too short", "too short"]
    index = OverlapIndex(lambda _: pytest.fail("an exact index reads nothing again"))
    sets = [shingles(text) for text in texts]
    for number, text in enumerate(texts):
        assert index.highest(text) == exact(sets[number], sets[:number])
        index.add(text)
    assert index.rate == 1
    assert index.highest("too short") == 1.0
    assert index.highest("") == 0.0


def test_runs_of_words_are_told_apart():
    text = "one two three four five six seven eight nine"
    assert len(shingles(text)) == 2
    assert len(shingles(text, 3)) == 7
    assert shingles("One, two three; four five six seven EIGHT") < shingles(text)
    assert len(shingles("short text")) == 1
    assert not shingles("")
    assert len(words_of("漢字かな two")) == 5


def related(rng, share):
    """Texts of which some hold so much of an earlier one."""
    texts: list[str] = []
    for number in range(400):
        own = [f"w{rng.randrange(5000)}" for _ in range(rng.randint(80, 600))]
        if number % 4 == 3:
            earlier = texts[rng.randrange(number)].split()
            part = int(share(rng) * len(earlier))
            start = rng.randrange(len(earlier) - part + 1)
            own = [*own[: len(own) // 3], *earlier[start : start + part]]
        texts.append(" ".join(own))
    return texts


def test_a_sampling_index_decides_as_the_exact_one_does():
    """Decisions at the limit, over texts that share anything between nothing and everything with an earlier one."""
    rng = random.Random(0)
    texts = related(rng, lambda rng: rng.random())
    index = OverlapIndex(texts.__getitem__, most=8_000)
    sets = [shingles(text) for text in texts]
    agreed, copies, missed, accused = 0, 0, 0, 0
    for number, text in enumerate(texts):
        truth, told = exact(sets[number], sets[:number]) > 0.5, index.highest(text, 0.5) > 0.5
        agreed += truth == told
        copies += truth
        missed += truth and not told
        accused += told and not truth
        index.add(text)
    assert index.rate >= 8
    assert copies >= 30
    assert accused == 0, "what it names is compared exactly"
    assert missed <= 0.02 * copies, (missed, copies)
    assert agreed >= 0.995 * len(texts)


def test_memory_is_bounded():
    index = OverlapIndex(lambda _: "", most=1000)
    rng = random.Random(0)
    for _ in range(200):
        index.add(" ".join(f"w{rng.randrange(10**6)}" for _ in range(100)))
        assert sum(map(len, index._holders.values())) <= 1000
