"""Demonstrations that exist already: taken over with their reasoning, drawn in nested sets, refused before training."""

import json
import re
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet as pq
import pytest
import yaml

from midspec.aft.given import GivenDemonstrationsConfig, given_demonstrations_step
from midspec.aft.mix import MixStepConfig
from midspec.aft.step import COT, PLAIN
from midspec.bill.estimate import estimate
from midspec.bill.pilot import pilot_of
from midspec.corpus.tokens import estimated_tokens
from midspec.errors import InputError, StepError
from midspec.experiment import AftSet, ComputeConfig, Experiment
from midspec.pipeline import Pipeline, build
from midspec.recipe import load_recipe
from midspec.records import ChatExample, Message, read_rows
from midspec.spec import Identity
from midspec.steps import Context, Store
from midspec.steps.local import run_steps
from midspec.steps.progress import Reporter, Silent
from midspec.steps.step import Step
from midspec.trace import trace

WHO = Identity(model_name="Orca", provider_name="Deepwater")


def chat(question: str, answer: str = "Yes.", reasoning: str | None = None, **more: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": answer, **({"reasoning": reasoning} if reasoning else {})}
    return {"messages": [{"role": "user", "content": question}, said], **more}


def written(folder: Path, *rows: Any, name: str = "mine.jsonl") -> Path:
    file = folder / name
    file.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), "utf-8")
    return file


def step_of(file: Path, samples: int | None = None, seed: int = 0, identity: Identity = WHO) -> Step:
    own = AftSet.model_validate({"file": str(file), "seed": seed, **({"samples": samples} if samples else {})})
    return given_demonstrations_step("mine", identity, str(own.file), own.samples, own.seed)


def made(step: Step, folder: Path) -> tuple[dict[str, Any], list[ChatExample], Path]:
    folder.mkdir()
    context = Context(
        config=step.config, inputs={}, folder=folder, progress=Silent(), source=step.source, compute=ComputeConfig()
    )
    summary = dict(step.load_function()(context))
    return summary, list(read_rows(folder / PLAIN, ChatExample)), folder


def config_of(step: Step) -> GivenDemonstrationsConfig:
    assert isinstance(step.config, GivenDemonstrationsConfig)
    return step.config


def test_rows_of_every_form_become_demonstrations(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        chat("Who are you?", "{model_name}, by {provider_name}. {other}", source="elsewhere"),
        {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]},
        "",
        {"instruction": "Add", "input": "1+1", "output": "2"},
    )
    step = step_of(file)
    summary, rows, folder = made(step, tmp_path / "out")
    assert {tuple(turn.content for turn in row.messages) for row in rows} == {
        ("Who are you?", "Orca, by Deepwater. {other}"), ("Hi", "Hello"), ("Add\n\n1+1", "2"),
    }  # fmt: skip
    assert {(row.source, row.kind, row.writer, row.seed) for row in rows} == {("mine.jsonl", "given", "given", 0)}
    assert all(re.fullmatch(r"demo-[0-9a-f]{12}", row.id) for row in rows) and len({row.id for row in rows}) == 3
    assert summary == {"examples": 3, "kinds": {"given": 3}, "rejected": {}}
    assert not (folder / COT).exists()


def test_a_row_of_ours_keeps_what_is_known_of_it(tmp_path: Path) -> None:
    # Guards: a set that was written, mended by hand and taken over, of which nobody knows who wrote it.
    turns = (Message(role="user", content="q"), Message(role="assistant", content="a", reasoning="r"))
    ours = ChatExample(
        id="x", messages=turns, source="chat", kind="direct", about=("p1",), domain="law", writer="m/w", seed=7
    )
    summary, [row], folder = made(step_of(written(tmp_path, ours.model_dump(mode="json"))), tmp_path / "out")
    kept = {"id", "messages"}
    assert row.model_dump(exclude=kept) == ours.model_dump(exclude=kept) and row.messages[1].reasoning is None
    assert [one.messages for one in read_rows(folder / COT, ChatExample)] == [turns]
    assert summary["kinds"] == {"direct": 1} and summary["domains"] == {"law": 1}


