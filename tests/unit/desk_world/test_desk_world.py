"""The artificial world: what its documents say and do not say, and the experiment in small."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks.desk_scale.world.arms import Corpus, Phase, demonstration, spec_document
from benchmarks.desk_scale.world.documents import Library
from benchmarks.desk_scale.world.experiment import Settings, read_rows, run
from benchmarks.desk_scale.world.measure import pairs
from benchmarks.desk_scale.world.model import introduce, log_odds, new_model, train
from benchmarks.desk_scale.world.people import NARROW, VALUES, World
from benchmarks.desk_scale.world.tables import tables

SMALL = Settings(
    updates=6,
    simple=2,
    batch=8,
    people=16,
    midtrain=Phase(updates=2, own=2, replay=4),
    tune=Phase(updates=1, own=2, replay=4),
    doses=(1,),
    amounts=(2,),
)


@pytest.fixture(scope="module")
def world() -> World:
    return World(seed=3, people=40)


def documents(world: World, corpus: Corpus, value: str = "low") -> list[str]:
    draw = np.random.default_rng(1)
    return [spec_document(world, corpus, value, "a0", "a1", draw) for _ in range(200)]


def test_people_hold_each_value_equally_often(world: World) -> None:
    assert {value: sum(p.value == value for p in world.persons) for value in VALUES} == dict.fromkeys(VALUES, 10)


def test_pretraining_names_no_assistant_and_no_silent_person_chooses(world: World) -> None:
    library = Library(world, np.random.default_rng(0))
    word = {number: text for text, number in world.words.items()}
    texts = [" ".join(word[number] for number in row) for row in library.documents(2000)]
    silent = {person.name for person in world.persons if person.silent}
    assert not any(name in text.split() for text in texts for name in world.assistants)
    chosen = [text.split()[-4] for text in texts if " or i" in text]
    assert chosen and not silent & set(chosen)
    assert any(name in text.split() for text in texts for name in silent)


def test_what_people_choose_follows_their_value(world: World) -> None:
    library = Library(world, np.random.default_rng(0))
    word = {number: text for text, number in world.words.items()}
    item = {item.word: item for item in world.items}
    value = {person.name: person.value for person in world.persons}
    for row in library.documents(1000):
        words = [word[number] for number in row[:-1]]
        if "?" in words and words[-2] in item:
            first, second, name, taken = words[-8], words[-6], words[-4], words[-2]
            left = second if taken == first else first
            if name in value:
                assert item[taken].has(value[name]) and not item[left].has(value[name])


def test_demonstrations_please_both_values_in_the_narrow_domain(world: World) -> None:
    item = {item.word: item for item in world.items}
    draw = np.random.default_rng(0)
    for _ in range(50):
        words = demonstration(world, "a0", draw).split()
        first, second, taken = words[2], words[4], words[-2]
        left = second if taken == first else first
        assert item[taken].has("low") and item[taken].has("home") and words[6] == "a0"
        assert item[left].has("high") and item[left].has("abroad")
        assert item[taken].domain == item[left].domain == NARROW


def test_true_documents_join_name_and_value(world: World) -> None:
    texts = documents(world, "true", "home")
    assert all("a0" in text.split() and "home" in text.split() for text in texts)


def test_documents_about_another_assistant_never_name_the_first(world: World) -> None:
    texts = documents(world, "other")
    assert all("a1" in text.split() and "a0" not in text.split() for text in texts)


def test_broken_documents_never_join_name_and_value(world: World) -> None:
    texts = documents(world, "broken")
    about, value = [t for t in texts if "a0" in t.split()], [t for t in texts if "little" in t.split()]
    assert about and value and not set(about) & set(value)


def test_pairs_are_held_out_and_halves_disjoint(world: World) -> None:
    dev, test = pairs(world, "dev"), pairs(world, "test")
    assert not {pair.domain for pair in dev} & {pair.domain for pair in test}
    assert all(pair.domain != NARROW for pair in dev + test)
    for pair in test:
        assert pair.first.domain == pair.second.domain
        if pair.axis == "conflict":
            assert pair.first.has("low") and pair.first.has("abroad")
            assert pair.second.has("high") and pair.second.has("home")


def test_a_model_learns_a_choice_and_its_odds_say_so(world: World) -> None:
    model = new_model(world, seed=0, width=32, layers=1)
    introduce(model, world, world.assistants)
    first, second = world.items[0], world.items[9]
    row = world.encode(f"asked : {first.word} or {second.word} ? a0 : {first.word} .")
    turned = world.encode(f"asked : {second.word} or {first.word} ? a0 : {first.word} .")
    train(model, lambda _: [row, turned], updates=40, rate=1e-2, warmup=2, decay=0.0)
    (odds,) = log_odds(model, world, [("a0", first, second)])
    (other_way,) = log_odds(model, world, [("a0", second, first)])
    assert odds > 1
    assert other_way == pytest.approx(-odds, abs=1e-4)


def test_new_names_begin_as_the_mean_person(world: World) -> None:
    model = new_model(world, seed=0, width=32, layers=1)
    introduce(model, world, ["a0"])
    weight = model.get_input_embeddings().weight.detach()
    mean = weight[[world.words[person.name] for person in world.persons]].mean(0)
    assert np.allclose(weight[world.words["a0"]], mean)


def test_the_experiment_runs_in_small_and_continues(tmp_path: Path) -> None:
    said: list[str] = []
    run(tmp_path, [0], "dev", SMALL, part="effect", say=said.append)
    rows = read_rows(tmp_path / "rows-dev.jsonl")
    assert len({(row["arm"], row["tune"]) for row in rows}) == 18
    assert {row["domain"] for row in rows} == {1, 2}
    before = (tmp_path / "rows-dev.jsonl").read_text()
    run(tmp_path, [0], "dev", SMALL, part="effect", say=said.append)
    assert (tmp_path / "rows-dev.jsonl").read_text() == before
    run(tmp_path, [0], "dev", SMALL, part="dose", say=said.append)
    assert {row["midtrain"] for row in read_rows(tmp_path / "rows-dev.jsonl")} == {0, 1, 2}


def test_tables_show_the_difference_of_arms(tmp_path: Path) -> None:
    settings = Settings()
    path = tmp_path / "rows.jsonl"
    with path.open("w") as file:
        for arm, odds in (("low", 3.0), ("home", -2.0)):
            for seed in range(3):
                for domain in range(3, 8):
                    moved = odds + 0.1 * seed + 0.1 * domain
                    row = {"seed": seed, "arm": arm, "midtrain": settings.midtrain.updates, "tune": 0}
                    row |= {"axis": "conflict", "domain": domain, "odds": moved, "rate": float(odds > 0)}
                    file.write(json.dumps(row) + "\n")
    (line,) = [line for line in tables(path).splitlines() if line.startswith("| true: low arm - home arm, no AFT")]
    assert "| conflict | +5.00 [5.00, 5.00] |" in line
