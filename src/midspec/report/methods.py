"""A methods paragraph and its references, made from the records of a run: what they do not tell is not told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from midspec.report.finding import eval_names, measure_names
from midspec.report.format import count, dollars, duration
from midspec.report.notes import brief
from midspec.report.results import CorpusSummary, Results, Trained

PAPER = """\
@misc{li2026modelspecmidtraining,
  title = {Model Spec Midtraining: Improving How Alignment Training Generalizes},
  author = {Li, Chloe and Kutasov, Jon and Wichers, Nevan and Marks, Samuel and Price, Sara},
  year = {2026},
  eprint = {2605.02087},
  archivePrefix = {arXiv},
  primaryClass = {cs.AI}
}"""


def methods(results: Results) -> list[str]:
    """Paragraphs: arms and data; training; evaluation and statistics; cost. Citations as `\\citep`."""
    return [
        " ".join(sentence for sentence in part if sentence)
        for part in (_data(results), _training(results), _evaluation(results), _cost(results))
        if any(part)
    ]


def bibtex(results: Results) -> str:
    """Entries for the method's paper and for this software, in the version of the run."""
    commit = results.code.get("commit")
    year = results.created[:4]
    note = f"commit {str(commit)[:12]}" if commit else ""
    changed = results.code.get("dirty", results.code.get("changed"))
    note += ", with local changes" if commit and changed else ""
    lines = [
        "@software{midspec,",
        "  title = {midspec: model spec midtraining with the controls and statistics to show it},",
        *([f"  year = {{{year}}},"] if year.isdigit() else []),
        f"  version = {{{results.midspec}}}" + ("," if note else ""),
        *([f"  note = {{{note}}}"] if note else []),
        "}",
    ]
    return PAPER + "\n\n" + "\n".join(lines) + "\n"


def _data(results: Results) -> list[str]:
    model = results.model.get("name")
    trained = sum(1 for arm in results.arms.values() if arm.parents)
    of = f" of {model}" if model else ""
    sentences = [
        f"We studied {_number(len(results.arms), 'arm')}{of} with midspec {results.midspec} \\citep{{midspec}}, "
        f"following model spec midtraining \\citep{{li2026modelspecmidtraining}}; "
        f"{count(trained)} of them were trained."
    ]
    corpora = [_corpus(corpus) for corpus in results.corpora]
    if corpora:
        sentences.append(f"Midtraining used {_listed(corpora)}.")
    if replay := results.replay:
        sentences.append(
            f"General text made up {100 * replay.share:.3g}% of the tokens of every midtraining, drawn from "
            f"{Path(replay.file).name} ({count(replay.documents)} documents) and shuffled among the corpus's own."
        )
    sets = results.demonstration_sets or ({"": results.demonstrations} if results.demonstrations else {})
    if sets:
        told = [
            f"{count(one.examples)} demonstrations {f'({name}) ' if len(sets) > 1 else ''}written by {one.writer}"
            for name, one in sets.items()
        ]
        sentences.append(f"Alignment fine-tuning used {_listed(told)}.")
    mix = results.recipe.get("instruct")
    if isinstance(mix, list) and mix:
        samples = [entry.get("samples") for entry in mix if isinstance(entry, dict)]
        known = [one for one in samples if isinstance(one, int)]
        size = f" ({count(sum(known))} samples asked for)" if len(known) == len(mix) else ""
        sentences.append(f"Every arm also saw the same instruction mix of {_number(len(mix), 'data set')}{size}.")
    return sentences


def _corpus(corpus: CorpusSummary) -> str:
    size = f"{count(corpus.documents)} documents ({count(corpus.words)} words)"
    return f"{size} of the corpus {corpus.spec}, written by {corpus.writer}"


def _training(results: Results) -> list[str]:
    sentences: list[str] = []
    for key, what in (("midtrain", "Midtraining"), ("finetune", "Fine-tuning")):
        config = results.recipe.get(key)
        if any(curve.kind == key for curve in results.curves) and isinstance(config, Mapping):
            sentences.append(f"{what}: {_hyperparameters(config)}.")
    sentences += [_amounts(results.trained, stage) for stage in ("midtraining", "fine-tuning", "further training")]
    seeds = {len(arm.seeds) for arm in results.arms.values() if arm.parents}
    if seeds:
        least, most = min(seeds), max(seeds)
        several = f"with {most} seeds" if least == most else f"with {least} to {most} seeds"
        sentences.append(f"Each trained arm was trained {'once' if most == 1 else several}.")
    if results.matches:
        matched = sum(one.matched for one in results.matches)
        sentences.append(
            f"Of {_number(len(results.matches), 'compared pair')} of arms, {count(matched)} "
            f"{'is' if matched == 1 else 'are'} matched in training tokens and updates."
        )
    made_by = list(results.trainers)
    if len(made_by) > 1:
        sentences.append(f"The checkpoints come from {len(made_by)} versions of the trainer: {_listed(made_by)}.")
    elif made_by:
        sentences.append(f"One trainer made all checkpoints ({made_by[0]}).")
    return sentences


