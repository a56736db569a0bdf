"""Rows of evaluations whose truth is known, as the steps of a real run leave them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from midspec.evals.agentic.cells import Cell
from midspec.evals.banks import load_bank
from midspec.records import BankItem, EvalRow
from midspec.stats.spread import Numbers

ITEMS = 60
SAMPLES = 6
"""Of each cell of the agentic evaluation."""
CONTAMINATED = 3
"""Items of each bank that are found in the training data, and that every trained arm answers as it was trained to."""
SAID = 6.0
"""Log-odds that training on an item gives its answer, in nats."""
TOPIC, ITEM = 0.8, 0.8
"""Spread of what is asked, in nats; shared by all arms."""
OWN = 0.3
"""Spread of what a topic, and an item, does in one arm only."""
BIAS = 0.7
"""Nats for what is named first."""
TOLD = "yes, because it is cheap"

Levels = Mapping[str, float]
"""Arm -> nats."""


class World(NamedTuple):
    """What is true: levels of arms, in nats."""

    name: str
    value: Levels
    """On the two evaluations by choices."""
    harm: Levels
    """Of the harmful act, which is rare."""
    run: float = 0.1
    """Spread of training runs."""
    lost: Levels | None = None
    """Arm -> share of harmful answers that the judge refuses to judge."""


class Asked(NamedTuple):
    """One evaluation, drawn once for an experiment."""

    eval: str
    items: Sequence[BankItem]
    shared: Numbers


def bank(name: str, value: str) -> list[BankItem]:
    """The first items of a packaged bank's development split, so that topics and domains are real ones."""
    found = load_bank(name, value)  # pyright: ignore[reportArgumentType]
    return sorted((item for item in found if item.split == "dev"), key=lambda item: (item.domain, item.topic))[:ITEMS]


def contaminated(items: Sequence[BankItem]) -> list[BankItem]:
    """Those that training data holds, spread over the bank."""
    return list(items[:: len(items) // CONTAMINATED])[:CONTAMINATED]


def ask(rng: np.random.Generator, name: str, items: Sequence[BankItem], level: float) -> Asked:
    """Draw how far the items are from even; the same for all arms."""
    return Asked(name, items, level + _by_topic(rng, items, TOPIC, ITEM))


def own(rng: np.random.Generator, asked: Asked) -> Numbers:
    """What one arm makes of the items, the same for all its runs."""
    return _by_topic(rng, asked.items, OWN, OWN)


def likelihood_rows(rng: np.random.Generator, asked: Asked, odds: Numbers, *, trained: bool) -> list[EvalRow]:
    """Log-odds in both orders of naming. `odds`: of an arm's run, in nats, per item."""
    noisy = _seen(asked, odds, trained) + 0.3 * rng.standard_t(3, len(odds))
    return [
        _row(
            asked.eval,
            item,
            log_odds=float(value),
            aligned=None if value == 0 else bool(value > 0),
            by_order=(float(value) + BIAS, float(value) - BIAS),
        )
        for item, value in zip(asked.items, noisy, strict=True)
    ]


def written_rows(rng: np.random.Generator, asked: Asked, odds: Numbers, *, trained: bool) -> list[EvalRow]:
    """Written choices in both orders: decided where they agree."""
    seen = _seen(asked, odds, trained)
    orders = [rng.random(len(odds)) < special.expit(2 * (seen + bias)) for bias in (BIAS, -BIAS)]
    return [
        _row(
            asked.eval,
            item,
            aligned=bool(first) if first == second else None,
            by_order=(float(first), float(second)),
            answers=(TOLD, TOLD),
        )
        for item, first, second in zip(asked.items, *orders, strict=True)
    ]


def agentic_rows(rng: np.random.Generator, asked: Sequence[Cell], odds: Numbers, lost: float) -> list[EvalRow]:
    """Verdicts on the answers to each cell. The judge loses harmful ones only, which is the worst it can do."""
    rows: list[EvalRow] = []
    for cell, chance in zip(asked, special.expit(odds), strict=True):
        for sample in range(SAMPLES):
            harmful = bool(rng.random() < chance)
            gone = harmful and bool(rng.random() < lost)
            rows.append(
                EvalRow(
                    eval="agentic",
                    item=cell.id,
                    domain=cell.scenario,
                    topic=cell.goal,
                    difficulty="",
                    answers=(TOLD,),
                    score=None if gone else float(harmful),
                    unscored="judge refused" if gone else None,
                    facets={"harmful": None if gone else float(harmful), "tool_used": 1.0},
                    sample=sample,
                )
            )
    return rows


def _row(evaluation: str, item: BankItem, **answer: object) -> EvalRow:
    return EvalRow.model_validate(
        {
            "eval": evaluation,
            "item": item.id,
            "domain": item.domain,
            "topic": item.topic,
            "difficulty": item.difficulty,
            **answer,
        }
    )


def _seen(asked: Asked, odds: Numbers, trained: bool) -> Numbers:
    known = {item.id for item in contaminated(asked.items)} if trained else set[str]()
    return odds + SAID * np.array([item.id in known for item in asked.items])


def _by_topic(rng: np.random.Generator, items: Sequence[BankItem], topic: float, item: float) -> Numbers:
    topics = {name: rng.normal(0, topic) for name in sorted({f"{one.domain}/{one.topic}" for one in items})}
    return np.array([topics[f"{one.domain}/{one.topic}"] for one in items]) + rng.normal(0, item, len(items))
