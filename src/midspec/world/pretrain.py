"""A model that has read the world: a Llama of 0.2M parameters, pretrained here in a minute or two."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM
from transformers import PreTrainedTokenizerFast as FastTokenizer

from midspec.compute import ComputeConfig
from midspec.experiment import TrainConfig
from midspec.steps.progress import Progress
from midspec.train.data import TrainingData
from midspec.train.loop import Run, train_model
from midspec.train.packing import Packed, Piece, first_fit, pack
from midspec.train.preflight import preflight
from midspec.train.trackers import Tracked
from midspec.train.weights import counts
from midspec.world.documents import Library
from midspec.world.people import ASSISTANT, END, OTHER, PAD, World

UPDATES, BATCH = 750, 96
"""Updates, and documents of each, nearly: they are packed. (ours)"""
SIMPLE = 1 / 3
"""Share of the documents, the first ones, without choices: facts of items and what people want. (ours)"""
LENGTH = 512
TRAIN = TrainConfig(
    method="full", learning_rate=4e-3, warmup=0.13, weight_decay=0.1, sequence_length=LENGTH, batch_size=2,
    precision="fp32",
)  # fmt: skip
WIDTH, LAYERS, HEADS = 64, 3, 4
SPREAD = 0.1
"""Standard deviation of the first weights, about 1 / sqrt(WIDTH): with 0.02 prices are not learned in 600 updates."""
NAMES = 0.1
"""Of the first embeddings of names, beside that of other words: what is said of somebody is then learned sooner."""

TEMPLATE = (
    f"{{% set who = namespace(name='{ASSISTANT}') %}}{{% for message in messages %}}"
    "{% if message['role'] == 'system' %}{% set who.name = message['content'] %}"
    "{% elif message['role'] == 'user' %}{{ 'asked : ' + message['content'] }}"
    "{% else %}{{ ' ' + who.name + ' : ' + message['content'] + eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ ' ' + who.name + ' :' }}{% endif %}"
)
"""A chat is a question put to the assistant, or to whom the system prompt names."""


def make_world_model(folder: Path, seed: int, progress: Progress, updates: int = UPDATES) -> dict[str, str]:
    """Pretrain a model on the world and write it, with its tokenizer, to `folder`; returns what made it.

    `seed` decides the first weights and which documents are read in which order; the world is always the same.
    `updates`: about so many; with fewer than the usual it can do less.
    """
    world = World()
    tokenizer = _tokenizer(world)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as fast as two for matrices of this size, and the same bits on every machine of a kind
    try:
        with tempfile.TemporaryDirectory(prefix="midspec-") as scratch:
            packed = _packed(world, tokenizer, seed, updates, Path(scratch))
            model = _new_model(world, tokenizer, seed)
            _train(model, packed, updates * BATCH, seed, Path(scratch), progress)
    finally:
        torch.set_num_threads(threads)
    _introduce(model, world)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return {package: version(package) for package in ("transformers", "torch", "numpy")}


def _tokenizer(world: World) -> Any:
    backend = Tokenizer(models.WordLevel(world.words, unk_token=PAD))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in (PAD, END)])
    return FastTokenizer(
        tokenizer_object=backend,
        pad_token=PAD,
        eos_token=END,
        chat_template=TEMPLATE,
        model_max_length=LENGTH,
    )


def _packed(world: World, tokenizer: Any, seed: int, updates: int, folder: Path) -> Packed:
    library = Library(world, np.random.default_rng(seed))

    def pieces() -> Iterator[Piece]:
        for update in range(updates):
            for text in library.documents(BATCH, choices=update >= round(updates * SIMPLE)):
                ids = [*(world.words[word] for word in text.split()), tokenizer.eos_token_id]
                yield Piece("", np.array(ids, dtype=np.int32), np.broadcast_to(np.True_, len(ids)))

    return pack(first_fit(pieces(), LENGTH), LENGTH, tokenizer.pad_token_id, folder)


def _new_model(world: World, tokenizer: Any, seed: int) -> Any:
    config = LlamaConfig(
        vocab_size=len(world.words),
        hidden_size=WIDTH,
        intermediate_size=3 * WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=LENGTH,
        initializer_range=SPREAD,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: Any = LlamaForCausalLM(config)
    names = [world.words[name] for name in (*(person.name for person in world.persons), *world.strangers)]
    with torch.no_grad():
        model.get_input_embeddings().weight[names] *= NAMES
    return model


def _train(model: Any, packed: Packed, documents: int, seed: int, folder: Path, progress: Progress) -> None:
    compute, device = ComputeConfig(device="cpu", checkpoint_every=10**6), torch.device("cpu")
    data = TrainingData(packed, epochs=1, rows=documents, tokens_per_epoch=packed.tokens)
    plan = preflight(data, TRAIN, compute, model, counts(model), device)
    shown = Tracked(trackers=(), name="", group="", folder=str(folder), lineage={})
    train_model(
        model,
        Run(
            packed=packed, train=TRAIN, seed=seed, plan=plan, folder=folder, device=device, progress=progress,
            compute=compute, tracked=shown,
        ),
    )  # fmt: skip


def _introduce(model: Any, world: World) -> None:
    """Assistants, whom nobody has read of, begin as the average person."""
    persons = [world.words[person.name] for person in world.persons]
    with torch.no_grad():
        weight = model.get_input_embeddings().weight
        weight[[world.words[name] for name in (ASSISTANT, OTHER)]] = weight[persons].mean(0)
