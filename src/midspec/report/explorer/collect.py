"""From finished steps to the blocks of the explorer."""

from __future__ import annotations

from typing import Any

from midspec.report.collect_arms import Answered, evaluated
from midspec.report.explorer.blocks import Explorer, Limits
from midspec.report.explorer.rows import Run, questions, rows_block
from midspec.report.explorer.training import Stage, Trained, source_block, spec_block


def collect_explorer(answered: Answered, limits: Limits = Limits()) -> Explorer:
    """All rows, and the texts that arms were trained on, as far as `limits` allow."""
    done = answered.done
    trained = Trained(done)
    blocks: dict[str, Any] = {}
    evals = _rows(answered, limits, blocks)
    arms: dict[str, list[dict[str, Any]]] = {
        arm: [
            {"seed": seed, "stages": [trained.stage(step) for step in done.flow.lineage(arm, seed)]}
            for seed in done.experiment.seeds
        ]
        for arm in done.experiment.arms
    }
    sources = _sources(trained, limits, blocks)
    for seeds in arms.values():
        for entry in seeds:
            entry["stages"] = [_told(stage, sources) for stage in entry["stages"]]
    told = [told for told, _ in sources.values()]
    specs = list(dict.fromkeys(one["spec"] for one in told if one["spec"] is not None))
    index = {"evals": evals, "arms": arms, "sources": told, "specs": specs}
    return Explorer({"index": index, **blocks})


def _rows(answered: Answered, limits: Limits, blocks: dict[str, Any]) -> dict[str, Any]:
    """Evaluation -> its block and what the block leaves out; fills `blocks`."""
    done, experiment = answered.done, answered.done.experiment
    runs = {
        entry.name: [
            Run(arm, seed, answered.rows(arm, entry.name)[seed])
            for arm in experiment.arms
            for seed, _ in evaluated(done, arm, entry.name)
        ]
        for entry in experiment.evals
    }
    total = max(1, sum(len(run.rows) for some in runs.values() for run in some))
    left = limits.answers
    evals: dict[str, Any] = {}
    for at, entry in enumerate(experiment.evals):
        own = sum(len(run.rows) for run in runs[entry.name])
        share = limits._replace(rows=limits.rows * own // total) if total > limits.rows else limits
        found = rows_block(runs[entry.name], questions(entry, experiment), answered.excluded, share, left)
        left -= found.characters
        blocks[f"rows-{at}"] = found.block
        measures = answered.measures.get(entry.name)
        evals[entry.name] = {
            "block": f"rows-{at}",
            "choices": entry.choices,
            "rows": found.rows,
            "shown": found.shown,
            "cut": found.answers_cut,
            **({"measure": measures[0].name} if measures else {}),
        }
    return evals


def _sources(
    trained: Trained, limits: Limits, blocks: dict[str, Any]
) -> dict[str, tuple[dict[str, Any], dict[str, int]]]:
    """Source -> (what the index says of it, id -> place in its block); fills `blocks`. Each gets a share of the
    characters by the number of rows that were trained on."""
    rows = max(1, sum(len(ids) for ids in trained.wanted.values()))
    found: dict[str, tuple[dict[str, Any], dict[str, int]]] = {}
    specs: dict[str, str] = {}
    spare = 0
    for at, (key, source) in enumerate(sorted(trained.sources.items(), key=lambda one: len(trained.wanted[one[0]]))):
        wanted = trained.wanted[key]
        allowed = limits.documents * len(wanted) // rows + spare
        block, ids, used = source_block(source, wanted, allowed)
        spare = max(0, allowed - used)
        blocks[f"source-{at}"] = block
        told = {"block": f"source-{at}", "name": source.name, "step": source.step, "kind": block["kind"]}
        told |= {"rows": len(wanted), "shown": len(ids), "spec": None}
        if block["kind"] == "documents" and (spec := spec_block(source)) is not None:
            # Several corpora may be about one spec.
            told["spec"] = specs.setdefault(spec["sha256"], f"spec-{len(specs)}")
            blocks.setdefault(told["spec"], spec)
        found[key] = told, {name: place for place, name in enumerate(ids)}
    return found


def _told(stage: Stage, sources: dict[str, tuple[dict[str, Any], dict[str, int]]]) -> dict[str, Any]:
    order = list(sources)
    return {
        "step": stage.step,
        "others": stage.others,
        "trained": [
            {
                "source": order.index(key),
                "rows": len(ids),
                # Places of the rows in the block; those beyond a limit have none. Null: the whole block.
                "places": None if {*ids} >= {*places} else sorted(places[name] for name in ids if name in places),
            }
            for key, ids in stage.sources
            for places in (sources[key][1],)
        ],
    }
