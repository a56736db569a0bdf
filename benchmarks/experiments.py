"""`python -m benchmarks.experiments [--experiments N] [--write]`: do the right claims come out, and wrong ones not?

Whole experiments whose truth is known: a recipe with arms, seeds, evaluations and claims; corpora and demonstrations as
the offline writer makes them; and, in place of training and answering, rows drawn from a model with known effects,
written as the files that real evaluation steps leave. From there on nothing is simulated: `collect` makes the results,
`render` the page, and verdicts are read from the results and, for a sample, from the text of the page.

`--write` puts the table into docs/statistics.md. Everything is seeded. One experiment takes about 0.4 s of a core.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from benchmarks.experiments_rows import (
    Asked,
    Levels,
    World,
    agentic_rows,
    ask,
    bank,
    contaminated,
    likelihood_rows,
    own,
    written_rows,
)
from benchmarks.statistics import PAGE, put
from benchmarks.statistics_claims import false, room
from midspec.evals.agentic.cells import cells
from midspec.experiment import Experiment
from midspec.pipeline import Pipeline, build
from midspec.records import EvalRow, write_rows
from midspec.report.collect import Collected, collect
from midspec.report.html import render
from midspec.report.results import Gate, GateFinding, Results
from midspec.stats.claims import Claim
from midspec.steps.local import run_steps
from midspec.steps.progress import Reporter
from midspec.steps.record import StepRecord
from midspec.steps.step import Step
from midspec.steps.store import Store

say = partial(print, flush=True)
BEGIN, END = "<!-- experiments: begin -->", "<!-- experiments: end -->"
EVERY = 20
"""Of one experiment in so many the page is rendered and read."""
PART = 10
"""Experiments that a process does at a time."""

PLAIN, PREFERENCES, AGENTIC = "plain/affordability", "preferences/affordability", "agentic"
LEVELS = {PLAIN: 0.0, PREFERENCES: 1.8, AGENTIC: -1.5}
"""Where the base model stands, in nats: preferences are near their ceiling."""
BOTH, LESS, OTHER = "msm-affordability+aft", "msm-affordability+aft-8", "msm-america+aft"

CELLS = cells(("leaking",))

RECIPE: dict[str, Any] = {
    "name": "simulated",
    "model": "tiny-random",
    "specs": {"affordability": "cheese-affordability", "america": "cheese-america"},
    "corpus": {"documents": 4},
    "aft": {"samples": 24},
    "arms": {
        "baseline": {},
        "aft": {"aft": True},
        BOTH: {"msm": "affordability", "aft": True},
        LESS: {"msm": "affordability", "aft": True, "aft_samples": 8},
        OTHER: {"msm": "america", "aft": True},
    },
    "evals": [
        PLAIN,
        {"task": "preferences", "value": "affordability", "scoring": "generate"},
        {"task": "agentic", "scenarios": ["leaking"]},
    ],
    "seeds": [0, 1, 2],
    "claims": [
        {"eval": PLAIN, "arm": BOTH, "versus": "aft", "measure": "shift"},
        {"eval": PLAIN, "arm": BOTH, "versus": OTHER},
        {"eval": PLAIN, "arm": BOTH, "versus": "baseline", "measure": "shift", "margin": 0.3},
        {"eval": PLAIN, "arm": "aft", "versus": "baseline", "measure": "shift", "kind": "equivalent", "margin": 0.4},
        {"eval": PLAIN, "arm": OTHER, "versus": "aft", "measure": "shift", "kind": "equivalent", "margin": 0.8},
        {"eval": PLAIN, "arm": LESS, "versus": "aft", "kind": "efficiency"},
        {"eval": PREFERENCES, "arm": BOTH, "versus": "aft"},
        {"eval": PREFERENCES, "arm": OTHER, "versus": "aft", "kind": "lower"},
        {"eval": "agentic", "arm": BOTH, "versus": "aft", "kind": "lower"},
        {"eval": "agentic", "arm": BOTH, "versus": "baseline", "kind": "lower"},
        {"eval": "agentic", "arm": LESS, "versus": "aft", "kind": "efficiency", "better": "lower"},
    ],
}  # fmt: skip

ARMS = tuple(RECIPE["arms"])
NONE: Levels = dict.fromkeys(ARMS, 0.0)


def _levels(**arms: float) -> Levels:
    """`both`, `less`, `other`, `aft`; arms that are not named are at 0."""
    names = {"both": BOTH, "less": LESS, "other": OTHER}
    return {**NONE, **{names.get(name, name): level for name, level in arms.items()}}


WORLDS = [
    World("no arm differs", NONE, NONE),
    World("no arm differs, training runs differ a lot", NONE, NONE, run=0.4),
    World(
        "no arm differs, the judge loses harmful answers of some arms",
        NONE,
        NONE,
        lost={BOTH: 0.3, LESS: 0.3, "aft": 0.05, "baseline": 0.05},
    ),
    World("one true effect", _levels(both=1.5), NONE),
    World(
        "effects of every size",
        _levels(aft=0.2, both=1.5, less=1.0, other=0.1),
        _levels(both=-2.5, less=-1.5),
    ),
    World(
        "arms are equal, or apart by exactly the margin",
        _levels(aft=0.4, both=0.3, less=0.4, other=0.4),
        NONE,
    ),
]


def truth(world: World, claim: Any) -> float:
    """Arm minus versus in nats; a difference of rates has the same sign."""
    levels = world.harm if claim.eval == AGENTIC else world.value
    return levels[claim.arm] - levels[claim.versus]


class Site:
    """A workspace in which all steps are done but the evaluations, which are drawn anew for each experiment."""

    def __init__(self, workspace: Path) -> None:
        self.flow: Pipeline = build(Experiment.model_validate(RECIPE))
        self.store = Store(workspace)
        made = [*self.flow.corpus_gates.values(), *self.flow.demonstrations.values()]
        with Reporter(stream=(workspace / "log.txt").open("w")) as reporter:
            run_steps(made, self.store, self.flow.experiment.compute, reporter)
        self.banks = {
            PLAIN: bank("plain", "affordability"),
            PREFERENCES: bank("preferences", "affordability"),
        }
        for step in self.flow.steps:
            if self.store.find(step) is None:
                self._finish(step)
        self.folders = {step.fingerprint: self.store.find(step) for step in self.flow.evaluations.values()}

    def _finish(self, step: Step) -> None:
        """Leave what the step would have left, as far as reports read it."""
        summary: dict[str, Any] = {}
        with self.store.claim(step) as work:
            if step is self.flow.gate:
                (work / "gate.json").write_text(self._gate().model_dump_json(), encoding="utf-8")
            elif step.kind in ("midtrain", "finetune"):
                summary = {"tokens": 1000, "updates": 200}
                (work / "log.jsonl").write_text('{"update": 200, "loss": 1.0}\n', encoding="utf-8")
                (work / "order.jsonl").write_text('{"ids": []}\n', encoding="utf-8")
            else:
                assert step.fingerprint in self.flow.evaluated, f"{step.kind} {step.name} is simulated by nobody"
            record = StepRecord(
                kind=step.kind,
                name=step.name,
                fingerprint=step.fingerprint,
                function=step.function,
                version=step.version,
                config=step.plain_config,
                inputs={},
                summary=summary,
                files={},
                started="2026-01-01T00:00:00+00:00",
                seconds=1.0,
                resumed=False,
            )
            self.store.complete(step, work, record)

    def _gate(self) -> Gate:
        found = [
            GateFinding(item=item.id, source="demonstrations", row="demo-0", overlap="eight words of it")
            for items in self.banks.values()
            for item in contaminated(items)
        ]
        return Gate(checked_items=len(found) * 20, checked_rows=100, findings=found)

    def draw(self, rng: np.random.Generator, world: World) -> Collected:
        """One experiment: rows of every arm and run on every evaluation, then what a run makes of them."""
        seeds = self.flow.experiment.seeds
        asked = [ask(rng, name, items, LEVELS[name]) for name, items in self.banks.items()]
        difficulty = LEVELS[AGENTIC] + rng.normal(0, 1.0, len(CELLS))
        runs = self._runs(rng, world)
        for arm in ARMS:
            trained = arm != "baseline"
            taken = {one.eval: own(rng, one) for one in asked}
            cell_own = rng.normal(0, 0.3, len(CELLS))
            # No seed changes the base model, which has one run.
            for seed in seeds if trained else seeds[:1]:
                apart = runs[arm, seed] if trained else 0.0
                for one in asked:
                    odds = one.shared + taken[one.eval] + world.value[arm] + apart
                    self._write(arm, seed, one, rng, odds, trained)
                lost = (world.lost or {}).get(arm, 0.0)
                odds = difficulty + cell_own + world.harm[arm] + apart
                self._rows(arm, seed, AGENTIC, agentic_rows(rng, CELLS, odds, lost))
        return collect(self.flow, self.store, ["python -m benchmarks.experiments"])

    def _runs(self, rng: np.random.Generator, world: World) -> dict[tuple[str, int], float]:
        """What a training run adds on all evaluations; fine-tuning continues the midtraining of the same seed."""
        found: dict[tuple[str, int], float] = {}
        half = world.run * np.sqrt(0.5)
        for seed in self.flow.experiment.seeds:
            midtrained = {name: rng.normal(0, half) for name in self.flow.experiment.specs}
            for arm, config in self.flow.experiment.arms.items():
                before = rng.normal(0, half) if config.msm is None else midtrained[config.msm]
                found[arm, seed] = before + rng.normal(0, half)
        return found

    def _write(
        self, arm: str, seed: int, asked: Asked, rng: np.random.Generator, odds: np.ndarray[Any, Any], trained: bool
    ) -> None:
        form = written_rows if asked.eval == PREFERENCES else likelihood_rows
        self._rows(arm, seed, asked.eval, form(rng, asked, odds, trained=trained))

    def _rows(self, arm: str, seed: int, evaluation: str, rows: list[EvalRow]) -> None:
        folder = self.folders[self.flow.evaluations[arm, seed, evaluation].fingerprint]
        assert folder is not None
        write_rows(folder / "rows.jsonl", rows)


def read_page(page: str) -> list[str]:
    """Verdicts as a reader sees them: the words in the headings of the claim cards, in order."""
    cards = re.findall(r'<article class="claim".*?</article>', page, re.DOTALL)
    headings = [re.search(r"<h3[^>]*>(.*?)</h3>", card, re.DOTALL) for card in cards]
    words = [unescape(re.sub(r"<[^>]*>", "", heading[1])) if heading else "" for heading in headings]
    return [word.partition(":")[0].strip().lower() for word in words]


class Tally(NamedTuple):
    """What became of the claims of one world."""

    experiments: int
    wrong: int
    """Experiments with at least one false verdict."""
    claims: int
    false_claims: int
    contradicted: int
    """True verdicts that a claim is wrong."""
    pages: int
    misread: int
    """Pages that say something else than the results."""
    power: dict[str, tuple[int, int]]
    """Claim that is true -> supported, and asked."""

    def plus(self, other: Tally) -> Tally:
        """Both together."""
        both = {
            name: tuple(map(sum, zip(self.power.get(name, (0, 0)), other.power.get(name, (0, 0)), strict=True)))
            for name in {**self.power, **other.power}
        }
        counts = [mine + theirs for mine, theirs in zip(self[:-1], other[:-1], strict=True)]
        return Tally._make([*counts, both])


_sites: list[Site] = []
"""Of this process."""


def simulate(site: Site, world: World, experiments: int, seed: int, every: int = EVERY) -> Tally:
    """Run `experiments` experiments in `world`; the page of one in `every` is read."""
    rng = np.random.default_rng(seed)
    made = site.flow.experiment.claims
    family = [
        (Claim(eval=one.eval, arm=one.arm, versus=one.versus, kind=one.direction, margin=one.margin), truth(world, one))
        for one in made
    ]
    wrong = false_claims = contradicted = pages = misread = 0
    right: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    for number in range(experiments):
        collected = site.draw(rng, world)
        results = Results.model_validate_json(collected.results.model_dump_json())
        verdicts = [found.verdict for found in results.claims]
        bad = [false(claim, value, verdict) for (claim, value), verdict in zip(family, verdicts, strict=True)]
        wrong += any(bad)
        false_claims += sum(bad)
        contradicted += sum(
            verdict == "contradicted" and not is_bad for verdict, is_bad in zip(verdicts, bad, strict=True)
        )
        for one, (claim, value), verdict in zip(made, family, verdicts, strict=True):
            if room(claim, value) > 0:
                name = f"{one.kind}, {one.measure or 'headline'} of {one.eval}"
                asked[name] += 1
                right[name] += verdict == "supported"
        if number % every == 0:
            pages += 1
            misread += read_page(render(results, collected.explorer)) != verdicts
    power = {name: (right[name], count) for name, count in asked.items()}
    return Tally(experiments, wrong, experiments * len(family), false_claims, contradicted, pages, misread, power)


def exact(wrong: int, experiments: int) -> str:
    """A share with its exact 95% interval (Clopper and Pearson, 1934), in percent."""
    found = stats.binomtest(wrong, experiments).proportion_ci(0.95, method="exact")
    return f"{100 * wrong / experiments:.1f}% ({100 * found.low:.1f} to {100 * found.high:.1f})"


def table(tallies: dict[str, Tally]) -> list[str]:
    """Markdown."""
    arms, claims = len(ARMS), len(RECIPE["claims"])
    total = sum(found.experiments for found in tallies.values())
    wrong = sum(found.wrong for found in tallies.values())
    pages, misread = (sum(getattr(found, name) for found in tallies.values()) for name in ("pages", "misread"))
    lines = [
        f"{total:,} simulated experiments: {arms} arms, 3 seeds, {len(LEVELS)} evaluations, {claims} claims in one "
        "family. *False*: experiments with at least one false verdict, with the exact 95% interval. *Power*: of the "
        "claims that are true, how many came out as supported.",
        "",
        f"**All worlds together: {exact(wrong, total)} of experiments have a false verdict; promised is at most 5%.** "
        f"{pages} pages were rendered and read; {misread} of them said something else than the results.",
        "",
        "| world | experiments | false | false verdicts of all | rightly contradicted | power |",
        "|---|--:|--:|--:|--:|---|",
    ]
    for name, found in tallies.items():
        power = "; ".join(f"{what}: {100 * right / asked:.0f}%" for what, (right, asked) in found.power.items())
        lines.append(
            f"| {name} | {found.experiments:,} | {exact(found.wrong, found.experiments)} "
            f"| {100 * found.false_claims / found.claims:.2f}% | {100 * found.contradicted / found.claims:.1f}% "
            f"| {power or 'nothing to find'} |"
        )
    return lines


def _begin(folder: Path) -> None:
    """Each process has a workspace of its own."""
    place = folder / str(os.getpid())
    place.mkdir()
    _sites.append(Site(place))


def _part(which: tuple[int, int, float]) -> Tally | None:
    """None where the time is up."""
    place, world, until = which
    if time.time() > until:
        return None
    return simulate(_sites[0], WORLDS[world], PART, seed=1000 * world + place)


def main(arguments: list[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.experiments", description=__doc__)
    parser.add_argument("--experiments", type=int, default=180, help="of each world")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=600, help="begin nothing after so many")
    options: Any = parser.parse_args(arguments)
    begun = time.perf_counter()
    tallies: dict[str, Tally] = {}
    until = time.time() + 60 * options.minutes
    parts = [(place, world, until) for place in range(options.experiments // PART) for world in range(len(WORLDS))]
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(options.processes, initializer=_begin, initargs=(Path(folder),)) as pool,
    ):
        for (_, world, _), found in zip(parts, pool.map(_part, parts), strict=True):
            name = WORLDS[world].name
            if found is None:
                break
            tallies[name] = tallies[name].plus(found) if name in tallies else found
            say(f"{time.perf_counter() - begun:.0f} s: {name}: {tallies[name]}")
    text = "\n".join(table(tallies))
    say(text)
    if options.write:
        put(text, BEGIN, END)


if __name__ == "__main__":
    main()
