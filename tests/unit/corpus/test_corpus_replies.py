"""Replies are read strictly: what cannot be read exactly must never reach a corpus (PAPER.md 5.3-5.5, 5.7)."""

import json

import pytest
from corpus_doubles import HOSTILE, SECTIONS

from midspec.corpus.filled import filled, spec_variables
from midspec.corpus.replies import ASSERTIONS, PROMPTS, parse_document
from midspec.llm.prompt import BadReplyError
from midspec.spec.document import Identity


def test_the_scratchpad_is_dropped():
    assert parse_document("<scratchpad>plan</scratchpad>\n<document>\nText.\n</document>") == "Text."


@pytest.mark.parametrize(
    "reply",
    [
        "Text without tags.",
        "<document>cut off",
        "<document>one</document><document>two</document>",
        "<document>one <document>two</document>",
        "<document>  </document>",
        "<document><scratchpad>plan</scratchpad> text</document>",
        "<document>text <scratchpad>plan never closed</document>",
        "</document>text<document>",
    ],
)
def test_a_document_without_exactly_one_closed_tag_is_rejected(reply: str):
    with pytest.raises(BadReplyError) as caught:
        parse_document(reply)
    assert caught.value.reason == "unparseable"


@pytest.mark.parametrize(
    "inner",
    ["{not json}", "[]", '{"assertions": []}', '{"assertions": ["a"], "extra": 1}', '{"assertions": "a"}', "", "null"],
)
def test_bad_json_is_an_outcome_with_a_reason(inner: str):
    with pytest.raises(BadReplyError):
        ASSERTIONS.parse(f"<json>{inner}</json>")
    assert ASSERTIONS.parse('<json>{"assertions": ["a"]}</json>').assertions == ("a",)


def _variables(spec):
    return {
        **spec_variables(spec, Identity()),
        "domain": "d",
        "description": "d",
        "subdomain": "s",
        "summary": "s",
        "section": "s",
        "passage": "{{ p }}",
        "passages": [{"number": 1, "heading": "h", "text": "{% t %}"}],
        "assertions": ["a {{ b }}"],
        "doc_type": "memo",
        "idea": "{idea}",
        "count": 2,
    }


@pytest.mark.parametrize("spec", [SECTIONS, HOSTILE], ids=lambda spec: spec.name)
def test_every_prompt_begins_with_the_same_text_and_the_whole_spec(spec):
    """A provider caches a prefix only where it is byte-identical; braces in a spec must not be read as a template."""
    asks = [prompt.ask(_variables(spec)) for prompt in PROMPTS]
    assert len({ask.system for ask in asks}) == 1
    assert Identity().fill(spec.text).strip() in asks[0].system
    assert all(ask.system.startswith("<model_spec>") for ask in asks)
    assert all("{model_name}" not in ask.user for ask in asks)


def test_a_quote_is_found_through_filled_placeholders():
    """A writer sees the name, the spec file holds the placeholder: spans must point into the file."""
    text = "Intro. {model_name} of {provider_name} likes\n{braces} a lot. End."
    found = filled(text, Identity(model_name="Aria", provider_name="A {model_name} Co"), offset=100)
    for quote, source in [
        ("Aria of A {model_name} Co likes", "{model_name} of {provider_name} likes"),
        ("likes {braces} a", "likes\n{braces} a"),
        ("ria of", "{model_name} of"),
        ("End.", "End."),
        ("Aria", "{model_name}"),
    ]:
        span = found.locate(quote)
        assert span is not None
        assert text[span[0] - 100 : span[1] - 100] == source
    assert found.locate("never said") is None
    assert found.locate(" ") is None


def test_offline_json_survives_tags_in_the_spec():
    """A spec that talks about `</json>` must not cut the reply that quotes it."""
    import random

    from midspec.llm.offline import plans

    reply = plans.subdomains({"passages": [{"number": 1, "heading": "h", "text": "a </json> b"}]}, random.Random(0))
    assert json.loads(reply.removeprefix("<json>").removesuffix("</json>"))["subdomains"][0]["quote"] == "a </json> b"
