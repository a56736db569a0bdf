"""Batch jobs on GPUs of one's own, but for Ray (tests/test_ray_writer.py): what a killed run has done is done, and a
request that vLLM refuses costs no other."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from asking import Lines, documents, expected, failures, journaled

from midspec.compute import ComputeConfig
from midspec.errors import InputError, MissingDependencyError, ProviderError, StepError, StoreError
from midspec.llm import batch_ray
from midspec.llm.batch_ray import PACE, RayBatches
from midspec.llm.batch_recover import collect_left_over
from midspec.llm.journal import NAME, Journal
from midspec.llm.prices import load_prices
from midspec.llm.ray_jobs import JobFiles, place
from midspec.llm.ray_writer import Engine, RayWriter
from midspec.stages import WriterConfig
from midspec.steps.step import Context, Spending
from tests.stand_in.model import ledger, stand_in_model

STAND_IN = Path(__file__).parents[2] / "stand_in"


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The stand-in is the module vllm for these tests."""
    monkeypatch.syspath_prepend(str(STAND_IN))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "vllm"]:
        del sys.modules[name]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return stand_in_model(tmp_path / "model", answer="asking:answer", context=400)


def request(user: str, number: int = 0, job: str = "job", **body: Any) -> dict[str, Any]:
    asked = {"model": "m", "messages": [{"role": "user", "content": user}], "max_tokens": 50, **body}
    return {"custom_id": f"{job}-{number}", "body": asked, "seed": 7}


def at(workspace: Path, **compute: Any) -> Context:
    return Context(
        config=None,
        inputs={},
        folder=workspace,
        progress=Lines(),
        compute=ComputeConfig(batch=True, **compute),
        workspace=workspace,
        spending=Spending("cheese", 1.0),
        fingerprint="step-1",
    )


