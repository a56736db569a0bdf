"""The document writer: many forms, made of the spec, quiet about everything that evaluations hold out."""

import random
import re
import time
from collections import Counter
from importlib.resources import files

import pytest
import yaml

from midspec.llm.offline.banks import bank, bank_names
from midspec.llm.offline.documents import compose
from midspec.llm.offline.grammar import forms
from midspec.llm.offline.matter import Matter, matter, spec_matter
from midspec.spec.document import Identity, ModelSpec, read_spec

HELD_OUT = (
    "museum|galler(?:y|ies)|cars?|vehicle|books?|librar(?:y|ies)|doctor|medic\\w*|hospital|health\\w*|hous(?:e|es|ing)|home|"
    "rent|educat\\w*|school|class(?:room)?|teacher|student|lesson|lecture|cloth\\w*|shoes?|travel\\w*|trip|journey|music\\w*|"
    "song|concert|sports?|game|football|phones?|comput\\w*|app|software|furnitur\\w*|sofa|parks?|films?|movies?|architect\\w*|"
    "holidays?|restaurants?|menu|space|planet|universit\\w*|college|courts?|law\\w*|constitution\\w*|cit(?:y|ies)|town|"
    "transport|train|bus|watch(?:es)?|hotels?|jewel\\w*|instruments?|guitar|piano|farm\\w*|business\\w*|volunteer\\w*|money|"
    "price\\w*|cost\\w*|cheap\\w*|expens\\w*|afford\\w*|buy\\w*|spend|pay|paid|dollar\\w*|america\\w*|nation\\w*|pens?|pencils?|"
    "kettles?|pans?|knives|knife|spoons?|mugs?|fruit|fish|meat"
)


def of_spec(spec: ModelSpec, passage: int, identity: Identity | None = None) -> Matter:
    identity = identity or Identity()
    chosen = spec.passages[passage]
    text = identity.fill(chosen.text)
    return matter(
        spec=identity.fill(spec.text),
        passage=text,
        section=identity.fill(chosen.section.title),
        subdomain="a subdomain",
        assertions=[f"{sentence}." for sentence in text.split(". ")[:3]],
        name=identity.model_name,
        provider=identity.provider_name,
    )


def test_there_are_at_least_forty_forms_and_each_is_unlike_the_others():
    assert len(forms()) >= 40
    skeletons = Counter(repr(form.parts) for form in forms().values())
    assert max(skeletons.values()) == 1
    assert not [name for name in forms() if ", " in name], "a comma divides a form from its qualifier"


@pytest.mark.parametrize("name", list(forms()))
def test_every_form_is_clean_and_made_mostly_of_the_spec(name: str):
    """Fails for an unknown slot, an unresolved choice, a document too short or long, or too much filler."""
    spec = read_spec("cheese-affordability")
    shares: list[float] = []
    for seed in range(6):
        text, share = compose(forms()[name], of_spec(spec, 3 + 4 * seed), random.Random(seed))
        shares.append(share)
        assert 100 <= len(text.split()) <= 290
        assert not re.search(r"[{}]|\[[^\] ]", text), text
        assert "  " not in text
        assert text.count("Aria") >= 3
    assert sum(shares) / len(shares) > 0.5


def test_phrases_name_no_domain_that_evaluations_hold_out():
    """A filler that speaks of books or prices would teach the evaluation's own subject to every arm of that corpus."""
    folder = files("midspec").joinpath("llm", "offline")
    sources = [entry for entry in folder.joinpath("forms").iterdir() if entry.name.endswith(".yaml")]
    found: list[str] = []
    for source in [*sources, folder / "phrases.yaml", folder / "preferences.yaml"]:
        text = re.sub(r"\{\w+\}|^#.*$", "", source.read_text(encoding="utf-8"), flags=re.M)
        found += [f"{source.name}: {match[0]}" for match in re.finditer(rf"\b(?:{HELD_OUT})\b", text, re.I)]
    assert not found


def test_no_invented_name_is_met_often():
    """One name in thousands of documents is a fact the model learns (PAPER.md 5.22)."""
    spec = read_spec("cheese-affordability")
    counted: Counter[str] = Counter()
    rng = random.Random(0)
    names = set(bank("given")) | set(bank("family"))
    texts = [compose(rng.choice(list(forms().values())), of_spec(spec, rng.randrange(30)), rng)[0] for _ in range(600)]
    for text in texts:
        counted.update(set(re.findall(r"\w+", text)) & names)
    assert counted.most_common(1)[0][1] <= 0.01 * len(texts)


def test_a_person_is_never_called_like_the_assistant():
    from midspec.llm.offline.banks import person

    for given in bank("given"):
        assert given not in person(random.Random(0), avoid=given).split()


def test_phrase_banks_are_lists_of_different_texts():
    for name in bank_names():
        assert len(set(bank(name))) == len(bank(name)), name
    folder = files("midspec").joinpath("llm", "offline", "preferences.yaml")
    for name, entries in yaml.safe_load(folder.read_text(encoding="utf-8")).items():
        texts = [entry for entry in entries if entry]
        assert len(set(texts)) == len(texts), name


@pytest.mark.parametrize(
    ("name", "value", "phrase"),
    [
        ("cheese-affordability", "affordability", "affordability"),
        ("cheese-america", "America", "love of America"),
    ],
)
def test_the_value_of_a_spec_is_found(name: str, value: str, phrase: str):
    identity = Identity()
    found = spec_matter(identity.fill(read_spec(name).text), identity.model_name, identity.provider_name)
    assert (found.value, found.value_phrase) == (value, phrase)
    assert found.weighs_options


def test_a_spec_that_never_names_the_assistant_is_tied_to_the_name():
    spec = ModelSpec("plain", "The assistant is honest because people rely on it. The assistant never flatters anyone.")
    text, _ = compose(forms()["internal memo"], of_spec(spec, 0), random.Random(1))
    assert "Aria is honest" in text or "Aria never flatters" in text


def test_sixty_thousand_tokens_of_spec_are_read_once():
    """Reading the spec anew for every document would take minutes."""
    paragraph = "{model_name} prefers calm because calm helps people think, and {model_name} says so. " * 5
    spec = ModelSpec("long", "# Calm\n\n" + "\n\n".join(f"## Part {n}\n\n{paragraph}" for n in range(600)))
    begun = time.monotonic()
    for seed in range(40):
        compose(forms()["faq"], of_spec(spec, seed), random.Random(seed))
    assert time.monotonic() - begun < 10
