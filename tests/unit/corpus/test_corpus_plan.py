"""Plans cover the spec evenly, point into it exactly, and never ask for more than there is."""

import asyncio
import random
from collections import Counter

import pytest
from corpus_doubles import HOSTILE, ONE_PARAGRAPH, SECTIONS
from hypothesis import given
from hypothesis import strategies as st

from midspec.corpus.allocate import even_shares, spread_over_types
from midspec.corpus.plan import plan
from midspec.errors import InputError, WriterError
from midspec.experiment import CorpusConfig
from midspec.llm.offline import OfflineWriter
from midspec.llm.prompt import Reply
from midspec.llm.writer import Scribe
from midspec.spec.document import Identity, ModelSpec, read_spec


def planned(spec, writer=None, **config):
    return asyncio.run(plan(Scribe(writer or OfflineWriter()), spec, Identity(), CorpusConfig(**config)))


@given(st.lists(st.integers(1, 30), min_size=1, max_size=12), st.data())
def test_shares_are_even_within_their_room(room, data):
    total = data.draw(st.integers(0, sum(room)))
    shares = even_shares(total, dict(enumerate(room)), random.Random(0))
    assert sum(shares.values()) == total
    assert all(shares[key] <= room[key] for key in shares)
    unfilled = [shares[key] for key in shares if shares[key] < room[key]]
    if unfilled:
        assert max(shares.values()) <= max(unfilled) + 1 or max(shares.values()) == min(unfilled)
        assert max(unfilled) - min(unfilled) <= 1


def test_types_used_least_come_first_and_no_cell_is_overfull():
    used = Counter({"memo": 5})
    given_out = spread_over_types(7, ["memo", "faq", "diary"], 3, used, random.Random(0))
    assert given_out == {"faq": 3, "diary": 3, "memo": 1} or sorted(given_out.values()) == [2, 2, 3]
    assert given_out["memo"] == min(given_out.values())
    assert max(given_out.values()) <= 3


@pytest.mark.parametrize("spec", [SECTIONS, HOSTILE, ONE_PARAGRAPH, read_spec("cheese-america")], ids=lambda s: s.name)
def test_every_section_gets_as_many_documents_as_any_other(spec):
    made = planned(spec, documents=100)
    section_of = {subdomain.id: subdomain.section_id for subdomain in made.subdomains}
    counts = Counter(section_of[document.subdomain] for document in made.documents)
    assert len(made.documents) == 100
    assert set(counts) == {passage.section.id for passage in spec.passages}
    assert max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.parametrize("spec", [SECTIONS, HOSTILE, ONE_PARAGRAPH], ids=lambda spec: spec.name)
def test_spans_point_into_the_spec_file(spec):
    """A span into the filled-in text would be off by a few characters per placeholder."""
    made = planned(spec, documents=20)
    passages = {passage.span: passage for passage in spec.passages}
    assert {subdomain.span for subdomain in made.subdomains} == set(passages)
    for subdomain in made.subdomains:
        assert spec.text[slice(*subdomain.span)] == passages[subdomain.span].text
        assert passages[subdomain.span].section.id == subdomain.section_id


def test_cells_hold_at_most_as_many_ideas_as_asked_and_all_ideas_differ():
    made = planned(ONE_PARAGRAPH, documents=60, document_types=20, ideas=3)
    cells = Counter((document.subdomain, document.doc_type) for document in made.documents)
    assert set(cells.values()) == {3}
    assert len({(document.subdomain, document.doc_type, document.idea) for document in made.documents}) == 60


def test_too_many_documents_is_the_users_error_with_the_maximum():
    with pytest.raises(InputError, match=r"at most 8;.*corpus\.documents"):
        planned(ONE_PARAGRAPH, documents=9, document_types=4, ideas=2)
    assert len(planned(ONE_PARAGRAPH, documents=8, document_types=4, ideas=2).documents) == 8


def test_more_types_than_forms_are_still_different():
    made = planned(ONE_PARAGRAPH, documents=130, document_types=130, ideas=1)
    assert len({document.doc_type for document in made.documents}) == 130


def test_fewer_documents_than_sections():
    made = planned(read_spec("cheese-america"), documents=3)
    assert len(made.documents) == 3


def test_headings_without_text_are_the_users_error():
    with pytest.raises(InputError, match="no text"):
        planned(ModelSpec("empty", "# One\n\n## Two\n"), documents=1)


def test_the_seed_decides():
    first, again, other = (planned(SECTIONS, documents=30, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.documents != other.documents


class Misquotes(OfflineWriter):
    """Invents the passages that it says it quotes."""

    async def write(self, ask):
        reply = await super().write(ask)
        return Reply(reply.text.replace("because", "whereas")) if ask.template == "corpus/subdomains" else reply


def test_a_quote_that_the_spec_does_not_hold_is_off_spec():
    scribe = Scribe(Misquotes())
    with pytest.raises(WriterError, match="verbatim"):
        asyncio.run(plan(scribe, SECTIONS, Identity(), CorpusConfig(documents=4)))
    assert scribe.tally.rejected["off-spec"] >= 3
