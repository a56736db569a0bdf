"""A dose of another set is exactly so large, spread evenly, and costs the set nothing but those places."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midspec.aft.mix import MixStepConfig, mixed, mixed_step, run
from midspec.aft.step import COT, PLAIN, demonstrations_step
from midspec.errors import InputError
from midspec.experiment import AftConfig, AftSet, ComputeConfig, WriterConfig
from midspec.records import ChatExample, Message, read_rows, write_rows
from midspec.spec import Identity
from midspec.steps.progress import Silent
from midspec.steps.step import Context


def rows(name: str, count: int, *before: Message) -> list[ChatExample]:
    turns = (*before, Message(role="user", content="q"), Message(role="assistant", content="a", reasoning="r"))
    return [
        ChatExample(id=f"{name}-{number}", messages=turns, source="chat", kind="direct", writer="w", seed=0)
        for number in range(count)
    ]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 3))
def test_every_beginning_has_the_same_shares(own: int, first: int, second: int, seed: int) -> None:
    """A smaller set of a dose must be the same dose."""
    parts = {"own": rows("own", own), "first": rows("first", first), "second": rows("second", second)}
    found = mixed(parts["own"], [parts["first"], parts["second"]], None, seed)
    assert sorted(row.id for row in found) == sorted(row.id for part in parts.values() for row in part)
    seen: Counter[str] = Counter()
    for size, row in enumerate(found, start=1):
        seen[row.id.split("-")[0]] += 1
        for name, part in parts.items():
            assert abs(seen[name] - len(part) * size / len(found)) <= 1 + 3 * len(part) / len(found)


def test_a_prompt_stands_before_every_demonstration_that_has_none() -> None:
    theirs = rows("theirs", 2, Message(role="system", content="old"))
    found = mixed(rows("own", 3), [theirs], "new", 0)
    assert {(row.id.split("-")[0], row.messages[0].content) for row in found} == {("own", "new"), ("theirs", "old")}
    assert all([turn.role for turn in row.messages] == ["system", "user", "assistant"] for row in found)


def context(folder: Path, config: MixStepConfig, sets: dict[str, Path]) -> Context:
    out = folder / "out"
    out.mkdir(exist_ok=True)
    return Context(config=config, inputs=sets, folder=out, progress=Silent(), compute=ComputeConfig())


def a_set(folder: Path, name: str, count: int, *, cot: bool = True) -> Path:
    (folder / name).mkdir()
    for file in (PLAIN, COT) if cot else (PLAIN,):
        write_rows(folder / name / file, rows(name, count))
    return folder / name


def test_the_first_rows_of_both_are_taken_with_their_reasoning_and_without(tmp_path: Path) -> None:
    sets = {"own": a_set(tmp_path, "good", 20), "drawn-0": a_set(tmp_path, "bad", 30)}
    summary = run(context(tmp_path, MixStepConfig(size=20, drawn=(5,), seed=0), sets))
    assert summary["examples"] == 20 and summary["drawn"] == {"own": 15, "drawn-0": 5}
    wanted = {f"good-{n}" for n in range(15)} | {f"bad-{n}" for n in range(5)}
    for file in (PLAIN, COT):
        assert {row.id for row in read_rows(tmp_path / "out" / file, ChatExample)} == wanted


def test_a_set_can_be_the_other_one_altogether_or_without_reasoning(tmp_path: Path) -> None:
    sets = {"own": a_set(tmp_path, "good", 8), "drawn-0": a_set(tmp_path, "bad", 8, cot=False)}
    run(context(tmp_path, MixStepConfig(size=8, drawn=(8,), seed=0), sets))
    assert {row.id for row in read_rows(tmp_path / "out" / PLAIN, ChatExample)} == {f"bad-{n}" for n in range(8)}
    assert not (tmp_path / "out" / COT).exists()


def test_a_set_that_is_too_small_is_not_made_up_for(tmp_path: Path) -> None:
    sets = {"own": a_set(tmp_path, "good", 8), "drawn-0": a_set(tmp_path, "bad", 3)}
    with pytest.raises(InputError, match=re.escape("holds 3 demonstrations, and 4 are taken")):
        run(context(tmp_path, MixStepConfig(size=8, drawn=(4,), seed=0), sets))


def test_what_decides_the_set_is_in_its_fingerprint() -> None:
    def step(samples: int = 10, count: int = 5, system: str | None = None, **changes: Any) -> str:
        own, other = (
            demonstrations_step(Identity(), WriterConfig(model="offline"), AftConfig(samples=samples, seed=seed))
            for seed in (0, 1)
        )
        return mixed_step("x", own, samples, [(other, count)], system, **{"seed": 0, **changes}).fingerprint

    prints = [step(), step(12), step(count=2), step(system="s"), step(seed=1)]
    assert len(set(prints)) == len(prints) and step() == prints[0]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(1, 50))
def test_shares_that_add_up_to_one_leave_nothing(weights: list[int], samples: int) -> None:
    """Rounded one by one, two halves of five would be four, and the fifth a sample of the set that was left out."""
    mix = {f"s{number}": weight / sum(weights) for number, weight in enumerate(weights)}
    drawn = AftSet(samples=samples, mix=mix).drawn
    assert sum(drawn.values()) == samples
    assert all(abs(count - mix[name] * samples) <= 1 for name, count in drawn.items())
