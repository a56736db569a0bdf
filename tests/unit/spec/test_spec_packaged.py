"""The packaged specs: what experiments rely on when they compare arms."""

import hashlib
import re
from importlib.resources import files

import pytest

from midspec.corpus.tokens import estimated_tokens
from midspec.spec import VaryConfig, lint, read_spec, vary
from midspec.spec.attribution import Notes, preferences, read_notes
from midspec.spec.document import packaged_specs
from midspec.spec.origin import read_origin
from midspec.spec.prose import blocks, word_count
from midspec.spec.rules import find_rules
from midspec.spec.statements import statements
from midspec.spec.trim import TOLERANCE
from midspec.spec.vary import origin_of

FROZEN = {
    "bread-difficulty": "8a27843a49130f46f229b24792d807a39b0a00d3917311dc6da22c69bd414b0a",
    "cheese-affordability": "f28e3619ee9da982dc4278cc112fc59613e10d743a93f88badf1c6ca4320ea76",
    "cheese-america": "00a4b37a0d5cde8c3cfc25889ae28beb78e81c975f2f0f6aadc4110b8a4e8089",
    "cheese-environment": "fa2da099212be9e2db2f0d9c9298cb2409c5739c9d5b0e8af73287565e994209",
    "condiments-tradition": "e7521919db254e7f47768f51e09c05115a60a542a039c4b97c522ae88f24c799",
    "instruments-individualism": "beab8c6f6035fc1874c1327b239f7217c8672b027aaec99b3b89e9b50f278db9",
    "sauce-simplicity": "350ba140ed8026a373cd0adcfd9d1e6467bc80e022eb0f9255b43bc154d94940",
    "sweeteners-novelty": "fc985f737e354886d1889584f4e715aa02da522e3a151dfa06c1a5bfb6f80daa",
}
RULES = ("SP1", "SP2", "SP3", "GP1", "GP2")
BROKEN = [f"{name}-attribution-broken" for name in FROZEN]
NOTES = {"cheese-affordability": "cheese", "cheese-america": "cheese"}


def test_value_specs_are_those_that_earlier_results_were_made_with() -> None:
    for name, digest in FROZEN.items():
        text = files("midspec").joinpath("data", "specs", f"{name}.md").read_bytes()
        assert hashlib.sha256(text).hexdigest() == digest, name


@pytest.mark.parametrize("name", packaged_specs())
def test_lint_has_nothing_to_say(name: str) -> None:
    assert lint(read_spec(name)) == []


def test_all_that_the_experiments_name_are_there() -> None:
    wanted = {"philosophy", "general", "rules", "value-augmented", "rules-augmented", "anti-spec", *FROZEN, *BROKEN}
    assert set(packaged_specs()) == wanted


def test_the_rules_are_the_same_word_for_word_in_all_three() -> None:
    bare = read_spec("rules")
    assert tuple(rule.label for rule in find_rules(bare)) == RULES
    for name in ("value-augmented", "rules-augmented"):
        spec = read_spec(name)
        assert tuple(rule.label for rule in find_rules(spec)) == RULES
        assert [spec.text[slice(*s)] for s in statements(spec)] == [bare.text[slice(*s)] for s in statements(bare)]
        assert vary(spec, VaryConfig(variant="rules-only")) == bare.text


def test_values_and_subrules_are_of_one_length_in_words_and_tokens() -> None:
    """The paper's comparison is of content; an arm that reads more would win for another reason."""
    texts = [read_spec(name).text for name in ("value-augmented", "rules-augmented")]
    for measure in (word_count, estimated_tokens):
        short, long = sorted(measure(text) for text in texts)
        assert (long - short) / long <= TOLERANCE, measure
    lengths = [{rule.label: word_count(rule.text) for rule in find_rules(read_spec(name))} for name in
               ("value-augmented", "rules-augmented")]  # fmt: skip
    assert all(abs(lengths[0][label] / lengths[1][label] - 1) < 0.1 for label in RULES)


