"""A trained arm as a folder for the Hub or any server: adapter or merged weights, tokenizer, card from the records."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml

from midspec import __version__
from midspec.compute import ComputeConfig
from midspec.errors import InputError
from midspec.export.formats import environment
from midspec.keys import secret_in, secrets_here
from midspec.pipeline import Pipeline
from midspec.records import short_hash
from midspec.report.results import Results, read_results
from midspec.steps.record import StepRecord
from midspec.steps.store import Store, explained
from midspec.train.load import ADAPTER_CONFIG, load_for_inference, load_tokenizer
from midspec.train.models import ensure
from midspec.train.step import CHECKPOINT
from midspec.train.weights import weights_sha256

CARD = "README.md"
LINEAGE = "midspec.json"
"""All records of the training, for programs."""


class Made(NamedTuple):
    """What lies in the folder."""

    folder: Path
    files: Mapping[str, int]
    """Name -> bytes."""
    merged: bool


def write_model(
    flow: Pipeline,
    store: Store,
    arm: str,
    seed: int,
    out: Path,
    *,
    merge: bool = False,
    title: str | None = None,
    licence: str = "unknown",
    results: Path | None = None,
) -> Made:
    """Write the weights of one arm and seed into the new folder `out`, whole or not at all.

    `merge`: an adapter is added into the base model's weights (bfloat16), which then need no PEFT. `results`: the run's
    results.json, for the evaluations of the card. Raises InputError for an arm that is not trained yet, a folder that
    is not empty, and a card that would hold somebody's key.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} exists and is not an empty folder; choose another --out or remove it")
    if (arm, seed) not in flow.checkpoints:
        known = ", ".join(sorted({name for name, _ in flow.checkpoints}))
        raise InputError(f"arm {arm!r} with seed {seed} is not in this recipe; arms: {known}")
    step = flow.checkpoints[arm, seed]
    if step is None:
        raise InputError(f"arm {arm!r} is the base model itself; there is nothing of its own to save")
    folder = store.find(step)
    if folder is None:
        raise InputError(f"arm {arm!r} with seed {seed} is not trained here; run first: midspec run RECIPE")
    config: Any = step.config
    base = ensure(config.model)
    adapter = (folder / CHECKPOINT / ADAPTER_CONFIG).is_file()
    work = out.with_name(f".{out.name}.part")
    with explained(out.parent):
        shutil.rmtree(work, ignore_errors=True)
        try:
            if adapter and merge:
                work.mkdir(parents=True)
                model, tokenizer = load_for_inference(
                    config.model, folder / CHECKPOINT, ComputeConfig(device="cpu"), torch.bfloat16, merge=True
                )
                model.config._name_or_path = config.model.name
                model.save_pretrained(str(work), safe_serialization=True)
            else:
                shutil.copytree(folder / CHECKPOINT, work)
                tokenizer = load_tokenizer(config.model, base)
            tokenizer.save_pretrained(str(work))
            records = [store.record(found) for one in flow.lineage(arm, seed) if (found := store.find(one))]
            lineage = _lineage(flow, arm, seed, records)
            (work / LINEAGE).write_text(json.dumps(lineage, indent=1, ensure_ascii=False), encoding="utf-8")
            card = _card(
                flow, arm, seed, records, title or f"{flow.experiment.name}: {arm}", licence,
                adapter=adapter and not merge, merged=adapter and merge, sha256=weights_sha256(folder / CHECKPOINT),
                results=read_results(results) if results is not None and results.is_file() else None,
            )  # fmt: skip
            found_key = secret_in(card + json.dumps(lineage), secrets_here())
            if found_key:
                raise InputError(f"the card would hold {found_key}; take it out of the recipe, and exchange the key")
            (work / CARD).write_text(card, encoding="utf-8")
            if out.exists():
                out.rmdir()
            work.rename(out)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return Made(out, {file.name: file.stat().st_size for file in sorted(out.iterdir())}, adapter and merge)


def _lineage(flow: Pipeline, arm: str, seed: int, records: list[StepRecord]) -> dict[str, Any]:
    """Arm, recipe and the records of its training steps."""
    return {
        "midspec": __version__,
        "arm": arm,
        "seed": seed,
        "recipe": flow.experiment.model_dump(mode="json", exclude={"compute"}),
        "steps": [record.model_dump(mode="json", exclude={"machine"}) for record in records],
    }


def _card(
    flow: Pipeline,
    arm: str,
    seed: int,
    records: list[StepRecord],
    title: str,
    licence: str,
    *,
    adapter: bool,
    merged: bool,
    sha256: str,
    results: Results | None,
) -> str:
    experiment = flow.experiment
    model = flow.bases[experiment.arms[arm].model, seed]
    corpus = experiment.arms[arm].msm
    about = experiment.corpus_entry(corpus).spec if corpus else None
    spec = flow.specs[about] if about else None
    head: dict[str, Any] = {
        "license": licence,
        "base_model": model.name,
        "library_name": "peft" if adapter else "transformers",
        "tags": ["midspec", "model-spec-midtraining", *(["lora"] if adapter else [])],
    }
    form = results.arms.get(arm) if results else None
    return environment().get_template("model_card.md.jinja").render(
        head=yaml.safe_dump(head, sort_keys=False).strip(),
        title=title,
        arm=arm,
        seed=seed,
        experiment=experiment,
        model=model,
        spec_name=about,
        spec_hash=short_hash(spec.text) if spec else None,
        records=records,
        sha256=sha256,
        adapter=adapter,
        merged=merged,
        scores=form.evals if form else {},
        measures=form.measures if form else {},
        seeds=len(experiment.seeds),
        version=__version__,
    )  # fmt: skip