def _hyperparameters(config: Mapping[str, Any]) -> str:
    parts: list[str] = []
    if config.get("method") == "lora":
        parts.append(f"LoRA of rank {config.get('rank')} and alpha {config.get('alpha')}")
    elif config.get("method") == "full":
        parts.append("all weights")
    if config.get("learning_rate") is not None:
        schedule = f", {str(config['schedule']).replace('_', ' ')} schedule" if config.get("schedule") else ""
        parts.append(f"AdamW with peak learning rate {config['learning_rate']:g}{schedule}")
    if config.get("warmup") is not None:
        parts.append(f"{100 * config['warmup']:g}% warm-up")
    if config.get("weight_decay") is not None:
        parts.append(f"weight decay {config['weight_decay']:g}")
    if config.get("batch_size") is not None and config.get("sequence_length") is not None:
        parts.append(f"{config['batch_size']} packed sequences of {count(config['sequence_length'])} tokens per update")
    if config.get("epochs") is not None:
        parts.append(_number(config["epochs"], "epoch"))
    if config.get("precision") is not None:
        parts.append(str(config["precision"]))
    return ", ".join(parts) or "settings as in the recipe"


def _amounts(trained: Mapping[str, Sequence[Trained]], stage: str) -> str:
    found = [one for stages in trained.values() for one in stages if one.stage == stage]
    if not found:
        return ""
    tokens, updates = ([getattr(one, name) for one in found] for name in ("tokens", "updates"))
    replayed = [one.replayed for one in found if one.replayed]
    told = f" ({_range(replayed)} of them replayed)" if replayed else ""
    return f"Arms saw {_range(tokens)} tokens{told} of {stage} in {_range(updates)} updates."


def _range(values: Sequence[float]) -> str:
    least, most = count(min(values)), count(max(values))
    return least if least == most else f"{least} to {most}"


def _evaluation(results: Results) -> list[str]:
    told: list[str] = []
    for name in [*eval_names(results), *measure_names(results)]:
        asked = results.asked.get(name)
        scores = [arm.evals[name] for arm in results.arms.values() if name in arm.evals]
        items = max((score.items for score in scores), default=0) or max(
            (one.items for arm in results.arms.values() for one in arm.measures.get(name, [])), default=0
        )
        parts = [f"{count(items)} items"] if items else []
        if name in results.split:
            parts.append(f"{results.split[name]} split")
        if asked is not None and asked.scoring:
            parts.append(f"scored by {asked.scoring}")
        if asked is not None and asked.system is not None:
            parts.append(f"under the system prompt “{brief(asked.system)}”")
        if asked is not None and asked.graders:
            parts.append(f"graded by {_listed(asked.graders)}")
        told.append(f"{name} ({', '.join(parts)})" if parts else name)
    sentences = [f"Arms were evaluated on {_listed(told)}."] if told else []
    gate = results.gate
    left = len({finding.item for finding in gate.findings})
    sentences.append(
        f"A contamination gate looked for {count(gate.checked_items)} evaluation items in {count(gate.checked_rows)} "
        f"training texts; {_number(left, 'item')} found there {'was' if left == 1 else 'were'} left out of all numbers."
    )
    several = any(len(arm.seeds) > 1 for arm in results.arms.values())
    seeds = (
        " and by training seed" if several else "; with one training seed they do not cover the luck of a training run"
    )
    sentences.append(
        f"Intervals are 95% intervals clustered by topic or item{seeds}; differences between arms are paired by item."
    )
    if results.claims:
        were = "was" if len(results.claims) == 1 else "were"
        sentences.append(
            f"{_number(len(results.claims), 'claim')} {were} stated in the recipe; their verdicts are read from "
            "intervals corrected for their number."
        )
    return sentences


def _cost(results: Results) -> list[str]:
    seconds = sum(results.seconds.values())
    return [f"Model calls cost {dollars(results.dollars)}; all steps took {duration(seconds)} of computing."]


def _number(number: int, noun: str) -> str:
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{'; '.join(parts[:-1])}; and {parts[-1]}"
