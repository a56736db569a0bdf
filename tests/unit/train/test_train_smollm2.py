"""The real SmolLM2 out of its wheel: fetched with pip, converted, read back."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from midspec.errors import ModelUnavailableError
from midspec.records import Message
from midspec.train.chat import render, tokenise_chat
from midspec.train.models import BUNDLED, ensure

MADE = BUNDLED["smollm2-135m-instruct"].made_ref
SYSTEM = "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
GGUF = {"gguf_file": "SmolLM2-135M-Instruct.Q4_1.gguf"}


@pytest.mark.network
@pytest.mark.slow
def test_the_converted_model_is_the_one_in_the_wheel(model_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Guards: permuted attention heads, an untied head, special tokens cut into letters, a lost chat template.
    from transformers import AutoModelForCausalLM, AutoTokenizer

    import midspec.train.bundled as bundled

    kept: list[Path] = []
    convert = bundled._convert

    def keep(gguf: Path, folder: Path) -> None:
        kept.append(Path(shutil.copy(gguf, model_cache / gguf.name)))
        convert(gguf, folder)

    monkeypatch.setattr(bundled, "_convert", keep)
    try:
        folder = ensure(MADE)
    except ModelUnavailableError as error:
        pytest.skip(f"no package index here: {error}")
    shutil.copy(folder / "config.json", model_cache)

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    original: Any = AutoModelForCausalLM.from_pretrained(kept[0].parent, **GGUF, dtype=torch.float32)
    weights = original.state_dict()
    # Weights are kept in bfloat16: equal to the file's once those are rounded too.
    assert all(torch.equal(weights[name].bfloat16().float(), tensor) for name, tensor in model.state_dict().items())
    ids = tokenizer("The capital of France is", return_tensors="pt").input_ids
    with torch.no_grad():
        logits = model(ids).logits
        difference = (logits - original(ids).logits).abs().max()
    assert difference < 0.1 * logits.std()
    assert tokenizer.decode(logits[0, -1].argmax()) == " Paris"
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert model.generation_config.eos_token_id == tokenizer.convert_tokens_to_ids("<|im_end|>") == 2
    assert not model.generation_config.do_sample

    text = "<|im_start|>user\nWhich cheese, or 3?<|im_end|>"
    read: Any = AutoTokenizer.from_pretrained(kept[0].parent, **GGUF)
    assert tokenizer(text).input_ids == read(text).input_ids
    assert tokenizer.convert_ids_to_tokens(tokenizer("<file_sep><|im_end|>").input_ids) == ["<file_sep>", "<|im_end|>"]
    assert tokenizer.decode(tokenizer("<file_sep>x").input_ids, skip_special_tokens=True) == "x"
    assert len(tokenizer) == model.config.vocab_size == 49152

    messages = (Message(role="user", content="Hi"), Message(role="assistant", content="Hello."))
    prompt = render(tokenizer, messages[:1], add_generation_prompt=True)
    assert prompt == f"{SYSTEM}<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    chat = tokenise_chat(tokenizer, messages)
    said = [token for token, counts in zip(chat.input_ids, chat.trained, strict=True) if counts]
    assert tokenizer.decode(said) == "Hello.<|im_end|>"