class Machine:
    """Takes the place of the process beside the run: answers in batches, and is killed after so many."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at_once: int = 3, killed_after: int | None = None) -> None:
        self.at_once, self.left = at_once, killed_after
        self.seen: list[dict[str, Any]] = []
        self.stopped = asyncio.Event()
        machine = self

        async def done(batches: RayBatches, jobs: list[str]) -> None:
            await machine.work(batches.url, jobs)

        monkeypatch.setattr(RayBatches, "_done", done)
        monkeypatch.setattr(batch_ray, "PACE", batch_ray.BatchSettings(wait=0.05, tick=0.02, slowest=0.05, settle=0.0))

    async def work(self, url: str, jobs: list[str]) -> None:
        files = JobFiles(url)
        requests = [asked for job in jobs for asked in files.requests(job)]
        self.seen += requests
        engine = Engine(requests[0]["body"]["model"], requests[0]["body"]["engine"])
        for start in range(0, len(requests), self.at_once):
            if self.left == 0:
                self.stopped.set()
                await asyncio.Event().wait()
            files.reply(engine.answer(requests[start : start + self.at_once]))
            self.left = None if self.left is None else self.left - 1


def test_files_of_jobs(tmp_path: Path) -> None:
    files = JobFiles(str(tmp_path / "jobs"))
    assert not files.holds("one") and list(files.replies("one")) == []
    files.add("one", [request("a 🦊", 0, "one"), request("half \ud83e", 1, "one")])
    files.add("two", [request("b", 0, "two")])
    assert files.holds("one")
    assert [asked["body"]["messages"][0]["content"] for asked in files.requests("one")] == ["a 🦊", "half \ud83e"]
    files.reply([{"custom_id": "one-0", "body": "x"}, {"custom_id": "two-0", "body": "y"}])
    files.reply([{"custom_id": "one-0", "body": "again"}, {"custom_id": "one-1", "body": "z"}])
    assert sorted(reply["custom_id"] for reply in files.replies("one")) == ["one-0", "one-1"]
    assert [reply["body"] for reply in files.replies("two")] == ["y"]
    files.remove("one")
    files.remove("one")
    assert not files.holds("one") and files.holds("two")
    with pytest.raises(StoreError, match="cannot be read or written"):
        files.requests("one")
    with pytest.raises(InputError, match="nowhere://"):
        JobFiles("nowhere://bucket")


def test_two_workspaces_in_one_storage_have_jobs_of_their_own(tmp_path: Path) -> None:
    assert place(tmp_path, None) == str(tmp_path / "jobs")
    places = {place(tmp_path / name, "s3://bucket/midspec/") for name in ("a", "b")}
    assert len(places) == 2 and all(one.startswith("s3://bucket/midspec/jobs/") for one in places)


def test_an_engine_answers_as_a_server_would(model: Path) -> None:
    engine = Engine(str(model), {"max_model_len": 30})
    form = {"type": "json_schema", "json_schema": {"name": "f", "schema": {"type": "object"}}}
    asked = [
        request("one", 0, temperature=0.5, top_p=0.9),
        request("two " * 40, 1),
        request("three", 2, max_tokens=3, response_format=form),
    ]
    whole, long, cut = engine.answer(asked)
    assert whole["status"] == 200 and whole["custom_id"] == "job-0"
    choice = whole["body"]["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == (answer_to("one"), "stop")
    assert whole["body"]["usage"]["prompt_tokens"] == 1
    assert whole["body"]["usage"]["completion_tokens"] == -(-len(answer_to("one")) // 4)
    assert long["status"] == 400 and "maximum model length" in long["body"]["error"]["message"]
    assert cut["body"]["choices"][0]["finish_reason"] == "length"
    assert cut["body"]["usage"]["completion_tokens"] == 3
    assert len(ledger(model, "hash")) == 2, "a request was worked on twice because another was refused"
    assert {line["seed"] for line in ledger(model, "hash")} == {7}


def answer_to(user: str) -> str:
    return f"<document>\nAnswer to {user}\n</document>"


def test_settings_reach_vllm_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    from midspec.llm.ray_writer import sampling

    form = {"type": "json_schema", "json_schema": {"name": "f", "schema": {"type": "object"}}}
    told = sampling(request("x", temperature=0.0, top_p=None, stop=["END"], response_format=form))
    assert (told.temperature, told.top_p, told.stop, told.max_tokens, told.seed) == (0.0, 1.0, ["END"], 50, 7)
    assert told.structured_outputs.json == {"type": "object"}
    assert sampling(request("x", max_tokens=None, max_completion_tokens=9)).max_tokens == 9


def test_what_is_missing_is_said(model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"vLLM cannot load '/no/model'.*args"):
        Engine("/no/model", {}).load()
    with pytest.raises(InputError, match="no_such_setting"):
        Engine(str(model), {"no_such_setting": 1}).load()
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(MissingDependencyError, match="pip install vllm"):
        Engine(str(model), {}).load()
    monkeypatch.setattr(batch_ray, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"midspec\[scale\]"):
        RayBatches(str(tmp_path))


@pytest.mark.parametrize(("gpus", "told"), [([], "have 0;"), ([1, 2], "have 0, 1, 2;")])
def test_a_cluster_without_room_for_the_model_is_refused(tmp_path: Path, gpus: list[int], told: str) -> None:
    """Ray would wait for ever."""
    nodes = [{"Alive": True, "Resources": {"CPU": 2.0}}, *({"Alive": True, "Resources": {"GPU": n}} for n in gpus)]
    ray = SimpleNamespace(available_resources=lambda: {"GPU": 3.0}, nodes=lambda: nodes)
    files = JobFiles(str(tmp_path))
    files.add("job", [request("x", engine={"tensor_parallel_size": 3})])
    with pytest.raises(InputError, match=f"need 3 GPUs on one machine, and the machines of the Ray cluster {told}"):
        RayWriter(ray, files).work(["job"])


def test_a_killed_run_keeps_what_it_did_and_the_next_asks_for_the_rest(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, context = f"vllm/{model}", at(tmp_path)
    config = {"args": {"tensor_parallel_size": 2}, "temperature": 0.7}

    async def killed() -> None:
        machine = Machine(monkeypatch, killed_after=4)
        task = asyncio.create_task(documents(context, name, 20, config=config))
        await machine.stopped.wait()
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(killed())
    assert len(ledger(model, "hash")) == 12
    assert any("batch jobs, which end here" in line for line in context.progress.lines)

    machine = Machine(monkeypatch)
    texts, _, errors = asyncio.run(documents(context, name, 20, config=config))
    assert texts == expected(20) and errors == []
    assert len(machine.seen) == 8, "requests were asked again whose replies were there"
    assert len(ledger(model, "hash")) == 20 and len({line["hash"] for line in ledger(model, "hash")}) == 20
    assert machine.seen[0]["body"]["engine"] == {"tensor_parallel_size": 2}
    assert machine.seen[0]["body"]["temperature"] == 0.7
    assert len({asked["seed"] for asked in machine.seen}) == 8, "requests share a seed"
    assert list((tmp_path / "jobs").iterdir()) == [], "jobs whose replies are in the journal still lie about"
    journal = Journal(tmp_path / NAME)
    rows = journal.read("SELECT price, input_tokens, output_tokens, batch FROM replies")
    assert len(rows) == 20 and journal.spent("cheese") == 0.0
    assert all(price == 0.0 and read > 0 and wrote > 0 and job for price, read, wrote, job in rows)
    journal.close()
    assert failures(tmp_path) == {}


def test_recovering_a_journal_collects_and_writes_nothing_new(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def killed() -> None:
        machine = Machine(monkeypatch, killed_after=2)
        task = asyncio.create_task(documents(at(tmp_path), f"vllm/{model}", 9))
        await machine.stopped.wait()
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(killed())
    journal = Journal(tmp_path / NAME)
    (found,) = asyncio.run(collect_left_over(journal, load_prices(), settings=PACE))
    journal.close()
    assert (found.provider, found.collected, found.open, found.note) == ("vllm", 1, 0, "")
    assert len(journaled(tmp_path)) == 6 == len(ledger(model, "hash"))


def test_a_prompt_that_is_too_long_ends_the_run_with_vllms_words(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Machine(monkeypatch)
    with pytest.raises(ProviderError, match="longer than the maximum model length of 400"):
        asyncio.run(documents(at(tmp_path), f"vllm/{model}", 3, system="word " * 500))


def test_an_address_and_batch_jobs_contradict_each_other(model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="take `batch` or the address"):
        asyncio.run(documents(at(tmp_path, writer_url="http://127.0.0.1:1/v1"), f"vllm/{model}", 1))


def test_a_process_that_dies_or_fails_ends_the_run_in_its_words(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sys.executable
    for script, error, words in (
        ("import sys; sys.exit('no more memory')", StepError, "status 1.*no more memory"),
        ('input(); print(\'{"error": "InputError", "message": "no GPU"}\')', InputError, "no GPU .*vllm.log has the"),
    ):
        program = tmp_path / "python"
        program.write_text(f"#!/bin/sh\nexec {real} -c \"$(cat <<'END'\n{script}\nEND\n)\"\n")
        program.chmod(0o755)
        monkeypatch.setattr(batch_ray.sys, "executable", str(program))
        with pytest.raises(error, match=f"(?s){words}"):
            asyncio.run(documents(at(tmp_path), f"vllm/{model}", 2))


def test_the_model_is_asked_by_its_own_name() -> None:
    for name in ("vllm/Qwen/Qwen3-8B", "vllm//models/mine"):
        config = WriterConfig(model=name, args={"tensor_parallel_size": 4})
        assert batch_ray.as_asked(config) == WriterConfig(model=f"openai-api/{name}")
