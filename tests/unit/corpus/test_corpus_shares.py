"""Documents are spread evenly over sections, subdomains and types, and never beyond what there is room for."""

import random
from collections import Counter

import pytest
from corpus_doubles import HOSTILE, ONE_PARAGRAPH, SECTIONS, Bent, edited, made, refused
from hypothesis import given
from hypothesis import strategies as st

from midspec.corpus.allocate import even_shares, spread_over_types
from midspec.corpus.topic import requests
from midspec.errors import InputError
from midspec.llm.prompt import Reply
from midspec.spec.document import ModelSpec, read_spec


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=12), st.data())
def test_shares_are_even_within_their_room(groups, data):
    room = {key: space for key, (space, _) in enumerate(groups)}
    has = {key: number for key, (_, number) in enumerate(groups)}
    total = data.draw(st.integers(0, sum(room.values())))
    shares = even_shares(total, room, random.Random(0), has)
    assert sum(shares.values()) == total
    assert all(0 <= shares[key] <= room[key] for key in room)
    # Nobody was given one while somebody with room had two less.
    for key in room:
        for other in room:
            if shares[key] and shares[other] < room[other]:
                assert has[key] + shares[key] <= has[other] + shares[other] + 1


def test_a_million_documents_are_shared_at_once():
    shares = even_shares(1_000_000, dict.fromkeys(range(500), 3000), random.Random(0))
    assert set(shares.values()) == {2000}


def test_types_used_least_come_first_and_none_is_used_too_often():
    used = Counter({"memo": 2})
    shares = spread_over_types(6, ["memo", "faq", "diary"], 3, used, random.Random(0))
    assert sum(shares.values()) == 6
    assert sorted(used.values()) == [2, 3, 3]
    assert spread_over_types(5, ["memo"], 3, Counter(), random.Random(0)) == {"memo": 5}  # too few types were found


def test_ideas_are_asked_for_in_requests_of_one_size():
    """The paper asks for 25 ideas of one type; types that need few share a request."""
    assert list(requests({"a": 25, "b": 25})) == [{"a": 25}, {"b": 25}]
    assert list(requests({"a": 10, "b": 10, "c": 10})) == [{"a": 10, "b": 10, "c": 5}, {"c": 5}]
    assert list(requests({"a": 60})) == [{"a": 25}, {"a": 25}, {"a": 10}]


@pytest.mark.parametrize("spec", [SECTIONS, HOSTILE, ONE_PARAGRAPH, read_spec("cheese-america")], ids=lambda s: s.name)
def test_every_section_gets_as_many_documents_as_any_other(spec):
    rows = made(spec, documents=100).rows
    counts = Counter(row.section_id for row in rows)
    assert len(rows) == 100
    assert set(counts) == {passage.section.id for passage in spec.passages}
    assert max(counts.values()) - min(counts.values()) <= 1


def test_sections_stay_even_when_a_subdomain_is_given_up():
    """What is written elsewhere must not all go to one section."""
    lost = next(passage for passage in SECTIONS.passages if "Doubt" in passage.section.path)

    def bend(ask, reply):
        return refused(ask, reply) if "doubt openly" in ask.variables["passage"] else reply

    result = made(SECTIONS, Bent(assertions=bend), documents=80, min_yield=0.25)
    counts = Counter(row.section for row in result.rows)
    assert len(result.rows) == 80
    assert lost.section.title not in counts
    assert max(counts.values()) - min(counts.values()) <= 2
    assert len(result.corpus.hopeless) == len(result.plan.hopeless) >= 1


def test_cells_hold_at_most_as_many_ideas_as_asked_and_all_ideas_differ():
    result = made(ONE_PARAGRAPH, documents=120, document_types=20, ideas=1)
    cells = Counter((document.subdomain, document.doc_type) for document in result.plan.documents)
    assert set(cells.values()) == {1}
    assert len({(document.subdomain, document.idea) for document in result.plan.documents}) == 120


def test_one_paragraph_carries_as_many_subdomains_as_the_target_needs():
    """A general spec is one paragraph; one subdomain of 20 x 25 documents would end it at 500."""
    result = made(ONE_PARAGRAPH, documents=30, document_types=3, ideas=2)
    assert len(result.plan.subdomains) >= 5
    assert len({subdomain.name for subdomain in result.plan.subdomains}) == len(result.plan.subdomains)
    assert {subdomain.section_id for subdomain in result.plan.subdomains} == {ONE_PARAGRAPH.sections[0].id}


def test_too_many_documents_is_the_users_error_with_the_maximum():
    one = edited(lambda value: {"subdomains": value["subdomains"][:1]})

    def stubborn(ask, reply):  # sees nothing but one thing in the text
        return Reply("nothing more") if ask.variables["existing"] else one(ask, reply)

    with pytest.raises(
        InputError, match=r"1 subdomain\(s\) x 4 document types x 2 ideas give at most 8.*corpus\.ideas"
    ):
        made(ONE_PARAGRAPH, Bent(subdomains=stubborn), documents=9, document_types=4, ideas=2)
    assert len(made(ONE_PARAGRAPH, documents=8, document_types=4, ideas=2).rows) == 8


def test_more_types_than_forms_are_still_different():
    result = made(SECTIONS, documents=130, document_types=130, ideas=1)
    assert all(len(set(subdomain.doc_types)) in (0, 130) for subdomain in result.plan.subdomains)


def test_fewer_documents_than_sections():
    assert len(made(read_spec("cheese-america"), documents=3).rows) == 3


def test_headings_without_text_are_the_users_error():
    with pytest.raises(InputError, match="no text"):
        made(ModelSpec("empty", "# One\n\n## Two\n"), documents=1)


def test_the_seed_decides():
    first, again, other = (made(SECTIONS, documents=30, seed=seed) for seed in (1, 1, 2))
    assert first.rows == again.rows and first.plan == again.plan
    assert not {row.text for row in first.rows} & {row.text for row in other.rows}
    assert not {row.id for row in first.rows} & {row.id for row in other.rows}
