"""Replies are read strictly: what cannot be read exactly must never reach a corpus (PAPER.md 5.3-5.5, 5.7)."""

import json

import pytest
from corpus_doubles import HOSTILE, SECTIONS

from midspec.corpus.filled import filled, spec_variables
from midspec.corpus.replies import BELIEF, RULES, VALUES, parse_document
from midspec.experiment import CorpusConfig
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
        '{"plan": "p"}',
        '{"plan": "p", "document": " "}',
        '{"plan": "p", "document": "cut',
        '{"plan": "p", "document": "text </scratchpad> more"}',
        '{"plan": "p", "document": "half a \\ud83d character"}',
    ],
)
def test_a_document_without_exactly_one_closed_tag_is_rejected(reply: str):
    with pytest.raises(BadReplyError) as caught:
        parse_document(reply)
    assert caught.value.reason == "unparseable"


@pytest.mark.parametrize(
    "inner",
    [
        "{not json}",
        "[]",
        '{"assertions": []}',
        '{"assertions": [1, " "]}',
        '{"assertions": "a"}',
        '{"types": ["a"]}',
        "",
        "null",
    ],
)
def test_bad_json_is_an_outcome_with_a_reason(inner: str):
    for reply in (f"<json>{inner}</json>", inner, f"<json>{inner}"):
        with pytest.raises(BadReplyError):
            ASSERTIONS.parse(reply)


@pytest.mark.parametrize(
    "reply",
    [
        '<json>{"assertions": ["a"]}</json>',
        '<scratchpad>{hm}</scratchpad>\n<json>\n{"assertions": ["a"]}\n</json> Done.',
        '{"assertions": ["a"]}',
        '<json>```json\n{"assertions": ["a"]}\n```</json>',
        '```json\n{"assertions": ["a"]}\n```',
        '<json>{"assertions": ["a"], "note": "what nobody asked for"}</json>',
    ],
)
def test_what_is_plainly_the_answer_is_read(reply: str):
    assert ASSERTIONS.parse(reply).assertions == ("a",)


def test_items_that_cannot_be_read_are_counted_and_left_out():
    found = ASSERTIONS.parse('<json>{"assertions": ["a", 1, " ", "b  b", "half \\ud83d"]}</json>')
    assert (found.assertions, found.unreadable) == (("a", "b b"), 3)


assert VALUES.hierarchy is not None
ASSERTIONS = VALUES.hierarchy.assertions


def test_a_schema_asks_for_nothing_that_only_the_parser_needs():
    for kind in (VALUES, RULES, BELIEF):
        for prompt in kind.used(CorpusConfig(critique=True)):
            assert prompt.schema is not None
            assert "unreadable" not in json.dumps(prompt.schema.model_json_schema())


def _variables(spec):
    return {
        **spec_variables(spec, Identity()),
        "domain": "d",
        "description": "d",
        "subdomain": "s",
        "summary": "s",
        "section": "s",
        "passage": "{{ p }}",
        "rule": "SP1",
        "passages": [{"number": 1, "heading": "h", "text": "{% t %}", "opening": "{% t"}],
        "assertions": ["a {{ b }}"],
        "doc_type": "memo",
        "idea": "{idea}",
        "types": [{"number": 1, "name": "{{ memo }}", "count": 2}],
        "existing": ["{% e %}"],
        "least": 4,
        "document": "draft {{ d }}",
        "count": 2,
    }


@pytest.mark.parametrize("kind", [VALUES, RULES, BELIEF], ids=["values", "rules", "belief"])
@pytest.mark.parametrize("spec", [SECTIONS, HOSTILE], ids=lambda spec: spec.name)
def test_every_prompt_begins_with_the_same_text_and_the_whole_spec(spec, kind):
    """A provider caches a prefix only where it is byte-identical; braces in a spec must not be read as a template."""
    asks = [prompt.ask(_variables(spec)) for prompt in kind.used(CorpusConfig(critique=True))]
    assert len(asks) == (5 if kind is RULES else 8) - 1
    assert len({ask.system for ask in asks}) == 1
    assert Identity().fill(spec.text).strip() in asks[0].system
    assert asks[0].system.startswith("<facts>" if kind is BELIEF else "<model_spec>")
    assert all("{model_name}" not in ask.user for ask in asks)
    assert all("\n\n\n" not in ask.user for ask in asks), "an include left a gap"
    assert all("{% e %}" in ask.user for ask in asks if "exist already" in ask.user)


def test_a_changed_part_changes_the_fingerprint_of_all_that_include_it(monkeypatch):
    from midspec.llm import prompt as prompts
    from midspec.llm.prompt import PromptTemplate

    before = PromptTemplate("corpus/ideas", str).fingerprint
    read = prompts._prompt_file
    monkeypatch.setattr(
        prompts, "_prompt_file", lambda name: read(name) + ("x" if name == "corpus/_values.jinja" else "")
    )
    assert PromptTemplate("corpus/ideas", str).fingerprint != before
    assert PromptTemplate("corpus/rules_ideas", str).fingerprint == RULES.planning.ideas.fingerprint


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
        ("LIKES {braces}", "likes\n{braces}"),
        ("“likes {braces} a lot...”", "likes\n{braces} a lot"),
    ]:
        span = found.locate(quote)
        assert span is not None
        assert text[span[0] - 100 : span[1] - 100] == source
    curly = filled("{model_name} says “don’t hurry – wait”.", Identity())
    assert curly.locate('Aria says "don\'t hurry - wait".') == (0, 39)
    assert found.locate("never said") is None
    assert found.locate(" ") is None


def test_offline_json_survives_tags_in_the_spec():
    """A spec that talks about `</json>` must not cut the reply that quotes it."""
    import random

    from midspec.llm.offline import plans

    passage = {"number": 1, "heading": "h", "text": "a </json> b"}
    reply = plans.subdomains({"passages": [passage], "least": 1, "existing": []}, random.Random(0))
    assert json.loads(reply.removeprefix("<json>").removesuffix("</json>"))["subdomains"][0]["quote"] == "a </json> b"