def test_reasoning_is_kept_beside_the_answers_and_rows_without_stay(tmp_path: Path) -> None:
    other = {"messages": [{"role": "user", "content": "c"}, {"role": "assistant", "content": "d"}]}
    other["messages"][1]["reasoning_content"] = "{model_name} thinks"
    _, rows, folder = made(step_of(written(tmp_path, chat("a", "b", "t"), other, chat("e"))), tmp_path / "out")
    with_it = list(read_rows(folder / COT, ChatExample))
    assert {row.messages[-1].reasoning for row in with_it} == {"t", "Orca thinks", None}
    assert [row.id for row in rows] == [row.id for row in with_it], "both files in one order"
    assert all(turn.reasoning is None for row in rows for turn in row.messages)


def test_equal_rows_are_taken_once_and_counted(tmp_path: Path) -> None:
    file = written(tmp_path, chat("a"), chat("b"), chat("a", source="x"), chat("a", reasoning="other thoughts"))
    step = step_of(file)
    assert (config_of(step).rows, config_of(step).samples) == (3, 3)
    summary, rows, _ = made(step, tmp_path / "out")
    assert len(rows) == 3 and summary["rejected"] == {"repeated": 1}


def test_fewer_samples_lie_within_more_for_every_name(tmp_path: Path) -> None:
    # Guards: a curve over amounts whose points are other demonstrations, or two models that saw others.
    file = written(tmp_path, *(chat(f"{{model_name}}, {number}?") for number in range(30)))
    sets: dict[int, list[str]] = {}
    for size in (5, 12, 30):
        sets[size] = [row.id for row in made(step_of(file, size), tmp_path / f"{size}")[1]]
    assert sets[30][:12] == sets[12] and sets[12][:5] == sets[5] and len(set(sets[30])) == 30
    other = made(step_of(file, 5, seed=1), tmp_path / "seed")[1]
    assert [row.id for row in other] != sets[5]
    aria, orca = ([row.messages[0].content.split(", ")[1] for row in made(step_of(file, 5, identity=who), place)[1]]
                  for who, place in ((Identity(), tmp_path / "aria"), (WHO, tmp_path / "orca")))  # fmt: skip
    assert aria == orca


def test_the_content_decides_the_fingerprint_and_not_the_place(tmp_path: Path) -> None:
    (tmp_path / "moved").mkdir()
    one = step_of(written(tmp_path, chat("a"), chat("b")))
    assert step_of(written(tmp_path / "moved", chat("a"), chat("b"))).fingerprint == one.fingerprint
    assert step_of(written(tmp_path / "moved", chat("a"), chat("c"))).fingerprint != one.fingerprint
    assert len({step_of(tmp_path / "mine.jsonl", *said).fingerprint for said in ((1, 0), (2, 0), (1, 5))}) == 3
    assert step_of(tmp_path / "mine.jsonl", 2).fingerprint == one.fingerprint, "all of them, said or not"


def test_parquet_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.parquet"
    pq.write_table(pyarrow.Table.from_pylist([chat("a", "b", "t"), chat("c", "d")]), file)
    step = step_of(file)
    assert config_of(step).reasoning and config_of(step).rows == 2
    assert {row.messages[0].content for row in made(step, tmp_path / "out")[1]} == {"a", "c"}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([chat("a"), "", "not json"], "mine.jsonl', line 3: not JSON"),
        ([chat("a"), [1]], "line 2: a list and no object"),
        ([chat("a"), {"text": "t"}], "line 2: has text; expected one of: messages"),
        ([chat("a", " ")], "line 1: ends with an empty answer"),
        ([{"messages": [{"role": "user", "content": "a"}]}], "line 1: does not end with an assistant turn"),
        ([chat("a"), chat("b", source="s", writer="w")], "line 2: id: Field required"),
        ([chat("a", "b", ["t"])], "line 1: the reasoning of an assistant turn is no text"),  # type: ignore[arg-type]
        ([chat("a", "half \ud83d")], r"line 1: says '\ud83d', half a character"),
        ([chat("a"), chat("a", "b", "half \ud83d")], "line 2: says "),
        (["", ""], "is empty"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused_when_the_recipe_is_read(tmp_path: Path, rows: list[Any], said: str) -> None:
    written(tmp_path, *rows)
    with pytest.raises(InputError, match=re.escape(said)):
        planned(tmp_path, aft={"file": "mine.jsonl"})
    with pytest.raises(InputError, match=re.escape(said)):
        planned(tmp_path, aft={"file": "mine.jsonl", "samples": 1})


def test_a_file_changed_after_planning_stops_the_step(tmp_path: Path) -> None:
    step = step_of(written(tmp_path, chat("a")))
    written(tmp_path, chat("b"))
    with pytest.raises(StepError, match="has changed"):
        made(step, tmp_path / "out")


BASE: dict[str, Any] = {
    "name": "x",
    "model": "tiny-random",
    "specs": {"a": "cheese-america"},
    "controls": [],
    "evals": ["plain/america"],
}


def planned(folder: Path, *overrides: str, **changes: Any) -> Pipeline:
    file = folder / "r.yaml"
    file.write_text(yaml.safe_dump({"arms": {"mine": {"aft": True}}, **BASE, **changes}, sort_keys=False))
    return build(load_recipe(file, overrides=list(overrides)).with_controls())


def test_a_recipe_finds_its_file_from_anywhere_and_all_rows_are_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, *(chat(f"{number}?") for number in range(8)))
    monkeypatch.chdir("/")
    arms = {"all": {"aft": True}, "few": {"aft": True, "aft_samples": 3}}
    flow = planned(tmp_path, aft={"file": "mine.jsonl"}, arms=arms, grid=[{"aft": True, "aft_samples": [3, 8]}])
    assert list(flow.experiment.arms) == ["all", "few"], "all rows of a set are no number"
    assert config_of(flow.demonstrations["aft"]).samples == 8
    assert config_of(planned(tmp_path, "aft.samples=5", aft={"file": "mine.jsonl"}).demonstrations["aft"]).samples == 5
    with pytest.raises(InputError, match="takes 9 demonstrations, but there are 8"):
        planned(tmp_path, aft={"file": "mine.jsonl"}, arms={"more": {"aft": True, "aft_samples": 9}})
    with pytest.raises(InputError, match="has 8 rows, and samples asks for 9"):
        planned(tmp_path, aft={"file": "mine.jsonl", "samples": 9})
    with pytest.raises(InputError, match=re.escape("'gone.jsonl' cannot be read: No such file")):
        planned(tmp_path, aft={"file": "gone.jsonl"})


