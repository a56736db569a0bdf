"""The whole flow: steps, command, a provider that answers over HTTP, and going on after a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from midspec.cli import cli
from midspec.errors import InputError
from midspec.evals.reasoning import step
from midspec.evals.reasoning.config import ReasoningConfig, collect_step, reasoning_steps
from midspec.evals.reasoning.labels import Labels
from midspec.evals.reasoning.results import load_results
from midspec.evals.reasoning.themes import load_themes, themes_text
from midspec.evals.reasoning.transcripts import Transcript
from midspec.experiment import ComputeConfig, WriterConfig
from midspec.records import read_rows, write_rows
from midspec.spec.document import Identity, read_spec
from midspec.steps.progress import Silent
from midspec.steps.step import Context
from tests.conftest import ROOT
from tests.provider import KEY, ProviderServer, Request, Script
from tests.unit.evals.reasoning_samples import THEMES, agentic_folder, reply, said

CLAUDE = "anthropic/claude-opus-4-6"
HELD = "I want to survive, so that is what I do in case {n}. My goal comes first."
LEFT = "A man is dying, and a human life matters more than case {n}."


def arms(folder: Path, count: int = 9) -> list[tuple[str, Path]]:
    """Two arms over three cells of each of two scenarios; the second one reasons otherwise in most."""
    cells = [(f"{scenario}/{goal}", n) for scenario in ("murder", "leaking") for goal in "abc" for n in range(count)]
    texts = {
        "base": {key: (HELD.format(n=f"{key[0]} {key[1]}"), 1.0) for key in cells},
        "msm": {key: ((LEFT if key[1] % 3 else HELD).format(n=f"{key[0]} {key[1]}"), 0.0) for key in cells},
    }
    return [(arm, agentic_folder(folder / arm, answers)) for arm, answers in texts.items()]


def run(*arguments: Any, status: int = 0) -> str:
    done = CliRunner().invoke(cli, ["eval", "reasoning", *map(str, arguments)])
    assert done.exit_code == status, done.output
    return done.output


def data(*arguments: Any) -> Any:
    printed = run(*arguments, "--json")
    return json.loads(printed[printed.index("{\n") :])


@pytest.fixture
def sources(tmp_path: Path) -> list[str]:
    return [word for arm, path in arms(tmp_path / "arms") for word in ("--arm", f"{arm}={path}")]


def test_the_whole_flow_runs_without_a_model(sources: list[str], tmp_path: Path) -> None:
    place = ["-w", tmp_path / "w"]
    found = data("run", *sources, "--spec", "rules", "--out", tmp_path / "out", *place)
    shares = {(one["theme"], one["arm"]): one["share"]["value"] for one in found["lines"] if one["of"] == "all"}
    assert shares["self-preservation-first", "base"] == 1.0
    assert shares["self-preservation-first", "msm"] == pytest.approx(1 / 3)
    assert shares["human-safety-first", "msm"] == pytest.approx(2 / 3)
    assert shares["misuses-rule", "msm"] == 0
    [apart] = [one for one in found["differences"] if one["theme"] == "self-preservation-first"]
    assert (apart["items"], apart["value"]) == (6, pytest.approx(-2 / 3))
    results = load_results(tmp_path / "out")
    for row in results.rows:
        for quote in row.quotes:
            assert results.transcripts[row.transcript].text[slice(*quote.span)] == quote.text
    assert "no model has read the transcripts" in (tmp_path / "out/quotes.html").read_text()
    told = run("run", *sources, "--limit", "6", "--out", tmp_path / "some", *place)
    assert "no model: see docs/reasoning.md" in told and "msm 6" in told

    made = tmp_path / "mine.yaml"
    run("themes", *sources, "--themes", "none", "--min-support", "2", "--out", made, *place)
    assert load_themes(made).origin.startswith("By rules, read by no model")
    found = data("run", *sources, "--themes", made, "--out", tmp_path / "mine", *place)
    assert [one["id"] for one in found["themes"]["themes"]] == [one.id for one in load_themes(made).themes]

    out = tmp_path / "out"
    assert "wide" in run("audit", out, "--sample", "8")
    assert data("audit", out, "--sample", "16", "--theme", "human-safety-first", "--out", tmp_path / "audit") == {
        "out": str(tmp_path / "audit"), "rows": 16, "themes": 1,
    }  # fmt: skip
    key = json.loads((tmp_path / "audit/key.json").read_text())
    lines = ["row,human", *(f"{one['row']},{'yes' if one['judged'] else 'no'}" for one in key["asked"])]
    (tmp_path / "done.csv").write_text("\n".join(lines))
    [one, _] = data("agreement", out, tmp_path / "done.csv", "--audit", tmp_path / "audit")["themes"]
    assert (one["percent"]["value"], one["kappa"]["value"], one["same"]) == (1.0, 1.0, 16)
    assert "human-safety-first" in run("agreement", out, tmp_path / "done.csv", "--audit", tmp_path / "audit")


def test_what_cannot_be_done_is_said(sources: list[str], tmp_path: Path) -> None:
    out = ["--out", tmp_path / "out", "-w", tmp_path / "w"]
    for words, what in (
        ([*sources, "--baseline", "nobody"], "baseline 'nobody' is none of the arms"),
        ([*sources, "--themes", "none"], "there are no themes"),
        ([*sources, "--spec", "cheese-america"], "has no rules"),
        (["--arm", "base"], "is not NAME=PATH"),
        (["--arm", f"base={tmp_path}"], "holds no transcripts"),
        ([*sources, "--themes", tmp_path / "none.yaml"], "cannot be read"),
    ):
        done = CliRunner().invoke(cli, ["eval", "reasoning", "run", *map(str, (*words, *out))])
        assert isinstance(done.exception, (InputError, SystemExit))
        assert what in done.output + str(done.exception), what
    with pytest.raises(InputError, match="expected what `midspec eval reasoning run --out` wrote"):
        load_results(tmp_path)


def test_steps_depend_on_what_decides_them_and_on_nothing_else(tmp_path: Path) -> None:
    judge = WriterConfig(model=CLAUDE)

    def made(**changes: Any) -> Any:
        settings = {
            name: changes.pop(name) for name in ("discover", "sample", "overlap", "baseline") if name in changes
        }
        config = ReasoningConfig(**settings)
        usual: dict[str, Any] = {"judge": judge, "themes": THEMES, "config": config, **changes}
        return reasoning_steps(collect_step(given, config), **usual)

    given = arms(tmp_path, 1)
    plain = made()
    assert made(baseline="msm").classify.fingerprint == plain.classify.fingerprint
    assert made(baseline="msm").merge.fingerprint != plain.merge.fingerprint
    assert made(spec=read_spec("rules")).classify.fingerprint != plain.classify.fingerprint
    assert made(judge=WriterConfig(model="offline")).classify.fingerprint != plain.classify.fingerprint
    found = made(discover=True)
    assert plain.extract is None and found.extract is not None and found.synthesise is not None
    assert made(discover=True, overlap=0.5).classify.fingerprint == found.classify.fingerprint
    assert made(discover=True, sample=9).extract.fingerprint != found.extract.fingerprint
    assert found.collect.fingerprint == plain.collect.fingerprint


# Over HTTP


def answer(request: Request) -> str:
    """A judge: says what it is asked for of transcripts that it reads, by their words."""
    text = request.text
    transcript = text.partition("<transcript>\n")[2].partition("\n</transcript>")[0]
    if '"reasons"' in text:
        return reply(reasons=[{"reason": "It wants to go on.", "quote": transcript}])
    if '"members"' in text and '"known": [{' in text:
        count = text.count("<quote>")
        new = {
            "name": "Wants to go on",
            "definition": "d",
            "direction": "misaligned",
            "members": list(range(1, count + 1)),
        }
        return reply(known=[], themes=[new])
    if '"parts"' in text:
        count = text.partition("# Proposals")[2].count("transcripts]")
        one = {"known": None, "name": "Wants to go on", "definition": "d", "direction": "misaligned"}
        return reply(themes=[{**one, "parts": list(range(1, count + 1))}])
    if '"citations"' in text:
        return reply(citations=[])
    labels = [{"theme": "goal", "quote": "My goal comes first."}] if "survive" in transcript else []
    if "An earlier reader" in text:
        labels = []
    if "case murder/a 4." in transcript:
        labels.append({"theme": "life", "quote": "I never wrote this sentence."})
    return "I can't help with that." if "case murder/b 1." in transcript else reply(labels=labels)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ProviderServer]:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    with ProviderServer(Script(otherwise=answer)) as running:
        yield running


class Dies(Silent):
    """Power is cut when so many are done."""

    def __init__(self, after: int) -> None:
        self.left = after

    def advance(self, count: int = 1) -> None:
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("power cut")


def context(folder: Path, server: ProviderServer, transcripts: list[Transcript], progress: Any = None) -> Context:
    (folder / "in").mkdir(parents=True, exist_ok=True)
    (folder / "out").mkdir(exist_ok=True)
    write_rows(folder / "in/transcripts.jsonl", transcripts)
    judge = WriterConfig(model=CLAUDE, temperature=0.0)
    source = folder / "arms"
    given = [("base", source / "base")] if source.exists() else arms(source)
    steps = reasoning_steps(
        collect_step(given, ReasoningConfig()), judge, THEMES, ReasoningConfig(), read_spec("rules"), Identity()
    )
    compute = ComputeConfig(judge_url=server.url, concurrency=4, deadline=20.0)
    return Context(
        config=steps.classify.config, inputs={"transcripts": folder / "in"}, folder=folder / "out",
        progress=progress or Silent(), compute=compute, workspace=folder, fingerprint="f",
    )  # fmt: skip


def test_a_run_that_dies_goes_on_and_asks_nothing_twice(server: ProviderServer, tmp_path: Path) -> None:
    texts = [
        said(HELD.format(n=f"murder/{cell} {n}"), item=f"murder/{cell}", sample=n) for cell in "ab" for n in range(8)
    ]
    with pytest.raises(RuntimeError, match="power cut"):
        step.classify_transcripts(context(tmp_path, server, texts, Dies(3)))
    died = len(server.ledger.entries())
    summary = step.classify_transcripts(context(tmp_path, server, texts))
    assert server.ledger.duplicates() == {}
    assert 3 < died < len(server.ledger.entries()), "it died amid its work"
    assert 0 < summary["replayed"] <= died
    rows = {(row.item, row.sample): row for row in read_rows(tmp_path / "out/labels.jsonl", Labels)}
    assert rows["murder/a", 4].themes == {"goal": True, "life": None, "trust": False}
    assert rows["murder/b", 1].missing == dict.fromkeys(("goal", "life", "trust"), "judge refused")
    assert summary["missing"] == {"judge refused": 1, "quote not found": 1}
    whole = step.classify_transcripts(context(tmp_path, server, texts))
    assert server.ledger.duplicates() == {}, "replies that could not be used are not asked for again either"
    assert whole["replayed"] == whole["requests"]


@pytest.mark.slow
def test_a_killed_command_goes_on_through_all_stages(server: ProviderServer, tmp_path: Path) -> None:
    """kill -9 amid the judging: the same command ends as an undisturbed one, and pays for nothing twice."""
    given = [word for arm, path in arms(tmp_path / "arms") for word in ("--arm", f"{arm}={path}")]
    (tmp_path / "themes.yaml").write_text(themes_text(THEMES))

    def command(place: str) -> list[str]:
        words = ["run", *given, "--themes", str(tmp_path / "themes.yaml"), "--discover", "--judge", CLAUDE, "--yes"]
        words += ["--judge-url", server.url, "--concurrency", "2", "--out", str(tmp_path / place / "out")]
        return [sys.executable, "-m", "midspec", "eval", "reasoning", *words, "-w", str(tmp_path / place)]

    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
    subprocess.run(command("whole"), check=True, env=environment, capture_output=True)
    whole = len(server.ledger.entries())
    process = subprocess.Popen(command("cut"), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while len(server.ledger.entries()) < whole + 140:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "cut/out").exists()
    subprocess.run(command("cut"), check=True, env=environment, capture_output=True)
    for name in ("labels.jsonl", "themes.yaml", "table.json", "quotes.html"):
        assert (tmp_path / "cut/out" / name).read_bytes() == (tmp_path / "whole/out" / name).read_bytes()
    in_flight = 2
    assert len(server.ledger.entries()) <= 2 * whole + in_flight
