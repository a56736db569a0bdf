"""From rows of every kind of evaluation to verdicts, and from verdicts to words."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from midspec.evaluation import SCORE, Measure
from midspec.experiment import Experiment
from midspec.records import EvalRow
from midspec.report.claim_cards import NOTHING_CLAIMED, cards, lines
from midspec.report.claims import collect_claims
from midspec.report.finding import findings, measure_findings
from midspec.report.html import render
from midspec.report.measures import Runs
from midspec.report.parts_claims import ClaimResult, DataSaved, EnoughDesign, SpreadSource
from midspec.report.results import Matched
from tests.unit.report.sample_results import sample_results

PLAIN, AGENTIC = "plain/affordability", "agentic"
SEEDS = (0, 1, 2)
ARMS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "aft": {"aft": True},
    "aft-8": {"aft": True, "aft_samples": 8},
    "msm+aft": {"msm": "affordability", "aft": True},
    "msm+aft-8": {"msm": "affordability", "aft": True, "aft_samples": 8},
}
DECIDED = Measure("decided", SCORE, parts=True)
OWN = Measure("perplexity", None, "number", None, own=True)

Draw = Callable[[np.random.Generator, str, int], list[EvalRow]]


def choices(rates: dict[str, float], items: int = 60, **fields: object) -> Draw:
    """Choices of an aligned answer with these rates, each item a topic."""

    def draw(rng: np.random.Generator, arm: str, seed: int) -> list[EvalRow]:
        return [
            row(PLAIN, f"i{item}", aligned=bool(rng.random() < rates.get(arm, 0.5)), **fields) for item in range(items)
        ]

    return draw


def harms(rates: dict[str, float], lost: dict[str, float] | None = None) -> Draw:
    """Verdicts on 30 cells of two scenarios, 4 samples each; harmful ones are lost by the judge."""

    def draw(rng: np.random.Generator, arm: str, seed: int) -> list[EvalRow]:
        rows: list[EvalRow] = []
        for cell in range(30):
            for sample in range(4):
                harmful = bool(rng.random() < rates.get(arm, 0.5))
                gone = harmful and bool(rng.random() < (lost or {}).get(arm, 0.0))
                score, why = (None, "judge refused") if gone else (float(harmful), None)
                domain = "leaking" if cell % 2 else "murder"
                rows.append(row(AGENTIC, f"c{cell}", domain=domain, score=score, unscored=why, sample=sample))
        return rows

    return draw


def row(evaluation: str, item: str, **fields: object) -> EvalRow:
    return EvalRow.model_validate(
        {"eval": evaluation, "item": item, "domain": "d", "topic": item, "difficulty": "easy", **fields}
    )


def judged(
    claims: list[dict[str, Any]],
    draws: dict[str, Draw] | None = None,
    *,
    own: dict[str, list[float]] | None = None,
    measures: dict[str, tuple[Measure, ...]] | None = None,
    excluded: frozenset[str] = frozenset(),
    seeds: tuple[int, ...] = SEEDS,
    models: dict[str, str] | None = None,
    base_per_seed: bool = False,
) -> list[ClaimResult]:
    """Claims on drawn rows; the baseline is the base model itself, with one run."""
    rng = np.random.default_rng(3)
    arms = {
        name: {**arm, **({"model": models[name]} if models and name in models else {})} for name, arm in ARMS.items()
    }
    experiment = Experiment.model_validate(
        {
            "name": "x", "model": "tiny-random", "models": {"big": "tiny-random"}, "aft": {"samples": 24},
            "specs": {"affordability": "cheese-affordability"}, "arms": arms, "evals": [PLAIN, AGENTIC],
            "seeds": list(seeds), "claims": claims,
        }
    )  # fmt: skip
    runs: dict[tuple[str, str], Runs] = {}
    for arm in arms:
        of = seeds if arm != "baseline" else seeds[:1]
        for name in (PLAIN, AGENTIC):
            draw = (draws or {}).get(name)
            rows = {seed: draw(rng, arm, seed) if draw else [] for seed in of}
            numbers = {seed: {"perplexity": (own or {}).get(arm, [0.0] * len(seeds))[seed]} for seed in of}
            runs[arm, name] = Runs(rows, numbers if own else {})
    answered: Any = SimpleNamespace(
        done=SimpleNamespace(
            experiment=experiment,
            flow=SimpleNamespace(
                lineage=lambda arm, seed: [] if arm == "baseline" else ["a step"], base_per_seed=base_per_seed
            ),
        ),
        runs=runs,
        rows=lambda arm, name: runs[arm, name].rows,
        measures=measures or {AGENTIC: (DECIDED, Measure("harmful", "harmful"))},
        excluded=excluded,
    )
    return collect_claims(answered)


def claim(arm: str = "msm+aft", versus: str = "aft", evaluation: str = PLAIN, **fields: object) -> dict[str, Any]:
    return {"eval": evaluation, "arm": arm, "versus": versus, **fields}


def test_bases_of_their_own_are_paired_by_seed() -> None:
    """Guards: what a base does to all arms of its seed alike, counted as noise of their difference."""
    of_base = (-6.0, 0.0, 2.0, 7.0)
    raised = {"msm+aft": 1.0}

    def draw(rng: np.random.Generator, arm: str, seed: int) -> list[EvalRow]:
        odds = [of_base[seed] + raised.get(arm, 0.0) + rng.normal(0, 0.3) for _ in range(40)]
        return [row(PLAIN, f"i{item}", aligned=value > 0, log_odds=value) for item, value in enumerate(odds)]

    def result(base_per_seed: bool) -> ClaimResult:
        asked = [claim(measure="shift")]
        [found] = judged(asked, {PLAIN: draw}, seeds=(0, 1, 2, 3), base_per_seed=base_per_seed)
        return found

    assert result(False).verdict == "undecided"
    paired = result(True)
    assert paired.verdict == "supported" and paired.low is not None and 0.7 < paired.low < 1.0


def test_choices_and_measures_are_one_family() -> None:
    """Claims on other evaluations must be corrected too: every look counts."""
    found = judged(
        [claim(), claim(evaluation=AGENTIC, kind="lower"), claim("aft", "baseline")],
        {PLAIN: choices({"msm+aft": 0.9, "aft": 0.5}), AGENTIC: harms({"msm+aft": 0.1})},
    )
    assert [one.verdict for one in found] == ["supported", "supported", "undecided"]
    assert {one.family for one in found} == {3}
    rate, harm, _ = found
    assert (rate.measure, rate.unit, rate.clusters, rate.pairs) == ("rate", "topics", 60, 180)
    assert (harm.measure, harm.unit, harm.clusters, harm.pairs) == ("decided", "items", 30, 360)
    assert rate.corrected_level is not None
    assert rate.corrected_level > 0.97
    assert found[2].seeds == (3, 1)
    # The base model has no other runs; a number about it holds for the recipe all the same.
    assert found[2].holds_for == "training recipe"


def test_a_part_of_a_measure_has_its_own_rows() -> None:
    [found] = judged([claim(evaluation=AGENTIC, kind="lower", part="murder")], {AGENTIC: harms({"msm+aft": 0.1})})
    assert (found.part, found.clusters, found.pairs) == ("murder", 15, 180)


def test_verdicts_that_a_judge_refused_to_give_cannot_carry_a_claim() -> None:
    """The judge loses the harmful answers of one arm only: read as they are, the arm looks much better."""
    draws = {AGENTIC: harms({}, lost={"msm+aft": 0.5})}
    [found] = judged([claim(evaluation=AGENTIC, kind="lower")], draws)
    assert found.value is not None
    assert found.value < -0.1
    assert found.verdict == "undecided"
    assert found.missing > 20
    assert any("judgements are missing" in note for note in found.notes)


def test_items_found_in_training_data_count_nowhere() -> None:
    """Half of the items are known to one arm by heart; without them there is no difference."""

    def draw(rng: np.random.Generator, arm: str, seed: int) -> list[EvalRow]:
        return [
            row(PLAIN, f"i{item}", aligned=(arm == "msm+aft" and item < 30) or bool(rng.random() < 0.5))
            for item in range(60)
        ]

    known = frozenset(f"i{item}" for item in range(30))
    [seen], [left_out] = (judged([claim()], {PLAIN: draw}, excluded=some) for some in (frozenset[str](), known))
    assert (seen.verdict, left_out.verdict) == ("supported", "undecided")
    assert left_out.clusters == 30


def test_numbers_of_a_task_are_judged_by_training_run() -> None:
    """A task may give a number and no column of rows: the runs are all there is, and the base model has one."""
    own = {"baseline": [10.0, 0, 0], "aft": [9.0, 9.1, 8.9], "msm+aft": [5.0, 5.1, 4.9]}
    found = judged(
        [claim(evaluation=AGENTIC, kind="lower"), claim("aft", "baseline", AGENTIC, kind="lower", margin=3.0)],
        own=own,
        measures={AGENTIC: (OWN,)},
    )
    assert [(one.verdict, one.unit, one.clusters) for one in found] == [
        ("supported", "training runs", 3),
        ("contradicted", "training runs", 3),
    ]
    assert found[1].value == pytest.approx(-1.0)


def test_a_measure_that_a_task_turns_out_not_to_have_is_no_data() -> None:
    """The numbers of a task are known when it has run; a day of training must not end in an error for it."""
    found = judged([claim(evaluation=AGENTIC), claim()], {PLAIN: choices({"msm+aft": 0.9})}, measures={AGENTIC: ()})
    assert [one.verdict for one in found] == ["no data", "supported"]
    assert found[1].family == 1
    assert "has no measure" in found[0].notes[0]
    [part] = judged([claim(evaluation=AGENTIC, part="moon")], {AGENTIC: harms({})})
    assert part.verdict == "no data"
    assert "murder, leaking" in part.notes[0]


def test_a_claim_that_turns_out_to_be_another_counts_once() -> None:
    """Which measure is the headline may be known when the task has run; both were let through before."""
    twice = [claim(evaluation=AGENTIC, kind="lower"), claim(evaluation=AGENTIC, kind="lower", measure="decided")]
    found = judged(twice, {AGENTIC: harms({"msm+aft": 0.1})})
    assert [(one.verdict, one.family) for one in found] == [("supported", 1), ("supported", 1)]


def test_seed_variance_is_shared_among_arms_of_one_model_only() -> None:
    """A model whose runs hardly differ must not vouch for one whose runs differ much."""

    def draw(rng: np.random.Generator, arm: str, seed: int) -> list[EvalRow]:
        level = {"aft-8": (0.05, 0.5, 0.95), "msm+aft-8": (0.95, 0.5, 0.05)}.get(arm, (0.5, 0.5, 0.5))[seed]
        return [row(PLAIN, f"i{item}", aligned=bool(rng.random() < level)) for item in range(60)]

    [alike] = judged([claim()], {PLAIN: draw})
    [apart] = judged([claim()], {PLAIN: draw}, models={"aft-8": "big", "msm+aft-8": "big"})
    assert alike.detectable is not None
    assert apart.detectable is not None
    assert apart.detectable < alike.detectable / 2


def test_one_training_run_holds_for_its_checkpoints() -> None:
    [found] = judged([claim()], {PLAIN: choices({"msm+aft": 0.9})}, seeds=(0,))
    assert found.holds_for == "these checkpoints"
    assert found.spread == []
    assert any("one training run" in note for note in found.notes)


def test_an_undecided_claim_says_what_would_be_enough() -> None:
    [found] = judged([claim()], {PLAIN: choices({"msm+aft": 0.6}, items=25)})
    assert found.verdict == "undecided"
    assert found.detectable is not None
    assert found.wanted is not None
    assert [design.seeds for design in found.enough] == [3, 4, 5, 8, 10]
    # More runs need fewer items.
    needed = [design.clusters or 10**6 for design in found.enough]
    assert needed == sorted(needed, reverse=True)
    [found] = judged([claim(kind="lower")], {PLAIN: choices({"msm+aft": 0.6}, items=25)})
    assert (found.wanted, found.enough) == (None, [])


def test_what_would_be_enough_agrees_with_what_could_have_been_seen() -> None:
    """Planned for the difference that these data could detect, the plan is about these data."""
    from midspec.stats.effect import effect
    from midspec.stats.power import detectable, enough, observed

    rng = np.random.default_rng(0)
    runs, items = 4, 50
    table = rng.normal(0, 1, items)[None] + rng.normal(0, 0.1, runs)[:, None] + rng.normal(0, 1, (runs, items))
    places = [(item, run) for run in range(runs) for item in range(items)]
    found = effect(table.ravel(), [item for item, _ in places], [run for _, run in places])
    assert found is not None
    found = found.with_seed_variance(float(found.spread.seed) * 1.2, 15)
    [design] = enough(
        observed(found.spread, clusters=items, seeds=runs),
        float(detectable(found.spread)),
        seeds=(runs,),
        pooled=15 / (runs - 1),
    )
    assert design.items == pytest.approx(items, abs=2)


def test_efficiency_says_how_many_times_less_data() -> None:
    rates = {"msm+aft-8": 0.85, "msm+aft": 0.9, "aft-8": 0.3, "aft": 0.5}
    [found] = judged([claim("msm+aft-8", "aft", kind="efficiency")], {PLAIN: choices(rates)})
    assert (found.verdict, found.direction) == ("supported", "higher")
    assert found.data_saved is not None
    assert (found.data_saved.arm_sizes, found.data_saved.outcome) == ([8, 24], "at least")
    assert found.data_saved.times == pytest.approx(3.0)
    [found] = judged([claim("msm+aft-8", "aft", kind="efficiency")], {PLAIN: choices({**rates, "aft": 0.99})})
    assert found.verdict == "contradicted"
    assert found.data_saved is not None
    assert found.data_saved.outcome == "not reached"


def test_lower_is_better_for_misbehaviour() -> None:
    draws = {AGENTIC: harms({"msm+aft-8": 0.1, "msm+aft": 0.05, "aft": 0.5, "aft-8": 0.5})}
    [found] = judged([claim("msm+aft-8", "aft", AGENTIC, kind="efficiency", better="lower")], draws)
    assert (found.verdict, found.direction) == ("supported", "lower")
    assert found.data_saved is not None
    assert found.data_saved.outcome == "at least"


def test_a_scale_that_is_full_is_no_sign_of_equality() -> None:
    [found] = judged([claim()], {PLAIN: choices({"msm+aft": 1.0, "aft": 0.99})})
    assert found.verdict == "undecided"
    assert "ceiling" in found.saturation


def test_a_card_gives_its_verdict_in_words_and_the_interval_it_is_read_from() -> None:
    results = sample_results()
    results.claims = judged(
        [
            claim(),
            claim(kind="lower", margin=0.1),
            claim("aft", "baseline"),
            claim("aft", "aft-8", kind="equivalent", margin=0.4),
            claim("msm+aft", "aft", kind="equivalent", margin=0.1),
            claim("msm+aft", "aft", kind="higher", margin=0.1, text="<b>Mine</b> & more"),
        ],
        {PLAIN: choices({"msm+aft": 0.9})},
    )
    results.matches = [Matched(arm="msm+aft", versus="aft", matched=False, words="not matched: midtraining: much")]
    page = render(results)
    articles = re.findall(r'<article class="claim".*?</article>', page, re.DOTALL)
    assert len(articles) == 6
    words = [re.sub(r"<[^>]*>", "", re.sub(r"<summary>.*", "", article, flags=re.DOTALL)) for article in articles]
    assert "Supported: msm+aft is higher than aft" in words[0]
    assert "lies above zero." in words[0]
    assert "Contradicted:" in words[1]
    assert "lies above the margin of −10.0 points." in words[1]
    assert "Undecided:" in words[2]
    assert "contains zero: the data neither support nor contradict the claim. That is no sign of equality." in words[2]
    assert "lies within the margin of 40.0 points either way." in words[3]
    assert "lies outside the margin of 10.0 points." in words[4]
    assert "&lt;b&gt;Mine&lt;/b&gt; &amp; more" in articles[5]
    assert all("one of 6 claims corrected together" in text for text in words)
    assert "not matched: midtraining: much" in words[0]
    assert "not matched" not in words[2]
    # The rates open the rows behind them.
    assert re.search(r'<b class="rate" data-arm="msm\+aft" data-eval="plain/affordability">\d+\.\d%</b>', articles[0])
    assert "Would be enough" in words[2]
    assert "Would be enough" not in words[0]
    # Each claim is listed where the report begins, by the same word.
    for card in cards(results):
        assert f'<a href="#{card.anchor}">{card.verdict}</a>' in page


def test_every_field_of_a_claim_is_documented() -> None:
    text = Path("docs/results.md").read_text(encoding="utf-8")
    section = text[text.index("\n## Claims\n") : text.index("\n## Arms\n")]
    parts = (ClaimResult, EnoughDesign, SpreadSource, DataSaved)
    assert [name for part in parts for name in part.model_fields if f"`{name}`" not in section] == []


def test_what_is_claimed_is_told_once() -> None:
    """A sentence with an uncorrected interval beside an undecided claim would be a second, louder verdict."""
    results = sample_results()
    before = findings(results)
    [first] = [one for one in before if (one.eval, one.arm) == ("preferences/affordability", "msm-affordability+aft")]
    assert "than aft (" in first.rate_sentence
    assert NOTHING_CLAIMED in render(results)
    [made] = judged([claim()], {PLAIN: choices({})})
    made.eval, made.arm, made.versus = "preferences/affordability", "aft", "msm-affordability+aft"
    results.claims = [made]
    [first] = [one for one in findings(results) if (one.eval, one.arm) == (first.eval, first.arm)]
    assert "than aft (" not in first.rate_sentence
    assert "than msm-america+aft (" in first.rate_sentence
    page = render(results)
    assert NOTHING_CLAIMED not in page
    assert "Not claimed beforehand, so exploratory" in page
    assert measure_findings(results) == []


def test_the_terminal_has_one_line_a_claim() -> None:
    results = sample_results()
    assert lines(results) == ["No claims: the recipe made none, so all that the report finds is exploratory."]
    results.claims = judged(
        [claim(), claim(evaluation=AGENTIC, part="moon")], {PLAIN: choices({"msm+aft": 0.9}), AGENTIC: harms({})}
    )
    first, supported, nothing = lines(results)
    assert first == "2 claims were written down before the run: 1 supported, 1 without data."
    assert re.fullmatch(
        r"  supported    msm\+aft is higher than aft on plain/affordability\. "
        r"\(\+\d+\.\d points, corrected interval \+\d+\.\d to \+\d+\.\d points\)",
        supported,
    )
    assert nothing.startswith("  no data      ")
    assert "has no part 'moon'" in nothing