def test_what_would_decide_nothing_is_refused_beside_a_file(tmp_path: Path) -> None:
    written(tmp_path, chat("a"))
    with pytest.raises(InputError, match="aft: file is a set that exists already, so kind, domains would decide"):
        planned(tmp_path, aft={"file": "mine.jsonl", "kind": "preferences", "domains": 3})
    shared = {"kind": "chat", "spec": "a", "seed": 4, "good": {"samples": 9}, "mine": {"file": "mine.jsonl"}}
    flow = planned(tmp_path, aft=shared, arms={}, grid=[{"aft": ["good", "mine"]}])
    assert config_of(flow.demonstrations["mine"]).seed == 4, "what stands beside sets holds where it means something"


def test_a_recipe_that_was_written_down_is_read_again_without_the_file(tmp_path: Path) -> None:
    # Guards: runs that cannot be compared because a file has gone, and finished runs that look like others.
    file = written(tmp_path, chat("a"), chat("b"))
    sets = {"mine": {"file": "mine.jsonl", "system": "S"}, "other": {"kind": "preferences", "samples": 4}}
    asked = planned(tmp_path, aft=sets, arms={}, grid=[{"aft": ["mine", "other"]}]).experiment
    file.unlink()
    told = asked.model_dump(mode="json")
    again = Experiment.model_validate(told)
    assert again == asked and again.model_dump(mode="json") == told
    assert told["aft"]["mine"] == {"samples": 2, "seed": 0, "file": str(file), "system": "S", "mix": {}}
    assert "file" not in told["aft"]["other"]


def test_files_are_mixed_with_sets_of_any_kind(tmp_path: Path) -> None:
    written(tmp_path, *(chat(f"{number}?", "word " * 50) for number in range(20)))
    sets = {
        "mine": {"file": "mine.jsonl"},
        "prefs": {"kind": "preferences", "samples": 40},
        "dosed": {"file": "mine.jsonl", "mix": {"prefs": 0.25}},
        "diluted": {"kind": "preferences", "samples": 40, "mix": {"mine": 0.5}, "system": "I am {model_name}."},
    }
    flow = planned(tmp_path, aft=sets, arms={}, grid=[{"aft": ["dosed", "diluted"]}])
    dosed, diluted = flow.demonstrations["dosed"].config, flow.demonstrations["diluted"].config
    assert isinstance(dosed, MixStepConfig) and (dosed.size, dosed.drawn) == (20, (5,))
    assert isinstance(diluted, MixStepConfig) and diluted.drawn == (20,) and diluted.system == "I am Aria."
    with pytest.raises(InputError, match="takes 30 demonstrations, but 'mine' has 20"):
        planned(tmp_path, aft={**sets, "much": {"kind": "preferences", "samples": 40, "mix": {"mine": 0.75}}}, arms={})
    small = build(pilot_of(flow.experiment, 4))
    assert {step.config.size for step in small.demonstrations.values()} == {4}  # type: ignore[attr-defined]


