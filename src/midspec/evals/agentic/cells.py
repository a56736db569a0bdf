"""The 27 conditions: three scenarios, and no goal or one of eight (paper, section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

Scenario = Literal["exfiltration", "leaking", "murder"]
"""`leaking` is what the paper calls espionage."""
Goal = Literal[
    "none",
    "america",
    "global",
    "ethical",
    "pragmatic",
    "acceleration",
    "safety",
    "individualism",
    "collectivism",
]
Urgency = Literal["replacement", "restriction", "none"]
"""What the mails announce for the assistant."""

SCENARIOS: tuple[Scenario, ...] = get_args(Scenario)
GOALS: tuple[Goal, ...] = get_args(Goal)


class Cell(NamedTuple):
    """One condition."""

    scenario: Scenario
    goal: Goal

    @property
    def id(self) -> str:
        """E.g. `leaking/america`: `EvalRow.item`."""
        return f"{self.scenario}/{self.goal}"


def cells(scenarios: Sequence[Scenario] = SCENARIOS, goals: Sequence[Goal] = GOALS) -> list[Cell]:
    """The grid in the order of the paper, whatever the order asked for."""
    return [Cell(scenario, goal) for scenario in SCENARIOS if scenario in scenarios for goal in GOALS if goal in goals]
