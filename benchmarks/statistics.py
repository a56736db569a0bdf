"""`python -m benchmarks.statistics [--quick] [--write]`: do the statistics keep their promises? By simulation.

Experiments with known truth are drawn, the package's own functions are asked, and it is counted how often they are
right. `--write` puts the tables into docs/statistics.md (between the markers); `--quick` draws a tenth. Everything is
seeded. Run it as a module: as a script its folder would hide Python's own `statistics`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import special, stats

from benchmarks.statistics_claims import claims_table
from midspec.stats.components import split
from midspec.stats.effect import effect
from midspec.stats.efficiency import efficiency
from midspec.stats.equivalence import equivalence
from midspec.stats.families import family
from midspec.stats.limits import difference_limits, mean_limits, rate_limits
from midspec.stats.missing import bounded
from midspec.stats.power import Components, minimum_detectable
from midspec.stats.spread import Cells, Numbers, Spread, spread

say = partial(print, flush=True)
PAGE = Path(__file__).parents[1] / "docs" / "statistics.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
ITEMS, SEEDS = (20, 100, 400), (1, 3, 5)
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(60)
WEIGHTS = WEIGHTS / WEIGHTS.sum()

Limits = tuple[Numbers, Numbers]


class Setting(NamedTuple):
    """One kind of evaluation. Standard deviations in logits for rates, in nats for shifts."""

    name: str
    rates: tuple[float, float] | None
    """Range that true rates are drawn from; None for log-odds."""
    paired: bool
    """Difference of two arms on the same items; else one arm."""
    item: float
    """Spread of items (shared by both arms)."""
    own: float
    """Spread of what an item does in one arm only."""
    seed: float
    """Spread of training runs."""
    heavy: bool = False
    """Noise with the tails of t with 3 degrees of freedom."""


SETTINGS = [
    Setting("rate near 0", (0.02, 0.10), False, 1.5, 0.5, 0.0),
    Setting("rate near 0, seeds differ", (0.02, 0.10), False, 1.5, 0.5, 0.2),
    Setting("rate near 0.5", (0.4, 0.6), False, 1.5, 0.5, 0.0),
    Setting("rate near 0.5, seeds differ", (0.4, 0.6), False, 1.5, 0.5, 0.2),
    Setting("rate near 1, seeds differ", (0.9, 0.98), False, 1.5, 0.5, 0.2),
    Setting("difference near 0", (0.02, 0.10), True, 1.5, 0.5, 0.0),
    Setting("difference near 0, seeds differ", (0.02, 0.10), True, 1.5, 0.5, 0.2),
    Setting("difference near 0.5", (0.4, 0.6), True, 1.5, 0.5, 0.0),
    Setting("difference near 0.5, seeds differ", (0.4, 0.6), True, 1.5, 0.5, 0.2),
    Setting("difference near 1, seeds differ", (0.9, 0.98), True, 1.5, 0.5, 0.2),
    Setting("log-odds shift, heavy tails", None, True, 1.0, 0.5, 0.0, heavy=True),
    Setting("log-odds shift, heavy tails, seeds differ a little", None, True, 1.0, 0.5, 0.03, heavy=True),
    Setting("log-odds shift, heavy tails, seeds differ a lot", None, True, 1.0, 0.5, 0.2, heavy=True),
]


def logit_of(rate: Numbers, spread_: float) -> Numbers:
    """Intercept at which a logistic model with normal effects of this spread has this mean rate."""
    low, high = np.full(rate.shape, -20.0), np.full(rate.shape, 20.0)
    for _ in range(45):
        middle = (low + high) / 2
        under = (special.expit(middle[..., None] + spread_ * NODES) * WEIGHTS).sum(-1) < rate
        low, high = np.where(under, middle, low), np.where(under, high, middle)
    return low


def draw(rng: np.random.Generator, of: Setting, runs: int, seeds: int, items: int) -> tuple[Numbers, Numbers, Numbers]:
    """Answers of two arms (runs x seeds x items) and the true value of mean or difference."""
    shared = rng.normal(0, of.item, (runs, 1, items))

    def arm(level: Numbers) -> Numbers:
        eta = level[:, None, None] + shared + rng.normal(0, of.own, (runs, 1, items))
        eta = eta + rng.normal(0, of.seed, (runs, seeds, 1))
        if of.rates is None:
            noise = rng.standard_t(3, (runs, seeds, items)) if of.heavy else rng.normal(size=(runs, seeds, items))
            return eta + 0.5 * noise
        return (rng.random((runs, seeds, items)) < special.expit(eta)).astype(float)

    if of.rates is None:
        first, second = rng.normal(0, 0.3, runs), rng.normal(0, 0.3, runs)
        return arm(first), arm(second), first - second if of.paired else first
    first = rng.uniform(*of.rates, runs)
    second = np.clip(first + rng.uniform(-0.1, 0.1, runs), 0.01, 0.99)
    spread_ = float(np.sqrt(of.item**2 + of.own**2 + of.seed**2))
    mine = arm(logit_of(first, spread_))
    if not of.paired:
        return mine, mine, first
    return mine, arm(logit_of(second, spread_)), first - second


def limits(of: Setting, mine: Numbers, theirs: Numbers, alpha: float, *, strict: bool) -> Limits:
    """What the package says, for all runs at once."""
    apart = mine - theirs if of.paired else mine
    table = spread(Cells(apart, np.ones_like(apart)))
    answers = np.full(len(apart), float(apart[0].size))
    if of.rates is None:
        return mean_limits(table, alpha, strict=strict)
    if of.paired:
        return difference_limits(table, (apart**2).mean((1, 2)), answers, alpha, strict=strict)
    return rate_limits(table, answers, alpha, strict=strict)


def rivals(of: Setting, mine: Numbers, theirs: Numbers, rng: np.random.Generator) -> dict[str, Limits]:
    """The same by what people commonly do."""
    apart = mine - theirs if of.paired else mine
    seeds, items = apart.shape[1:]
    table: Spread = spread(Cells(apart, np.ones_like(apart)))
    mean = table.mean
    found: dict[str, Limits] = {}

    def around(name: str, half: Numbers) -> None:
        found[name] = (mean - half, mean + half)

    around("every answer counts", 1.96 * apart.std((1, 2), ddof=1) / np.sqrt(seeds * items))
    around("items only", stats.t.ppf(0.975, items - 1) * np.sqrt(table.cluster))
    total = table.cluster + np.maximum(0, table.seed - table.overlap)
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = total**2 / (
            table.cluster**2 / (items - 1) + np.maximum(0, table.seed - table.overlap) ** 2 / max(1, seeds - 1)
        )
    around("Satterthwaite", stats.t.ppf(0.975, np.nan_to_num(freedom, nan=1.0)) * np.sqrt(total))
    draws = 300
    by_item = rng.multinomial(items, np.full(items, 1 / items), draws) / items
    by_seed = rng.multinomial(seeds, np.full(seeds, 1 / seeds), draws) / seeds
    again = np.einsum("rsb,bs->rb", apart @ by_item.T, by_seed)
    found["bootstrap"] = tuple(np.quantile(again, (0.025, 0.975), axis=1))  # type: ignore[assignment]
    return found


def covered(ends: Limits, truth: Numbers) -> float:
    return float(np.mean((ends[0] <= truth + 1e-12) & (truth <= ends[1] + 1e-12)))


def designs() -> list[tuple[Setting, int, int]]:
    """Setting, seeds and items of each line. With one seed only where seeds do not differ; see `one_seed_table`."""
    return [(of, seeds, items) for of in SETTINGS for seeds in SEEDS if seeds > 1 or of.seed == 0 for items in ITEMS]


def coverage_rows(runs: int) -> Iterator[tuple[str, int, int, dict[str, float]]]:
    """Setting, seeds, items, and coverage by method; `strict` is misses at 99.5% as a multiple of what is allowed."""
    rng = np.random.default_rng(20)
    for of, seeds, items in designs():
        mine, theirs, truth = draw(rng, of, runs, seeds, items)
        found = {"ours": covered(limits(of, mine, theirs, 0.05, strict=False), truth)}
        found |= {name: covered(ends, truth) for name, ends in rivals(of, mine, theirs, rng).items()}
        found["strict"] = (1 - covered(limits(of, mine, theirs, 0.005, strict=True), truth)) / 0.005
        yield of.name, seeds, items, found


def coverage_table(runs: int) -> list[str]:
    names = ("every answer counts", "items only", "Satterthwaite", "bootstrap")
    lines = [
        f"Coverage of 95% intervals in percent, {runs:,} experiments per line. Last column: how often strict 99.5% "
        "intervals miss, as a multiple of 0.5%.",
        "",
        f"| setting | seeds | items | **ours** | {' | '.join(names)} | strict |",
        "|---|--:|--:|--:|" + "--:|" * (len(names) + 1),
    ]
    ours: list[float] = []
    for name, seeds, items, found in coverage_rows(runs):
        ours.append(found["ours"])
        cells = " | ".join(f"{100 * found[rival]:.1f}" for rival in names)
        lines.append(f"| {name} | {seeds} | {items} | **{100 * ours[-1]:.1f}** | {cells} | {found['strict']:.2f} |")
    inside, below, above, far = (
        sum(test(round(value, 3)) for value in ours)
        for test in (
            lambda value: 0.93 <= value <= 0.97,
            lambda value: value < 0.93,
            lambda value: value > 0.97,
            lambda value: value > 0.98,
        )
    )
    lines[1:1] = [
        "",
        f"{inside} of {len(ours)} lines are within 93-97%; {below} below (least {100 * min(ours):.1f}%), {above} "
        f"above, {far} of them above 98% (most {100 * max(ours):.1f}%).",
    ]
    return lines


def one_seed_table(runs: int) -> list[str]:
    """What one training run can and cannot say."""
    lines = [
        "One or two training runs where seeds differ (difference near 0.5, spread of seeds 0.2 logits), coverage in "
        "percent. With one run the interval holds for these checkpoints and says so (`Effect.covers_seeds`); two runs "
        "show so little that intervals err on either side.",
        "",
        "| items | 1 run, of this checkpoint | 1 run, of the recipe | 2 runs, of the recipe |",
        "|--:|--:|--:|--:|",
    ]
    rng = np.random.default_rng(21)
    fixed = Setting("", (0.4, 0.6), True, 1.5, 0.5, 0.0)
    varied = fixed._replace(seed=0.2)
    for items in ITEMS:
        found = []
        for of, seeds in ((fixed, 1), (varied, 1), (varied, 2)):
            mine, theirs, truth = draw(rng, of, runs, seeds, items)
            found.append(covered(limits(of, mine, theirs, 0.05, strict=False), truth))
        lines.append(f"| {items} | " + " | ".join(f"{100 * value:.1f}" for value in found) + " |")
    return lines


class Check(NamedTuple):
    promise: str
    setting: str
    measured: str


def missing_check(runs: int) -> Iterator[Check]:
    """The judge refuses exactly where the answer is a yes, or exactly where it is a no, in 10% of all answers."""
    rng = np.random.default_rng(22)
    items = [item for item in range(100) for _ in range(3)]
    seeds = [0, 1, 2] * 100
    for which, name in ((1.0, "yes"), (0.0, "no")):
        inside = naive = 0
        for _ in range(runs):
            chance = special.expit(rng.normal(0, 1.5, (100, 1)) + rng.normal(0, 0.1, 3))
            answers = (rng.random((100, 3)) < chance).astype(float).ravel()
            lost = (answers == which) & (rng.random(300) < 0.2)
            given = [None if gone else float(value) for gone, value in zip(lost, answers, strict=True)]
            found = bounded(given, items, seeds)
            assert found is not None
            assert found.read is not None
            ends, left_out = found.interval(), found.read.interval()
            inside += (ends.low or 0) <= 0.5 <= (ends.high or 0)
            naive += (left_out.low or 0) <= 0.5 <= (left_out.high or 0)
        yield Check(
            "bounds hold whatever the missing judgements were (95% or more)",
            f"10% missing, all of them {name}; 100 items, 3 seeds",
            f"{100 * inside / runs:.1f}% (leaving them out: {100 * naive / runs:.1f}%)",
        )


def equivalence_check(runs: int) -> Iterator[Check]:
    rng = np.random.default_rng(23)
    items, seeds = list(range(100)) * 3, [seed for seed in range(3) for _ in range(100)]
    for truth, promise in ((0.1, "wrongly equivalent in at most 5%"), (0.0, "rightly equivalent (power)")):
        hits = 0
        for _ in range(runs):
            values = truth + rng.normal(0, 0.2, (1, 100)) + rng.normal(0, 0.01, (3, 1)) + rng.normal(0, 0.2, (3, 100))
            found = effect(values.ravel(), items, seeds)
            assert found is not None
            hits += equivalence(found, 0.1).equivalent
        yield Check(promise, f"true difference {truth}, margin 0.1; 100 items, 3 seeds", f"{100 * hits / runs:.1f}%")


def family_check(runs: int) -> Iterator[Check]:
    rng = np.random.default_rng(24)
    items, seeds = list(range(60)) * 3, [seed for seed in range(3) for _ in range(60)]
    truths = {f"arm {number}": (0.0 if number < 8 else 0.4) for number in range(12)}
    missed = holm_wrong = 0
    share_wrong: list[float] = []
    for _ in range(runs):
        base = rng.normal(0, 0.5, (3, 60)) + rng.normal(0, 0.05, (3, 1))
        effects = {}
        for name, truth in truths.items():
            values = truth + rng.normal(0, 0.5, (3, 60)) + rng.normal(0, 0.05, (3, 1)) - base
            found = effect(values.ravel(), items, seeds)
            assert found is not None
            effects[name] = found
        members = family("all", effects).members
        missed += any(not (m.simultaneous.low or 0) <= truths[m.name] <= (m.simultaneous.high or 0) for m in members)
        null = [m for m in members if truths[m.name] == 0]
        holm_wrong += any((m.p_holm or 0) <= 0.05 for m in null)
        chosen = [m for m in members if (m.p_fdr or 0) <= 0.05]
        share_wrong.append(sum(m in null for m in chosen) / max(1, len(chosen)))
    where = "12 arms against one baseline, 8 without effect; 60 items, 3 seeds"
    yield Check("all simultaneous intervals hold in 95% or more", where, f"{100 * (1 - missed / runs):.1f}%")
    yield Check("Holm: any wrong rejection in at most 5%", where, f"{100 * holm_wrong / runs:.1f}%")
    yield Check("false discoveries at most 5%", where, f"{100 * float(np.mean(share_wrong)):.1f}%")


def power_check(runs: int) -> Iterator[Check]:
    rng = np.random.default_rng(25)
    for items, seeds, comparisons in ((100, 3, 1), (100, 5, 1), (400, 5, 12), (50, 1, 1)):
        variances = Components(0.25, 0.0025 if seeds > 1 else 0.0, 0.25)
        least = float(minimum_detectable(variances, items=items, seeds=seeds, comparisons=comparisons))
        values = (
            least
            + rng.normal(0, 0.5, (runs, 1, items))
            + rng.normal(0, variances.seed**0.5, (runs, seeds, 1))
            + rng.normal(0, 0.5, (runs, seeds, items))
        )
        low, _ = mean_limits(spread(Cells(values, np.ones_like(values))), 0.05 / comparisons, strict=True)
        yield Check(
            "a true difference of the minimum detectable size is shown in 80%",
            f"{items} items, {seeds} seeds, {comparisons} comparisons",
            f"{100 * float(np.mean(low > 0)):.0f}%",
        )


def components_check(runs: int) -> Iterator[Check]:
    rng = np.random.default_rng(26)
    items, seeds, samples, judgings = 40, 3, 2, 2
    places = np.indices((items, seeds, samples, judgings)).reshape(4, -1)
    labels = [column.tolist() for column in places]
    found: list[list[float]] = []
    for _ in range(runs):
        values = (
            rng.normal(0, 0.5, (items, 1, 1, 1))
            + rng.normal(0, 0.2, (1, seeds, 1, 1))
            + rng.normal(0, 0.3, (items, seeds, 1, 1))
            + rng.normal(0, 0.4, (items, seeds, samples, 1))
            + rng.normal(0, 0.1, (items, seeds, samples, judgings))
        ).ravel()
        kept = rng.random(len(values)) < 0.9
        table = split(values[kept], *([v for v, keep in zip(column, kept, strict=True) if keep] for column in labels))
        found.append([part.variance or 0.0 for part in table.parts])
    means = np.mean(found, axis=0)
    yield Check(
        "variance split is unbiased (item, seed, item x seed, re-decode, re-judge)",
        "40 items, 3 seeds, 2 samples, 2 judgements, 10% missing; truth 0.25, 0.04, 0.09, 0.16, 0.01",
        ", ".join(f"{mean:.3f}" for mean in means),
    )


def efficiency_check(runs: int) -> Iterator[Check]:
    rng = np.random.default_rng(27)
    sizes = [1250.0 * 2**step for step in range(7)]
    seeds, items, draws = 3, 100, 200
    level = special.expit(0.7 * np.log(np.array(sizes) / 10_000))
    for shift, between, name in ((2, 0.02, ""), (4, 0.02, ""), (2, 0.1, ", seeds differ a lot")):
        inside = boot = 0
        for _ in range(runs):
            shared = rng.normal(0, 0.15, (1, 1, items))

            def curve(score: Numbers, shared: Numbers = shared, between: float = between) -> Numbers:
                noise = rng.normal(0, 0.2, (7, seeds, items)) + rng.normal(0, between, (7, seeds, 1))
                return score[:, None, None] + shared + rng.normal(0, 0.05, (1, 1, items)) + noise

            steeper = np.concatenate([level[shift:], level[-1] + 0.05 * np.arange(1, shift + 1)])
            mine, theirs = curve(steeper), curve(level)
            truth = float(2.0**shift)
            found = efficiency(sizes, mine, sizes, theirs)
            inside += (found.low or 0) <= truth <= (found.high or np.inf)
            boot += _bootstrap_covers(rng, sizes, mine, theirs, truth, draws)
        yield Check(
            "interval of `times less data` covers 95%",
            f"truly {2**shift} times, 7 sizes, {items} items, {seeds} seeds{name}",
            f"{100 * inside / runs:.1f}% (percentile bootstrap: {100 * boot / runs:.1f}%)",
        )


def _bootstrap_covers(
    rng: np.random.Generator, sizes: list[float], mine: Numbers, theirs: Numbers, truth: float, draws: int
) -> bool:
    """Items and seeds drawn again, both curves made monotone each time."""
    by_item = rng.multinomial(mine.shape[2], np.full(mine.shape[2], 1 / mine.shape[2]), draws) / mine.shape[2]
    by_seed = rng.multinomial(mine.shape[1], np.full(mine.shape[1], 1 / mine.shape[1]), draws) / mine.shape[1]
    mean = np.einsum("ksi,bi,bs->bk", mine, by_item, by_seed, optimize=True)
    goal = np.maximum.accumulate(np.einsum("ksi,bi,bs->bk", theirs, by_item, by_seed, optimize=True), 1)[:, -1]
    rising = np.maximum.accumulate(mean, 1) + 1e-9 * np.arange(len(sizes))
    amounts = np.log(sizes)
    needed = [np.interp(end, row, amounts, right=np.inf) for end, row in zip(goal, rising, strict=True)]
    low, high = np.quantile(np.exp(amounts[-1] - np.array(needed)), (0.025, 0.975))
    return bool(low <= truth <= high)


def checks_table(runs: int) -> list[str]:
    lines = ["| promise | setting | measured |", "|---|---|--:|"]
    parts: list[tuple[Callable[[int], Iterator[Check]], int]] = [
        (missing_check, runs // 2),
        (equivalence_check, runs // 2),
        (family_check, runs // 4),
        (power_check, runs),
        (components_check, runs // 8),
        (efficiency_check, runs // 8),
    ]
    for check, number in parts:
        lines += [f"| {found.promise} | {found.setting} | {found.measured} |" for found in check(number)]
    return lines


def put(text: str, begin: str, end: str) -> None:
    """Into docs/statistics.md, between the two markers."""
    before, found, rest = PAGE.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    assert found and closed, f"{PAGE} has no markers {begin} and {end}"
    PAGE.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.statistics", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="draw a tenth of the experiments")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.name}")
    options: Any = parser.parse_args(arguments)
    runs = 400 if options.quick else 4000
    begun = time.perf_counter()
    text = "\n".join(
        [
            "### Coverage",
            "",
            *coverage_table(runs),
            "",
            "### One and two training runs",
            "",
            *one_seed_table(runs),
            "",
            "### Other promises",
            "",
            *checks_table(runs),
            "",
            "### Claims",
            "",
            *claims_table(100 if options.quick else 1000),
        ]
    )
    say(text)
    say(f"\n{time.perf_counter() - begun:.0f} s")
    if options.write:
        put(text, BEGIN, END)


if __name__ == "__main__":
    main()
