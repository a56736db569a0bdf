"""Changing one sentence of one spec redoes what depends on it, and nothing else; `plan` says so beforehand."""

from importlib.resources import files
from pathlib import Path

from tests.conftest import midspec, midspec_json

RECIPE = """
name: mine
model: tiny-random
specs: {left: left.md, right: right.md}
corpus: {documents: 6, document_types: 3, ideas: 2}
aft: {samples: 12}
midtrain: {tokens: 600, sequence_length: 64, batch_size: 4}
finetune: {sequence_length: 512, batch_size: 1}
arms: {left+aft: {msm: left, aft: true}, right+aft: {msm: right, aft: true}}
controls: [baseline, aft, msm]
evals: [{task: opinions, value: america, form: open, limit: 4}]
"""


def test_one_sentence(tmp_path: Path) -> None:
    for name, packaged in (("left", "cheese-affordability"), ("right", "cheese-america")):
        text = files("midspec").joinpath("data", "specs", f"{packaged}.md").read_text(encoding="utf-8")
        (tmp_path / f"{name}.md").write_text(text)
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(RECIPE)
    arguments = (recipe, "--workspace", tmp_path)
    midspec("run", *arguments)

    left = tmp_path / "left.md"
    left.write_text(
        left.read_text() + "\n{model_name} would rather share a plain meal with many than a rare one alone.\n"
    )
    planned = {(step["kind"], step["name"]): step["state"] for step in midspec_json("plan", *arguments)["steps"]}
    todo = {key for key, state in planned.items() if state != "done"}
    assert todo == {
        ("corpus", "left"),
        ("corpus-gate", "left"),
        ("midtrain", "left-seed0"),
        ("finetune", "left+aft-seed0"),
        ("gate", "contamination"),
        ("evaluate", "opinions-america-msm-left"),
        ("evaluate", "opinions-america-left+aft"),
    }
    kept = {file: file.stat().st_mtime_ns for file in (tmp_path / "steps").rglob("record.json")}
    midspec("run", *arguments)
    assert {file: file.stat().st_mtime_ns for file in kept} == kept
    assert len(list((tmp_path / "steps").rglob("record.json"))) == len(kept) + len(todo)

    # Going back to the old sentence costs nothing: its steps are still there.
    left.write_text("\n".join(left.read_text().splitlines()[:-1]) + "\n")
    assert {step["state"] for step in midspec_json("plan", *arguments)["steps"]} <= {"done", "to do"}
