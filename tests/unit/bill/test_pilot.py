"""A pilot writes a little of everything that the recipe writes, and nothing in full."""

from pathlib import Path

import yaml

from midspec.aft.step import AftStepConfig
from midspec.bill.pilot import pilot_of
from midspec.corpus.step import CorpusStepConfig
from midspec.pipeline import build
from midspec.recipe import load_recipe


def test_corpora_and_sets_of_all_kinds_are_small(tmp_path: Path) -> None:
    """Guards: one corpus with a size of its own, or a second set, that is paid for in full before the bill is known."""
    recipe = {
        "name": "x",
        "model": "tiny-random",
        "specs": {"a": "cheese-america"},
        "corpus": {"documents": 4000},
        "corpora": {
            "more": {"spec": "a", "seed": 1, "documents": 9000},
            "long": {"spec": "a", "seed": 2, "tokens": 8_000_000},
            "few": {"spec": "a", "documents": 3},
        },
        "aft": {"kind": "chat", "spec": "a", "samples": 900, "bad": {}, "dose": {"mix": {"bad": 0.5}}},
        "grid": [{"msm": ["a", "more", "long", "few"], "aft": ["bad", "dose"]}],
        "evals": ["opinions/america"],
    }
    file = tmp_path / "r.yaml"
    file.write_text(yaml.safe_dump(recipe))
    small = build(pilot_of(load_recipe(file).with_controls(), 20))
    written = {step.name: step.config for step in small.steps if step.kind == "corpus"}
    sizes = {
        name: (one.corpus.documents, one.corpus.tokens)
        for name, one in written.items()
        if isinstance(one, CorpusStepConfig)
    }
    # Controls write as many as the corpus beside them has, whatever they say themselves.
    assert {name: size for name, size in sizes.items() if name not in ("neutral", "a-paraphrase")} == {
        "a": (20, None), "more": (20, None), "long": (20, None), "few": (3, None)
    }  # fmt: skip
    assert all(len(step.inputs) == 1 for step in small.steps if step.name in ("neutral", "a-paraphrase"))
    sets = [step.config.aft.samples for step in small.steps if isinstance(step.config, AftStepConfig)]
    assert sets == [20]
