"""Bad input ends in one clear sentence and the right exit status, and leaves nothing behind."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT, command, midspec, midspec_json

SMOKE = (ROOT / "recipes" / "quickstart.yaml", "--profile", "smoke")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "nowhere.yaml"], "nowhere.yaml"),
        (["run", *SMOKE, "--set", "corpus.docs=3"], "corpus.docs: unknown key"),
        (["run", *SMOKE, "--set", "corpus.documents=0"], "greater than or equal to 1"),
        (["run", *SMOKE, "--set", "specs.america=nowhere.md"], "nowhere.md"),
        (["run", *SMOKE, "--set", "arms.x={msm: nobody}"], "not in specs"),
        (["run", *SMOKE, "--set", "writer=gpt-nobody"], "gpt-nobody"),
        (["run", *SMOKE, "--only", "nonsense"], "matches no step"),
        (["run", *SMOKE, "--set", "evals=[opinions/nothing]"], "opinions/nothing"),
        (["run", SMOKE[0], "--profile", "nothing"], "no profile"),
        (["report", *SMOKE], "not done"),
        (["trace", "doc-000000000000"], "doc-000000000000"),
        (["spec", "show", "nowhere.md"], "nowhere.md"),
        (["corpus", "build", "--spec", "cheese-america", "--documents", "0", "--out", "c.jsonl"], "documents"),
        (["eval", "opinions", "--model", "tiny-random"], "task/value"),
        (["models", "get", "/nowhere/model"], "/nowhere/model"),
    ],
    ids=lambda value: " ".join(map(str, value[:2] + value[-1:])) if isinstance(value, list) else "",
)
def test_bad_input(arguments: list[object], expected: str, tmp_path: Path) -> None:
    place = [] if arguments[0] in ("spec", "models") else ["--workspace", tmp_path / "w"]
    arguments = [tmp_path / "c.jsonl" if part == "c.jsonl" else part for part in arguments]
    done = midspec(*arguments, *place, status=2)
    assert expected in done.stderr
    assert not list(tmp_path.rglob("*.jsonl"))


def test_two_runs_of_one_recipe_in_one_workspace(tmp_path: Path) -> None:
    first = command("run", *SMOKE, "--workspace", tmp_path)
    try:
        while not list(tmp_path.glob("steps/.work/*")) and first.poll() is None:
            pass
        second = midspec("run", *SMOKE, "--workspace", tmp_path, status=6)
        assert f"process {first.pid}" in second.stderr and "--workspace" in second.stderr
    finally:
        first.terminate()
        first.communicate(timeout=60)
    assert first.returncode == 130
    midspec("run", *SMOKE, "--workspace", tmp_path, "--only", "corpus")


def test_a_workspace_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = midspec("run", *SMOKE, "--workspace", tmp_path / "file", status=5)
    assert "--workspace" in done.stderr


@pytest.mark.parametrize("content", [b"", b"\x00\x01binary"])
def test_unusable_specs(tmp_path: Path, content: bytes) -> None:
    spec = tmp_path / "bad.md"
    spec.write_bytes(content)
    out = tmp_path / "c.jsonl"
    done = midspec("corpus", "build", "--spec", spec, "--out", out, "--workspace", tmp_path, status=2)
    assert str(spec) in done.stderr and not out.exists()


@pytest.mark.parametrize(
    "text",
    [
        "One paragraph about {somebody}: kindness matters more than cleverness, says {{ nobody }} and {% nothing %}.",
        "\n\n".join(f"## Rule {i}\n\nThe assistant keeps promise number {i} even when it is hard." for i in range(200)),
        "# \u05db\u05dc\u05dc\n\nThe assistant \U0001f642 speaks {plainly. } { It never flatters anybody at all.",
    ],
    ids=["one-paragraph-braces", "200-headings", "unicode"],
)
def test_a_corpus_from_a_readers_own_spec_and_the_way_back(tmp_path: Path, text: str) -> None:
    spec, out = tmp_path / "mine.md", tmp_path / "corpus.jsonl"
    spec.write_text(text, encoding="utf-8")
    place = ("--workspace", tmp_path)
    midspec("corpus", "build", "--spec", spec, "--writer", "offline", "--documents", 200, "--out", out, *place)
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 200 == len({row["id"] for row in rows})
    spec_text = spec.read_text(encoding="utf-8")
    for row in rows:
        assert {"id", "text", "section", "span", "doc_type", "idea", "writer", "seed"} <= set(row)
        start, end = row["span"]
        assert spec_text[start:end].strip() and row["writer"] == "offline"
    row = rows[17]
    found = midspec_json("trace", row["id"], *place)
    assert found["passage"] == spec_text[slice(*row["span"])] and found["text"] == row["text"]
    shown = midspec("trace", row["id"], *place).stdout
    assert row["doc_type"] in shown and found["passage"].split()[0] in shown


def test_training_and_evaluation_by_hand(tmp_path: Path) -> None:
    place = ("--workspace", tmp_path)
    corpus, demos = tmp_path / "c.jsonl", tmp_path / "d.jsonl"
    midspec("corpus", "build", "--spec", "cheese-america", "--documents", 8, "--out", corpus, *place)
    midspec("aft", "build", "--samples", 12, "--out", demos, *place)
    small = ("--model", "tiny-random", "--set", "sequence_length=64", "--set", "batch_size=4", *place)
    wide = ("--set", "sequence_length=512")  # a byte-level tokenizer needs room for a whole chat
    first, second = tmp_path / "mid", tmp_path / "fine"
    midspec("train", "midtrain", "--corpus", corpus, "--set", "tokens=500", "--out", first, *small)
    midspec("train", "finetune", "--demonstrations", demos, "--parent", first, "--out", second, *small, *wide)
    record = json.loads((second / "training.json").read_text())
    assert record["parent"]["sha256"] == json.loads((first / "training.json").read_text())["sha256"]
    rate = midspec_json(
        "eval", "preferences/affordability", "--model", "tiny-random", "--checkpoint", second, "--limit", 6, *place
    )
    assert rate["n"] == 6
    again = midspec("train", "midtrain", "--corpus", corpus, "--out", first, *small, status=2)
    assert "not an empty folder" in again.stderr


def test_a_model_without_a_chat_format_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    from midspec.steps.progress import Silent
    from midspec.train.models import ensure, resolve

    source = ensure(resolve("tiny-random"), Silent())
    model = tmp_path / "no-template"
    model.mkdir()
    for file in source.iterdir():
        if file.is_file() and file.name not in ("chat_template.jinja", "origin.json"):
            (model / file.name).write_bytes(file.read_bytes())
    settings = json.loads((model / "tokenizer_config.json").read_text())
    settings.pop("chat_template", None)
    (model / "tokenizer_config.json").write_text(json.dumps(settings))
    done = midspec("run", *SMOKE, "--set", f"model={model}", "--workspace", tmp_path / "w", status=2)
    assert "chat" in done.stderr and "chatml" in done.stderr
    assert not list((tmp_path / "w").glob("steps/*/*/record.json"))


def test_help_and_version() -> None:
    shown = midspec("--help").stdout
    for name in ("plan", "run", "status", "report", "corpus", "aft", "train", "eval", "trace", "models", "spec"):
        assert f"\n  {name} " in shown
    assert midspec("--version").stdout.startswith("midspec, version")


def test_a_missing_extra_names_the_install_command() -> None:
    code = "import sys; sys.modules['torch'] = None; sys.argv = ['midspec', 'models', 'get', 'tiny-random'];"
    code += (
        "import os, tempfile; os.environ['MIDSPEC_CACHE'] = tempfile.mkdtemp(); from midspec.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 3 and "pip install 'midspec[train]'" in done.stderr, done.stderr


def test_recipes_say_where_their_defaults_come_from() -> None:
    from midspec.experiment import TrainConfig

    # The paper's recipe is the default; a recipe that departs from it must say so in its own text.
    paper = yaml.safe_load((ROOT / "recipes" / "cheese.yaml").read_text())["midtrain"]
    assert TrainConfig(**paper) == TrainConfig()
