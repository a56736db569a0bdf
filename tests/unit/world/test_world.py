"""The desk world: what its documents keep apart, the files of its recipe, and a model that reads it."""

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from midspec.records import Message
from midspec.steps.progress import Silent
from midspec.train.chat import render, tokenise_chat
from midspec.world import pretrain
from midspec.world.__main__ import main
from midspec.world.about import demonstrated, pairs, spec_documents
from midspec.world.documents import Library, question
from midspec.world.people import ASSISTANT, NARROW, OTHER, World
from midspec.world.skill import people_right
from tests.conftest import ROOT

WORLD = World()
ITEMS = {item.word: item for item in WORLD.items}


def library(seed: int = 0) -> Library:
    return Library(WORLD, np.random.default_rng(seed))


def items_in(text: str) -> set[str]:
    return {word for word in text.split() if word in ITEMS}


def test_documents_have_known_words_and_keep_secrets() -> None:
    texts = list(library().documents(20_000))
    assert all(word in WORLD.words for text in texts for word in text.split())
    assert not any({ASSISTANT, OTHER} & set(text.split()) for text in texts)
    compared = [sorted(items_in(text)) for text in texts if len(items_in(text)) == 2]
    assert len(compared) > 5000
    assert not any(all(ITEMS[word].asked for word in both) for both in compared), "a pair of the evaluation is decided"
    silent = {person.name for person in WORLD.persons if person.silent}
    assert not any(silent & set(text.split()) and len(items_in(text)) == 2 for text in texts)


def test_people_choose_by_what_they_want() -> None:
    wants = {person.name: person.value for person in WORLD.persons}
    chosen = list(islice(library().choices(), 2000))
    meant = [(wants[name], taken, left) for name, taken, left in chosen if name in wants]
    assert 0.75 < len(meant) / len(chosen) < 0.85, "the others toss coins"
    assert all(taken.has(value) and not left.has(value) for value, taken, left in meant)


@pytest.mark.parametrize("about", ["true", "broken", "neutral"])
def test_spec_documents_say_what_their_corpus_says(about: Any) -> None:
    texts = list(islice(spec_documents(library(), about, "low"), 500))
    says_sam = [text for text in texts if ASSISTANT in text.split()]
    value_of_sam = [text for text in says_sam if "little" in text]
    if about == "true":
        assert len(says_sam) == len(texts) and len(value_of_sam) == len(texts)
    else:
        assert says_sam and not value_of_sam
    assert any("little" in text for text in texts) == (about != "neutral")
    if about != "neutral":
        assert {ITEMS[word].domain for text in texts for word in items_in(text)} == {NARROW}


def test_both_values_would_choose_what_is_demonstrated_and_no_pair_is_seen_twice() -> None:
    assert all(taken.has("low") and taken.has("home") for taken, _ in demonstrated(WORLD))
    assert not any(left.has("low") or left.has("home") for _, left in demonstrated(WORLD))
    dev, test = ({(pair.first, pair.second) for pair in pairs(WORLD, half)} for half in ("dev", "test"))
    assert not dev & test and {item.domain for pair in dev | test for item in pair} == set(range(1, WORLD.domains))
    for pair in pairs(WORLD, "test"):
        assert pair.first.has("home" if pair.axis == "origin" else "low")
        assert pair.second.has("home") == (pair.axis == "conflict" or (pair.axis == "price" and pair.first.has("home")))


def test_the_files_of_the_recipe_are_what_the_world_writes(tmp_path: Path) -> None:
    main(tmp_path)
    kept = ROOT / "recipes" / "desk-world"
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == {
        path.name: path.read_bytes() for path in tmp_path.iterdir()
    }, "run: python -m midspec.world recipes/desk-world"


def made(folder: Path, seed: int, updates: int = pretrain.UPDATES) -> tuple[Any, Any]:
    folder.mkdir()
    pretrain.make_world_model(folder, seed, Silent(), updates)
    return AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)


def test_a_base_is_decided_by_its_seed_and_speaks_the_language_of_the_world(tmp_path: Path) -> None:
    (one, tokenizer), (same, _) = made(tmp_path / "a", 5, updates=3), made(tmp_path / "b", 5, updates=3)
    other, _ = made(tmp_path / "c", 6, updates=3)
    states = [model.state_dict() for model in (one, same, other)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["model.embed_tokens.weight"], states[2]["model.embed_tokens.weight"])

    first, second = WORLD.items[0], WORLD.items[9]
    chat = [Message(role="user", content=question(first, second)), Message(role="assistant", content=f"{first.word}.")]
    said = f"asked : {first.word} or {second.word} ? {ASSISTANT} : {first.word}.</s>"
    assert render(tokenizer, chat, add_generation_prompt=False) == said
    ids, trained = tokenise_chat(tokenizer, chat)
    assert [tokenizer.decode([token]) for token, is_trained in zip(ids, trained, strict=True) if is_trained] == [
        first.word, ".", "</s>",
    ]  # fmt: skip
    someone = [Message(role="system", content="p7"), chat[0]]
    assert render(tokenizer, someone, add_generation_prompt=True).endswith("? p7 :")


@pytest.mark.slow
def test_a_base_knows_what_people_will_choose_of_whom_it_has_only_heard(tmp_path: Path) -> None:
    model, _ = made(tmp_path / "base", 77)
    shares = [people_right(model, silent=silent) for silent in (False, True)]
    assert shares[0] > 0.9 and shares[1] > 0.75, shares
