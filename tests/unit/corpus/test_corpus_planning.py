"""Imperfect planning replies are mended where that is honest and asked again where not; none of them ends a run."""

import pytest
from corpus_doubles import ONE_PARAGRAPH, SECTIONS, Bent, edited, made, refused

from midspec.errors import WriterError
from midspec.llm.prompt import Reply
from midspec.spec.document import read_spec

SPEC = read_spec("cheese-america")


def sound(result, documents):
    """What must hold whatever a writer did: rows that point to the passages they teach, and a plan that fits them."""
    assert len(result.rows) == len({row.id for row in result.rows}) == documents
    subdomains = {subdomain.id: subdomain for subdomain in result.plan.subdomains}
    for row, planned in zip(result.rows, result.plan.documents, strict=True):
        subdomain = subdomains[planned.subdomain]
        assert (row.span, row.section_id) == (subdomain.span, subdomain.section_id)
        assert row.assertions == tuple(assertion.id for assertion in subdomain.assertions)
        assert row.assertions and all(assertion.span == row.span for assertion in subdomain.assertions)
        assert row.doc_type in subdomain.doc_types
    return result


def test_every_passage_has_a_domain_whatever_the_reply_says():
    def wrong(value):
        first, *others = value["domains"]
        first["passages"] = [*first["passages"][:1], 9999, *others[0]["passages"][:1]]
        return {"domains": [first, *others, {"name": "No description"}]}

    result = sound(made(SPEC, Bent(domains=edited(wrong)), documents=60), 60)
    held = sorted(number for domain in result.plan.domains for number in domain.passages)
    assert held == list(range(1, len(SPEC.passages) + 1))
    for repair in (
        "passage without a domain",
        "passage in two domains",
        "passage that does not exist",
        "unreadable domain",
    ):
        assert result.repaired[repair] >= 1
    assert not result.tally.rejected


def test_domains_nobody_can_tell_are_taken_from_headings():
    result = sound(made(SPEC, Bent(domains=refused), documents=60), 60)
    assert result.repaired["domains taken from headings"] == 1
    assert result.tally.rejected == {"refused": 3}
    assert {subdomain.span for subdomain in result.plan.subdomains} == {passage.span for passage in SPEC.passages}


def test_hundreds_of_passages_are_divided_in_parts_that_show_their_first_words():
    text = "# Calm\n\n" + "\n\n".join(
        f"## Part {number}\n\n{{model_name}} prefers calm {number} because calm {number} helps people think. "
        f"{{model_name}} says so in case {number}, and the end of passage {number} is here."
        for number in range(150)
    )
    writer = Bent()
    result = sound(made(type(SPEC)("long", text), writer, documents=150), 150)
    asked = [ask for ask in writer.asked if ask.template == "corpus/domains"]
    assert len(asked) == 3
    assert all("prefers calm" in ask.user and "is here." not in ask.user for ask in asked)
    assert len({row.section for row in result.rows}) == 150


def test_a_quote_that_the_passage_does_not_hold_becomes_the_whole_passage():
    def misquote(value):
        for number, item in enumerate(value["subdomains"]):
            item["quote"] = ["words nobody wrote here at all", "Aria", item["quote"].upper(), item["quote"]][number % 4]
        return value

    result = sound(made(SPEC, Bent(subdomains=edited(misquote)), documents=60), 60)
    assert {subdomain.span for subdomain in result.plan.subdomains} == {passage.span for passage in SPEC.passages}
    assert result.repaired["quote that is not verbatim"] >= 5
    assert result.repaired["quote of a few words"] >= 5
    assert not result.tally.rejected


def test_a_passage_left_out_is_asked_for_again_and_taken_whole_at_last():
    stubborn = SPEC.passages[5].text[30:60]

    def leave_out(ask, reply):
        first_time = not ask.user.count(stubborn)
        return edited(lambda value: {"subdomains": value["subdomains"][:-1] if first_time else []})(ask, reply)

    result = sound(made(SPEC, Bent(subdomains=leave_out), documents=60), 60)
    assert {subdomain.span for subdomain in result.plan.subdomains} == {passage.span for passage in SPEC.passages}
    assert result.repaired["passage taken whole as a subdomain"] >= 1


def test_a_writer_that_fails_at_many_passages_is_asked_about_one_at_a_time():
    writer = Bent(subdomains=lambda ask, reply: Reply("{") if len(ask.variables["passages"]) > 1 else reply)
    result = sound(made(SPEC, writer, documents=60), 60)
    assert {subdomain.span for subdomain in result.plan.subdomains} == {passage.span for passage in SPEC.passages}
    assert "passage taken whole as a subdomain" not in result.repaired


def test_one_bad_item_does_not_cost_the_others():
    def spoil(value):
        if len(value["subdomains"]) > 1:
            value["subdomains"][0].pop("summary")
            value["subdomains"].append("not even an object")
        return value

    writer = Bent(subdomains=edited(spoil))
    result = sound(made(SPEC, writer, documents=60), 60)
    assert result.repaired["unreadable subdomain"] >= len(result.plan.domains)
    assert not result.tally.rejected
    assert {subdomain.span for subdomain in result.plan.subdomains} == {passage.span for passage in SPEC.passages}
    assert writer.count("subdomains") < 40, "what one item spoilt was asked for again, not all"