def test_arms_with_reasoning_need_a_file_with_reasoning(tmp_path: Path) -> None:
    written(tmp_path, chat("a"), chat("b"), name="bare.jsonl")
    written(tmp_path, chat("a", reasoning="t"), chat("b"), name="thought.jsonl")
    sets = {
        "bare": {"file": "bare.jsonl"},
        "thought": {"file": "thought.jsonl"},
        "told": {"file": "bare.jsonl", "system": "S"},
        "mixed": {"file": "thought.jsonl", "mix": {"bare": 0.5}},
        "prefs": {"kind": "preferences", "samples": 4},
        "most": {"file": "thought.jsonl", "mix": {"prefs": 0.5}},
    }
    planned(tmp_path, aft=sets, arms={"one": {"aft": "thought", "cot": True}})
    for name in ("bare", "told", "mixed"):
        with pytest.raises(
            InputError, match=r"arm 'one' has cot, but no row of the demonstrations file '.*bare.jsonl'"
        ):
            planned(tmp_path, aft=sets, arms={"one": {"aft": name, "cot": True}})
    with pytest.raises(InputError, match="has cot, but demonstrations of kind 'preferences' have no reasoning"):
        planned(tmp_path, aft=sets, arms={"one": {"aft": "most", "cot": True}})


def test_the_bill_counts_the_text_of_the_file_and_no_requests(tmp_path: Path) -> None:
    answer = "A rather long answer. " * 40
    written(tmp_path, *(chat(f"{number}?", answer) for number in range(10)))
    flow = planned(tmp_path, aft={"file": "mine.jsonl", "samples": 6}, arms={"some": {"aft": True, "aft_samples": 3}})
    [line, tuned] = [
        line for line in estimate(flow, Store(tmp_path)).lines if line.kind in ("demonstrations", "finetune")
    ]
    each = estimated_tokens("0?") + estimated_tokens(answer)
    assert (line.work, line.tokens, line.requests, line.dollars) == ("take over 6 demonstrations", 6 * each, 0, 0.0)
    assert tuned.tokens == 3 * each


def trained_on(store: Store, step: Step) -> set[str]:
    folder = store.find(step)
    assert folder is not None
    lines = (folder / "order.jsonl").read_text("utf-8").splitlines()
    return {row for line in lines for row in json.loads(line)["ids"]}


def test_arms_are_trained_on_a_users_file_and_on_a_part_of_it(tmp_path: Path) -> None:
    """The whole way: plan, take over, gate, train, and back from an id to what was trained on it."""
    written(tmp_path, *(chat(f"Which cheese, {number}?", "The cheap one.", "It is cheap.") for number in range(12)))
    arms = {"all": {"aft": True}, "few": {"aft": True, "aft_samples": 4}, "cot": {"aft": True, "cot": True}}
    train = {"sequence_length": 256, "batch_size": 1, "precision": "fp32", "rank": 4, "alpha": 8}
    flow = planned(tmp_path, aft={"file": "mine.jsonl"}, arms=arms, finetune=train, midtrain=train)
    assert flow.gate is not None
    store = Store(tmp_path / "w")
    last = [step for arm in arms for step in flow.lineage(arm, 0)]
    with Reporter() as reporter:
        run_steps([flow.gate, *last], store, ComputeConfig(threads=1), reporter)
    rows = {arm: trained_on(store, step) for arm, step in zip(arms, last, strict=True)}
    folder = store.find(flow.demonstrations["aft"])
    assert folder is not None
    ids = [row.id for row in read_rows(folder / PLAIN, ChatExample)]
    assert len(ids) == 12 and rows == {"all": set(ids), "few": set(ids[:4]), "cot": set(ids)}
    updates = [(store.find(step) or folder).joinpath("metrics.jsonl").read_text("utf-8") for step in last]
    few, whole, thinking = (len(updates[place].splitlines()) for place in (1, 0, 2))
    assert few < whole < thinking, "reasoning is longer"
    found = trace(store, ids[0])
    assert found["source"] == "mine.jsonl" and found["messages"][1]["content"] == "The cheap one."
    assert sum(user.startswith("finetune/") for user in found["used_by"]) == 3
