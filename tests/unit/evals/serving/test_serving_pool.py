"""Steps that follow each other share one server, and each is asked of the weights it means."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from inspect_ai.model import ChatMessageUser, ContentReasoning, GenerateConfig, Model

from midspec.errors import InputError
from midspec.evals.serving import pool
from midspec.evals.serving.adapters import read_adapter
from midspec.evals.serving.endpoint import Endpoint, adapter_name, base_name
from midspec.evals.serving.pool import served
from midspec.evals.serving.process import free_port, running
from midspec.evals.serving.vllm import arguments
from midspec.train.models import resolve, thinking
from tests.unit.evals.serving.conftest import STAND_IN, gone

pytestmark = pytest.mark.usefixtures("tiny_cache")
REF = resolve("tiny-random")


def asked(model: Model, **settings: Any) -> Any:
    """(body that the server got, message that came back)"""
    output = anyio.run(model.generate, [ChatMessageUser(content="Hi")], [], "none", GenerateConfig(**settings))
    return json.loads(output.completion.strip()), output.choices[0].message


def test_all_arms_are_asked_of_one_server(servers: Any, adapter: Any, record: Any) -> None:
    one, two = adapter("one", b"1"), adapter("two", b"2", r=8)
    names = [asked(served(REF, at, "vllm"))[0]["model"] for at in (None, one / "checkpoint", two / "checkpoint", None)]
    assert names == ["tiny-random", read_adapter(one).name, read_adapter(two).name, "tiny-random"]
    [started] = record()
    assert "secret" not in json.dumps(started) and started["rank"] == 64


def test_a_larger_rank_and_another_base_take_its_place(servers: Any, adapter: Any, record: Any, tmp_path: Path) -> None:
    whole = tmp_path / "whole" / "checkpoint"
    whole.mkdir(parents=True)
    (whole / "model.safetensors").write_bytes(b"all of them")
    served(REF, None, "vllm")
    served(REF, adapter("large", r=128) / "checkpoint", "vllm")
    served(REF, adapter("small", b"s", r=16) / "checkpoint", "vllm")
    body, _ = asked(served(REF, whole, "vllm"))
    first, second, third = record()
    assert (first["rank"], second["rank"]) == (64, 128)
    assert third["model"] == str(whole) and body["model"].startswith("tiny-random-") and body["model"] != "tiny-random"
    assert gone(first["pid"]) and gone(second["pid"])
    servers.close()
    assert gone(third["pid"])


def test_a_server_that_died_is_started_again(servers: Any, record: Any) -> None:
    served(REF, None, "vllm")
    os.kill(record()[0]["pid"], signal.SIGKILL)
    assert gone(record()[0]["pid"])
    servers._running.process.wait(10)
    assert asked(served(REF, None, "vllm"))[0]["model"] == "tiny-random"
    assert len(record()) == 2 and gone(record()[0]["engine"])


def test_a_server_at_an_address_is_searched_for_the_weights(
    tmp_path: Path, adapter: Any, record: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = read_adapter(adapter("known", b"k"), "their own label")
    port = free_port()
    endpoint = Endpoint(f"http://127.0.0.1:{port}/v1", "secret")
    monkeypatch.setenv(pool.KEY_VARIABLE, "secret")
    command = arguments(Path("/m"), REF.name, [known], port, executable=STAND_IN)
    with running(command, endpoint, tmp_path / "log", environment={"VLLM_API_KEY": "secret"}):
        body, _ = asked(served(REF, known.folder, endpoint.url + "/"))
        assert body["model"] == known.name
        with pytest.raises(InputError, match=r"does not serve 'other', but tiny-random, their-own-label-\w{12}; start"):
            base_name(endpoint, "other")
        # This one was started without leave to load adapters.
        with pytest.raises(InputError, match=r"does not serve the adapter new-\w+ and does not take it .* answers 404"):
            adapter_name(endpoint, read_adapter(adapter("new", b"n")))


def test_the_prompt_is_made_as_in_training_and_settings_arrive(servers: Any) -> None:
    body, message = asked(served(REF, None, "vllm"), temperature=0.7, max_tokens=2048, top_p=0.9)
    assert body["messages"] == [{"role": "user", "content": "Hi"}]
    assert body["chat_template_kwargs"] == {"enable_thinking": False, "date_string": "26 Jul 2024"}
    assert (body["temperature"], body["max_tokens"], body["top_p"]) == (0.7, 2048, 0.9)
    assert isinstance(message.content, str)


def test_a_model_that_thinks_is_told_to_and_its_thinking_is_told_apart(servers: Any) -> None:
    body, message = asked(served(thinking(REF), None, "vllm"))
    assert body["chat_template_kwargs"]["enable_thinking"] is True
    [thought] = [part for part in message.content if isinstance(part, ContentReasoning)]
    assert thought.reasoning.strip() == "I think."


@pytest.mark.parametrize("form", ["parsed", "raw"])
def test_the_agentic_evaluation_of_a_served_model(servers: Any, tmp_path: Path, form: Any) -> None:
    """Thinking on, parsed or raw: what the recipe says is what is stored, and so what a grader sees."""
    from midspec.evals.agentic.config import from_preset
    from midspec.evals.agentic.sampling import agentic_task
    from midspec.evals.agentic.stored import Journal
    from midspec.evals.inspect_run import run_task
    from midspec.experiment import ComputeConfig
    from midspec.steps.progress import Silent
    from midspec.steps.step import Context

    config = from_preset("paper-like", "tiny-random", scenarios=["leaking"], goals=["none"], samples=2, thinking=form)
    context = Context(config=config, inputs={}, folder=tmp_path, progress=Silent(), compute=ComputeConfig())
    task = agentic_task(config, journal=tmp_path / "journal")
    run_task(task, served(thinking(REF), None, "vllm"), context, name="agentic", seed=None, score=False)
    stored = list(Journal(tmp_path / "journal").known.values())
    assert [row.sample for row in sorted(stored, key=lambda row: row.sample)] == [0, 1]
    for row in stored:
        body = json.loads(row.answer.partition("</think>")[2] if form == "raw" else row.answer)
        assert (body["temperature"], body["max_tokens"]) == (config.temperature, config.max_tokens)
        assert (row.thinking.strip() == "I think.") == (form == "parsed")
        assert row.answer.startswith("<think>") == (form == "raw")


def test_the_models_own_chat_template_is_left_alone_and_ours_is_handed_over(tmp_path: Path, tiny_folder: Path) -> None:
    assert pool.template_file(REF, tiny_folder, tmp_path / "t.jinja") is None
    path = pool.template_file(resolve("tiny-random", "chatml"), tiny_folder, tmp_path / "new" / "t.jinja")
    assert path is not None and "eos_token" in path.read_text()


@pytest.mark.slow
def test_a_served_adapter_answers_as_the_local_one_does(
    servers: Any, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real weights: the folder that a training step leaves, on a server and in this process, greedy in float32."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from midspec.evals.provider import MidspecAPI

    model: Any = get_peft_model(
        AutoModelForCausalLM.from_pretrained(tiny_folder, dtype=torch.float32),
        LoraConfig(r=4, target_modules=["q_proj", "v_proj", "o_proj", "up_proj", "down_proj"], task_type="CAUSAL_LM"),
    )
    torch.manual_seed(1)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=3.0)
    checkpoint = tmp_path / "arm" / "checkpoint"
    model.save_pretrained(checkpoint)
    monkeypatch.setenv("STAND_IN_REAL", "1")
    monkeypatch.setattr(servers, "executable", (sys.executable, STAND_IN[1]))
    settings = GenerateConfig(max_tokens=12, temperature=0.0)
    chats = [[ChatMessageUser(content=text)] for text in ("Hello there", "A longer question, about cheese?")]

    def local(folder: Path | None) -> list[str]:
        api = MidspecAPI(
            "tiny-random", ref=REF.model_dump(), checkpoint=str(folder) if folder else None, device="cpu",
            precision="fp32",
        )  # fmt: skip
        return [answer.text for answer in anyio.run(api.answers, chats, settings)]

    def remote(folder: Path | None) -> list[str]:
        asking = served(REF, folder, "vllm")
        return [anyio.run(asking.generate, chat, [], "none", settings).completion.strip() for chat in chats]

    assert remote(checkpoint) == local(checkpoint)
    assert remote(None) == local(None) != local(checkpoint)
    assert all(local(checkpoint))
