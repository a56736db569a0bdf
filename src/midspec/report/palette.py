"""The report's colours, in one place: the stylesheet, the figures and the contrast test read them from here.

Hues follow Okabe and Ito's colour-blind safe set, darkened or lightened until each reads as text (4.5:1) on its paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from midspec.report.results import Results


class Tone(NamedTuple):
    """One role in both themes."""

    light: str
    dark: str


PAPER = Tone("#fdfdfc", "#15171a")

TONES: dict[str, Tone] = {
    "paper": PAPER,
    "ink": Tone("#1b1d20", "#e5e7e9"),
    "muted": Tone("#5a6068", "#a5acb4"),
    "rule": Tone("#d8dadd", "#363b41"),
    "wash": Tone("#f3f3f1", "#1e2125"),
    "link": Tone("#0a5c99", "#7fbdf2"),
    "warn": Tone("#8a5a00", "#e5b84b"),
    "none": Tone("#63686e", "#9ca2a9"),
    "family-0": Tone("#0067a8", "#6cb4f0"),
    "family-1": Tone("#c0430a", "#ff9a5e"),
    "family-2": Tone("#007a63", "#4fcfae"),
    "family-3": Tone("#864a9c", "#cfa3e8"),
    "family-4": Tone("#8a6100", "#e3c04c"),
    "family-5": Tone("#b42d68", "#ff92ba"),
    "family-6": Tone("#1f7487", "#79d0e0"),
    "family-7": Tone("#5d6b10", "#bccb62"),
}

HEAT = 8
"""Steps of a heat map above none."""
_WARMEST = 0.45
"""How much of the hue the darkest step has: text still reads on it."""


def _mixed(ground: str, hue: str, share: float) -> str:
    parts = [round((1 - share) * int(ground[at : at + 2], 16) + share * int(hue[at : at + 2], 16)) for at in (1, 3, 5)]
    return "#" + "".join(f"{part:02x}" for part in parts)


HEATS: dict[str, Tone] = {
    f"heat-{step}": Tone(
        *(_mixed(ground, hue, _WARMEST * step / HEAT) for ground, hue in zip(PAPER, TONES["family-1"], strict=True))
    )
    for step in range(HEAT + 1)
}
"""Grounds of a heat map's cells, from the paper to the warmest."""


def heat_step(share: float | None) -> int:
    """0 to HEAT; a share that is not known has the ground of the page."""
    return 0 if share is None else round(HEAT * min(1.0, max(0.0, share)))


MARKERS = ("o", "s", "D", "^", "v", "P", "X", "h")
"""Shape repeats what the colour says, for those who do not see it."""

_FAMILIES = len(MARKERS)

SENTINELS: dict[str, str] = {name: f"#fe01{index:02x}" for index, name in enumerate(TONES)}
"""Role -> the colour the figures are drawn in, before it becomes a CSS variable."""


class Family(NamedTuple):
    """How everything that belongs to one spec looks."""

    tone: str
    marker: str


NO_SPEC = Family("none", "o")


def families(results: Results) -> Mapping[str | None, Family]:
    """Spec name -> look, in the order of the recipe; None (no midtraining) is grey."""
    names: dict[str, None] = {}
    specs = results.recipe.get("specs")
    if isinstance(specs, dict):
        names.update(dict.fromkeys(str(name) for name in specs))
    names.update(dict.fromkeys(corpus.spec for corpus in results.corpora))
    names.update(dict.fromkeys(arm.msm for arm in results.arms.values() if arm.msm is not None))
    looks: dict[str | None, Family] = {None: NO_SPEC}
    for index, name in enumerate(names):
        # Past eight specs hue and shape repeat, but never the same pair until 64.
        looks[name] = Family(f"family-{index % _FAMILIES}", MARKERS[(index + index // _FAMILIES) % _FAMILIES])
    return looks


def stylesheet() -> str:
    """The CSS variables: light, dark by the reader's system, either by `data-theme`, always light on paper."""
    light, dark = ("".join(f"--{name}:{tone[theme]};" for name, tone in {**TONES, **HEATS}.items()) for theme in (0, 1))
    heat = "".join(f".{name}{{background:var(--{name})}}" for name in HEATS)
    return (
        f":root{{color-scheme:light;{light}}}\n"
        f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{color-scheme:dark;{dark}}}}}\n"
        f":root[data-theme=dark]{{color-scheme:dark;{dark}}}\n"
        f"@media print{{:root:root:root{{color-scheme:light;{light}--paper:#fff;}}}}\n"
        f"{heat}\n"
    )
