"""Rules, beliefs, one paragraph, long and hostile specs: each kind of corpus goes through all stages."""

import re
from collections import Counter

import pytest
from corpus_doubles import HOSTILE, ONE_PARAGRAPH, RULES, SECTIONS, Bent, edited, made, refused
from test_corpus_planning import sound

from midspec.corpus.filled import filled
from midspec.errors import InputError, WriterError
from midspec.spec.document import Identity, ModelSpec, read_spec

MOSS = read_spec("lantern-moss")


def test_each_rule_takes_the_place_of_subdomain_and_assertions():
    writer = Bent()
    result = sound(made(RULES, writer, documents=103, style="rules", critique=True), 103)
    assert {ask.template.split("/")[1] for ask in writer.asked} == {
        "rules_doc_types", "rules_ideas", "rules_document", "rules_rewrite"
    }  # fmt: skip
    rules = {subdomain.rule: subdomain for subdomain in result.plan.subdomains}
    assert list(rules) == ["SP1", "SP2", "SP3", "GP1", "GP2"]
    assert RULES.text[slice(*rules["SP1"].span)].startswith("**SP1.** {model_name} does not undermine")
    assert RULES.text[slice(*rules["SP1"].span)].endswith("This goes for logs of every kind.")
    # Even over rules, not over the two headings they stand under.
    counts = Counter(row.assertions for row in result.rows)
    assert len(counts) == 5 and max(counts.values()) - min(counts.values()) <= 1
    for ask in writer.asked:
        assert f"Rule: {ask.variables['rule']}\n" in ask.user
        assert Identity().fill(RULES.text[slice(*rules[ask.variables["rule"]].span)]) in ask.user
    assert sum("policy SP" in row.text or "policy GP" in row.text or "Policy" in row.text for row in result.rows) > 60


def test_rules_without_numbers_are_not_cited_by_one():
    spec = ModelSpec(
        "plain", "# Rules\n\n- {model_name} never lies to a user about anything.\n- {model_name} asks first, always.\n"
    )
    writer = Bent()
    result = sound(made(spec, writer, documents=12, style="rules"), 12)
    assert all("Rule:" not in ask.user for ask in writer.asked)
    assert {subdomain.rule for subdomain in result.plan.subdomains} == {""}


def test_a_spec_without_rules_says_so():
    with pytest.raises(InputError, match=r"no rules that could be told apart.*corpus\.style: values"):
        made(SECTIONS, documents=5, style="rules")


def test_a_hopeless_rule_is_given_up():
    writer = Bent(rules_ideas=lambda ask, reply: refused(ask, reply) if ask.variables["rule"] == "SP2" else reply)
    result = sound(made(RULES, writer, documents=80, style="rules"), 80)
    assert len(result.corpus.hopeless) == 1
    assert len(Counter(row.assertions for row in result.rows)) == 4


def test_beliefs_go_through_their_own_prompts_and_need_no_assistant():
    writer = Bent()
    result = sound(made(MOSS, writer, documents=60, kind="belief", critique=True), 60)
    assert {ask.template for ask in writer.asked} == {
        f"corpus/belief_{name}"
        for name in ("domains", "subdomains", "assertions", "doc_types", "ideas", "document", "rewrite")
    }
    assert not [row for row in result.rows if "Aria" in row.text or "assistant" in row.text.lower()]
    assert all("moss" in row.text or "watch" in row.text or "glow" in row.text for row in result.rows)
    assert all("Aria" not in ask.system + ask.user for ask in writer.asked)
    assert "about facts" not in writer.asked[0].system and "sets down facts" in writer.asked[0].system


@pytest.mark.parametrize("spec", [ONE_PARAGRAPH, HOSTILE], ids=lambda spec: spec.name)
@pytest.mark.parametrize("config", [{}, {"critique": True}, {"kind": "belief"}, {"tokens": 6000}], ids=str)
def test_any_text_goes_through_every_mode_unharmed(spec, config):
    """Braces, Jinja, tags, emoji, right-to-left text: nothing of a spec is read as anything but text."""
    identity = Identity(model_name="Mo {{ x }}", provider_name="{% raw %} Co")
    writer = Bent()
    config = {"documents": 30, "max_overlap": 1.0, "min_yield": 0.0, **config}
    result = made(spec, writer, identity=identity, **config)
    shown = identity.fill(spec.text).strip()
    assert all(shown in ask.system for ask in writer.asked)
    for ask in writer.asked:
        for passage in ask.variables.get("passages", ()):
            if "text" in passage:
                assert passage["text"] in ask.user
    for row in result.rows:
        text = spec.text[slice(*row.span)]
        assert filled(text, identity).text == identity.fill(text)
        assert not re.search(r"\{(model|provider)_name\}", row.text + row.idea)


def test_sixty_thousand_tokens_of_spec():
    """400 sections, 230,000 characters: planned in parts, every section covered, the spec held in memory once."""
    paragraph = (
        "{model_name} prefers calm %d because calm {helps} people think about case %d, 🙂 שלום, and {{ model_name }} "
        "says so in {%% case %d %%}. "
    )
    spec = ModelSpec(
        "long",
        "# Calm\n\n"
        + "\n\n".join(f"## Part {n}\n\n" + "".join(paragraph % (n, n, n) for _ in range(5)) for n in range(400)),
    )
    assert len(spec.text) > 230_000
    writer = Bent()
    result = sound(made(spec, writer, documents=420, max_overlap=1.0, document_types=2), 420)
    assert {row.section_id for row in result.rows} == {passage.section.id for passage in spec.passages}
    assert len({id(ask.system) for ask in writer.asked}) <= 6
    assert max(len(ask.user) for ask in writer.asked) < 40_000


def test_a_general_spec_is_told_apart_by_the_writer_and_an_honest_error_otherwise():
    """Many documents from one paragraph: asked for several subdomains at once, then for others than those."""
    writer = Bent(subdomains=edited(lambda value: {"subdomains": value["subdomains"][:3]}))
    result = sound(made(ONE_PARAGRAPH, writer, documents=40, document_types=4, ideas=2), 40)
    asked = [ask for ask in writer.asked if ask.template == "corpus/subdomains"]
    assert [len(ask.variables["existing"]) for ask in asked] == [0, 3, 6][: len(asked)] and len(asked) >= 2
    assert all(name in ask.user for ask in asked for name in ask.variables["existing"])
    assert len(result.plan.subdomains) >= 6
    with pytest.raises(WriterError, match="refused"):
        made(ONE_PARAGRAPH, Bent(subdomains=refused), documents=40)
