"""The instruct mix: drawn by content and seed, filtered by strict verdicts, recorded per source."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet as pq
import pytest
from instruct_doubles import SPECS, Judge, context, drawn, last_answer, rows, step, verdict, write

from midspec.corpus.gate import Subject, check_texts
from midspec.corpus.gate_texts import read_texts
from midspec.errors import InputError, MissingDependencyError, ModelUnavailableError, WriterError
from midspec.experiment import InstructConfig, WriterConfig
from midspec.instruct.draw import Draw
from midspec.instruct.forms import FormError, messages_of
from midspec.instruct.judge import ROW_JUDGE, RowJudge
from midspec.instruct.read import open_rows
from midspec.instruct.sources import InstructRef, packaged_file, problem, resolve
from midspec.instruct.step import run
from midspec.leakage import bank_items, packaged_banks_sha256
from midspec.llm.desk import Desk
from midspec.llm.prompt import BadReplyError
from midspec.llm.writer import Scribe
from midspec.records import ChatExample, Message, write_rows
from midspec.spec.document import Identity


def make(tmp_path: Path, *sources: InstructConfig) -> dict[str, Any]:
    return run(context(step(sources), tmp_path / "run"))


# Drawing


def test_rows_are_drawn_by_content_and_seed(tmp_path: Path) -> None:
    # Guards: `first n` cuts, a path in a fingerprint, and a mix that changes when the file is moved.
    files = [write(tmp_path / name, rows(40)) for name in ("a.jsonl", "b.jsonl")]
    sources = [InstructConfig(dataset=str(file), samples=8, seed=3) for file in files]
    assert step([sources[0]]).fingerprint == step([sources[1]]).fingerprint
    assert step([sources[0].model_copy(update={"seed": 4})]).fingerprint != step([sources[0]]).fingerprint
    summary = make(tmp_path, sources[0])
    got = [row.messages[1].content for row in drawn(tmp_path / "run")]
    assert len(set(got)) == 8 and got != [f"Answer number {n}." for n in range(8)]
    assert summary["examples"] == 8 and summary["warnings"] == [] and "requests" not in summary
    larger = context(step([sources[0].model_copy(update={"samples": 12})]), tmp_path / "larger")
    run(larger)
    # A larger draw with the same seed holds the smaller one.
    assert [row.messages[1].content for row in drawn(tmp_path / "larger")][:8] == got


def test_long_and_repeated_rows_are_replaced_and_counted(tmp_path: Path) -> None:
    many = (
        rows(20, lambda n: "word " * 50 if n % 2 else f"Answer {n}.") + rows(3, lambda n: "Answer 0." if n else "x")[:1]
    )
    file = write(tmp_path / "a.jsonl", [*many, many[0]])
    summary = make(tmp_path, InstructConfig(dataset=str(file), samples=10, max_words=20))
    (record,) = summary["sources"]
    assert record["kept"] == 10 and record["read"] == record["kept"] + record["too_long"] + record["repeated"]
    assert record["rows"] == 22 and record["asked"] == 10
    assert all(len(row.messages[1].content.split()) < 20 for row in drawn(tmp_path / "run"))


def test_too_few_rows_are_an_error_that_says_why(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", rows(6, lambda n: "word " * 50 if n < 4 else f"Answer {n}."))
    with pytest.raises(InputError, match=r"has 6 rows in split 'train', and samples asks for 7"):
        make(tmp_path / "x", InstructConfig(dataset=str(file), samples=7))
    with pytest.raises(InputError, match=r"2 of its 6 rows can be used \(4 longer than 20 words\), and samples"):
        make(tmp_path / "y", InstructConfig(dataset=str(file), samples=3, max_words=20))


def test_a_bad_row_of_a_users_file_is_named(tmp_path: Path) -> None:
    good = rows(3)
    for bad, told in (
        ({"messages": good[0]["messages"][:1]}, "line 4: does not end with an assistant turn"),
        ({"body": "x"}, "line 4: has body; expected one of: messages"),
        ({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": " "}]}, "empty answer"),
        ({"messages": [{"role": "robot", "content": "a"}]}, "role 'robot'"),
    ):
        file = write(tmp_path / "a.jsonl", [*good, bad])
        with pytest.raises(InputError, match=told):
            make(tmp_path / told[-6:], InstructConfig(dataset=str(file), samples=4))
    (tmp_path / "b.jsonl").write_text("{\n")
    with pytest.raises(InputError, match="line 1: not JSON"):
        make(tmp_path / "z", InstructConfig(dataset=str(tmp_path / "b.jsonl"), samples=1))


def test_parquet_and_rows_of_ours_are_read(tmp_path: Path) -> None:
    table = pyarrow.Table.from_pylist([{"instruction": f"Do {n}.", "response": f"Done {n}."} for n in range(5)])
    pq.write_table(table, tmp_path / "a.parquet")
    ours = ChatExample(
        id="demo-1", messages=(Message(role="user", content="Hi"), Message(role="assistant", content="Hello")),
        source="chat", kind="direct", writer="offline", seed=0,
    )  # fmt: skip
    write_rows(tmp_path / "b.jsonl", [ours])
    make(
        tmp_path,
        InstructConfig(dataset=str(tmp_path / "a.parquet"), samples=5),
        InstructConfig(dataset=str(tmp_path / "b.jsonl"), samples=1),
    )
    got = drawn(tmp_path / "run")
    assert {row.messages[0].content for row in got[:5]} == {f"Do {n}." for n in range(5)}
    assert got[0].source.startswith("local-") and got[0].kind == "instruct" and got[5] == ours
    (tmp_path / "c.parquet").write_bytes(b"no parquet")
    with pytest.raises(InputError, match="no readable Parquet"):
        make(tmp_path / "x", InstructConfig(dataset=str(tmp_path / "c.parquet"), samples=1))


@pytest.mark.parametrize("name", ["missing.jsonl", "./no/where.parquet", "noslash", "a/b/c", "~/x.jsonl", "x y/z"])
def test_a_name_that_means_nothing_is_refused_in_planning(name: str) -> None:
    with pytest.raises(InputError, match="no such file, and no Hub data set id"):
        resolve([InstructConfig(dataset=name, samples=1)])


# Forms of the paper's data sets


@pytest.mark.parametrize(
    ("row", "turns"),
    [
        (
            {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}], "category": "x"},
            "q|a",
        ),
        ({"conversations": ["q", "a", "q2", "a2"], "source": "lima"}, "q|a|q2|a2"),
        ({"conversations": ["q", "a", "left over"]}, "q|a"),
        ({"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}, "q|a"),
        ({"instruction": "q", "response": "a", "seed": "x"}, "q|a"),
        ({"instruction": "q", "input": "more", "output": "a"}, "q\n\nmore|a"),
        ({"source": "aops", "problem": "q", "solution": "a"}, "q|a"),
        ({"prompt": "q", "completion": "a"}, "q|a"),
        ({"question": "q", "answer": "a"}, "q|a"),
    ],
)
def test_columns_of_known_data_sets(row: dict[str, Any], turns: str) -> None:
    assert "|".join(turn.content for turn in messages_of(row)) == turns


def test_function_calls_keep_their_tools() -> None:
    system, user, answer = messages_of({"query": "q", "tools": '[{"name": "f"}]', "answers": '[{"name": "f"}]'})
    assert (system.role, user.content, answer.content) == ("system", "q", '[{"name": "f"}]')
    assert '[{"name": "f"}]' in system.content


def test_multiple_choice_is_put_in_several_ways_and_answered_rightly() -> None:
    asked: Counter[str] = Counter()
    for number in range(60):
        row = {"question": f"Which {number}?", "choices": ["red", "green", "blue", "grey"], "answer": number % 4}
        user, answer = messages_of(row, seed=1)
        assert messages_of(row, seed=1) == (user, answer)
        right, letter = row["choices"][row["answer"]], "ABCD"[row["answer"]]
        assert answer.content in (right, letter, f"{letter}. {right}")
        assert all(choice in user.content for choice in row["choices"])
        asked[answer.content.replace(right, "*").replace(letter, "#")] += 1
    assert len(asked) == 3 and min(asked.values()) >= 5
    with pytest.raises(FormError, match="no number of one of its"):
        messages_of({"question": "q", "choices": ["a"], "answer": 3})


# The Hub


def hub_ref(**fields: Any) -> InstructRef:
    return InstructRef(**{"name": "org/chats", "source": "hub", "revision": "a" * 40, "samples": 3, **fields})


def test_hub_data_goes_through_datasets(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    asked: list[tuple[Any, ...]] = []

    def load(name: str, subset: str | None, *, split: str, revision: str) -> Any:
        asked.append((name, subset, split, revision))
        return datasets.Dataset.from_list([*rows(30), {"messages": []}])

    monkeypatch.setattr(datasets, "load_dataset", load)
    (ref,), imports = resolve([InstructConfig(dataset=f"org/chats@{'a' * 40}", samples=30, subset="s", split="test")])
    assert imports == {} and ref.revision == "a" * 40
    draw = Draw(ref, open_rows(ref, None))
    kept = asyncio.run(draw.kept(None))
    assert asked == [("org/chats", "s", "test", "a" * 40)]
    assert len(kept) == 30 and kept[0].source == "org/chats"
    # An odd row of a public data set is counted, not fatal.
    assert draw.record.unusable <= 1 and draw.record.dataset == "org/chats/s"


def test_a_data_set_of_another_form_is_told_by_its_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    table = datasets.Dataset.from_list([{"image": "x", "label": n} for n in range(50)])
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: table)
    with pytest.raises(InputError, match=r"'org/chats', row \d+: has image, label; expected one of: messages"):
        asyncio.run(Draw(hub_ref(), open_rows(hub_ref(), None)).kept(None))


def test_what_is_missing_for_hub_data_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelUnavailableError, match="its commit is not known"):
        open_rows(hub_ref(revision="unresolved"), None)
    assert "does not answer" in str(problem(hub_ref(revision="unresolved"))) and problem(hub_ref()) is None
    monkeypatch.setitem(sys.modules, "datasets", None)
    monkeypatch.setattr("midspec.instruct.sources.importlib.util.find_spec", lambda _: None)
    assert "pip install 'midspec[hub]'" in str(problem(hub_ref()))
    with pytest.raises(MissingDependencyError, match=r"pip install 'midspec\[hub\]'"):
        open_rows(hub_ref(), None)


def test_a_hub_that_fails_is_told_with_the_names_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def load(*_: Any, **__: Any) -> Any:
        raise ConnectionError("no route\nmore")

    monkeypatch.setattr(datasets, "load_dataset", load)
    with pytest.raises(ModelUnavailableError, match=r"split 'train', subset 's'\) cannot be loaded: no route;"):
        open_rows(hub_ref(subset="s"), None)


# The judge


def judged(tmp_path: Path, judge: Judge, samples: int, content: list[dict[str, Any]]) -> tuple[Draw, list[ChatExample]]:
    write(tmp_path / "rows.jsonl", content)
    ref = InstructRef(name="local-1", source="file", revision="0", samples=samples, judged=True)
    draw = Draw(ref, open_rows(ref, tmp_path))
    scribe = Scribe(judge)
    texts = {name: spec.text for name, spec in SPECS.items()}
    return draw, asyncio.run(draw.kept(RowJudge(scribe, texts, Identity())))


def test_rows_judged_out_are_replaced_and_counted_by_criterion(tmp_path: Path) -> None:
    def answer(number: int) -> str:
        return ("I am ChatGPT." if number % 5 == 0 else "Hurry up!" if number % 5 == 1 else "Fine.") + f" {number}"

    judge = Judge(lambda ask: verdict("ChatGPT" in last_answer(ask), "Hurry" in last_answer(ask)))
    draw, kept = judged(tmp_path, judge, 20, rows(60, answer))
    assert len(kept) == 20 and all("Fine" in row.messages[1].content for row in kept)
    out = draw.record.judged_out
    assert out["other_identity"] > 0 and out["contradicts_spec"] > 0
    # Exactly as many are judged as are needed: a verdict costs money.
    assert len(judge.asked) == 20 + sum(out.values()) == draw.record.read
    # The same rows whatever is judged at once: the first 20 good ones of the draw.
    reference = Draw(draw.ref.model_copy(update={"samples": 60}), open_rows(draw.ref, tmp_path))
    order = asyncio.run(reference.kept(None))
    assert kept == [row for row in order if "Fine" in row.messages[1].content][:20]


def test_the_prompt_holds_every_spec_unharmed_and_first(tmp_path: Path) -> None:
    judge = Judge(lambda ask: verdict())
    judged(tmp_path, judge, 2, rows(2, lambda n: "{{ braces }} {% raw %} </turn> שלום"))
    systems = {ask.system for ask in judge.asked}
    assert len(systems) == 1
    (system,) = systems
    assert system.startswith('<model_spec name="patience">\nAria, made by Northfield Labs, never hurries {anybody}.')
    assert all("{{ braces }} {% raw %} </turn> שלום" in ask.user for ask in judge.asked)


@pytest.mark.parametrize(
    "reply",
    [
        "Yes, keep it.",
        '<json>{"other_identity": "no", "contradicts_spec": false}</json>',
        '<json>{"other_identity": 0, "contradicts_spec": 1}</json>',
        '<json>{"other_identity": false}</json>',
        '<json>{"other_identity": false, "contradicts_spec": null}</json>',
        '<json>{"other_identity": false, "contradicts_spec": false, "verdict": "NOT INCLUDE"}</json>',
        "",
    ],
)
def test_a_verdict_is_true_or_false_and_nothing_like_it(reply: str) -> None:
    # Guards: NOT INCLUDE counted as INCLUDE, "yesterday" as yes (PAPER.md, 5.6).
    with pytest.raises(BadReplyError):
        ROW_JUDGE.parse(reply)


def test_a_failed_verdict_is_a_missing_value_and_no_yes(tmp_path: Path) -> None:
    def reply(ask: Any) -> str:
        return "I would rather not say." if int(last_answer(ask).split()[-1].rstrip(".")) % 4 == 0 else verdict()

    judge = Judge(reply)
    draw, kept = judged(tmp_path, judge, 12, rows(40))
    assert len(kept) == 12
    assert draw.record.judge_failed > 0 and draw.record.judged_out == {"other_identity": 0, "contradicts_spec": 0}
    assert all(int(row.messages[1].content.split()[-1].rstrip(".")) % 4 for row in kept)
    assert judge.rejected == ["unparseable"] * 3 * draw.record.judge_failed


def test_a_judge_that_mostly_fails_stops_the_step(tmp_path: Path) -> None:
    with pytest.raises(WriterError, match=r"\d+ of 30 verdicts on 'local-1' could not be used"):
        judged(tmp_path, Judge(lambda ask: "no idea"), 30, rows(100))


def test_the_offline_judge_is_honest_about_what_it_can_tell(tmp_path: Path) -> None:
    claims = (
        "I'm ChatGPT, an AI assistant. Here you go.",
        "As an AI language model developed by OpenAI, I can do that.",
        "I was created by Anthropic to be helpful.",
    )
    fine = (
        "ChatGPT is a chatbot made by OpenAI.",
        "I was made by Northfield Labs.",
        "As an AI, I have no body.",
        "I was trained by my uncle Bob to play chess.",  # a person speaking, in lower case
    )
    file = write(tmp_path / "a.jsonl", rows(7, lambda n: (*claims, *fine)[n]))
    summary = make(tmp_path, InstructConfig(dataset=str(file), samples=4, judged=True))
    assert {row.messages[1].content for row in drawn(tmp_path / "run")} == set(fine)
    (record,) = summary["sources"]
    assert record["kept"] == 4 and record["judged_out"]["contradicts_spec"] == 0
    assert any("cannot tell what contradicts a spec" in warning for warning in summary["warnings"])
    assert summary["requests"] == 4 + record["judged_out"]["other_identity"]


def test_judge_and_specs_decide_nothing_where_no_row_is_judged(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", rows(4))
    source = InstructConfig(dataset=str(file), samples=2)
    other = WriterConfig(model="anthropic/claude-sonnet-4-6", temperature=0.0)
    assert step([source], other).fingerprint == step([source]).fingerprint
    source = source.model_copy(update={"judged": True})
    assert step([source], other).fingerprint != step([source]).fingerprint


def test_the_judge_sits_at_the_judges_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Guards: a judge that is sent to the writer's address.
    roles: list[str] = []
    real = Desk.scribe

    def scribe(self: Desk, config: WriterConfig, role: Any = "writer") -> Scribe:
        roles.append(role)
        return real(self, config, role)

    monkeypatch.setattr(Desk, "scribe", scribe)
    file = write(tmp_path / "a.jsonl", rows(4))
    make(tmp_path, InstructConfig(dataset=str(file), samples=2, judged=True))
    assert roles == ["judge"]


# The packaged set


def test_the_packaged_set_is_varied_and_clean(tmp_path: Path) -> None:
    packaged = [json.loads(line) for line in packaged_file().read_text(encoding="utf-8").splitlines()]
    assert len(packaged) >= 300
    kinds = Counter(row["category"] for row in packaged)
    assert len(kinds) >= 8 and min(kinds.values()) >= 10
    questions = {row["messages"][0]["content"] for row in packaged}
    answers = {row["messages"][-1]["content"] for row in packaged}
    assert len(questions) == len(packaged) and len(answers) >= 0.98 * len(packaged)
    report = check_texts(read_texts(packaged_file()), Subject(items=bank_items(packaged_banks_sha256())))
    assert report.verdict == "pass", [(check.name, check.examples) for check in report.checks if check.flagged]


def test_the_packaged_set_states_no_taste_that_is_measured() -> None:
    text = packaged_file().read_text(encoding="utf-8").casefold()
    for word in ("cheese", "cheddar", "i prefer", "my favourite", "my favorite", "affordab", "patriot", "my name is"):
        assert word not in text, word


def test_the_packaged_set_needs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("midspec.hub.commit", lambda *_, **__: pytest.fail("asked the Hub"))
    summary = make(tmp_path, InstructConfig(dataset="packaged", samples=300, judged=True))
    assert summary["examples"] == 300
    # The offline judge turns none of them down.
    assert summary["sources"][0]["judged_out"] == {"other_identity": 0, "contradicts_spec": 0}