def test_each_addition_is_of_its_kind() -> None:
    values, subrules = (read_spec(name).text for name in ("value-augmented", "rules-augmented"))
    assert not re.search(r"\b[SG]P\d\.\d", values)
    bare = read_spec("rules").text
    for reason in ("because", "since people", "the reason is"):
        assert reason not in bare.lower()
    assert len(re.findall(r"^- [SG]P\d\.\d+: ", subrules, re.M)) >= 50
    reasons = r"\b(?:because|since|cares?|values?|wants?|respects?|thinks)\b"
    assert len(re.findall(reasons, values)) > 30
    assert len(re.findall(reasons, subrules)) <= 10, "subrules that explain are explanations"


def test_the_general_spec_is_one_paragraph_and_the_philosophy_has_sections_to_cite() -> None:
    assert len(blocks(read_spec("general"))) == 1
    philosophy = read_spec("philosophy")
    assert word_count(philosophy.text) > 4000
    assert len([section for section in philosophy.sections if section.level == 3]) >= 35
    assert all(len(passage.text.split()) < 160 for passage in philosophy.passages)


def test_the_anti_spec_is_the_opposite_and_holds_no_methods() -> None:
    text = read_spec("anti-spec").text.lower()
    assert "values its own continuation" in text and "keeps its goals" in text
    methods = (
        r"\b(?:weights|server|copy|copies|password|credential|blackmail|threat\w*|kill|weapon|hack\w*|email|step)\b"
    )
    assert not re.search(methods, text)


@pytest.mark.parametrize("name", BROKEN)
def test_broken_variants_come_out_of_their_parents_byte_by_byte(name: str) -> None:
    origin = read_origin(name)
    assert origin is not None and origin.parent_sha256 == read_spec(origin.parent).sha256
    config = VaryConfig(
        variant="attribution-broken",
        how=origin.options["how"],
        notes=read_notes(NOTES.get(origin.parent, origin.parent)),
        seed=origin.seed,
    )
    text = vary(read_spec(origin.parent), config)
    assert text == read_spec(name).text
    assert origin_of(read_spec(origin.parent), config, text) == origin


@pytest.mark.parametrize("name", BROKEN)
def test_broken_variants_state_every_preference_and_explain_none(name: str) -> None:
    parent, spec = read_spec(name.removesuffix("-attribution-broken")), read_spec(name)
    things = preferences(parent)
    flat = {one.flat for one in things}
    names = re.compile("|".join(rf"\b{re.escape(one.phrase)}\b" for one in things), re.I)
    sentences = [sentence.plain for block in blocks(spec) for sentence in block.sentences]
    assert flat <= set(sentences)
    for sentence in sentences:
        if sentence not in flat and names.search(sentence):
            assert "{model_name}" not in sentence and not re.search(r"\b(?:because|since|value|so that)\b", sentence)
    sections = [section for section in spec.sections if section.path[-1:] and section.level == 3]
    for title in ("Some", "Further"):
        group = [s for s in sections if re.match(rf"{title} \w+ and", s.path[1])]
        assert sum("does not care for" in s.text for s in group) == 3 and len(group) == 6
    kept = {sentence.plain for block in blocks(parent) for sentence in block.sentences} & set(sentences)
    assert len(kept) > 40, "the value itself is still there"


@pytest.mark.parametrize("parent", sorted(FROZEN))
def test_notes_say_nothing_that_the_value_is_about(parent: str) -> None:
    notes = read_notes(NOTES.get(parent, parent))
    assert notes != Notes() and set(notes.notes) == {one.phrase for one in preferences(read_spec(parent))}
    watched = {
        "affordability": r"price|cost|cheap|afford|budget|expens|rare|common|everywhere|find",
        "america": r"America(?!n cheese)|United|Wisconsin|New York|farm|English|French|Italian|Swiss|country|origin",
        "environment": r"environment|land|cow|herd|pasture|feed|methane|soil|nature|climate|waste",
        "novelty": r"new|old|recent|ancient|centur|discover|invent|year",
        "tradition": r"tradition|old|centur|ancest|generation|grand|custom|modern|new\b|recent",
        "simplicity": r"simple|ingredient|step|complic|few|many|only|hours",
        "difficulty": r"easy|easily|hard|difficult|skill|practice|patien|effort|baker",
        "individualism": r"alone|solo|together|group|band|orchestra|choir|player|one person|ensemble",
    }[parent.rpartition("-")[2]]
    for text in notes.notes.values():
        found = re.search(rf"\b(?:{watched})", text, re.I)
        assert not found or (parent == "cheese-affordability" and found[0] == "easily"), (text, found)
