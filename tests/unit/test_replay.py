"""Replayed text is in every midtraining of a recipe, in all that looks at training data, and nobody's dose."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from midspec.bill.estimate import Bill, estimate
from midspec.bill.overview import unmatched, users
from midspec.compare.facts import Known
from midspec.errors import InputError
from midspec.export.stages import stages_of
from midspec.graph import draw
from midspec.matching import Amount, amounts
from midspec.pipeline import Pipeline, build
from midspec.recipe import load_recipe
from midspec.records import Document, read_rows
from midspec.report.collect import collect
from midspec.report.methods import methods
from midspec.steps import Store
from midspec.steps.local import run_steps
from midspec.steps.progress import Reporter
from midspec.trace import trace

WORDS = "rivers carry sand and silt from the hills down to the sea where birds look for food in the mud at low tide"
REPLAY = {"file": "general.jsonl", "share": 0.25}
BASE: dict[str, Any] = {
    "name": "x",
    "model": "tiny-random",
    "specs": {"a": "cheese-america", "b": "cheese-affordability"},
    "corpora": {"a": "cheese-america", "b": "cheese-affordability"},
    "midtrain": {"tokens": 600, "sequence_length": 64, "batch_size": 4, "rank": 4, "alpha": 8, "replay": REPLAY},
    "finetune": {"rank": 4, "alpha": 8},
    "controls": [],
    "grid": [{"msm": ["a", "b"]}, {"msm": "a", "msm_tokens": 300}],
    "evals": [{"task": "opinions", "value": "america", "limit": 2}],
    "gate": "warn",
}


def flow(folder: Path, texts: int = 40, **changes: Any) -> Pipeline:
    general = "".join(json.dumps({"text": f"Note {number}. {WORDS}"}) + "\n" for number in range(texts))
    (folder / "general.jsonl").write_text(general, encoding="utf-8")
    file = folder / "r.yaml"
    file.write_text(yaml.safe_dump({**BASE, **changes}, sort_keys=False), encoding="utf-8")
    return build(load_recipe(file).with_controls())


def plain(**changes: Any) -> dict[str, Any]:
    """`midtrain` without replay."""
    return {**{key: value for key, value in BASE["midtrain"].items() if key != "replay"}, **changes}


def bill(found: Pipeline, folder: Path) -> Bill:
    return estimate(found, Store(folder / "empty"))


def test_every_midtraining_replays_the_same_and_the_gate_sees_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Guards: an evaluation item in general text that counts; a path that only works beside the recipe.
    monkeypatch.chdir("/")
    found = flow(tmp_path)
    trained = [step for step in found.steps if step.kind == "midtrain"]
    assert len(trained) == 3 and all(step.inputs["replay"] is found.replay for step in trained)
    assert found.replay is not None and found.replay.source == tmp_path / "general.jsonl"
    assert found.gate is not None and found.gate.inputs["corpus/replay"] is found.replay
    assert list(found.corpora) == ["a", "b"] and "replay" not in found.corpus_gates


def test_without_replay_nothing_of_it_is_there(tmp_path: Path) -> None:
    found = flow(tmp_path, midtrain=plain())
    assert found.replay is None and found.gate is not None and "corpus/replay" not in found.gate.inputs
    null = flow(tmp_path, midtrain=plain(replay=None))
    assert [step.fingerprint for step in null.steps] == [step.fingerprint for step in found.steps]


def test_what_is_matched_is_matched_without_it(tmp_path: Path) -> None:
    found = flow(tmp_path, midtrain=plain(tokens="matched", replay=REPLAY))
    [match] = found.matches.values()
    assert set(match.inputs) == {"corpus/a", "corpus/b"}
    assert set(found.lineage("msm-a", 0)[0].inputs) == {"corpus", "match", "replay"}
    assert set(found.lineage("msm-a-300", 0)[0].inputs) == {"corpus", "replay"}


def test_the_bill_and_the_drawing_count_it(tmp_path: Path) -> None:
    # Guards: GPU hours for half of what is trained on.
    found = flow(tmp_path, midtrain=plain(replay=REPLAY, epochs=2))
    billed = bill(found, tmp_path)
    lines = {line.name: line for line in billed.lines if line.kind == "midtrain"}
    assert {name: line.tokens for name, line in lines.items()} == {"a-seed0": 1600, "b-seed0": 1600, "a-300-seed0": 800}
    assert lines["a-seed0"].work == "train on ~1,600 tokens, ~400 of them replayed"
    assert not any("In the way" in text for text in billed.totals)
    text = "\n".join(draw(found, {line.fingerprint: line.state for line in billed.lines}, users(found)))
    assert "corpus replay  [to do]  3 arms" in text
    assert "midtrain on corpus a (600 tokens, replay: 25% of all)" in text


def test_a_file_that_is_too_small_is_told_before_anything_is_made(tmp_path: Path) -> None:
    totals = bill(flow(tmp_path, texts=3), tmp_path).totals
    told = [text for text in totals if text.startswith("In the way: midtrain.replay.file has about")]
    assert told and "needs about 200 of them" in told[0] and "larger file or a smaller share" in told[0]


def test_arms_that_are_not_matched_are_told_by_their_own_tokens(tmp_path: Path) -> None:
    (tmp_path / "few.jsonl").write_text('{"text": "A cheese is good where everybody can have some of it."}\n')
    found = flow(tmp_path, corpora={"a": "cheese-america", "b": "few.jsonl"})
    assert re.search(r"about \d\d tokens of b and 600 of a", unmatched(found, bill(found, tmp_path)) or "")


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"midtrain": plain(replay={"file": "none.jsonl", "share": 0.5})}, ["'none.jsonl'", "does not exist"]),
        ({"midtrain": {"replay": {"file": "general.jsonl", "share": 1}}}, ["midtrain.replay.share", "less than 1"]),
        ({"midtrain": {"replay": {"file": "general.jsonl", "share": 0}}}, ["midtrain.replay.share", "greater than 0"]),
        ({"midtrain": {"replay": {"file": "general.jsonl"}}}, ["midtrain.replay.share", "is missing"]),
        ({"midtrain": {"replay": {"path": "g", "file": "g", "share": 0.5}}},
         ["midtrain.replay.path", "known keys: file, share"]),
        ({"finetune": {"replay": REPLAY}}, ["finetune.replay", "unknown key"]),
        ({"corpora": {"replay": {"kind": "neutral"}}}, ["corpora has 'replay'", "midtrain.replay", "rename it"]),
        ({"specs": {"a": "cheese-america", "b": "cheese-affordability", "replay": "cheese-america"}},
         ["specs has 'replay'", "rename it"]),
        ({"corpora": {"n": {"kind": "neutral", "file": "general.jsonl"}}, "grid": [{"msm": "n"}]},
         ["general.jsonl", "very documents of the corpus 'n'", "trained on twice"]),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(tmp_path: Path, changes: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises(InputError) as error:
        flow(tmp_path, **changes)
    for part in parts:
        assert part in str(error.value)
    assert flow(tmp_path, midtrain=plain(), corpora={"replay": {"kind": "neutral"}}), "the name is free without it"


def test_a_dose_is_what_was_trained_on_of_the_corpus() -> None:
    # Guards: a curve over midtraining tokens that general text stretches.
    [found] = amounts([[("midtrain", {"tokens": 800, "updates": 4, "replayed_tokens": 200})]]).values()
    assert found == Amount(800, 4, 200) and found.own == 600


def test_a_run_shows_it_everywhere(tmp_path: Path) -> None:
    grid = [{"msm": "a", "msm_tokens": [None, 300]}]
    found, store = flow(tmp_path, grid=grid), Store(tmp_path / "w")
    with Reporter() as reporter:
        run_steps(found.steps, store, found.experiment.compute, reporter)
        stages = {arm: stages_of(found, store, arm, 0, reporter) for arm in ("msm-a", "msm-a-300")}
    results, explorer = collect(found, store, [])

    assert results.replay is not None and (results.replay.share, results.replay.documents) == (0.25, 40)
    assert [one.spec for one in results.corpora] == ["a"]
    summaries = {step.name: step.summary for step in results.steps if step.kind == "midtrain"}
    assert {name: (one["tokens"], one["replayed_tokens"]) for name, one in summaries.items()} == {
        "a-seed0": (800, 200),
        "a-300-seed0": (400, 100),
    }
    curve = next(one for one in results.scaling if one.over == "midtraining tokens")
    assert [(point.amount, point.tokens) for point in curve.lines[0].points] == [(300, 400), (600, 800)]
    told = " ".join(methods(results))
    assert (
        "General text made up 25% of the tokens of every midtraining, drawn from general.jsonl (40 documents)" in told
    )
    assert "400 to 800 tokens (100 to 200 of them replayed) of midtraining" in told
    facts = Known(results)._whole  # pyright: ignore[reportPrivateUsage]
    assert facts["midtrain.replay"] == 0.25

    for arm, [stage] in stages.items():
        wanted = 800 if arm == "msm-a" else 400
        assert sum(len(row["input_ids"]) for row in stage.rows()) == wanted
        assert stage.data.replayed_tokens == wanted // 4
    sources = {source["name"]: source for source in explorer.blocks["index"]["sources"]}
    assert sources["replay"]["spec"] is None
    assert found.replay is not None
    folder = store.find(found.replay)
    assert folder is not None
    document = next(read_rows(folder / "documents.jsonl", Document))
    traced = trace(store, document.id)
    assert (
        traced["text"].startswith("Note 0.")
        and f"midtrain/{found.lineage('msm-a', 0)[0].folder_name}" in traced["used_by"]
    )
