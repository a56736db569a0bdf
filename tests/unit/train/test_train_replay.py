"""General text between the documents: as much as asked for to the token, the same every time, on top of the rest."""

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from train_doubles import document, midtrain_context, small, write_corpus

from midspec.corpus.given import given_neutral_step
from midspec.errors import InputError
from midspec.records import Document
from midspec.steps.progress import Progress, Silent
from midspec.train.config import MidtrainStepConfig, Replay, ReplayedMidtrainStepConfig, midtrain_step
from midspec.train.data import Replayed, TrainingData, midtraining_data
from midspec.train.match import matched
from midspec.train.models import resolve
from midspec.train.step import midtrain

OWN = [document(number) for number in range(30)]
GENERAL = [document(number).model_copy(update={"id": f"general-{number:04}"}) for number in range(1000, 1060)]


def packed(tokenizer: Any, share: float | None = 0.25, seed: int = 0, general: Any = GENERAL, **train: Any) -> Any:
    replay = None if share is None else Replayed(general, share)
    return midtraining_data(OWN, tokenizer, small(**{"tokens": 600, **train}), seed, replay=replay)


def pieces(data: TrainingData, epoch: int = 0) -> Iterator[tuple[str, list[int]]]:
    """(id, tokens) of one epoch in training order; documents that go on in the next sequence are joined again."""
    start, end = epoch * data.tokens_per_epoch, (epoch + 1) * data.tokens_per_epoch
    found: list[tuple[str, list[int]]] = []
    place = 0
    for row, ids, used in zip(data.packed.rows, data.packed.ids, data.packed.used.tolist(), strict=True):
        starts = [at for at, position in enumerate(row.position_ids.tolist()) if position == 0][: len(ids)]
        for name, first, last in zip(ids, starts, [*starts[1:], used], strict=True):
            if start <= place < end:
                tokens = row.input_ids[first:last].tolist()
                if found and found[-1][0] == name:
                    found[-1][1].extend(tokens)
                else:
                    found.append((name, tokens))
            place += last - first
    return iter(found)


def split(data: TrainingData) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Id -> tokens of the corpus's own documents, and of replayed ones."""
    found = list(pieces(data))
    assert len({name for name, _ in found}) == len(found), "drawn twice"
    own = {name: tokens for name, tokens in found if name.startswith("doc-")}
    return own, {name: tokens for name, tokens in found if name.startswith("general-")}


@pytest.mark.parametrize(("share", "wanted"), [(0.5, 600), (0.25, 200), (0.1, 67), (0.001, 1)])
def test_the_share_is_exact_and_comes_on_top(tokenizer: Any, share: float, wanted: int) -> None:
    # Guards: a share that whole documents round, or that takes tokens from the corpus.
    data = packed(tokenizer, share)
    own, replayed = split(data)
    assert sum(map(len, own.values())) == 600 and sum(map(len, replayed.values())) == wanted
    assert data.replayed_tokens == wanted and data.tokens_per_epoch == data.packed.tokens == 600 + wanted
    assert own == dict(pieces(packed(tokenizer, None))), "the same documents, cut at the same token"


