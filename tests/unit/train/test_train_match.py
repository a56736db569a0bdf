"""Matched arms see exactly as many tokens as the smallest corpus has, counted by their own tokenizer."""

from pathlib import Path

from train_doubles import document, small, write_corpus

from midspec.experiment import ComputeConfig
from midspec.records import write_rows
from midspec.steps.progress import Silent
from midspec.steps.step import Context
from midspec.train.config import MatchStepConfig
from midspec.train.data import midtraining_data
from midspec.train.load import load_tokenizer
from midspec.train.match import matched, run
from midspec.train.models import ensure, resolve


def test_every_corpus_gives_what_the_smallest_has(tmp_path: Path) -> None:
    model = resolve("tiny-random")
    folders = {"corpus/large": write_corpus(tmp_path / "large", 30), "corpus/small": tmp_path / "small"}
    folders["corpus/small"].mkdir()
    documents = {"large": [document(n) for n in range(30)], "small": [document(n, words=40) for n in range(5)]}
    write_rows(tmp_path / "small" / "documents.jsonl", documents["small"])
    out = tmp_path / "out"
    out.mkdir()
    context = Context(
        config=MatchStepConfig(model=model), inputs=folders, folder=out, progress=Silent(), compute=ComputeConfig()
    )
    summary = run(context)
    assert summary["smallest"] == "small" and summary["corpora"]["large"] > summary["matched_tokens"]

    train = matched(small(), out)
    assert train == small(tokens=summary["matched_tokens"]) and matched(train, None) is train
    tokenizer = load_tokenizer(model, ensure(model))
    for seed in (0, 1):
        trained = {name: midtraining_data(rows, tokenizer, train, seed) for name, rows in documents.items()}
        assert {data.tokens_per_epoch for data in trained.values()} == {summary["matched_tokens"]}
        assert not any(data.warnings for data in trained.values())
        assert len({len(data.packed) for data in trained.values()}) == 1, "as many sequences, so as many updates"
