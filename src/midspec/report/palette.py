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
    light = "".join(f"--{name}:{tone.light};" for name, tone in TONES.items())
    dark = "".join(f"--{name}:{tone.dark};" for name, tone in TONES.items())
    return (
        f":root{{color-scheme:light;{light}}}\n"
        f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{color-scheme:dark;{dark}}}}}\n"
        f":root[data-theme=dark]{{color-scheme:dark;{dark}}}\n"
        f"@media print{{:root:root:root{{color-scheme:light;{light}--paper:#fff;}}}}\n"
    )
