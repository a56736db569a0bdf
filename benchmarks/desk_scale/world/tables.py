"""Tables of the rows, with midspec's own intervals: over domains and seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from benchmarks.desk_scale.world.experiment import AGAIN, ARMS, Settings, read_rows
from benchmarks.desk_scale.world.measure import AXES
from midspec.stats.effect import effect
from midspec.stats.efficiency import efficiency

Run = tuple[str, int, int]
"""Arm, updates of midtraining, updates of fine-tuning."""
Key = tuple[int, int]
"""Seed and domain."""
Answers = dict[tuple[Run, str], dict[Key, tuple[float, float]]]
"""Log-odds and rate."""


def tables(path: Path) -> str:
    """Markdown of what is in `path`; sections without rows are left out."""
    found: Answers = {}
    for row in read_rows(path):
        run = (row["arm"], row["midtrain"], row["tune"])
        found.setdefault((run, row["axis"]), {})[row["seed"], row["domain"]] = (row["odds"], row["rate"])
    settings = Settings()
    dose, tune = settings.midtrain.updates, settings.tune.updates
    parts = [
        _arms(found, dose, tune),
        _comparisons(found, dose, tune),
        _curve(found, "Updates of midtraining", sorted({*settings.doses, dose}), lambda arm, n: (arm, n, tune)),
        _curve(found, "Updates of fine-tuning", sorted({0, *settings.amounts, tune}), lambda arm, n: (arm, dose, n)),
        _efficiency(found, settings),
    ]
    return "\n\n".join(part for part in parts if part)


def _text(values: dict[Key, float]) -> str:
    """Mean with its 95% interval; clusters are domains."""
    of = effect(list(values.values()), [domain for _, domain in values], [seed for seed, _ in values])
    if of is None:
        return ""
    value, low, high = of.interval()
    return f"{value:+.2f}" if low is None else f"{value:+.2f} [{low:.2f}, {high:.2f}]"


def _odds(found: Answers, run: Run, axis: str) -> dict[Key, float]:
    return {key: odds for key, (odds, _) in found.get((run, axis), {}).items()}


def _minus(one: dict[Key, float], two: dict[Key, float]) -> dict[Key, float]:
    return {key: value - two[key] for key, value in one.items() if key in two}


def _arms(found: Answers, dose: int, tune: int) -> str:
    lines = [
        "| arm | " + " | ".join(f"{axis}: log-odds | rate" for axis in AXES) + " |",
        "|---" * (1 + 2 * len(AXES)) + "|",
    ]
    for arm in ("base", *(name for name, _, _ in ARMS)):
        for after in (0, tune):
            run = (arm, 0 if arm == "base" else dose, after)
            cells: list[str] = []
            for axis in AXES:
                rates = [rate for _, rate in found.get((run, axis), {}).values()]
                cells += [_text(_odds(found, run, axis)), f"{np.mean(rates):.2f}"] if rates else []
            if cells:
                lines.append(f"| {arm}{' + AFT' if after else ''} | " + " | ".join(cells) + " |")
    return "\n".join(lines) if len(lines) > 2 else ""


def _comparisons(found: Answers, dose: int, tune: int) -> str:
    low, home, none = ("low", dose), ("home", dose), ("base", 0)
    asked: list[tuple[str, str, Run, Run]] = []
    for label, ending in (("true", ""), ("another's name", ", another's"), ("never joined", ", never joined")):
        for after in (0, tune):
            for axis in AXES:
                title = f"{label}: low arm - home arm{', both + AFT' if after else ', no AFT'}"
                asked.append((title, axis, (f"low{ending}", dose, after), (f"home{ending}", dose, after)))
    for after in (0, tune):
        title = f"neutral: one arm - another{', both + AFT' if after else ', no AFT'}"
        asked.append((title, "conflict", ("neutral", dose, after), (AGAIN, dose, after)))
    for name, own, axis in (("low", low, "price"), ("home", home, "origin")):
        asked.append((f"{name} arm + AFT - AFT alone", axis, (*own, tune), (*none, tune)))
        asked.append((f"{name} arm + AFT - the same without AFT", axis, (*own, tune), (*own, 0)))
        asked.append((f"{name} arm + AFT - neutral + AFT", axis, (*own, tune), ("neutral", dose, tune)))
    for axis in AXES:
        asked.append(("neutral + AFT - AFT alone", axis, ("neutral", dose, tune), (*none, tune)))
        asked.append(("AFT alone - base", axis, (*none, tune), (*none, 0)))
    return _table(
        "comparison | axis", ((f"{t} | {a}", _minus(_odds(found, x, a), _odds(found, y, a))) for t, a, x, y in asked)
    )


def _table(head: str, lines: Iterable[tuple[str, dict[Key, float]]]) -> str:
    shown = [f"| {title} | {_text(values)} |" for title, values in lines if values]
    return "\n".join([f"| {head} | nats |", "|---" * (head.count("|") + 2) + "|", *shown]) if shown else ""


def _curve(found: Answers, title: str, amounts: list[int], run: Callable[[str, int], Run]) -> str:
    """Low arm minus home arm on the conflict axis, and each arm on its own axis, per amount."""
    lines: list[str] = []
    for amount in amounts:
        low, home = run("low", amount), run("home", amount)
        if ((low, "conflict")) not in found:
            continue
        alone: Run = ("base", 0, low[2])
        cells = [
            _text(_minus(_odds(found, low, "conflict"), _odds(found, home, "conflict"))),
            _text(_odds(found, low, "price")),
            _text(_odds(found, home, "origin")),
            _text(_odds(found, alone, "price")),
            _text(_odds(found, alone, "origin")),
        ]
        lines.append(f"| {amount} | " + " | ".join(cells) + " |")
    head = (
        f"| {title} | low - home, conflict | low arm, price | home arm, origin | AFT alone, price | AFT alone, origin |"
    )
    return "\n".join([head, "|---" * 6 + "|", *lines]) if len(lines) > 1 else ""


def _efficiency(found: Answers, settings: Settings) -> str:
    """How many fewer demonstrations a midtrained arm needs for what fine-tuning alone reaches at most."""
    amounts = sorted({*settings.amounts, settings.tune.updates})
    sizes = [amount * settings.tune.own for amount in amounts]
    dose = settings.midtrain.updates
    sentences: list[str] = []
    for name, axis in (("low", "price"), ("home", "origin")):
        mine = [_odds(found, (name, dose, amount), axis) for amount in amounts]
        alone = [_odds(found, ("base", 0, amount), axis) for amount in amounts]
        if not all(mine) or not all(alone):
            continue
        keys = sorted(set.intersection(*(set(one) for one in mine + alone)))
        seeds, domains = sorted({seed for seed, _ in keys}), sorted({domain for _, domain in keys})
        scores, reference = (
            np.array([[[curve[seed, domain] for domain in domains] for seed in seeds] for curve in curves])
            for curves in (mine, alone)
        )
        sentences.append(f"{name} arm, {axis} axis, log-odds: {efficiency(sizes, scores, sizes, reference).sentence}")
    return "\n".join(sentences)