def test_documents_of_both_stand_among_each_other(tokenizer: Any) -> None:
    # Guards: all general text after all documents, where it protects nothing.
    general = [name.startswith("general-") for name, _ in pieces(packed(tokenizer, 0.5))]
    changes = sum(one != other for one, other in pairwise(general))
    assert changes > len(general) / 4 and any(general[: len(general) // 3]) and not all(general[-len(general) // 3 :])


def test_the_order_depends_on_the_seed_and_not_on_the_file(tokenizer: Any) -> None:
    # Guards: a run that is resumed on other data than it began with.
    first, again, other = (
        list(pieces(packed(tokenizer, seed=seed, general=general)))
        for seed, general in ((0, GENERAL), (0, GENERAL[::-1]), (1, GENERAL))
    )
    assert first == again != other
    assert {name for name, _ in first} != {name for name, _ in other}


def test_a_smaller_dose_replays_the_first_part_of_the_same_text(tokenizer: Any) -> None:
    large, small_dose = (split(packed(tokenizer, 0.5, tokens=tokens))[1] for tokens in (600, 300))
    assert set(small_dose) < set(large) and sum(map(len, small_dose.values())) == 300


def test_later_epochs_have_the_same_text_in_another_order(tokenizer: Any) -> None:
    data = packed(tokenizer, epochs=2)
    one, two = (list(pieces(data, epoch)) for epoch in (0, 1))
    assert data.replayed_tokens == 400 and data.packed.tokens == 1600 and sorted(one) == sorted(two) and one != two


def test_too_small_a_file_is_refused_with_what_would_do(tokenizer: Any) -> None:
    # Guards: a share that is quietly smaller than the report says, or general text repeated.
    have = midtraining_data(GENERAL[:4], tokenizer, small(), 0).tokens_per_epoch
    with pytest.raises(InputError, match=rf"holds {have:,} tokens, and 600 are needed for share 0\.5") as error:
        packed(tokenizer, 0.5, general=GENERAL[:4])
    most = float(str(error.value).rpartition(" ")[2])
    assert packed(tokenizer, most, general=GENERAL[:4]).replayed_tokens <= have
    with pytest.raises(InputError, match="not one token"):
        packed(tokenizer, 0.0001)


def config(corpus: Path, share: float | None) -> tuple[Any, ...]:
    """Config class, fields, inputs and fingerprint of a midtraining with and without replay."""
    source = given_neutral_step("corpus", str(corpus))
    replay = None if share is None else Replay(given_neutral_step("replay", "neutral"), share)
    step = midtrain_step("a", resolve("tiny-random"), small(), 0, source, replay=replay)
    return type(step.config), sorted(step.plain_config), sorted(step.inputs), step.fingerprint


def test_without_replay_a_step_is_what_it_was(tmp_path: Path) -> None:
    # Guards: a setting nobody uses that makes everybody train again.
    corpus = write_corpus(tmp_path, 3) / "documents.jsonl"
    plain, half, most = (config(corpus, share) for share in (None, 0.5, 0.75))
    assert plain[:3] == (MidtrainStepConfig, ["model", "seed", "train"], ["corpus"])
    assert half[:3] == (ReplayedMidtrainStepConfig, ["model", "seed", "share", "train"], ["corpus", "replay"])
    assert len({plain[3], half[3], most[3]}) == 3


class Interrupted(Silent):
    """Ctrl-C after the fifth update."""

    seen = 0

    def advance(self, count: int = 1) -> None:
        self.seen += 1
        if self.seen == 5:
            raise KeyboardInterrupt


def run(folder: Path, corpus: Path, replay: Path, progress: Progress | None = None) -> dict[str, Any]:
    context = midtrain_context(folder, corpus, small(tokens=300, sequence_length=16), progress=progress)
    replayed = ReplayedMidtrainStepConfig(**dict(context.config), share=0.4)
    inputs = {**context.inputs, "replay": replay}
    return midtrain(replace(context, config=replayed, inputs=inputs))


def test_a_step_trains_on_both_says_so_and_goes_on_to_the_bit(tmp_path: Path) -> None:
    corpus, replay = write_corpus(tmp_path / "corpus"), write_general(tmp_path / "replay")
    summary = run(tmp_path / "one", corpus, replay)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "two", corpus, replay, Interrupted())
    again = run(tmp_path / "two", corpus, replay)
    assert (summary["tokens"], summary["replayed_tokens"]) == (500, 200)
    assert summary["sha256"] == again["sha256"]
    lines = (tmp_path / "one" / "order.jsonl").read_text().splitlines()
    seen = {name for line in lines for name in json.loads(line)["ids"]}
    assert {name.partition("-")[0] for name in seen} == {"doc", "general"}


def test_a_matched_midtraining_keeps_its_share(tmp_path: Path) -> None:
    (tmp_path / "match.json").write_text('{"tokens": 120}')
    step = ReplayedMidtrainStepConfig(model=resolve("tiny-random"), train=small(), seed=0, share=0.5)
    cut = step.model_copy(update={"train": matched(step.train, tmp_path)})
    assert isinstance(cut, ReplayedMidtrainStepConfig) and (cut.train.tokens, cut.share) == (120, 0.5)


def write_general(folder: Path, documents: list[Document] = GENERAL) -> Path:
    folder.mkdir()
    text = "".join(one.model_dump_json() + "\n" for one in documents)
    (folder / "documents.jsonl").write_text(text, encoding="utf-8")
    return folder