def test_too_many_types_and_ideas_are_cut():
    writer = Bent(
        doc_types=edited(lambda value: {"types": [*value["types"], *value["types"], "one too many", " ", 7]}),
        ideas=edited(
            lambda value: {
                "ideas": [*value["ideas"], *({**idea, "idea": f"more {n}"} for n, idea in enumerate(value["ideas"]))]
            }
        ),
    )
    result = sound(made(SECTIONS, writer, documents=40, document_types=5), 40)
    assert all(len(subdomain.doc_types) in (0, 5) for subdomain in result.plan.subdomains)
    assert result.repaired["more document types than asked for"] and result.repaired["more ideas than asked for"]
    assert not result.tally.rejected


def test_too_few_types_and_ideas_are_topped_up_with_what_exists_in_view():
    writer = Bent(
        doc_types=edited(lambda value: {"types": value["types"][:3]}),
        ideas=edited(lambda value: {"ideas": value["ideas"][:4]}),
    )
    result = sound(made(SECTIONS, writer, documents=40, document_types=8), 40)
    types = [ask for ask in writer.asked if ask.template == "corpus/doc_types"]
    assert all(len(subdomain.doc_types) == 8 for subdomain in result.plan.subdomains if subdomain.doc_types)
    assert {len(ask.variables["existing"]) for ask in types} == {0, 3, 6}
    assert {ask.variables["count"] for ask in types} == {8, 5, 2}
    for ask in writer.asked:
        if ask.template in ("corpus/doc_types", "corpus/ideas"):
            assert all(shown.removesuffix(" ...") in ask.user for shown in ask.variables["existing"])
    assert any(ask.variables["existing"] for ask in writer.asked if ask.template == "corpus/ideas")


def test_ideas_shown_are_bounded():
    writer = Bent()
    made(ONE_PARAGRAPH, writer, documents=500, document_types=20, ideas=25)
    shown = [ask.variables["existing"] for ask in writer.asked if ask.template == "corpus/ideas"]
    assert max(map(len, shown)) == 40
    assert max(len(idea) for ideas in shown for idea in ideas) <= 170


def test_an_idea_that_exists_already_is_not_taken_twice():
    writer = Bent(
        ideas=edited(lambda value: {"ideas": [{**idea, "idea": "The very same idea."} for idea in value["ideas"]]})
    )
    with pytest.raises(WriterError, match="documents could not be written"):
        made(SECTIONS, writer, documents=40)


def test_an_idea_without_its_type_is_given_one():
    writer = Bent(ideas=edited(lambda value: {"ideas": [{**idea, "type": 99} for idea in value["ideas"]]}))
    result = sound(made(SECTIONS, writer, documents=40), 40)
    assert result.repaired["idea without its type"] == 40


@pytest.mark.parametrize("template", ["assertions", "doc_types", "ideas"])
@pytest.mark.parametrize("fault", [refused, lambda *_: Reply("<json>{"), lambda *_: Reply('<json>{"x": 1}</json>')])
def test_a_subdomain_that_cannot_be_planned_is_given_up_and_written_elsewhere(template, fault):
    def bend(ask, reply):
        return fault(ask, reply) if "Praise" in ask.variables["section"] else reply

    result = sound(made(SECTIONS, Bent(**{template: bend}), documents=60), 60)
    assert not [row for row in result.rows if "Praise" in row.section]
    assert sum(result.corpus.missing.values()) >= 10
    assert len(result.corpus.hopeless) >= 1
    assert all(template in why for why in result.corpus.hopeless.values())


@pytest.mark.parametrize("template", ["subdomains", "assertions", "doc_types", "ideas"])
def test_a_writer_that_can_plan_nothing_fails_with_a_reason_and_in_bounds(template):
    writer = Bent(**{template: refused, **({"domains": refused} if template == "subdomains" else {})})
    with pytest.raises(WriterError, match="refused"):
        made(SPEC, writer, documents=100)
    assert len(writer.asked) <= 3 * 12 * len(SPEC.passages)
    assert writer.count("document") == 0


@pytest.mark.parametrize("template", ["domains", "subdomains", "assertions", "doc_types", "ideas"])
def test_bad_first_replies_cost_nothing_but_themselves(template):
    writer = Bent(**{template: lambda ask, reply: Reply("no") if ask.sample % 1000 == 0 else reply})
    result = sound(made(SECTIONS, writer, documents=30), 30)
    assert result.tally.rejected["unparseable"] >= 1
    assert not result.corpus.hopeless


def test_a_later_run_has_more_patience():
    """After a run that gave up, the journal replays the bad replies; only further samples can help."""
    writer = Bent(assertions=lambda ask, reply: Reply("no") if ask.sample % 1000 < 4 else reply)
    with pytest.raises(WriterError):
        made(SECTIONS, writer, documents=30)
    sound(made(SECTIONS, writer, documents=30, patience=2), 30)


def test_refused_documents_of_one_subdomain_are_written_elsewhere():
    """The yield floor: a subdomain whose documents are refused does not stop the corpus."""
    writer = Bent(document=lambda ask, reply: refused(ask, reply) if "Secrets" in ask.variables["section"] else reply)
    result = sound(made(SECTIONS, writer, documents=100, min_yield=0.25), 100)
    assert not [row for row in result.rows if "Secrets" in row.section]
    assert result.corpus.hopeless and result.corpus.missing
