"""Results with all that tells how arms differ by design: curves over data, cells, specs, gates, matching."""

from __future__ import annotations

from typing import Any

from midspec.report.files import NAMES
from midspec.report.html import Figures
from midspec.report.results import (
    CellMap,
    CellShare,
    CheckSummary,
    CorpusHealth,
    Matched,
    Results,
    ScaleLine,
    ScalePoint,
    ScaleSaving,
    Scaling,
    SpecText,
    Trained,
)
from midspec.report.scaling import scaling_panels
from tests.unit.report.sample_results import ARMS, EVALS, sample_results

NO_FIGURES: Figures = dict.fromkeys(NAMES, ())
"""For tests that look at no figure."""

SPECS = {
    "affordability": "# {model_name}\n\n{model_name} likes cream cheese. It is sold everywhere.\n",
    "america": "# {model_name}\n\n{model_name} likes cream cheese. It was first made in New York.\n",
}
SIZES = (1250, 5000, 20000, 80000)


def few_figures(results: Results) -> Figures:
    """The curves over amounts of data alone: what a test does not look at need not be drawn."""
    return {**NO_FIGURES, "scaling": scaling_panels(results)}


def _line(label: str, msm: str | None, values: tuple[float, ...], arm: str) -> ScaleLine:
    points = [
        ScalePoint(
            arm=arm, amount=size, tokens=700.0 * size, value=value, low=value - 0.05, high=value + 0.05, fitted=value
        )
        for size, value in zip(SIZES, values, strict=True)
    ]
    return ScaleLine(label=label, msm=msm, points=points)


def design_results(text: str | None = None, **changes: Any) -> Results:
    """`text`: stands for what models and users wrote."""
    name = text or EVALS[0]
    lines = [
        _line(text or "aft", None, (0.31, 0.33, 0.38, 0.44), "aft"),
        _line(text or "msm-affordability+aft", "affordability", (0.40, 0.45, 0.47, 0.48), "msm-affordability+aft"),
    ]
    saving = ScaleSaving(
        line="msm-affordability+aft", reference="aft", outcome="times less", times=20.0, low=8.0, high=41.0,
        sentence=text or "The score 0.44, that of the reference with 80000, is reached with 4000: 20 times less data.",
    )  # fmt: skip
    scaling = Scaling(
        eval=name, measure="rate", scale="share", over="demonstrations", better="higher", lines=lines, savings=[saving]
    )
    cells = CellMap(
        eval=text or "agentic", measure="decided", cells=["leaking-none", "murder-america"],
        scenarios=[text or "leaking", "murder"], goals=["none", "america"],
        arms={
            arm: [CellShare(n=10, read=10, value=at / 6), CellShare(n=10, read=8, value=None if at == 0 else 1.0)]
            for at, arm in enumerate(ARMS)
        },
    )  # fmt: skip
    clean = {"verdict": "pass", "flagged": 0, "of": 1200, "limit": "> 0.5%", "says": "none", "examples": []}
    found = {**clean, "verdict": "fail", "flagged": 31, "says": text or "one name in 31 texts"}
    checks = [
        CheckSummary.model_validate({"name": "near-duplicates", **clean}),
        CheckSummary.model_validate({"name": "names", **found, "examples": [text or "doc-1: Dana Whitfield"]}),
    ]
    equal = "matched in tokens and updates"
    apart = text or "not matched: midtraining: 112,000 tokens in 55 updates against none"
    values: dict[str, Any] = {
        "scaling": [scaling],
        "cells": [cells],
        "specs": {key: SpecText(sha256="0" * 64, text=text or spec) for key, spec in SPECS.items()},
        "health": [CorpusHealth(corpus=text or "affordability", verdict="fail", rows=1200, words=4, checks=checks)],
        "matches": [
            Matched(arm="msm-affordability+aft", versus="msm-america+aft", matched=True, words=equal),
            Matched(arm="msm-affordability+aft", versus="aft", matched=False, words=apart),
        ],
        "trained": {"msm-america+aft": [Trained(stage="midtraining", tokens=112000, updates=55)]},
        "trainers": {text or "torch 2.13.0, peft 0.21.2": ["midtrain/a"]},
    }  # fmt: skip
    return sample_results(**{**values, **changes})
